"""Crawl runner: starts Scrapy for `finews crawl`, `scrapy crawl` and cron, and returns the result."""

import asyncio
import difflib
import logging
import signal
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.settings import Settings
from scrapy.settings import default_settings as scrapy_settings
from scrapy.spiderloader import SpiderLoader

from crawler import settings as our_settings
from crawler.crawl.gc_tuning import freeze_gc
from crawler.crawl.policy.result import CrawlResult
from crawler.crawl.policy.selection import suggest
from crawler.crawl.session import CrawlSession, get_session
from crawler.errors import CommandError, FatalError, StoppedError, UsageError

if TYPE_CHECKING:
    from crawler.crawl.policy.estimate import Plan

DEFAULT_SPIDER = "eastmoney"
# Seconds that downloads under way have to arrive when a crawl is stopped.
SHUTDOWN_TIMEOUT = 4.0

# By the type of a setting's default: how its value is read, and what to type for it.
_VALUE_PARSERS: dict[type, tuple[Callable[[Settings, str], object], str]] = {
    bool: (Settings.getbool, "1 or 0"),
    # Scrapy reads some of these as fractions: a timeout, for one.
    int: (Settings.getfloat, "a number"),
    float: (Settings.getfloat, "a number"),
    dict: (Settings.getdict, "a JSON object"),
}

# Scrapy's components that crawler/settings.py replaces or leaves out, by the prefix of their settings.
_UNUSED_COMPONENTS = {
    "COMPRESSION_": "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware",
    "COOKIES_": "scrapy.downloadermiddlewares.cookies.CookiesMiddleware",
    "REMOTE_CONTROL_": "scrapy.extensions.remote_control.RemoteControl",
}

# Warns of what is intended: no Referer is sent.
_NOISY_LOGGER = "scrapy.downloadermiddlewares.redirect"

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def build_settings(overrides: Mapping[str, Any], *, show_progress: bool) -> Settings:
    """The settings of `finews crawl`: the package's, with what the command line changes.

    Scrapy's own log says what this command says better; `--set LOG_LEVEL=INFO` brings it back. Raises UsageError for a
    name that no setting has.
    """
    settings = Settings()
    settings.setmodule(our_settings, priority="project")
    settings.set("LOG_LEVEL", "CRITICAL", priority="project")
    spider_settings = {} if all(name in settings for name in overrides) else _load_spider_settings(settings)
    for name, value in overrides.items():
        if name not in settings and name not in spider_settings:
            close_matches = difflib.get_close_matches(name.upper(), [*_all_setting_names(), *spider_settings], n=1)
            hint = (
                f"did you mean {close_matches[0]}?"
                if close_matches
                else "see crawler/settings.py and Scrapy's documentation"
            )
            raise UsageError(f"unknown setting {name!r}: {hint}")
        default = spider_settings[name] if name in spider_settings else settings[name]
        settings.set(name, value, priority="cmdline")
        _check_setting(settings, name, default)
    if show_progress:
        settings["EXTENSIONS"]["crawler.crawl.progress.Progress"] = 100
    return settings


def crawl(spider: str, arguments: Mapping[str, str], settings: Settings) -> CrawlResult:
    """Run one crawl to its end. Raises UsageError, OutputLockedError or FatalError when it could not start or go on."""
    return crawl_in_process(create_process(settings), spider, arguments)


def plan_crawl(spider: str, arguments: Mapping[str, str], settings: Settings) -> "Plan":
    """What a crawl is expected to ask for. Raises UsageError, or FatalError when that cannot be known."""
    from crawler.crawl.planner import Planner  # a crawl does without it

    settings.set("EXTENSIONS", {"crawler.crawl.planner.Planner": 0}, priority="cmdline")
    settings.set("ITEM_PIPELINES", {}, priority="cmdline")
    crawler, signals = _run_until_closed(create_process(settings), spider, arguments)
    planner = crawler.get_extension(Planner)
    assert planner is not None, "it is among the settings"
    if planner.fatal_error is not None:
        raise planner.fatal_error
    if planner.plan is None:
        raise _stopped_error("stopped before the end", signals)
    return planner.plan


def create_process(settings: Settings) -> AsyncCrawlerProcess:
    """What Scrapy runs crawls in. Raises UsageError for settings that name what is not there."""
    try:
        with warnings.catch_warnings():
            return AsyncCrawlerProcess(settings)
    except (ImportError, NameError, ValueError) as error:
        raise UsageError(f"Scrapy cannot start with these settings: {error}: look at what --set changes") from error


