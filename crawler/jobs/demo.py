"""Demo: the sample site on loopback, and the real commands run against it."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from crawler.content import clock
from crawler.crawl.policy.result import EXIT_CODES
from crawler.errors import FatalError, StoppedError
from crawler.items import RunOutcome
from crawler.sample_site import Corpus, SampleSite
from crawler.sample_site.reprints import add_reprints
from crawler.storage import Store

DEMO_SPIDERS = ("choice", "eastmoney", "flash")

# The site is our own and needs no politeness.
_FAST_SETTINGS = ("--set", "DOWNLOAD_DELAY=0", "--set", "AUTOTHROTTLE_ENABLED=0")


def crawl_sample_site(output: Path, articles: int) -> Iterator[str]:
    """Serve the sample site and crawl it with each spider; yields each command before it runs. Raises FatalError."""
    now = clock.now()
    corpus = Corpus.sample(articles, newest_at=now)
    add_reprints(corpus, newest_at=now)
    with SampleSite(corpus) as site:
        for spider in DEMO_SPIDERS:
            arguments = ["crawl", spider, "--mirror", site.url, "--output", str(output)]
            yield "finews " + " ".join(arguments)
            command = [sys.executable, "-m", "crawler", *arguments, *_FAST_SETTINGS]
            if _run_crawl(command) == EXIT_CODES[RunOutcome.FAILED]:
                raise FatalError(f"the demo's crawl with {spider} failed")


def _run_crawl(command: Sequence[str]) -> int:
    """Run a crawl to its end; return its exit code. Ctrl-C goes to the crawl, which stops and says so.

    Raises SystemExit after that, and KeyboardInterrupt where it came too late for the crawl.
    """
    process: subprocess.Popen[bytes] | None = None
    is_stopped = False

    def forward(*_: object) -> None:
        nonlocal is_stopped
        is_stopped = True
        if process is not None:
            process.send_signal(signal.SIGINT)

    previous_handler = signal.signal(signal.SIGINT, forward)
    # A process inherits this: the crawl hears of Ctrl-C when it can answer, and not while it is loaded.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(command)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if is_stopped:
            forward()
        exit_code = process.wait()
    finally:
        signal.signal(signal.SIGINT, previous_handler)
    if exit_code == StoppedError.exit_code:
        sys.exit(exit_code)
    if is_stopped:
        raise KeyboardInterrupt
    return exit_code


def pick_example_article(output: Path) -> str:
    """The code of an article to look at: the one with most stocks in it."""
    with Store.open_ro(output) as store:
        return store.articles.code_with_most_mentions()
