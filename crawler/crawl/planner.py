"""Plans a crawl: asks for the first page of every listing, as the crawl would, and writes nothing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Protocol, Self, cast
from urllib.parse import urlsplit

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from crawler.content import clock
from crawler.content.categories import Media
from crawler.content.dates import roughly
from crawler.crawl.interface import BadRow, Books, Source, asked_for, fault_told, why_lost
from crawler.crawl.policy.backoff import of_itself
from crawler.crawl.policy.estimate import Asked, FirstPage, Manners, Plan, plan_columns
from crawler.crawl.policy.failures import explained
from crawler.crawl.policy.result import FINISHED, verdict
from crawler.crawl.policy.selection import Selection
from crawler.errors import Ending, Unreadable, Unusable
from crawler.items import Entry, Extent, Outcome, Reply, RunOutcome
from crawler.storage import Store
from crawler.storage.output_dir import output_folder


class Planned(Source, Protocol):
    """What the planner asks of a spider beside that."""

    readers: Sequence[object]

    def first_address(self, entry: Entry) -> str: ...


class Planner(Books):
    """Takes in the first pages, and plans when the last of them has come. The database is only read."""

    def __init__(self, crawler: Crawler, selection: Selection, store: Store | None) -> None:
        self._crawler = crawler
        self._spider = cast(Planned, crawler.spider)
        self._store = store
        self._pages: dict[str, FirstPage] = {}
        self._hosts: set[str] = set()
        self._notes: list[str] = []
        self._latencies: list[float] = []
        self._sent = 0
        self._lost: defaultdict[str, list[str]] = defaultdict(list)
        self._unreadable = False
        self.pauses = store.pauses.kept() if store else {}
        self._media = Media(store.categories.all() if store else ())
        self.selection = selection
        self.plan: Plan | None = None
        self.failure: Ending | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Raises UsageError, or StoreError for a database that cannot be read: then nothing is asked for."""
        output = output_folder(crawler.settings.get("OUTPUT_DIR"))
        planner = cls(crawler, asked_for(cast(Source, crawler.spider), output), Store.reading_any(output))
        crawler.signals.connect(planner.request_sent, signal=signals.request_reached_downloader)
        crawler.signals.connect(planner.reply_came, signal=signals.response_downloaded)
        crawler.signals.connect(planner.spider_error, signal=signals.spider_error)
        crawler.signals.connect(planner.spider_closed, signal=signals.spider_closed)
        return planner

    # what spiders tell

    def take_down(
        self, column: str, rows: Sequence[Entry | BadRow], *, last: bool, extent: Extent | None = None
    ) -> tuple[list[Entry], bool]:
        entries = [row for row in rows if isinstance(row, Entry)]
        known = self._store.articles.known([entry.code for entry in entries], self._spider.name) if self._store else {}
        self._pages[column] = FirstPage(column, entries, known, last, extent)
        bad = [row for row in rows if isinstance(row, BadRow)]
        if bad:
            self._notes.append(
                f"{len(bad)} rows of column {column} are no entries: {explained(bad[0].error, bad[0].url)}"
            )
        return [], False

    def listing_lost(self, column: str, error: Unusable, reply: Reply) -> None:
        self._unreadable |= isinstance(error, Unreadable)
        self._lost[why_lost(error, reply.url)].append(column)

    def recheck(self) -> list[Entry]:
        return []

    # what middlewares tell: this crawl heeds it; the next one is told again

    def pause(self, origin: str, wait: timedelta) -> None:
        self.pauses[origin] = clock.now() + wait

    def back_off(self, origin: str) -> None:
        self.pause(origin, of_itself(timedelta()))

    # what Scrapy tells

    def request_sent(self, request: Request) -> None:
        self._sent += 1
        self._hosts.add(urlsplit(request.url).netloc)

    def reply_came(self, request: Request) -> None:
        if latency := request.meta.get("download_latency"):
            self._latencies.append(latency)

    def spider_error(self, failure: Failure, response: Any) -> None:
        if isinstance(failure.value, Ending):
            self.failure = failure.value
        self._lost[fault_told(failure.value)].append(response.request.cb_kwargs.get("column", ""))

    def spider_closed(self, reason: str) -> None:
        try:
            if reason == FINISHED and self.failure is None:
                self.plan = self._plan()
        except Ending as error:
            self.failure = error
        finally:
            if self._store:
                self._store.close()

    # its steps

    def _plan(self) -> Plan:
        pages = [self._pages[column] for column in self.selection.columns if column in self._pages]
        asked = Asked(
            self._spider.name,
            self._spider.columns,
            self._spider.supersedes,
            self.selection,
            self._media,
            self._store.covered.of(self._spider.name) if self._store else {},
            self._count_known,
        )
        latency = median(self._latencies or [0.0])
        plan = Plan(
            columns=plan_columns(pages, asked),
            again=len(self._again(pages)),
            robots=len(self._hosts_of(pages)) if self._crawler.settings.getbool("ROBOTSTXT_OBEY") else 0,
            article_requests=bool(self._spider.readers),
            latency=latency,
            seconds_between=manners(self._crawler.settings).seconds_between(latency),
            asked=self._sent,
            outcome=self._outcome(),
            lost=dict(self._lost),
        )
        return replace(plan, notes=[*self._notes, *notes(plan, self._crawler.settings)])

    def _count_known(self, column: str, since: datetime | None, before: datetime) -> int:
        if self._store is None:
            return 0
        return self._store.articles.count_listed(column, since, before, self._spider.supersedes)

    def _again(self, pages: Sequence[FirstPage]) -> list[Entry]:
        """What --refresh fetches again, but for what the first pages name."""
        since = self.selection.refresh
        if since is None or self._store is None or not self._spider.readers:
            return []
        named = {entry.code for page in pages for entry in page.entries}
        known = self._store.articles.to_recheck(self._spider.name, since)
        return [entry for entry in known if entry.code not in named and not self.selection.unwanted(entry, self._media)]

    def _hosts_of(self, pages: Sequence[FirstPage]) -> set[str]:
        addresses = {self._spider.first_address(entry) for page in pages for entry in page.entries}
        return self._hosts | {urlsplit(address).netloc for address in addresses if address}

    def _outcome(self) -> RunOutcome:
        return verdict(
            reason=FINISHED,
            fatal=False,
            listings_read=len(self._pages),
            listings_lost=len(self._lost),
            unreadable=self._unreadable,
            gaps=0,
            counts=dict.fromkeys(Outcome, 0),
        )


