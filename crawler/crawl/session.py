"""Crawl session: the Scrapy extension that opens and closes the resources of a crawl."""

import asyncio
import logging
from typing import Any, Self, cast

from itemadapter import ItemAdapter, is_item
from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
from twisted.python.failure import Failure

from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.dates import format_iso
from crawler.crawl.context import CrawlContext
from crawler.crawl.coverage import CoverageTracker
from crawler.crawl.interface import (
    SLOW_DOWN_HINT,
    SpiderInfo,
    TrackerExtension,
    get_column,
    get_entry,
    missing_session_error,
)
from crawler.crawl.policy.conditions import update_conditions
from crawler.crawl.policy.failures import describe_bug
from crawler.crawl.policy.result import FINISHED_REASON, CrawlResult, crawl_outcome
from crawler.crawl.tracker import CrawlTracker
from crawler.errors import CommandError, FatalError, disk_error
from crawler.items import ListingEntry, Reason
from crawler.storage.notices import take_notices

logger = logging.getLogger(__name__)

# Reasons of failures that recur in each crawl until the source or finews changes.
_LASTING_REASONS = {Reason.SCHEMA_CHANGED, Reason.REJECTED_EARLIER}

# Scrapy signal, sent with `context` when a crawl that was not stopped has saved all articles and still holds the lock
# of the output folder. A CommandError of a handler fails the crawl.
crawl_finished = object()


