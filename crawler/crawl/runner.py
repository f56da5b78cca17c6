"""Crawl runner: run Scrapy for `finews crawl` and `scrapy crawl`, and return the result."""

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
# Seconds that open downloads have to finish when a crawl is stopped.
SHUTDOWN_TIMEOUT = 4.0

# By the type of a setting's default: the parser of its value, and what to type for it.
_VALUE_PARSERS: dict[type, tuple[Callable[[Settings, str], object], str]] = {
    bool: (Settings.getbool, "1 or 0"),
    # Scrapy reads some of them as fractions, such as timeouts.
    int: (Settings.getfloat, "a number"),
    float: (Settings.getfloat, "a number"),
    dict: (Settings.getdict, "a JSON object"),
}

# Scrapy's components that crawler/settings.py does not load, by the prefix of their settings.
_UNUSED_COMPONENTS = {
    "COMPRESSION_": "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware",
    "COOKIES_": "scrapy.downloadermiddlewares.cookies.CookiesMiddleware",
    "REMOTE_CONTROL_": "scrapy.extensions.remote_control.RemoteControl",
}

# Warns that no Referer is sent, which is intended.
_NOISY_LOGGER = "scrapy.downloadermiddlewares.redirect"

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def build_settings(overrides: Mapping[str, Any], *, show_progress: bool) -> Settings:
    """Return the settings of `finews crawl`: the package's, with those of the command line.

    The command reports a crawl itself, so Scrapy's log is off; `--set LOG_LEVEL=INFO` turns it on. Raises UsageError
    for an unknown setting or an invalid value.
    """
    settings = Settings()
    settings.setmodule(our_settings, priority="project")
    settings.set("LOG_LEVEL", "CRITICAL", priority="project")
    spider_settings = {} if all(name in settings for name in overrides) else _load_spider_settings(settings)
    for name, value in overrides.items():
        if name not in settings and name not in spider_settings:
            names = [name for module in (scrapy_settings, our_settings) for name in dir(module) if name.isupper()]
            close_matches = difflib.get_close_matches(name.upper(), [*names, *spider_settings], n=1)
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
    """Run one crawl to its end. Raises UsageError, OutputLockedError or FatalError if it cannot start or go on."""
    return crawl_in_process(create_process(settings), spider, arguments)


def plan_crawl(spider: str, arguments: Mapping[str, str], settings: Settings) -> "Plan":
    """Return the plan of a crawl. Raises UsageError, or FatalError without a plan."""
    from crawler.crawl.planner import Planner  # a crawl does not need it

    settings.set("EXTENSIONS", {"crawler.crawl.planner.Planner": 0}, priority="cmdline")
    settings.set("ITEM_PIPELINES", {}, priority="cmdline")
    crawler, signals = _run_until_closed(create_process(settings), spider, arguments)
    planner = crawler.get_extension(Planner)
    assert planner is not None, "the settings above name it"
    if planner.fatal_error is not None:
        raise planner.fatal_error
    if planner.plan is None:
        raise _stopped_error("stopped before the end", signals)
    return planner.plan


def create_process(settings: Settings) -> AsyncCrawlerProcess:
    """Return the Scrapy process for a crawl. Raises UsageError for settings that name a missing component."""
    try:
        with warnings.catch_warnings():
            return AsyncCrawlerProcess(settings)
    except (ImportError, NameError, ValueError) as error:
        raise UsageError(f"Scrapy cannot start with these settings: {error}: check --set") from error


def crawl_in_process(process: AsyncCrawlerProcess, spider: str, arguments: Mapping[str, str]) -> CrawlResult:
    """Run one crawl to its end. Raises CommandError if it cannot start or go on."""
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
    """Run one crawl to its end. Return its crawler, and the signals received, by which it was stopped."""
    check_spider(process, spider)
    # Otherwise Scrapy formats two log lines for each response that are not shown.
    logging.getLogger("scrapy").setLevel(process.settings["LOG_LEVEL"])
    logging.getLogger(_NOISY_LOGGER).addFilter(lambda record: record.levelno < logging.WARNING)
    crawler = process.create_crawler(spider)
    task = process.crawl(crawler, **arguments)
    signals = _install_signal_handlers(process, crawler)
    freeze_gc()
    process.start(install_signal_handlers=False)
    raise_crawl_error(task)
    return crawler, signals


def _install_signal_handlers(process: AsyncCrawlerProcess, crawler: Crawler) -> Collection[int]:
    """Stop a crawl at SIGTERM and Ctrl-C, and complete its run record. Return the set of received signals.

    Scrapy's own handlers wait for all downloads and retries; these wait for SHUTDOWN_TIMEOUT, or the second signal.
    """
    loop = asyncio.get_event_loop()

    def stop_at_once(signal_number: int) -> None:
        received.add(signal_number)
        stop_now()

    def stop_now() -> None:
        from twisted.internet import reactor as module  # installed by Scrapy before

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
    """Raise UsageError for an unknown spider."""
    names = process.spider_loader.list()
    if spider not in names:
        hint = suggest(spider, names) or f"there are {', '.join(names)}"
        raise UsageError(f"unknown spider {spider!r}: {hint}")


def raise_crawl_error(task: asyncio.Task[None]) -> None:
    """Raise the error that ended the task of a crawl, if any, as a CommandError."""
    if not task.done() or task.cancelled() or (error := task.exception()) is None:
        return
    if isinstance(error, CommandError):
        raise error
    raise FatalError(f"the crawl could not start: {type(error).__name__}: {error}") from error


def _check_setting(settings: Settings, name: str, default: Any) -> None:
    """Raise UsageError for a value that Scrapy cannot parse, or a setting that has no effect."""
    parse_value, expected = _VALUE_PARSERS.get(type(default), (Settings.get, ""))
    try:
        value = parse_value(settings, name)
    except (ValueError, TypeError):
        raise UsageError(f"invalid value: --set {name}={settings[name]}: type {expected}") from None
    unused_component = next((path for prefix, path in _UNUSED_COMPONENTS.items() if name.startswith(prefix)), None)
    if unused_component and value != default:
        raise UsageError(f"--set {name} has no effect: crawler/settings.py does not load {unused_component}")


def _load_spider_settings(settings: Settings) -> dict[str, Any]:
    """Return the defaults of the spiders' own settings, by name."""
    spider_loader = SpiderLoader.from_settings(settings)
    spiders = [spider_loader.load(name) for name in spider_loader.list()]
    return {str(name): default for spider in spiders for name, default in (spider.custom_settings or {}).items()}
