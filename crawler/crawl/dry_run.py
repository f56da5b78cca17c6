"""Dry-run tracker for `scrapy shell` and `scrapy parse`: select every entry, store nothing."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self, cast

from scrapy import Spider, signals
from scrapy.crawler import Crawler

from crawler.crawl.interface import BadRow, EntryTracker, SpiderInfo, TrackerExtension, describe_listing_error
from crawler.crawl.policy.failures import classify_error
from crawler.crawl.policy.health import SourceHealth
from crawler.crawl.policy.pagination import CursorStep, NextPage
from crawler.crawl.policy.selection import Selection
from crawler.errors import ItemError
from crawler.items import ListingEntry, ListingSize, PageWindow, RawResponse
from crawler.storage.robots_files import RobotsFile

logger = logging.getLogger(__name__)


class DryRunTracker(EntryTracker):
    """Log errors, and record nothing."""

    def __init__(self, default_columns: tuple[str, ...]) -> None:
        self.selection = Selection(columns=default_columns)
        self.health = SourceHealth()

    def record_listing_page(
        self,
        column: str,
        rows: Sequence[ListingEntry | BadRow],
        *,
        is_last_page: bool,
        listing_size: ListingSize | None = None,
        window: PageWindow | None = None,
    ) -> tuple[list[ListingEntry], NextPage | None]:
        """Log bad rows. Return all entries, and the next page."""
        for row in rows:
            if isinstance(row, BadRow):
                logger.error("a row could not be parsed: %s", classify_error(row.error, row.url).detail)
        return [row for row in rows if isinstance(row, ListingEntry)], None if is_last_page else CursorStep.OLDER

    def record_listing_failure(self, column: str, error: ItemError, response: RawResponse) -> None:
        """Log the failure of a listing page."""
        logger.error("no listing of %s: %s", column, describe_listing_error(error, response.url))

    def record_article_failure(self, entry: ListingEntry, error: BaseException | None, response: RawResponse) -> None:
        """Log the failure of an article."""
        failure = classify_error(error, response.url)
        logger.error("%s: %s: %s", failure.outcome, entry.code, failure.detail)

    def entries_to_refresh(self) -> list[ListingEntry]:
        """Return no entries."""
        return []

    def paused_until(self, name: str) -> datetime | None:
        """Return None: nothing is paused."""
        return None

    def pause(self, name: str, wait: timedelta) -> None:
        """Log a Retry-After."""
        logger.warning("%s asks for no requests for %s", name, wait)

    def back_off(self, name: str) -> None:
        """Log a refusal."""
        logger.warning("%s refuses too many requests", name)

    def load_robots(self, origin: str) -> RobotsFile | None:
        """Return None: no file is stored."""
        return None

    def save_robots(self, origin: str, robots_file: RobotsFile) -> None:
        """Do nothing: no file is stored."""


class DryRun(TrackerExtension):
    """Scrapy extension in place of `CrawlSession`."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Connect the extension to Scrapy's signal."""
        extension = cls()
        crawler.signals.connect(extension.spider_opened, signal=signals.spider_opened)
        return extension

    def spider_opened(self, spider: Spider) -> None:
        """Create the tracker."""
        columns = getattr(cast(SpiderInfo, spider), "default_columns", ())
        self.tracker = DryRunTracker(columns)
