"""Crawl planner for `--plan`: fetch the first page of each listing, estimate the rest, and write nothing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, Self, cast

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
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
from crawler.crawl.policy.entry_filter import EntryFilter
from crawler.crawl.policy.estimate import FirstPage, Plan, estimate_columns
from crawler.crawl.policy.failures import describe_bug, describe_item_error
from crawler.crawl.policy.health import SourceHealth
from crawler.crawl.policy.origins import get_origin
from crawler.crawl.policy.pace import seconds_between_requests
from crawler.crawl.policy.pagination import NextPage
from crawler.crawl.policy.result import FINISHED_REASON, crawl_outcome
from crawler.crawl.policy.robots import is_fresh
from crawler.errors import CommandError, ItemError, ParseError
from crawler.items import ListingEntry, ListingSize, Outcome, PageWindow, RawResponse
from crawler.storage import Store
from crawler.storage.output_dir import resolve_output_dir
from crawler.storage.robots_files import RobotsFile


class Planner(EntryTracker, TrackerExtension):
    """Collects the first pages, and plans when the spider is closed. The database is only read.

    Then `plan` is set, or `fatal_error` says why there is none.
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
        """Connect the planner to Scrapy's signals."""
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
        """Open the database, if there is one. Raises CloseSpider for a database or arguments that cannot be used."""
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
        """Keep a first page. Return that nothing more is to be fetched."""
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
        """Record that a first page could not be fetched or parsed."""
        self._listing_parse_failed |= isinstance(error, ParseError)
        self._failed_listings[describe_listing_error(error, response.url)].append(column)

    def record_article_failure(self, entry: ListingEntry, error: BaseException | None, response: RawResponse) -> None:
        """Do nothing: a plan fetches no articles."""

    def entries_to_refresh(self) -> list[ListingEntry]:
        """Return no entries: a plan only counts them."""
        return []

    # what middlewares report, which a plan does not store

    def paused_until(self, name: str) -> datetime | None:
        """Return the end of a site's or endpoint's pause; None without one."""
        until, now = self._pauses.get(name), clock.now()
        return until if until and now < until <= now + LONGEST_STORED_PAUSE else None

    def pause(self, name: str, wait: timedelta) -> None:
        """Pause a site or endpoint until the plan is made."""
        self._pauses[name] = clock.now() + wait

    def back_off(self, name: str) -> None:
        """Pause a site or endpoint for the shortest backoff."""
        self.pause(name, backoff_delay(timedelta()))

    def load_robots(self, origin: str) -> RobotsFile | None:
        """Return the stored robots.txt of an origin, however old; None without one."""
        return self._store.robots_files.get(origin) if self._store else None

    def save_robots(self, origin: str, robots_file: RobotsFile) -> None:
        """Do nothing: the crawl requests the file again."""

    # what Scrapy reports

    def request_reached_downloader(self, request: Request) -> None:
        """Count a request that is sent."""
        self._requests_sent += 1
        self._origins.add(get_origin(request.url))

    def response_downloaded(self, request: Request) -> None:
        """Keep the seconds that a response took."""
        if latency := request.meta.get("download_latency"):
            self._latencies.append(latency)

    def spider_error(self, failure: Failure, response: Any) -> None:
        """Record an exception in a callback or an errback."""
        if isinstance(failure.value, CommandError):
            self.fatal_error = failure.value
        self._failed_listings[describe_bug(failure.value)].append(get_column(response.request))

    def spider_closed(self, reason: str) -> None:
        """Make the plan, and close the database."""
        try:
            if reason == FINISHED_REASON and self.fatal_error is None:
                self.plan = self._build_plan()
        except CommandError as error:
            self.fatal_error = error
        finally:
            if self._store:
                self._store.close()

    def _build_plan(self) -> Plan:
        spider, selection, store, settings = self._spider, self.selection, self._store, self._crawler.settings
        pages = [self._pages[column] for column in selection.columns if column in self._pages]
        entries = [entry for page in pages for entry in page.entries]
        article_urls = [spider.first_article_url(entry) for entry in entries]
        latency = median(self._latencies or [0.0])
        # Of articles that rows may hold, as many take a request as on the first pages.
        rows_share = sum(map(bool, article_urls)) / len(article_urls) if article_urls else 0.0
        request_share = rows_share if spider.rows_are_articles else 1.0
        plan = Plan(
            columns=estimate_columns(
                pages,
                names=spider.columns,
                selection=selection,
                entry_filter=EntryFilter(spider.name, spider.supersedes, selection, self._registry),
                coverage=store.coverage.for_spider(spider.name, clock.now()) if store else {},
                count_known=partial(store.articles.count_in_column, excluded_spiders=spider.supersedes)
                if store
                else lambda *_: 0,
            ),
            again=self._count_refreshed({entry.code for entry in entries}),
            robots=self._count_robots_requests(article_urls) if settings.getbool("ROBOTSTXT_OBEY") else 0,
            article_requests=request_share > 0,
            request_share=request_share,
            latency=latency,
            seconds_between=max(
                seconds_between_requests(settings.getfloat("DOWNLOAD_DELAY")),
                latency / max(1, settings.getint("CONCURRENT_REQUESTS")),
            ),
            asked=self._requests_sent,
            outcome=crawl_outcome(
                reason=FINISHED_REASON,
                has_fatal_error=False,
                listings_read=len(self._pages),
                listings_failed=len(self._failed_listings),
                listing_parse_failed=self._listing_parse_failed,
                gap_count=0,
                outcome_counts=dict.fromkeys(Outcome, 0),
            ),
            failed_listings=dict(self._failed_listings),
        )
        return replace(plan, notes=[*self._notes, *build_notes(plan, settings.getint("CLOSESPIDER_TIMEOUT"))])

    def _count_refreshed(self, listed_codes: set[str]) -> int:
        """Return how many articles --refresh fetches again that the first pages do not list."""
        since = self.selection.refresh
        if since is None or self._store is None or self._spider.rows_are_articles:
            return 0
        return sum(
            entry.code not in listed_codes and not self.selection.skip_reason(entry, self._registry)
            for entry in self._store.articles.entries_to_refresh(self._spider.name, since)
        )

    def _count_robots_requests(self, article_urls: Sequence[str]) -> int:
        """Return how many origins have no fresh robots.txt in the database."""
        origins = self._origins | {get_origin(url) for url in article_urls if url}
        robots_files = map(self.load_robots, origins)
        return sum(
            robots_file is None or not is_fresh(robots_file.fetched_at, clock.now()) for robots_file in robots_files
        )


def build_notes(plan: Plan, max_seconds: int) -> list[str]:
    """Return the lines for the user about a plan whose crawl may take `max_seconds` (0: any time)."""
    lines = []
    if short_columns := [column.column_id for column in plan.columns if column.ends_early]:
        lines.append(
            f"by their pace, the listings of {', '.join(short_columns)} end before --since: the source has no more"
        )
    if 0 < max_seconds < plan.seconds:
        lines.append(
            f"a crawl ends after {format_rough_duration(max_seconds)} (CLOSESPIDER_TIMEOUT), and the next one goes on"
        )
    return lines
