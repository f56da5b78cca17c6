"""Crawl tracker: the bookkeeping of a crawl. Each entry is recorded once, and ends with exactly one outcome.

Which entries are fetched is policy/entry_filter.py's to decide, and whether the next page is, policy/pagination.py's.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from crawler.content import clock
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.context import CrawlContext
from crawler.crawl.coverage import CoverageTracker
from crawler.crawl.interface import BadRow, EntryTracker, describe_listing_error
from crawler.crawl.policy.backoff import LONGEST_STORED_PAUSE, backoff_delay
from crawler.crawl.policy.entry_filter import (
    DUPLICATE_DETAIL,
    STILL_REJECTED_PREFIX,
    WITHDRAWN_PREFIX,
    Decision,
    EntryFilter,
)
from crawler.crawl.policy.failures import EntryFailure, FailureGroup, FailureGroups, classify_error
from crawler.crawl.policy.health import SourceHealth
from crawler.crawl.policy.pagination import NextPage
from crawler.errors import CommandError, ItemError, ParseError
from crawler.items import (
    CODE_PREFIX,
    NO_COLUMN,
    Article,
    ListingEntry,
    ListingSize,
    Outcome,
    PageWindow,
    RawResponse,
    Reason,
    SavedArticle,
)
from crawler.storage.article_writer import BATCH_SIZE, save_articles
from crawler.storage.quarantine import KIND_ARTICLE, KIND_LISTING, KIND_ROW
from crawler.storage.robots_files import RobotsFile

logger = logging.getLogger(__name__)

# Sent with `entries`, for the progress display: those just listed, and those that have an outcome now.
entry_events = object()
# Sent with the `codes` of entries whose outcomes are committed: whatever delivered their responses may forget them.
outcomes_committed = object()
# Sent with a listing's `column` when a page of it is recorded, and its `paginator` (None after the last page).
listing_page_done = object()

# Seconds; articles that come within this time of the first are saved together.
_BATCH_WAIT = 0.2


class EntryEvent(NamedTuple):
    """What happened to an entry: it was listed, has an outcome (None while it is being fetched), or both."""

    code: str
    outcome: Outcome | None
    newly_listed: bool


class CrawlTracker(EntryTracker):
    """Records what a crawl lists and what becomes of it.

    `abort` is called with the error that ends the crawl when nothing more can be stored.
    """

    def __init__(self, context: CrawlContext, coverage: CoverageTracker, abort: Callable[[CommandError], None]) -> None:
        self.selection = context.selection
        self.articles_saved = 0
        self.listing_parse_failed = False
        self.failures = FailureGroups()
        self.health = SourceHealth()
        self.output = context.out.path
        self._context, self._coverage, self._abort = context, coverage, abort
        self._db, self._spider = context.out.db, context.spider
        self._entry_filter = EntryFilter(
            self._spider.name, self._spider.supersedes, context.selection, context.registry
        )
        self._open_entries: dict[str, ListingEntry] = {}
        self._bad_rows: set[tuple[str, bytes]] = set()
        self._missing: dict[str, tuple[ListingEntry, EntryFailure]] = {}
        self._pending_articles: list[Article] = []
        self._flush_timer: asyncio.TimerHandle | None = None
        self._entries_before = self._db.runs.last_entry_id()
        self._pauses = self._db.pauses.get_active(clock.now(), LONGEST_STORED_PAUSE)

    @property
    def listed_slugs(self) -> set[str]:
        """The selected categories under which an entry was listed."""
        return self._entry_filter.listed_slugs

    # for spiders

    def record_listing_page(
        self,
        column: str,
        rows: Sequence[ListingEntry | BadRow],
        *,
        is_last_page: bool,
        listing_size: ListingSize | None = None,
        window: PageWindow | None = None,
    ) -> tuple[list[ListingEntry], NextPage | None]:
        """Record a listing page before anything of it is fetched. What an earlier page held is recorded there."""
        entries = [row for row in rows if isinstance(row, ListingEntry)]
        listed = self._db.runs.find_listed(self._entries_before, column, [entry.code for entry in entries])
        rows = [row for row in rows if not self._was_on_earlier_page(column, row, listed.in_column)]
        to_fetch = self._decide_and_record_rows(column, rows, listed.in_run)
        self._bad_rows.update((column, _bad_row_json(row)) for row in rows if isinstance(row, BadRow))
        paginator = self._coverage.record_page(
            column,
            entries,
            has_new_entries=any(entry.code not in listed.in_column for entry in entries),
            all_known=not to_fetch,
            is_last_page=is_last_page,
            listing_size=listing_size,
            window=window,
        )
        next_page = None if self._entry_filter.is_limit_reached else paginator.next_page
        self._context.signals.send_catch_log(
            listing_page_done, column=column, paginator=paginator if next_page else None
        )
        return to_fetch, next_page

    def record_listing_failure(self, column: str, error: ItemError, response: RawResponse) -> None:
        detail = describe_listing_error(error, response.url)
        if isinstance(error, ParseError):
            self.listing_parse_failed = True
            self._save_to_quarantine(response, KIND_LISTING, detail, column=column)
        self._coverage.failed_listings[detail].append(column)
        self._context.signals.send_catch_log(listing_page_done, column=column, paginator=None)
        logger.warning("no listing of %s: %s", column, detail)

    def record_article_failure(self, entry: ListingEntry, error: BaseException | None, response: RawResponse) -> None:
        """Record what becomes of an entry without its article; what was read of it goes to quarantine."""
        failure = classify_error(error, response.url)
        if failure.is_missing and entry.has_article:
            self._missing[entry.code] = entry, failure  # the end of the crawl decides whether it was withdrawn
            return
        if failure.outcome is Outcome.QUARANTINED:
            self._save_to_quarantine(response, KIND_ARTICLE, failure.detail, entry=entry)
        # What is behind a cut row may be written after the row is.
        if failure.can_retry or entry.is_cut:
            parse_error = failure.detail if failure.outcome is Outcome.QUARANTINED else ""
            self._coverage.retry_next_crawl(entry, parse_error)
        else:
            self._db.sightings.mark_rejected(entry, self._spider.name, failure.detail)
        self._set_outcome(entry, failure)

    def entries_to_refresh(self) -> list[ListingEntry]:
        if self.selection.refresh is None:
            return []
        entries = self._db.articles.entries_to_refresh(self._spider.name, self.selection.refresh)
        listed = self._db.runs.find_listed(self._entries_before, NO_COLUMN, [entry.code for entry in entries])
        return self._decide_and_record_rows(
            NO_COLUMN, [entry for entry in entries if entry.code not in listed.in_run], set()
        )

    # for middlewares

    def paused_until(self, name: str) -> datetime | None:
        until = self._pauses.get(name)
        return until if until and until > clock.now() else None

    def pause(self, name: str, wait: timedelta) -> None:
        """Pause a site or endpoint in this crawl, and in the next ones as long as it wants."""
        until = clock.now() + wait + timedelta(seconds=1)
        if until > self._pauses.get(name, until - wait):
            self._pauses[name] = until
            self._db.pauses.pause(name, until)

    def back_off(self, name: str) -> None:
        now = clock.now()
        self.pause(name, backoff_delay(now - (self._db.runs.failing_since(self._spider.name) or now)))

    def load_robots(self, origin: str) -> RobotsFile | None:
        return self._db.robots_files.get(origin)

    def save_robots(self, origin: str, robots_file: RobotsFile) -> None:
        self._db.robots_files.save(origin, robots_file)

    # for pipelines

    def enqueue(self, article: Article) -> None:
        """Save an article, together with those that come in the next moment."""
        self._pending_articles.append(article)
        if len(self._pending_articles) >= BATCH_SIZE:
            self.flush()
        elif self._flush_timer is None:
            self._flush_timer = asyncio.get_running_loop().call_later(_BATCH_WAIT, self.flush)

    def flush(self) -> None:
        """Save the articles that wait. What the disk or the database refuses ends the crawl."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        articles, self._pending_articles = self._pending_articles, []
        if not articles:
            return
        try:
            results = save_articles(self._context.out, articles, markup=self._spider.markup)
        except CommandError as error:
            self._abort(error)
            return
        saved_articles = [result for result in results if isinstance(result, SavedArticle)]
        self.articles_saved += len(saved_articles)
        # The entry of a summary has its outcome already: its article could not be had.
        outcomes = [
            (saved.article.code, saved.outcome)
            for saved in saved_articles
            if self._open_entries.pop(saved.article.code, None)
        ]
        self._send_outcomes(outcomes)
        for article, bug in zip(articles, results, strict=True):
            if isinstance(bug, Exception):
                logger.error("%s: %s", article.code, bug, exc_info=bug)
                self.record_article_failure(article.entry, bug, RawResponse(article.entry.url, "", b""))

    # for Scrapy and the session

    def spider_idle(self) -> None:
        """Save what waits, and look for reprints while nothing else is on its way.

        A crawl that is stopped leaves the reprints to the next one.
        """
        self.flush()
        try:
            self._db.reprint_clusters.cluster_pending()
        except CommandError as error:
            self._abort(error)

    def record_bug(self, code: str, error: BaseException | None) -> None:
        """Fail an entry whose callback or item raised what finews does not raise on purpose."""
        if entry := self._open_entries.get(code):
            self.record_article_failure(entry, error, RawResponse(entry.url, "", b""))

    def close_entries(self, *, finished: bool) -> None:
        """Give every entry that has none its outcome; `finished` says that the crawl was not stopped."""
        self._mark_withdrawn()
        for entry in list(self._open_entries.values()):
            if finished:
                detail = "its request was dropped"
                self._coverage.retry_next_crawl(entry)
                failure = EntryFailure(Outcome.FAILED, Reason.REQUEST_DROPPED, detail, detail, can_retry=True)
            else:
                detail = "the crawl was stopped"
                failure = EntryFailure(Outcome.FAILED, Reason.INTERRUPTED, detail, detail, can_retry=True)
            self._set_outcome(entry, failure)

    def _mark_withdrawn(self) -> None:
        """Mark missing articles as withdrawn if at least as many were saved; otherwise assume an outage."""
        is_outage = self.articles_saved < max(1, len(self._missing))
        for entry, failure in self._missing.values():
            if is_outage:
                self._coverage.retry_next_crawl(entry)
                self._set_outcome(entry, failure._replace(outcome=Outcome.FAILED))
                continue
            self._db.articles.mark_withdrawn(entry.code, clock.now())
            detail = WITHDRAWN_PREFIX + failure.detail
            self._set_outcome(entry, failure._replace(outcome=Outcome.UPDATED, reason=Reason.WITHDRAWN, detail=detail))
        self._missing.clear()

    # recording

    def _was_on_earlier_page(self, column: str, row: ListingEntry | BadRow, codes_in_column: set[str]) -> bool:
        """Return whether this crawl has listed a row before: a walk reads some again to prove that it missed none."""
        if isinstance(row, ListingEntry):
            return row.code in codes_in_column
        return (column, _bad_row_json(row)) in self._bad_rows

    def _decide_and_record_rows(
        self, column: str, rows: Sequence[ListingEntry | BadRow], listed_codes: set[str]
    ) -> list[ListingEntry]:
        """Decide on every row, record all of them, and return the entries to fetch, with their rows in `entries`.

        `listed_codes` are those codes that this crawl has listed before; the codes of this page are added.
        """
        codes = [row.code if isinstance(row, ListingEntry) else _find_code(row.row) for row in rows]
        known_articles = self._db.articles.get_known(
            [row.code for row in rows if isinstance(row, ListingEntry)], self._spider.name, column
        )
        # As long as no row can be read, each crawl has failed, however often it was reported.
        is_readable_page = any(isinstance(row, ListingEntry) for row in rows)
        decisions = []
        for row, code in zip(rows, codes, strict=True):
            if isinstance(row, ListingEntry):
                decision = self._entry_filter.decide(row, known_articles.get(code), is_duplicate=code in listed_codes)
                self._report_decision(code, decision)
            else:
                decision = self._quarantine_row(
                    column, row, code, is_duplicate=code in listed_codes, is_readable_page=is_readable_page
                )
            if code and (decision.outcome is not Outcome.FILTERED or decision.reason is Reason.REJECTED_EARLIER):
                listed_codes.add(code)
            decisions.append(decision)
        entry_ids = self._db.runs.add_entries(
            self._context.run_id,
            [(code, column, *decision) for code, decision in zip(codes, decisions, strict=True)],
        )
        to_fetch = []
        for row, entry_id, decision in zip(rows, entry_ids, decisions, strict=True):
            if decision.outcome is None and isinstance(row, ListingEntry):
                known_article = known_articles.get(row.code)
                has_article = known_article is not None and known_article.source is not None
                entry = replace(row, entry_id=entry_id, has_article=has_article)
                self._open_entries[entry.code] = entry
                to_fetch.append(entry)
        self._context.signals.send_catch_log(
            entry_events,
            entries=[
                EntryEvent(code, decision.outcome, newly_listed=True)
                for code, decision in zip(codes, decisions, strict=True)
            ],
        )
        return to_fetch

    def _quarantine_row(
        self, column: str, bad_row: BadRow, code: str, *, is_duplicate: bool, is_readable_page: bool
    ) -> Decision:
        if is_duplicate:
            return Decision(Outcome.DUPLICATE, Reason.LISTED_TWICE, DUPLICATE_DETAIL)
        failure = classify_error(bad_row.error, bad_row.url)
        response = RawResponse(bad_row.url, "application/json", _bad_row_json(bad_row))
        is_new = self._save_to_quarantine(response, KIND_ROW, failure.detail, code=code, column=column)
        if not is_new and is_readable_page:
            return Decision(Outcome.FILTERED, Reason.REJECTED_EARLIER, STILL_REJECTED_PREFIX + failure.detail)
        self._report_failure(code, failure)
        return Decision(failure.outcome, failure.reason, failure.detail)

    def _set_outcome(self, entry: ListingEntry, failure: EntryFailure) -> None:
        self._open_entries.pop(entry.code, None)
        self._db.runs.set_outcome(entry.entry_id, failure.outcome, failure.reason, failure.detail)
        self._report_failure(entry.code, failure)
        self._send_outcomes([(entry.code, failure.outcome)])

    def _report_decision(self, code: str, decision: Decision) -> None:
        """Report what is in quarantine still, and is not fetched again, as each crawl does."""
        if decision.outcome is Outcome.QUARANTINED and decision.reason is not None:
            detail = decision.detail
            self._report_failure(code, EntryFailure(decision.outcome, decision.reason, detail, detail, can_retry=False))

    def _report_failure(self, code: str, failure: EntryFailure) -> None:
        if failure.outcome not in {Outcome.FAILED, Outcome.QUARANTINED}:
            return
        group = FailureGroup(code, failure.outcome, failure.reason, failure.detail)
        if self.failures.add(group, (failure.outcome, failure.group_key)):
            logger.error("%s: %s: %s", failure.outcome, code, failure.detail)

    def _send_outcomes(self, outcomes: Sequence[tuple[str, Outcome]]) -> None:
        self._context.signals.send_catch_log(
            entry_events, entries=[EntryEvent(code, outcome, newly_listed=False) for code, outcome in outcomes]
        )
        self._context.signals.send_catch_log(outcomes_committed, codes=[code for code, _ in outcomes])

    def _save_to_quarantine(self, response: RawResponse, kind: str, detail: str, **row_fields: Any) -> bool:
        return self._db.quarantine.add(
            response,
            run_id=self._context.run_id,
            spider=self._spider.name,
            kind=kind,
            reason=detail,
            seen_at=clock.now(),
            **row_fields,
        )


def _bad_row_json(bad_row: BadRow) -> bytes:
    return json.dumps(bad_row.row, ensure_ascii=False, default=str).encode("utf-8", "replace")


def _find_code(row: Any) -> str:
    """Return the code of a row that is no entry, as far as it has one: for a person to look up."""
    values = (row.get(name) for name in ("code", "infoCode", "infocode", "id")) if isinstance(row, dict) else ()
    return next(
        (collapse_whitespace(value.removeprefix(CODE_PREFIX))[:40] for value in values if isinstance(value, str)), ""
    )
