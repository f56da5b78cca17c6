"""The demo: the sample site on loopback, and the real commands run against it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from crawler.content import clock
from crawler.crawl.policy.result import EXIT_CODES
from crawler.errors import Failed, UsageError
from crawler.items import RunOutcome
from crawler.sample_site import Corpus, SampleSite
from crawler.sample_site.reprints import add_reprints
from crawler.storage import Store
from crawler.storage.connection import FILE_NAME

SPIDERS = ("choice", "eastmoney", "flash")

_MARK = ".demo"
# The site is our own and asks for no manners.
_OWN_SITE = ("--set", "DOWNLOAD_DELAY=0", "--set", "AUTOTHROTTLE_ENABLED=0")


def claim(output: Path) -> None:
    """Mark the folder as a demo's. Raises UsageError where real news is: made-up articles must not mix with it."""
    if (output / FILE_NAME).exists() and not (output / _MARK).exists():
        raise UsageError(f"{output} holds news that no demo crawled: name another folder with --output DIR")
    output.mkdir(mode=0o755, parents=True, exist_ok=True)
    (output / _MARK).touch(mode=0o644)


def crawl_sample_site(output: Path, articles: int) -> Iterator[str]:
    """Serve the sample site and crawl it with each spider; yields each command before it runs. Raises Failed."""
    now = clock.now()
    corpus = Corpus.sample(articles, newest=now)
    add_reprints(corpus, newest=now)
    with SampleSite(corpus) as site:
        for spider in SPIDERS:
            words = ["crawl", spider, "--mirror", site.url, "--output", str(output)]
            yield "finews " + " ".join(words)
            command = [sys.executable, "-m", "crawler", *words, *_OWN_SITE]
            if subprocess.run(command, check=False).returncode == EXIT_CODES[RunOutcome.FAILED]:
                raise Failed(f"the demo's crawl with {spider} failed")


def first_article(output: Path) -> str:
    """The code of an article to look at: the one with most stocks in it."""
    with Store.reading(output) as store:
        return store.articles.most_mentioning()
