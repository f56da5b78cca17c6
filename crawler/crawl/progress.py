"""Progress display: a live line on a terminal, a plain line now and then elsewhere. Both go to stderr."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Column
from scrapy import Spider, signals
from scrapy.crawler import Crawler

from crawler.content import clock
from crawler.content.dates import format_rough_duration
from crawler.crawl.context import search_index_progress
from crawler.crawl.policy.eta import EtaEstimator
from crawler.crawl.policy.pagination import ListingPaginator
from crawler.crawl.session import CrawlSession
from crawler.crawl.tracker import EntryEvent, entry_events, listing_page_done
from crawler.items import Outcome

# Entries between two plain lines.
_ENTRIES_PER_LINE = 100
# A terminal of at least this many columns shows all numbers; on others the outcomes are left for the end.
_MIN_WIDTH_FOR_COUNTS = 110
# A backfill that goes further back than this is shown in days.
_DATE_ONLY_AFTER = timedelta(days=3)


class Progress:
    """Counts entries as they are listed and finished, and shows how much is still to come."""

    def __init__(self, crawler: Crawler, console: Console) -> None:
        self._crawler = crawler
        self._console = console
        self._bar = Bar(
            SpinnerColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.description}"),
            # Where the terminal is narrow, this is what gives way.
            BarColumn(bar_width=20),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[counts]}"),
            TextColumn("{task.fields[outlook]}"),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=0, counts="", outlook="")
        self._counts = dict.fromkeys(Outcome, 0)
        self._listed = 0
        self._spider_name = ""
        self._started_at = 0.0
        self._eta = EtaEstimator(())
        self._since: datetime | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        progress = cls(crawler, Console(stderr=True))
        crawler.signals.connect(progress.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(progress.on_entry_events, signal=entry_events)
        crawler.signals.connect(progress.on_listing_page_done, signal=listing_page_done)
        crawler.signals.connect(progress.on_search_index_progress, signal=search_index_progress)
        crawler.signals.connect(progress.spider_closed, signal=signals.spider_closed)
        return progress

    def spider_opened(self, spider: Spider) -> None:
        self._spider_name = spider.name
        self._started_at = self._bar.get_time()
        session = self._crawler.get_extension(CrawlSession)
        if session and session.context:
            selection = session.context.selection
            self._eta = EtaEstimator(selection.columns, selection.limit)
            self._since = selection.since
        self._bar.update(self._task, description=self._spider_name)
        self._bar.start()

    def on_search_index_progress(self, indexed_count: int, pending_count: int) -> None:
        line = f"search index: {indexed_count:,} articles indexed, {pending_count:,} to go"
        self._console.print(line, highlight=False, soft_wrap=True)

    def on_entry_events(self, entries: Sequence[EntryEvent]) -> None:
        for _, outcome, newly_listed in entries:
            self._count_entry(outcome, newly_listed=newly_listed)

    def _count_entry(self, outcome: Outcome | None, *, newly_listed: bool) -> None:
        self._listed += newly_listed
        self._eta.count_entry(outcome, newly_listed=newly_listed)
        if outcome is None:
            return
        self._counts[outcome] += 1
        finished_count = sum(self._counts.values())
        if not self._console.is_terminal and finished_count % _ENTRIES_PER_LINE:
            return
        counts = ", ".join(f"{count} {name}" for name, count in self._counts.items() if count)
        position_and_eta = ", ".join(part for part in (self._format_position(), self._format_time_left()) if part)
        shown_counts = counts if self._console.width >= _MIN_WIDTH_FOR_COUNTS or not position_and_eta else ""
        self._bar.update(
            self._task, total=self._listed, completed=finished_count, counts=shown_counts, outlook=position_and_eta
        )
        if not self._console.is_terminal:
            line = "; ".join(
                part for part in (f"{finished_count} of {self._listed} entries: {counts}", position_and_eta) if part
            )
            self._console.print(f"{self._spider_name}: {line}", highlight=False, soft_wrap=True)

    def on_listing_page_done(self, column: str, paginator: ListingPaginator | None) -> None:
        """Count a listing page."""
        self._eta.count_page(column, paginator)

    def spider_closed(self) -> None:
        self._bar.stop()

    def _format_position(self) -> str:
        position = self._eta.slowest_listing_position()
        if position is None or self._since is None:
            return ""
        time_format = "%Y-%m-%d" if clock.now() - self._since > _DATE_ONLY_AFTER else "%m-%d %H:%M"
        return f"at {position:{time_format}} of {self._since:{time_format}}"

    def _format_time_left(self) -> str:
        seconds_left = self._eta.estimate_seconds_left(self._bar.get_time() - self._started_at)
        return "" if seconds_left is None else f"about {format_rough_duration(seconds_left)} left"
