"""Demo: crawls of the sample site on loopback, by the real commands."""

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

# The sample site needs no politeness.
_FAST_SETTINGS = ("--set", "DOWNLOAD_DELAY=0", "--set", "AUTOTHROTTLE_ENABLED=0")


def crawl_sample_site(output: Path, articles: int) -> Iterator[str]:
    """Serve the sample site and crawl it with each spider; yield each command before running it.

    Raises FatalError when a crawl fails.
    """
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
    """Run a crawl and return its exit code; pass Ctrl-C on to the crawl.

    Raises SystemExit after a crawl stopped by Ctrl-C, and KeyboardInterrupt if Ctrl-C came too late for the crawl.
    """
    process: subprocess.Popen[bytes] | None = None
    is_stopped = False

    def forward(*_: object) -> None:
        nonlocal is_stopped
        is_stopped = True
        if process is not None:
            process.send_signal(signal.SIGINT)

    previous_handler = signal.signal(signal.SIGINT, forward)
    # The child process inherits the mask and unblocks SIGINT when it can handle it, not while it is still importing.
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
    """Return the code of the article with most stocks."""
    with Store.open_ro(output) as store:
        return store.articles.code_with_most_mentions()
