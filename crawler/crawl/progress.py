"""How far a crawl is: a live line on a terminal, a plain line now and then elsewhere. Both go to stderr."""

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
from crawler.content.dates import roughly
from crawler.crawl.policy.eta import Outlook
from crawler.crawl.policy.pagination import Walk
from crawler.crawl.tracker import Counted, Ledger, entries_counted, page_counted
from crawler.items import Outcome

# Entries between two plain lines.
_EVERY = 100
# A terminal of so many columns has room for all that is told; on others the outcomes are left for the end.
_WIDE = 110
# A backfill that goes further back than this is told in days.
_TOLD_IN_DAYS = timedelta(days=3)


class Progress:
    """Counts entries as they are taken down and settled, and tells how much is still to come."""

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
        self._name = ""
        self._began = 0.0
        self._outlook = Outlook(())
        self._since: datetime | None = None
        self._walked: set[str] = set()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        progress = cls(crawler, Console(stderr=True))
        crawler.signals.connect(progress.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(progress.entries_counted, signal=entries_counted)
        crawler.signals.connect(progress.page_counted, signal=page_counted)
        crawler.signals.connect(progress.spider_closed, signal=signals.spider_closed)
        return progress

    def spider_opened(self, spider: Spider) -> None:
        self._name = spider.name
        self._began = self._bar.get_time()
        if ledger := self._crawler.get_extension(Ledger):
            self._outlook = Outlook(ledger.selection.columns, ledger.selection.limit)
            self._since = ledger.selection.since
        self._bar.update(self._task, description=self._name)
        self._bar.start()

    def entries_counted(self, entries: Sequence[Counted]) -> None:
        for _, outcome, fresh in entries:
            self._count(outcome, fresh=fresh)

    def _count(self, outcome: Outcome | None, *, fresh: bool) -> None:
        self._listed += fresh
        self._outlook.entry(outcome, fresh=fresh)
        if outcome is None:
            return
        self._counts[outcome] += 1
        settled = sum(self._counts.values())
        if not self._console.is_terminal and settled % _EVERY:
            return
        counts = ", ".join(f"{count} {name}" for name, count in self._counts.items() if count)
        outlook = ", ".join(part for part in (self._place(), self._left()) if part)
        shown = counts if self._console.width >= _WIDE or not outlook else ""
        self._bar.update(self._task, total=self._listed, completed=settled, counts=shown, outlook=outlook)
        if not self._console.is_terminal:
            line = "; ".join(part for part in (f"{settled} of {self._listed} entries: {counts}", outlook) if part)
            self._console.print(f"{self._name}: {line}", highlight=False, soft_wrap=True)

    def page_counted(self, column: str, walk: Walk | None) -> None:
        """What is known of the pages ahead is asked once: it takes the database longer than a page."""
        known = None
        ledger = self._crawler.get_extension(Ledger)
        if ledger and walk and walk.reached and column not in self._walked:
            known = ledger.count_known(column, walk.goes_down_to(), walk.reached)
            self._walked.add(column)
        self._outlook.page(column, walk, known)

    def spider_closed(self) -> None:
        self._bar.stop()

    def _place(self) -> str:
        at = self._outlook.at()
        if at is None or self._since is None:
            return ""
        shape = "%Y-%m-%d" if clock.now() - self._since > _TOLD_IN_DAYS else "%m-%d %H:%M"
        return f"at {at:{shape}} of {self._since:{shape}}"

    def _left(self) -> str:
        left = self._outlook.seconds_left(self._bar.get_time() - self._began)
        return "" if left is None else f"about {roughly(left)} left"
