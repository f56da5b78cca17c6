"""Run a first crawl with default settings against the sample site, with a clock that skips idle time.

    python -m tests.support.paced_crawl OUTPUT ARTICLES SPIDER

It prints JSON: the times of the sent requests in seconds and the number of requests at the site. When the network is
idle, the clock skips to the next timer.
"""

import asyncio
import json
import selectors
import sys
from pathlib import Path
from typing import ClassVar, Self

from scrapy import signals
from scrapy.crawler import Crawler

from crawler.crawl.policy.result import CrawlResult
from crawler.crawl.runner import build_settings, crawl
from crawler.sample_site import Corpus, SampleSite

# Real seconds of an idle network before the clock skips. The sample site responds within milliseconds.
_PATIENCE = 0.005


class SkippingSelector(selectors.DefaultSelector):
    """Waits at most _PATIENCE and adds up the time that it skipped."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= _PATIENCE:
            return super().select(timeout)
        events = super().select(_PATIENCE)
        if not events:
            SkippingSelector.skipped += timeout - _PATIENCE
        return events


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop with the clock of its selector."""

    current: "SkippingLoop"

    def __init__(self) -> None:
        super().__init__(SkippingSelector())
        SkippingLoop.current = self

    def time(self) -> float:
        return super().time() + SkippingSelector.skipped


class SendingTimes:
    """Extension that records when each request reaches the downloader."""

    times: ClassVar[list[float]] = []

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        extension = cls()
        crawler.signals.connect(extension.request_reached_downloader, signal=signals.request_reached_downloader)
        return extension

    def request_reached_downloader(self) -> None:
        self.times.append(SkippingLoop.current.time())


def main(output: str, articles: str, spider: str) -> None:
    with SampleSite(Corpus.sample(int(articles))) as site:
        loop_path = f"{__name__}.{SkippingLoop.__qualname__}"
        settings = build_settings(
            {"MIRROR": site.url, "OUTPUT_DIR": output, "ASYNCIO_EVENT_LOOP": loop_path}, show_progress=False
        )
        settings["EXTENSIONS"][SendingTimes] = 200
        (result,) = crawl([spider], {}, settings)
        assert isinstance(result, CrawlResult), result
        requests = len(site.requests)
    report = {
        "exit_code": result.exit_code,
        "new": result.run["new"],
        "requests": requests,
        "times": SendingTimes.times,
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    from tests.support import paced_crawl  # Scrapy imports the loop by this name: it must be the same module

    paced_crawl.main(str(Path(sys.argv[1])), *sys.argv[2:])
