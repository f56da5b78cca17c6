"""The one way to run a crawl: `finews crawl`, `scrapy crawl` and cron all end here."""

import asyncio
import difflib
import logging
import signal
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.settings import Settings
from scrapy.settings import default_settings as scrapy_settings

from crawler import settings as our_settings
from crawler.crawl.gc_tuning import leave_what_stays
from crawler.crawl.policy.result import Summary
from crawler.crawl.tracker import Ledger
from crawler.errors import Ending, Failed, UsageError

if TYPE_CHECKING:
    from crawler.crawl.policy.estimate import Plan

DEFAULT_SPIDER = "eastmoney"
# What is being downloaded when a crawl is told to stop has so long to arrive.
SECONDS_TO_FINISH = 4.0

# By the type of a setting's default: how its value is read, and what to type for it.
_VALUES: dict[type, tuple[Callable[[Settings, str], object], str]] = {
    bool: (Settings.getbool, "1 or 0"),
    # Scrapy reads some of these as fractions: a timeout, for one.
    int: (Settings.getfloat, "a number"),
    float: (Settings.getfloat, "a number"),
    dict: (Settings.getdict, "a JSON object"),
}

# What these parts of Scrapy warn of is meant so, or told by the listing that fails next: that no Referer is sent, and,
# with a traceback, that robots.txt does not come.
_WARNING_OF_NOTHING = ("scrapy.downloadermiddlewares.redirect", "scrapy.downloadermiddlewares.robotstxt")

_STOPPING = (signal.SIGINT, signal.SIGTERM)


def crawl_settings(changes: Mapping[str, Any], *, progress: bool) -> Settings:
    """The settings of `finews crawl`: the package's, with what the command line changes.

    Scrapy's own log says what this command says better; `--set LOG_LEVEL=INFO` brings it back. Raises UsageError for a
    name that no setting has.
    """
    settings = Settings()
    settings.setmodule(our_settings, priority="project")
    settings.set("LOG_LEVEL", "CRITICAL", priority="project")
    for name, value in changes.items():
        if name not in settings:
            near = difflib.get_close_matches(name.upper(), _known_names(), n=1)
            hint = f"did you mean {near[0]}?" if near else "see crawler/settings.py and Scrapy's documentation"
            raise UsageError(f"unknown setting {name!r}: {hint}")
        kind = type(settings[name])
        settings.set(name, value, priority="cmdline")
        _check_value(settings, name, kind)
    if progress:
        settings["EXTENSIONS"]["crawler.crawl.progress.Progress"] = 100
    return settings


def crawl(spider: str, arguments: Mapping[str, str], settings: Settings) -> Summary:
    """Run one crawl to its end. Raises UsageError, Busy or Failed when it could not start or go on."""
    return run_in(process_of(settings), spider, arguments)


def plan(spider: str, arguments: Mapping[str, str], settings: Settings) -> "Plan":
    """What a crawl is expected to ask for. Raises UsageError, or Failed when that cannot be known."""
    from crawler.crawl.planner import Planner  # a crawl does without it

    settings.set("EXTENSIONS", {"crawler.crawl.planner.Planner": 0}, priority="cmdline")
    settings.set("ITEM_PIPELINES", {}, priority="cmdline")
    planner = _run_to_the_end(process_of(settings), spider, arguments).get_extension(Planner)
    assert planner is not None, "it is among the settings"
    if planner.failure is not None:
        raise planner.failure
    if planner.plan is None:
        raise Failed("stopped before the end")
    return planner.plan


def process_of(settings: Settings) -> AsyncCrawlerProcess:
    """What Scrapy runs crawls in. Raises UsageError for settings that name what is not there."""
    try:
        with warnings.catch_warnings():
            return AsyncCrawlerProcess(settings)
    except (ImportError, NameError, ValueError) as error:
        raise UsageError(f"Scrapy cannot start with these settings: {error}: look at what --set changes") from error


def run_in(process: AsyncCrawlerProcess, spider: str, arguments: Mapping[str, str]) -> Summary:
    """Run one crawl in a process that Scrapy has set up, to its end."""
    return _summary_of(_run_to_the_end(process, spider, arguments))


def _run_to_the_end(process: AsyncCrawlerProcess, spider: str, arguments: Mapping[str, str]) -> Crawler:
    check_spider(process, spider)
    # What nobody is shown need not be made: Scrapy has two lines to say of each reply.
    logging.getLogger("scrapy").setLevel(process.settings["LOG_LEVEL"])
    for name in _WARNING_OF_NOTHING:
        logging.getLogger(name).addFilter(_is_no_warning)
    crawler = process.create_crawler(spider)
    task = process.crawl(crawler, **arguments)
    _stop_on_signals(process, crawler)
    leave_what_stays()
    process.start(install_signal_handlers=False)
    raise_what_stopped(task)
    if (ledger := crawler.get_extension(Ledger)) is not None:
        ledger.cleaning.close()  # a crawl that was given up may still wait for it
    return crawler


def _is_no_warning(record: logging.LogRecord) -> bool:
    return record.levelno < logging.WARNING


def _stop_on_signals(process: AsyncCrawlerProcess, crawler: Crawler) -> None:
    """SIGTERM and Ctrl-C end a crawl, and close its books.

    Scrapy's own handlers wait for whatever is being downloaded or retried; here that is given up after some seconds, or
    at the second signal.
    """
    loop = asyncio.get_event_loop()

    def give_up() -> None:
        from twisted.internet import reactor as module  # only now is it installed

        reactor: Any = module
        ledger = crawler.get_extension(Ledger)
        if ledger is not None:
            ledger.spider_closed("shutdown")
        if reactor.running:
            reactor.stop()

    def stop() -> None:
        for number in _STOPPING:
            loop.add_signal_handler(number, give_up)
        loop.call_later(SECONDS_TO_FINISH, give_up)
        tasks.add(asyncio.ensure_future(process.stop()))

    tasks: set[asyncio.Future[None]] = set()
    for number in _STOPPING:
        loop.add_signal_handler(number, stop)


def check_spider(process: AsyncCrawlerProcess, spider: str) -> None:
    """Raises UsageError for a name that no spider has."""
    names = process.spider_loader.list()
    if spider not in names:
        raise UsageError(f"unknown spider {spider!r}: there are {', '.join(names)}")


def raise_what_stopped(task: asyncio.Task[None]) -> None:
    """Raises what kept a crawl from starting or going on, if anything."""
    if not task.done() or task.cancelled() or (error := task.exception()) is None:
        return
    if isinstance(error, Ending):
        raise error
    raise Failed(f"the crawl could not start: {type(error).__name__}: {error}") from error


def _summary_of(crawler: Crawler) -> Summary:
    ledger = crawler.get_extension(Ledger)
    if ledger is None or (ledger.failure is None and ledger.summary is None):
        raise Failed("the crawl was stopped before it could close its books")
    if ledger.failure is not None:
        raise ledger.failure
    assert ledger.summary is not None
    return ledger.summary


def _check_value(settings: Settings, name: str, kind: type) -> None:
    """Raises UsageError for a value that Scrapy would stumble over later."""
    if kind not in _VALUES:
        return
    read, wanted = _VALUES[kind]
    try:
        read(settings, name)
    except (ValueError, TypeError):
        raise UsageError(f"--set {name}={settings[name]}: its value is {wanted}") from None


def _known_names() -> list[str]:
    return [name for module in (scrapy_settings, our_settings) for name in dir(module) if name.isupper()]
