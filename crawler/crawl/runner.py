"""Crawl runner: run Scrapy for `finews crawl` and `scrapy crawl`, and return the result."""

import asyncio
import difflib
import logging
import signal
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.settings import Settings
from scrapy.settings import default_settings as scrapy_settings
from scrapy.spiderloader import SpiderLoader

from crawler import settings as our_settings
from crawler.config import Value
from crawler.crawl.context import LOCK_HELD_SETTING
from crawler.crawl.gc_tuning import freeze_gc
from crawler.crawl.policy.result import CrawlResult
from crawler.crawl.policy.selection import suggest
from crawler.crawl.session import CrawlSession, get_session
from crawler.errors import CommandError, FatalError, StoppedError, UsageError
from crawler.storage.output_dir import OutputDir, create_output_dir, resolve_output_dir

if TYPE_CHECKING:
    from crawler.crawl.policy.estimate import Plan

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


def build_settings(
    overrides: Mapping[str, Any], *, show_progress: bool, configured: Mapping[str, Value] = MappingProxyType({})
) -> Settings:
    """Return the settings of `finews crawl`: the package's, with those of the configuration and the command line.

    The command reports a crawl itself, so Scrapy's log is off; `--set LOG_LEVEL=INFO` turns it on.

    Raises:
        UsageError: a setting is unknown, or its value is invalid.
    """
    settings = Settings()
    settings.setmodule(our_settings, priority="project")
    settings.set("LOG_LEVEL", "CRITICAL", priority="project")
    override_settings(settings, configured)
    override_settings(settings, {name: Value(value, "--set") for name, value in overrides.items()})
    if show_progress:
        settings["EXTENSIONS"]["crawler.crawl.progress.Progress"] = 100
    return settings


def override_settings(settings: Settings, overrides: Mapping[str, Value]) -> None:
    """Set settings to the values of the configuration or the command line.

    Raises:
        UsageError: a setting is unknown, or its value is invalid.
    """
    spider_settings = {} if all(name in settings for name in overrides) else _load_spider_settings(settings)
    for name, override in overrides.items():
        value, place = override.value, override.origin
        if name not in settings and name not in spider_settings:
            names = [name for module in (scrapy_settings, our_settings) for name in dir(module) if name.isupper()]
            close_matches = difflib.get_close_matches(name.upper(), [*names, *spider_settings], n=1)
            hint = (
                f"did you mean {close_matches[0]}?"
                if close_matches
                else "see crawler/settings.py and Scrapy's documentation"
            )
            raise UsageError(f"{place}: unknown setting {name!r}: {hint}")
        default = spider_settings[name] if name in spider_settings else settings[name]
        settings.set(name, value, priority="cmdline")
        _check_setting(settings, name, default, place)


def crawl(
    spiders: Sequence[str], arguments: Mapping[str, str], settings: Settings, wait_seconds: float = 0
) -> list[CrawlResult | CommandError]:
    """Crawl sources one after the other, under one lock; return the result of each, or the error that ended it.

    After a signal to stop, the remaining sources are not crawled and have no result. If another crawl holds the lock,
    wait for it, at most `wait_seconds`.

    Raises:
        UsageError, OutputLockedError, OutputError: nothing was crawled.
    """
    if len(spiders) == 1 and not wait_seconds:
        return crawl_in_process(create_process(settings), spiders, arguments)
    output = resolve_output_dir(settings.get("OUTPUT_DIR"))
    create_output_dir(output)
    settings.set(LOCK_HELD_SETTING, True, priority="cmdline")
    with OutputDir.lock(output, wait_seconds):
        return crawl_in_process(create_process(settings), spiders, arguments)


def plan_crawl(spider: str, arguments: Mapping[str, str], settings: Settings) -> "Plan":
    """Return the plan of a crawl. Raises UsageError, or FatalError without a plan."""
    from crawler.crawl.planner import Planner  # a crawl does not need it

    settings.set("EXTENSIONS", {"crawler.crawl.planner.Planner": 0}, priority="cmdline")
    settings.set("ITEM_PIPELINES", {}, priority="cmdline")
    (planned,), signals = _run_until_closed(create_process(settings), [spider], arguments)
    raise_crawl_error(planned.task)
    planner = planned.crawler.get_extension(Planner)
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


