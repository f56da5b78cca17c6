"""Demo: the sample site on loopback, and the real commands run against it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from crawler.content import clock
from crawler.crawl.policy.result import EXIT_CODES
from crawler.errors import FatalError, UsageError
from crawler.items import RunOutcome
from crawler.sample_site import Corpus, SampleSite
from crawler.sample_site.reprints import add_reprints
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME

DEMO_SPIDERS = ("choice", "eastmoney", "flash")

_MARKER_FILE = ".demo"
# The site is our own and needs no politeness.
_FAST_SETTINGS = ("--set", "DOWNLOAD_DELAY=0", "--set", "AUTOTHROTTLE_ENABLED=0")


def mark_as_demo(output: Path) -> None:
    """Mark the folder as a demo's. Raises UsageError where real news is: made-up articles must not mix with it."""
    if (output / DATABASE_FILE_NAME).exists() and not (output / _MARKER_FILE).exists():
        raise UsageError(f"{output} holds news that no demo crawled: name another folder with --output DIR")
    output.mkdir(parents=True, exist_ok=True)
    (output / _MARKER_FILE).touch()


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
            if subprocess.run(command, check=False).returncode == EXIT_CODES[RunOutcome.FAILED]:
                raise FatalError(f"the demo's crawl with {spider} failed")


def pick_example_article(output: Path) -> str:
    """The code of an article to look at: the one with most stocks in it."""
    with Store.open_ro(output) as store:
        return store.articles.code_with_most_mentions()
