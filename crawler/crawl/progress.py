"""Progress display on stderr: a live line on a terminal, plain lines elsewhere."""

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
# Columns of a terminal; a narrower one has no room for the counts per outcome.
_MIN_WIDTH_FOR_COUNTS = 110
# A position in a backfill that goes further back is shown without the time.
_DATE_ONLY_AFTER = timedelta(days=3)


class Progress:
    """Count entries that are listed and finished, and show the remaining time."""

    def __init__(self, crawler: Crawler, console: Console) -> None:
        self._crawler = crawler
        self._console = console
        self._bar = Bar(
            SpinnerColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.description}"),
            # The column that shrinks on a narrow terminal.
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
        self._listed = self._finished = 0
        self._spider_name = ""
        self._started_at = 0.0
        self._eta = EtaEstimator(())
        self._since: datetime | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Connect the display to the signals of Scrapy and the tracker."""
        progress = cls(crawler, Console(stderr=True))
        crawler.signals.connect(progress.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(progress.on_entry_events, signal=entry_events)
        crawler.signals.connect(progress.on_listing_page_done, signal=listing_page_done)
        crawler.signals.connect(progress.on_search_index_progress, signal=search_index_progress)
        crawler.signals.connect(progress.spider_closed, signal=signals.spider_closed)
        return progress

    def spider_opened(self, spider: Spider) -> None:
        """Start the display."""
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
        """Print the progress of the search index."""
        line = f"search index: {indexed_count:,} articles indexed, {pending_count:,} to go"
        self._console.print(line, highlight=False, soft_wrap=True)

    def on_entry_events(self, entries: Sequence[EntryEvent]) -> None:
        """Count entries, and show the counts: on a terminal after each event, else after every 100 entries."""
        is_terminal = self._console.is_terminal
        for _, outcome, newly_listed in entries:
            self._listed += newly_listed
            self._eta.count_entry(outcome, newly_listed=newly_listed)
            if outcome is None:
                continue
            self._counts[outcome] += 1
            self._finished += 1
            if not is_terminal and self._finished % _ENTRIES_PER_LINE == 0:
                line = "; ".join(
                    part
                    for part in (
                        f"{self._finished} of {self._listed} entries: {self._format_counts()}",
                        self._format_outlook(),
                    )
                    if part
                )
                self._console.print(f"{self._spider_name}: {line}", highlight=False, soft_wrap=True)
        if is_terminal:
            outlook = self._format_outlook()
            counts = self._format_counts() if self._console.width >= _MIN_WIDTH_FOR_COUNTS or not outlook else ""
            self._bar.update(self._task, total=self._listed, completed=self._finished, counts=counts, outlook=outlook)

    def on_listing_page_done(self, column: str, paginator: ListingPaginator | None) -> None:
        """Count a listing page."""
        self._eta.count_page(column, paginator)

    def spider_closed(self) -> None:
        """Stop the display."""
        self._bar.stop()

    def _format_counts(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in self._counts.items() if count)

    def _format_outlook(self) -> str:
        """Return the position of the slowest listing in a backfill, and the time left, as far as they are known."""
        parts = []
        if self._since and (position := self._eta.slowest_listing_position()):
            time_format = "%Y-%m-%d" if clock.now() - self._since > _DATE_ONLY_AFTER else "%m-%d %H:%M"
            parts.append(f"at {position:{time_format}} of {self._since:{time_format}}")
        seconds_left = self._eta.estimate_seconds_left(self._bar.get_time() - self._started_at)
        if seconds_left is not None:
            parts.append(f"about {format_rough_duration(seconds_left)} left")
        return ", ".join(parts)
