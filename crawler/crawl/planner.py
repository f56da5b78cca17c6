"""Crawl planner (--plan): fetches the first page of each listing, estimates the rest, and writes nothing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Self, cast

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.dates import format_rough_duration
from crawler.crawl.interface import (
    BadRow,
    EntryTracker,
    SpiderInfo,
    TrackerExtension,
    describe_listing_error,
    get_column,
    selection_from_arguments,
)
from crawler.crawl.policy.backoff import LONGEST_STORED_PAUSE, backoff_delay
from crawler.crawl.policy.estimate import FirstPage, Plan, PlanInputs, estimate_columns
from crawler.crawl.policy.failures import describe_bug, describe_item_error
from crawler.crawl.policy.health import SourceHealth
from crawler.crawl.policy.origins import get_origin
from crawler.crawl.policy.pace import seconds_between_requests
from crawler.crawl.policy.pagination import NextPage
from crawler.crawl.policy.result import FINISHED_REASON, crawl_outcome
from crawler.crawl.policy.robots import is_fresh
from crawler.errors import CommandError, ItemError, ParseError
from crawler.items import ListingEntry, ListingSize, Outcome, PageWindow, RawResponse, RunOutcome
from crawler.storage import Store
from crawler.storage.output_dir import resolve_output_dir
from crawler.storage.robots_files import RobotsFile


class Planner(EntryTracker, TrackerExtension):
    """Takes in the first pages, and plans when the last of them has come. The database is only read.

    `plan` is there when the spider is closed; `fatal_error` is why there is none.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._store: Store | None = None
        self._pages: dict[str, FirstPage] = {}
        self._origins: set[str] = set()
        self._notes: list[str] = []
        self._latencies: list[float] = []
        self._requests_sent = 0
        self._failed_listings: defaultdict[str, list[str]] = defaultdict(list)
        self._listing_parse_failed = False
        self._pauses: dict[str, datetime] = {}
        self._registry = CategoryRegistry()
        self.health = SourceHealth()
        self.plan: Plan | None = None
        self.fatal_error: CommandError | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        planner = cls(crawler)
        crawler.signals.connect(planner.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(planner.request_reached_downloader, signal=signals.request_reached_downloader)
        crawler.signals.connect(planner.response_downloaded, signal=signals.response_downloaded)
        crawler.signals.connect(planner.spider_error, signal=signals.spider_error)
        crawler.signals.connect(planner.spider_closed, signal=signals.spider_closed)
        return planner

    @property
    def _spider(self) -> SpiderInfo:
        return cast(SpiderInfo, self._crawler.spider)

    def spider_opened(self) -> None:
        """Open the database, if there is one. Raises CloseSpider when it or the selection cannot be had."""
        try:
            output = resolve_output_dir(self._crawler.settings.get("OUTPUT_DIR"))
            self.selection = selection_from_arguments(self._spider, output)
            self._store = Store.open_ro_if_exists(output)
            if self._store:
                self.output = output
                self._pauses = self._store.pauses.get_all()
                self._registry = CategoryRegistry(self._store.categories.all())
        except CommandError as error:
            self.fatal_error = error
            raise CloseSpider("cannot_start") from error
        self.tracker = self

    # what spiders report

    def record_listing_page(
        self,
        column: str,
        rows: Sequence[ListingEntry | BadRow],
        *,
        is_last_page: bool,
        listing_size: ListingSize | None = None,
        window: PageWindow | None = None,
    ) -> tuple[list[ListingEntry], NextPage | None]:
        entries = [row for row in rows if isinstance(row, ListingEntry)]
        known_articles = (
            self._store.articles.get_known([entry.code for entry in entries], self._spider.name, column)
            if self._store
            else {}
        )
        self._pages[column] = FirstPage(column, entries, known_articles, is_last_page, listing_size)
        bad_rows = [row for row in rows if isinstance(row, BadRow)]
        if bad_rows:
            reason = describe_item_error(bad_rows[0].error, bad_rows[0].url)
            self._notes.append(f"{len(bad_rows)} rows of column {column} are no entries: {reason}")
        return [], None

    def record_listing_failure(self, column: str, error: ItemError, response: RawResponse) -> None:
        self._listing_parse_failed |= isinstance(error, ParseError)
        self._failed_listings[describe_listing_error(error, response.url)].append(column)

    def record_article_failure(self, entry: ListingEntry, error: BaseException | None, response: RawResponse) -> None:
        """No article is fetched for a plan."""

    def entries_to_refresh(self) -> list[ListingEntry]:
        return []

    # what middlewares report: only this crawl obeys it; the next one will hear it again

    def paused_until(self, name: str) -> datetime | None:
        until, now = self._pauses.get(name), clock.now()
        return until if until and now < until <= now + LONGEST_STORED_PAUSE else None

    def pause(self, name: str, wait: timedelta) -> None:
        self._pauses[name] = clock.now() + wait

    def back_off(self, name: str) -> None:
        self.pause(name, backoff_delay(timedelta()))

    def load_robots(self, origin: str) -> RobotsFile | None:
        return self._store.robots_files.get(origin) if self._store else None

    def save_robots(self, origin: str, robots_file: RobotsFile) -> None:
        """A plan stores nothing: the crawl will request it again."""

    # what Scrapy reports

    def request_reached_downloader(self, request: Request) -> None:
        self._requests_sent += 1
        self._origins.add(get_origin(request.url))

    def response_downloaded(self, request: Request) -> None:
        if latency := request.meta.get("download_latency"):
            self._latencies.append(latency)

    def spider_error(self, failure: Failure, response: Any) -> None:
        if isinstance(failure.value, CommandError):
            self.fatal_error = failure.value
        self._failed_listings[describe_bug(failure.value)].append(get_column(response.request))

    def spider_closed(self, reason: str) -> None:
        try:
            if reason == FINISHED_REASON and self.fatal_error is None:
                self.plan = self._build_plan()
        except CommandError as error:
            self.fatal_error = error
        finally:
            if self._store:
                self._store.close()

    # its steps

    def _build_plan(self) -> Plan:
        pages = [self._pages[column] for column in self.selection.columns if column in self._pages]
        inputs = PlanInputs(
            self._spider.name,
            self._spider.columns,
            self._spider.supersedes,
            self.selection,
            self._registry,
            self._store.coverage.for_spider(self._spider.name, clock.now()) if self._store else {},
            self._count_known,
        )
        latency = median(self._latencies or [0.0])
        request_share = self._request_share(pages)
        plan = Plan(
            columns=estimate_columns(pages, inputs),
            again=len(self._refreshed_entries(pages)),
            robots=self._count_robots_requests(pages) if self._crawler.settings.getbool("ROBOTSTXT_OBEY") else 0,
            article_requests=request_share > 0,
            request_share=request_share,
            latency=latency,
            seconds_between=estimate_request_interval(self._crawler.settings, latency),
            asked=self._requests_sent,
            outcome=self._plan_outcome(),
            failed_listings=dict(self._failed_listings),
        )
        return replace(plan, notes=[*self._notes, *build_notes(plan, self._crawler.settings)])

    def _count_known(self, column: str, since: datetime | None, before: datetime) -> int:
        if self._store is None:
            return 0
        return self._store.articles.count_in_column(column, since, before, self._spider.supersedes)

    def _refreshed_entries(self, pages: Sequence[FirstPage]) -> list[ListingEntry]:
        """What --refresh fetches again, but for what the first pages name."""
        since = self.selection.refresh
        if since is None or self._store is None or self._spider.rows_are_articles:
            return []
        listed_codes = {entry.code for page in pages for entry in page.entries}
        candidates = self._store.articles.entries_to_refresh(self._spider.name, since)
        return [
            entry
            for entry in candidates
            if entry.code not in listed_codes and not self.selection.skip_reason(entry, self._registry)
        ]

    def _request_share(self, pages: Sequence[FirstPage]) -> float:
        """How many of the articles take a request of their own, from 0 to 1: as many as on the first pages."""
        if not self._spider.rows_are_articles:
            return 1.0
        takes_request = [bool(self._spider.first_article_url(entry)) for page in pages for entry in page.entries]
        return sum(takes_request) / len(takes_request) if takes_request else 0.0

    def _count_robots_requests(self, pages: Sequence[FirstPage]) -> int:
        """Return how many origins the crawl requests robots.txt from: those whose file is not fresh."""
        article_urls = {self._spider.first_article_url(entry) for page in pages for entry in page.entries}
        origins = self._origins | {get_origin(url) for url in article_urls if url}
        robots_files = map(self.load_robots, origins)
        return sum(
            robots_file is None or not is_fresh(robots_file.fetched_at, clock.now()) for robots_file in robots_files
        )

    def _plan_outcome(self) -> RunOutcome:
        return crawl_outcome(
            reason=FINISHED_REASON,
            has_fatal_error=False,
            listings_read=len(self._pages),
            listings_failed=len(self._failed_listings),
            listing_parse_failed=self._listing_parse_failed,
            gap_count=0,
            outcome_counts=dict.fromkeys(Outcome, 0),
        )


def estimate_request_interval(settings: BaseSettings, latency: float) -> float:
    """Return the seconds between two requests to a site that answers after `latency` seconds, while more are waiting.

    A setting of 0 is no bound.
    """
    limits = [settings.getint(name) for name in ("CONCURRENT_REQUESTS", "CONCURRENT_REQUESTS_PER_DOMAIN")]
    concurrency = min((limit for limit in limits if limit > 0), default=1)
    return max(seconds_between_requests(settings.getfloat("DOWNLOAD_DELAY")), latency / concurrency)


def build_notes(plan: Plan, settings: BaseSettings) -> list[str]:
    """What a person should know before the crawl."""
    lines = []
    if short_columns := [column.column_id for column in plan.columns if column.ends_early]:
        lines.append(
            f"by their pace, the listings of {', '.join(short_columns)} end before --since: the source has no more"
        )
    max_seconds = settings.getint("CLOSESPIDER_TIMEOUT")
    if 0 < max_seconds < plan.seconds:
        lines.append(
            f"a crawl ends after {format_rough_duration(max_seconds)} (CLOSESPIDER_TIMEOUT), and the next one goes on"
        )
    return lines
