"""Entry point of ``python -m crawler.sample_site``: serve the sample site until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from crawler.sample_site import Corpus, SampleSite
from crawler.sample_site.reprints import add_reprints


def main() -> None:
    """Print the address, then serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m crawler.sample_site", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0, the default, takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--articles", type=int, default=50, help="number of made-up articles (default: 50)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the made-up articles (default: 1)")
    arguments = parser.parse_args()
    stop_event = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop_event.set())
    corpus = Corpus.sample(arguments.articles, seed=arguments.seed)
    add_reprints(corpus)
    with SampleSite(corpus, port=arguments.port, host=arguments.host) as site:
        sys.stdout.write(f"{site.url}\n")
        sys.stdout.flush()
        stop_event.wait()


if __name__ == "__main__":
    main()