class CrawlSession(TrackerExtension):
    """One crawl, from the opening of its spider to its result.

    `context` and `tracker` are set when the spider is opened, `result` when it is closed. `fatal_error` is
    the error that ended the crawl, and `notes` are messages in addition to its failures.
    """

    tracker: CrawlTracker | None = None

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._coverage: CoverageTracker | None = None
        self._close_task: asyncio.Future[None] | None = None
        self._closed = False
        self.context: CrawlContext | None = None
        self.result: CrawlResult | None = None
        self.fatal_error: CommandError | None = None
        self.notes: list[str] = []

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Connect the session to Scrapy's signals."""
        session = cls(crawler)
        crawler.signals.connect(session.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(session.spider_error, signal=signals.spider_error)
        crawler.signals.connect(session.item_error, signal=signals.item_error)
        crawler.signals.connect(session.spider_closed, signal=signals.spider_closed)
        return session

    def spider_opened(self, spider: Spider) -> None:
        """Open the output folder and create the trackers. Raises CloseSpider where that fails."""
        try:
            self.context = CrawlContext.open(self._crawler, cast(SpiderInfo, spider))
            self._coverage = CoverageTracker(self.context)
            self.tracker = CrawlTracker(self.context, self._coverage, self.abort)
            self._crawler.signals.connect(self.tracker.spider_idle, signal=signals.spider_idle)
        except Exception as error:
            self.fatal_error = _as_command_error(error)
            raise CloseSpider("cannot_start") from error

    def abort(self, error: CommandError) -> None:
        """End the crawl as failed."""
        if self.fatal_error is None:
            self.fatal_error = error
        if not self._closed and self._close_task is None:
            self._close_task = asyncio.ensure_future(self._crawler.engine.close_spider_async(reason="failed"))

    def spider_error(self, failure: Failure, response: Any) -> None:
        """Handle an exception in a callback or an errback; `response` has its request in both cases."""
        request = response.request
        entry = get_entry(request)
        if entry is None and self._coverage:
            self._coverage.failed_listings[describe_bug(failure.value)].append(get_column(request))
        self._handle_error(failure, entry.code if entry else "")

    def item_error(self, item: Any, failure: Failure) -> None:
        """Handle an exception in an item pipeline."""
        entry = ItemAdapter(item).get("entry") if is_item(item) else None
        self._handle_error(failure, entry.code if isinstance(entry, ListingEntry) else "")

    def spider_closed(self, reason: str) -> None:
        """Complete the run record, then close the output folder. Further calls do nothing."""
        if self._closed:
            return
        self._closed = True
        if self.context is None:
            return
        try:
            if self.tracker is not None and self._coverage is not None:
                self.tracker.flush()
                # Before the pages are written, which count these rows.
                self.context.out.repair_met_rows()
                if reason == FINISHED_REASON and self.fatal_error is None:
                    for _, result in self._crawler.signals.send_catch_log(
                        crawl_finished, context=self.context, dont_log=CommandError
                    ):
                        error = result.value if isinstance(result, Failure) else result
                        if isinstance(error, Exception):
                            self.fatal_error = self.fatal_error or _as_command_error(error)
                self.result = self._finish_run(reason, self.context, self.tracker, self._coverage)
        except CommandError as error:
            self.fatal_error = self.fatal_error or error
        finally:
            self.context.out.close()

    def _handle_error(self, failure: Failure, code: str) -> None:
        """End the crawl at an error of disk or database, which the next article would meet too; record a bug."""
        error = failure.value
        if isinstance(error, CommandError):
            self.abort(error)
        elif self.tracker:
            self.tracker.record_bug(code, error)

    def _finish_run(
        self, reason: str, context: CrawlContext, tracker: CrawlTracker, coverage: CoverageTracker
    ) -> CrawlResult:
        is_finished = reason == FINISHED_REASON
        context.out.db.check_in_place()
        tracker.close_entries(finished=is_finished)
        gaps = coverage.save(tracker.articles_saved) if is_finished and not self.fatal_error else {}
        runs = context.out.db.runs
        outcome = crawl_outcome(
            reason=reason,
            has_fatal_error=self.fatal_error is not None,
            listings_read=coverage.pages_read,
            listings_failed=len(coverage.failed_listings),
            listing_parse_failed=tracker.listing_parse_failed,
            gap_count=len(gaps),
            outcome_counts=runs.entry_counts(context.run_id),
            has_bad_rows=bool(context.out.db.repaired_rows or context.out.db.bad_values),
        )
        notes, recently_reported = _source_notes(context, tracker, coverage)
        detail = str(self.fatal_error or "; ".join([*coverage.failed_listings, *coverage.unproven_listings]))
        # A failed listing may hold entries of any media.
        is_complete = is_finished and not coverage.failed_listings
        unlisted_notes = _unlisted_media_notes(context, tracker) if is_complete else {}
        runs.finish(context.run_id, outcome, clock.now(), detail)
        return CrawlResult(
            run=runs.get(context.run_id),
            output=str(context.out.path),
            failed_listings=dict(coverage.failed_listings),
            gaps=gaps,
            failures=tracker.failures.as_dicts(),
            notes=[*unlisted_notes.values(), *self.notes, *notes, *take_notices()],
            recently_reported=recently_reported,
            unlisted_media=list(unlisted_notes),
        )


def get_session(crawler: Crawler) -> CrawlSession:
    """Return the session of a crawl. Raises UsageError if its extension is switched off."""
    session = crawler.get_extension(CrawlSession)
    if session is None:
        raise missing_session_error()
    return session


def _as_command_error(error: Exception) -> CommandError:
    return error if isinstance(error, CommandError) else disk_error(error) or FatalError(describe_bug(error))


def _source_notes(
    context: CrawlContext, tracker: CrawlTracker, coverage: CoverageTracker
) -> tuple[list[str], frozenset[str]]:
    """Return notes on the source in addition to its failures, and the messages that were reported within a day."""
    health, conditions, now = tracker.health, context.out.db.conditions, clock.now()
    groups = tracker.failures.as_dicts()
    failures = [group["detail"] for group in groups if group["reason"] in _LASTING_REASONS]
    failures += [reason for reason in coverage.failed_listings if health.is_lasting(reason)]
    already_said = {*failures, *(group["detail"] for group in groups)}
    notes = [text for text in health.lasting_conditions() if not any(detail in text for detail in already_said)]
    notes = [*coverage.unproven_listings, *notes]
    answered = [*health.answered, *coverage.proven_listings]
    update = update_conditions({*notes, *failures}, conditions.reported_at(context.spider.name), answered, now)
    conditions.save(context.spider.name, reported=update.to_report, ended=update.ended, now=now)
    notes += [f"no longer: {text}" for text in sorted(update.ended)]
    if health.blocked_site and (until := tracker.paused_until(context.spider.site)):
        advice = f"wait at least that long, and {SLOW_DOWN_HINT}"
        notes.append(f"{health.blocked_site}: no requests until {format_iso(until)}; {advice}")
    return notes, update.silent


def _unlisted_media_notes(context: CrawlContext, tracker: CrawlTracker) -> dict[str, str]:
    """Return a note for each selected media that is unknown and has no listed entry, by its name."""
    registry = CategoryRegistry(context.out.db.categories.all())
    notes = {
        category.media: f"unknown media {category.media!r}, and no entry is listed under it: "
        f"{registry.suggest(category.media)}"
        for category in context.selection.categories
        if category.slug not in tracker.listed_slugs and registry.find(category.media) is None
    }
    for note in notes.values():
        logger.warning(note)  # `scrapy crawl` prints nothing but its log
    return notes