def manners(settings: BaseSettings) -> Manners:
    """How Scrapy sends requests with these settings. Without a number there is no bound of that kind."""
    bounds = [settings.getint(name) for name in ("CONCURRENT_REQUESTS", "CONCURRENT_REQUESTS_PER_DOMAIN")]
    throttled = settings.getbool("AUTOTHROTTLE_ENABLED")
    return Manners(
        delay=settings.getfloat("DOWNLOAD_DELAY"),
        jitter=settings.getfloat("DOWNLOAD_DELAY_JITTER"),
        at_once=min((bound for bound in bounds if bound > 0), default=1),
        answering=settings.getfloat("AUTOTHROTTLE_TARGET_CONCURRENCY") if throttled else None,
        slowest=settings.getfloat("AUTOTHROTTLE_MAX_DELAY"),
    )


def notes(plan: Plan, settings: BaseSettings) -> list[str]:
    """What a person should know before the crawl."""
    told = []
    if short := [column.column_id for column in plan.columns if column.ends_early]:
        told.append(f"by their pace, the listings of {', '.join(short)} end before --since: the source has no more")
    longest = settings.getint("CLOSESPIDER_TIMEOUT")
    if 0 < longest < plan.seconds:
        told.append(f"a crawl ends after {roughly(longest)} (CLOSESPIDER_TIMEOUT), and the next one goes on")
    return told
