"""How far a crawl is: a live line on a terminal, a plain line now and then elsewhere. Both go to stderr."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from scrapy import Spider, signals
from scrapy.crawler import Crawler

from crawler.extensions.ledger import entry_counted
from crawler.items import Outcome

# Entries between two plain lines.
_EVERY = 100


class Progress:
    """Counts entries as they are taken down and settled."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=0, counts="")
        self._counts = dict.fromkeys(Outcome, 0)
        self._listed = 0
        self._name = ""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        progress = cls(Console(stderr=True))
        crawler.signals.connect(progress.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(progress.entry_counted, signal=entry_counted)
        crawler.signals.connect(progress.spider_closed, signal=signals.spider_closed)
        return progress

    def spider_opened(self, spider: Spider) -> None:
        self._name = spider.name
        self._bar.update(self._task, description=self._name)
        self._bar.start()

    def entry_counted(self, outcome: Outcome | None, fresh: bool) -> None:
        self._listed += fresh
        if outcome is None:
            return
        self._counts[outcome] += 1
        settled = sum(self._counts.values())
        counts = ", ".join(f"{count} {name}" for name, count in self._counts.items() if count)
        self._bar.update(self._task, total=self._listed, completed=settled, counts=counts)
        if not self._console.is_terminal and settled % _EVERY == 0:
            self._console.print(
                f"{self._name}: {settled} of {self._listed} entries: {counts}", highlight=False, soft_wrap=True
            )

    def spider_closed(self) -> None:
        self._bar.stop()
