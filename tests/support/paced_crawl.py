"""A first crawl with the default settings against the sample site, by a clock that does not wait.

    python -m tests.support.paced_crawl OUTPUT ARTICLES SPIDER

It prints the times in seconds at which the requests were sent, as JSON, and how many the site had. Whenever nothing happens on the network, the clock
goes on to the next moment that anything waits for.
"""

import asyncio
import json
import selectors
import sys
from pathlib import Path
from typing import ClassVar, Self

from scrapy import signals
from scrapy.crawler import Crawler

from crawler.crawl.runner import build_settings, crawl
from crawler.sample_site import Corpus, SampleSite

# Real seconds without anything on the network, after which the clock goes on. The sample site answers in milliseconds.
_PATIENCE = 0.005


class SkippingSelector(selectors.DefaultSelector):
    """Waits no longer than a moment, and counts what it has not waited."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= _PATIENCE:
            return super().select(timeout)
        events = super().select(_PATIENCE)
        if not events:
            SkippingSelector.skipped += timeout - _PATIENCE
        return events


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is that of its selector."""

    current: "SkippingLoop"

    def __init__(self) -> None:
        super().__init__(SkippingSelector())
        SkippingLoop.current = self

    def time(self) -> float:
        return super().time() + SkippingSelector.skipped


class SendingTimes:
    """The extension that notes when each request is handed to the network. How soon it comes there is the machine's."""

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
        result = crawl(spider, {}, settings)
        requests = len(site.requests)
    report = {
        "exit_code": result.exit_code,
        "new": result.run["new"],
        "requests": requests,
        "times": SendingTimes.times,
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    from tests.support import paced_crawl  # under this name Scrapy finds the loop, so that there is one

    paced_crawl.main(str(Path(sys.argv[1])), *sys.argv[2:])
