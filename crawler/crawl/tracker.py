"""Crawl tracker: the bookkeeping of a crawl. Record each listing entry once, with exactly one outcome.

policy/entry_filter.py decides which entries are fetched, policy/pagination.py which listing pages.
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

# Scrapy signals. For the progress display: `entries` were listed, or got an outcome.
entry_events = object()
# The outcomes of the entries with these `codes` are committed, so a queue may delete their responses.
outcomes_committed = object()
# A page of the listing of `column` is recorded; `paginator` is None after the last page.
listing_page_done = object()

# Seconds between the first article of a batch and its commit.
_BATCH_WAIT = 0.2


class EntryEvent(NamedTuple):
    """An entry that was listed, got an outcome (None while it is fetched), or both."""

    code: str
    outcome: Outcome | None
    newly_listed: bool


class CrawlTracker(EntryTracker):
    """Record the entries of a crawl and their outcomes, and save the articles.

    `abort` is called with the error that ends the crawl if nothing more can be stored.
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
        """Return the slugs of the selected categories that an entry was listed under."""
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
        """Record the rows of a page that no earlier page had. Return the entries to fetch, and the next page."""
        entries = [row for row in rows if isinstance(row, ListingEntry)]
        listed = self._db.runs.find_listed(self._entries_before, column, [entry.code for entry in entries])
        # Windows of a listing overlap, to prove that no entry was missed.
        rows = [
            row
            for row in rows
            if (
                row.code not in listed.in_column
                if isinstance(row, ListingEntry)
                else (column, _bad_row_json(row)) not in self._bad_rows
            )
        ]
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
        """Record that a listing page could not be fetched or parsed; an unreadable response goes to quarantine."""
        detail = describe_listing_error(error, response.url)
        if isinstance(error, ParseError):
            self.listing_parse_failed = True
            self._save_to_quarantine(response, KIND_LISTING, detail, column=column)
        self._coverage.failed_listings[detail].append(column)
        self._context.signals.send_catch_log(listing_page_done, column=column, paginator=None)
        logger.warning("no listing of %s: %s", column, detail)

    def record_article_failure(self, entry: ListingEntry, error: BaseException | None, response: RawResponse) -> None:
        """Record the outcome of an entry without an article; an unusable response goes to quarantine."""
        failure = classify_error(error, response.url)
        if failure.is_missing and entry.has_article:
            self._missing[entry.code] = entry, failure  # withdrawn or failed: decided at the end of the crawl
            return
        if failure.outcome is Outcome.QUARANTINED:
            self._save_to_quarantine(response, KIND_ARTICLE, failure.detail, entry=entry)
        # The article behind a cut row may be published after the row.
        if failure.can_retry or entry.is_cut:
            parse_error = failure.detail if failure.outcome is Outcome.QUARANTINED else ""
            self._coverage.retry_next_crawl(entry, parse_error)
        else:
            self._db.sightings.mark_rejected(entry, self._spider.name, failure.detail)
        self._set_outcome(entry, failure)

    def entries_to_refresh(self) -> list[ListingEntry]:
        """Record and return the stored articles to fetch again that this crawl has not listed."""
        if self.selection.refresh is None:
            return []
        entries = self._db.articles.entries_to_refresh(self._spider.name, self.selection.refresh)
        listed = self._db.runs.find_listed(self._entries_before, NO_COLUMN, [entry.code for entry in entries])
        return self._decide_and_record_rows(
            NO_COLUMN, [entry for entry in entries if entry.code not in listed.in_run], set()
        )

    # for middlewares

    def paused_until(self, name: str) -> datetime | None:
        """Return the end of a site's or endpoint's pause; None if there is none, or it is over."""
        until = self._pauses.get(name)
        return until if until and until > clock.now() else None

    def pause(self, name: str, wait: timedelta) -> None:
        """Pause a site or endpoint in this crawl, and in the next ones until the time is over."""
        until = clock.now() + wait + timedelta(seconds=1)
        if until > self._pauses.get(name, until - wait):
            self._pauses[name] = until
            self._db.pauses.pause(name, until)

    def back_off(self, name: str) -> None:
        """Pause a site or endpoint for as long as crawls have been failing."""
        now = clock.now()
        self.pause(name, backoff_delay(now - (self._db.runs.failing_since(self._spider.name) or now)))

    def load_robots(self, origin: str) -> RobotsFile | None:
        """Return the stored robots.txt of an origin, however old; None without one."""
        return self._db.robots_files.get(origin)

    def save_robots(self, origin: str, robots_file: RobotsFile) -> None:
        """Store the robots.txt of an origin."""
        self._db.robots_files.save(origin, robots_file)

    # for pipelines

    def enqueue(self, article: Article) -> None:
        """Add an article to the batch that is saved next."""
        self._pending_articles.append(article)
        if len(self._pending_articles) >= BATCH_SIZE:
            self.flush()
        elif self._flush_timer is None:
            self._flush_timer = asyncio.get_running_loop().call_later(_BATCH_WAIT, self.flush)

    def flush(self) -> None:
        """Save the batch. An error of disk or database aborts the crawl."""
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
        # The entry of a summary has an outcome already: its article could not be fetched.
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
        """Save the batch, and cluster reprints; a stopped crawl leaves the reprints to the next one."""
        self.flush()
        try:
            self._db.reprint_clusters.cluster_pending()
        except CommandError as error:
            self._abort(error)

    def record_bug(self, code: str, error: BaseException | None) -> None:
        """Fail the entry of a callback or item that raised an unexpected exception."""
        if entry := self._open_entries.get(code):
            self.record_article_failure(entry, error, RawResponse(entry.url, "", b""))

    def close_entries(self, *, finished: bool) -> None:
        """Give each open entry an outcome; `finished` says that the crawl was not stopped."""
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

    def _decide_and_record_rows(
        self, column: str, rows: Sequence[ListingEntry | BadRow], listed_codes: set[str]
    ) -> list[ListingEntry]:
        """Decide on each row and record it. Return the entries to fetch, with the ids of their rows in `entries`.

        `listed_codes` are the codes that this crawl has listed; the codes of this page are added.
        """
        codes = [row.code if isinstance(row, ListingEntry) else _find_code(row.row) for row in rows]
        known_articles = self._db.articles.get_known(
            [row.code for row in rows if isinstance(row, ListingEntry)], self._spider.name, column
        )
        # While no row of a page can be parsed, each crawl fails, however often the rows were reported.
        is_readable_page = any(isinstance(row, ListingEntry) for row in rows)
        decisions = []
        for row, code in zip(rows, codes, strict=True):
            if isinstance(row, ListingEntry):
                decision = self._entry_filter.decide(row, known_articles.get(code), is_duplicate=code in listed_codes)
                if decision.outcome is Outcome.QUARANTINED and decision.reason is not None:
                    outcome, reason, detail = decision.outcome, decision.reason, decision.detail
                    self._report_failure(code, EntryFailure(outcome, reason, detail, detail, can_retry=False))
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
    """Return the code of a row that could not be parsed, for the record; empty without one."""
    values = (row.get(name) for name in ("code", "infoCode", "infocode", "id")) if isinstance(row, dict) else ()
    return next(
        (collapse_whitespace(value.removeprefix(CODE_PREFIX))[:40] for value in values if isinstance(value, str)), ""
    )
