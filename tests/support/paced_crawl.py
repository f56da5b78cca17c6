"""A first crawl with the default settings against the sample site, by a clock that does not wait.

    python -m tests.support.paced_crawl OUTPUT ARTICLES SPIDER

It prints the times in seconds at which the requests came, as JSON. Whenever nothing happens on the network, the clock
goes on to the next moment that anything waits for.
"""

import asyncio
import json
import selectors
import sys
from pathlib import Path

from crawler.crawl.runner import build_settings, crawl
from crawler.sample_site import Corpus, Exchange, SampleSite

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


class ArrivalTimes:
    """Answers as the site does, and notes when each request came by the clock of the crawl."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def apply(self, exchange: Exchange) -> None:
        self.times.append(SkippingLoop.current.time())
        exchange.send_response(exchange.default_response)


def main(output: str, articles: str, spider: str) -> None:
    arrivals = ArrivalTimes()
    with SampleSite(Corpus.sample(int(articles))) as site:
        site.add_fault("", arrivals)
        loop_path = f"{SkippingLoop.__module__}.{SkippingLoop.__qualname__}"
        overrides = {"MIRROR": site.url, "OUTPUT_DIR": output, "ASYNCIO_EVENT_LOOP": loop_path}
        result = crawl(spider, {}, build_settings(overrides, show_progress=False))
    json.dump({"exit_code": result.exit_code, "new": result.run["new"], "times": sorted(arrivals.times)}, sys.stdout)


if __name__ == "__main__":
    from tests.support import paced_crawl  # under this name Scrapy finds the loop, so that there is one

    paced_crawl.main(str(Path(sys.argv[1])), *sys.argv[2:])
