"""``python -m crawler.sample_site``: serves the sample site until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from crawler.sample_site import Corpus, SampleSite
from crawler.sample_site.reprints import add_reprints


def main() -> None:
    """Prints the address first, so that another program can read it."""
    options = _options()
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    corpus = Corpus.sample(options.articles, seed=options.seed)
    add_reprints(corpus)
    with SampleSite(corpus, port=options.port, host=options.host) as site:
        sys.stdout.write(f"{site.url}\n")
        sys.stdout.flush()
        stop.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m crawler.sample_site", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--articles", type=int, default=50, help="how many made-up articles")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