def crawl_in_process(
    process: AsyncCrawlerProcess, spiders: Sequence[str], arguments: Mapping[str, str]
) -> list[CrawlResult | CommandError]:
    """Crawl sources one after the other in a process that Scrapy has set up; return the results as `crawl` does.

    Raises:
        UsageError: a name is not that of a spider.
    """
    crawls, signals = _run_until_closed(process, spiders, arguments)
    return [_get_result(finished, signals) for finished in crawls]


class _Crawl(NamedTuple):
    """A crawl and its task."""

    crawler: Crawler
    task: asyncio.Task[None]


def _get_result(finished: _Crawl, signals: Collection[int]) -> CrawlResult | CommandError:
    """Return the result of a finished crawl, or the error that kept it from starting or going on."""
    try:
        raise_crawl_error(finished.task)
        session = get_session(finished.crawler)
    except CommandError as error:
        return error
    if session.fatal_error is not None:
        return session.fatal_error
    if session.result is None:
        message = "the crawl was stopped before its run record was complete; the next crawl completes it"
        return _stopped_error(message, signals)
    return replace(session.result, got_ctrl_c=signal.SIGINT in signals)


def _stopped_error(message: str, signals: Collection[int]) -> CommandError:
    return StoppedError(message) if signal.SIGINT in signals else FatalError(message)


def _run_until_closed(
    process: AsyncCrawlerProcess, spiders: Sequence[str], arguments: Mapping[str, str]
) -> tuple[list[_Crawl], Collection[int]]:
    """Run crawls one after the other; return those that began, and the signals received, by which they were stopped."""
    for spider in spiders:
        check_spider(process, spider)
    # Otherwise Scrapy formats two log lines for each response that are not shown.
    logging.getLogger("scrapy").setLevel(process.settings["LOG_LEVEL"])
    logging.getLogger(_NOISY_LOGGER).addFilter(lambda record: record.levelno < logging.WARNING)
    crawls: list[_Crawl] = []
    signals = _install_signal_handlers(process, crawls)

    async def crawl_in_turn() -> None:
        for spider in spiders:
            if not signals:
                crawler = process.create_crawler(spider)
                crawls.append(_Crawl(crawler, process.crawl(crawler, **arguments)))
                await asyncio.wait([crawls[-1].task])
        _stop_reactor()

    task = asyncio.get_event_loop().create_task(crawl_in_turn())
    freeze_gc()
    process.start(stop_after_crawl=False, install_signal_handlers=False)
    if task.done():
        task.result()
    return crawls, signals


def _stop_reactor() -> None:
    """Stop Twisted's reactor, which Scrapy installs when a process is created."""
    from twisted.internet import reactor as module

    reactor: Any = module
    if reactor.running:
        reactor.stop()


def _install_signal_handlers(process: AsyncCrawlerProcess, crawls: Sequence[_Crawl]) -> Collection[int]:
    """Stop the crawls at SIGTERM and Ctrl-C, and complete the run record. Return the set of received signals.

    Scrapy's own handlers wait for all downloads and retries; these wait for SHUTDOWN_TIMEOUT, or the second signal.
    """
    loop = asyncio.get_event_loop()

    def stop_at_once(signal_number: int) -> None:
        received.add(signal_number)
        stop_now()

    def stop_now() -> None:
        if crawls and (session := crawls[-1].crawler.get_extension(CrawlSession)) is not None:
            session.spider_closed("shutdown")
        _stop_reactor()

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


def _check_setting(settings: Settings, name: str, default: Any, place: str) -> None:
    """Raise UsageError for a value that Scrapy cannot parse, or a setting that has no effect."""
    parse_value, expected = _VALUE_PARSERS.get(type(default), (Settings.get, ""))
    try:
        value = parse_value(settings, name)
    except (ValueError, TypeError):
        raise UsageError(f"invalid value: {place} {name}={settings[name]}: type {expected}") from None
    unused_component = next((path for prefix, path in _UNUSED_COMPONENTS.items() if name.startswith(prefix)), None)
    if unused_component and value != default:
        raise UsageError(f"{place} {name} has no effect: crawler/settings.py does not load {unused_component}")


def _load_spider_settings(settings: Settings) -> dict[str, Any]:
    """Return the defaults of the spiders' own settings, by name."""
    spider_loader = SpiderLoader.from_settings(settings)
    spiders = [spider_loader.load(name) for name in spider_loader.list()]
    return {str(name): default for spider in spiders for name, default in (spider.custom_settings or {}).items()}