def crawl_in_process(process: AsyncCrawlerProcess, spider: str, arguments: Mapping[str, str]) -> CrawlResult:
    """Run one crawl in a process that Scrapy has set up, to its end."""
    crawler, signals = _run_until_closed(process, spider, arguments)
    session = get_session(crawler)
    if session.fatal_error is not None:
        raise session.fatal_error
    if session.result is None:
        message = "the crawl was stopped before its run record was complete; the next crawl completes it"
        raise _stopped_error(message, signals)
    return replace(session.result, got_ctrl_c=signal.SIGINT in signals)


def _stopped_error(message: str, signals: Collection[int]) -> CommandError:
    return StoppedError(message) if signal.SIGINT in signals else FatalError(message)


def _run_until_closed(
    process: AsyncCrawlerProcess, spider: str, arguments: Mapping[str, str]
) -> tuple[Crawler, Collection[int]]:
    """Run one crawl to its end; return its crawler, and the signals that wanted it to stop."""
    check_spider(process, spider)
    # Scrapy has two log lines for each response, which need not be made where they are not shown.
    logging.getLogger("scrapy").setLevel(process.settings["LOG_LEVEL"])
    logging.getLogger(_NOISY_LOGGER).addFilter(_is_below_warning)
    crawler = process.create_crawler(spider)
    task = process.crawl(crawler, **arguments)
    signals = _install_signal_handlers(process, crawler)
    freeze_gc()
    process.start(install_signal_handlers=False)
    raise_crawl_error(task)
    return crawler, signals


def _is_below_warning(record: logging.LogRecord) -> bool:
    return record.levelno < logging.WARNING


def _install_signal_handlers(process: AsyncCrawlerProcess, crawler: Crawler) -> Collection[int]:
    """SIGTERM and Ctrl-C end a crawl, and complete its run record. Return the signals that have come, when it is over.

    Scrapy's own handlers wait for whatever is being downloaded or retried; here that is given up after some seconds, or
    at the second signal.
    """
    loop = asyncio.get_event_loop()

    def stop_at_once(signal_number: int) -> None:
        received.add(signal_number)
        stop_now()

    def stop_now() -> None:
        from twisted.internet import reactor as module  # only now is it installed

        reactor: Any = module
        if (session := crawler.get_extension(CrawlSession)) is not None:
            session.spider_closed("shutdown")
        if reactor.running:
            reactor.stop()

    def stop_gracefully(signal_number: int) -> None:
        received.add(signal_number)
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, stop_at_once, number)
        loop.call_later(SHUTDOWN_TIMEOUT, stop_now)
        tasks.add(asyncio.ensure_future(process.stop()))

    received: set[int] = set()
    tasks: set[asyncio.Future[None]] = set()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop_gracefully, number)
    return received


def check_spider(process: AsyncCrawlerProcess, spider: str) -> None:
    """Raises UsageError for a name that no spider has."""
    names = process.spider_loader.list()
    if spider not in names:
        hint = suggest(spider, names) or f"there are {', '.join(names)}"
        raise UsageError(f"unknown spider {spider!r}: {hint}")


def raise_crawl_error(task: asyncio.Task[None]) -> None:
    """Raises what kept a crawl from starting or going on, if anything."""
    if not task.done() or task.cancelled() or (error := task.exception()) is None:
        return
    if isinstance(error, CommandError):
        raise error
    raise FatalError(f"the crawl could not start: {type(error).__name__}: {error}") from error


def _check_setting(settings: Settings, name: str, default: Any) -> None:
    """Raises UsageError for a value that Scrapy would stumble over later, or ignore."""
    parse_value, expected = _VALUE_PARSERS.get(type(default), (Settings.get, ""))
    try:
        value = parse_value(settings, name)
    except (ValueError, TypeError):
        raise UsageError(f"--set {name}={settings[name]}: its value is {expected}") from None
    unused_component = next((path for prefix, path in _UNUSED_COMPONENTS.items() if name.startswith(prefix)), None)
    if unused_component and value != default:
        raise UsageError(f"--set {name} has no effect: crawler/settings.py does not load {unused_component}")


def _load_spider_settings(settings: Settings) -> dict[str, Any]:
    """Return the defaults of the settings that spiders have of their own, by name."""
    spider_loader = SpiderLoader.from_settings(settings)
    spiders = [spider_loader.load(name) for name in spider_loader.list()]
    return {str(name): default for spider in spiders for name, default in (spider.custom_settings or {}).items()}


def _all_setting_names() -> list[str]:
    return [name for module in (scrapy_settings, our_settings) for name in dir(module) if name.isupper()]
