"""The ledger of one crawl: each listing entry is taken down once, and ends in exactly one outcome.

It also holds what a crawl has one of: the lock on the output folder, the database, the media, what was asked for, and
what cleans the bodies. Nothing of that can be had: the crawl does not start.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self, cast

from scrapy import signals
from scrapy.crawler import Crawler
from twisted.python.failure import Failure

from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.body_cleaner import BodyCleaner
from crawler.crawl.interface import (
    BadRow,
    EntryTracker,
    SpiderInfo,
    describe_bug,
    describe_listing_error,
    selection_from_arguments,
)
from crawler.crawl.policy.backoff import backoff_delay
from crawler.crawl.policy.entry_filter import (
    DUPLICATE_DETAIL,
    STILL_REJECTED_PREFIX,
    WITHDRAWN_PREFIX,
    Decision,
    EntryFilter,
)
from crawler.crawl.policy.failures import FailureGroup, FailureGroups, describe_item_error, failure_group_key, reason_of
from crawler.crawl.policy.pagination import ListingPaginator, StopReason
from crawler.crawl.policy.result import FINISHED_REASON, CrawlResult, crawl_outcome
from crawler.crawl.policy.selection import Selection
from crawler.errors import CommandError, ItemError, ParseError, UsageError
from crawler.items import NO_COLUMN, Article, Gap, KnownArticle, ListingEntry, ListingSize, Outcome, RawResponse, Reason
from crawler.storage.article_writer import BATCH_SIZE, BatchWriter, PendingArticle
from crawler.storage.output_dir import OutputDir, resolve_output_dir
from crawler.storage.quarantine import KIND_ARTICLE, KIND_LISTING, KIND_ROW

logger = logging.getLogger(__name__)

# Sent with the `entries` that are taken down (`newly_listed`; `outcome` is None while one is to be fetched), and
# with those that are settled; then the outcome is committed, and `code` is the article's.
entry_events = object()
# Sent when the entries of a listing page are taken down: the listing's `paginator`, None when it goes no further.
listing_page_done = object()

# An entry that failed in so many crawls no longer keeps the walks from passing it, and one that was unreadable in as
# many is not asked for any more.
_MAX_FAILED_CRAWLS = 3
# Articles that come within so many seconds of the first are taken in together.
_BATCH_WAIT = 0.2
# So many failures and no success are the source's, not the entries'.
_OUTAGE_THRESHOLD = 5


class EntryEvent(NamedTuple):
    """What is told of an entry."""

    code: str
    outcome: Outcome | None
    newly_listed: bool


@dataclass(frozen=True, slots=True)
class _OpenEntry:
    """An entry that is being fetched, its row in `entries`, and whether we have its article already."""

    entry: ListingEntry
    entry_id: int
    has_article: bool


class CrawlTracker(EntryTracker):
    """One crawl's book-keeping. Spiders take entries down, pipelines settle them."""

    def __init__(self, crawler: Crawler, out: OutputDir, selection: Selection) -> None:
        self._out = out
        self._batch_writer = BatchWriter(out.path, out.db, out.links)
        self._flush_timer: asyncio.TimerHandle | None = None
        self._close_task: asyncio.Future[None] | None = None
        self.output, self.store, self.selection, self.site_links = out.path, out.db, selection, out.links
        self.registry = CategoryRegistry(self.store.categories.all())
        self.body_cleaner = BodyCleaner()
        self.result: CrawlResult | None = None
        self.fatal_error: CommandError | None = None
        self._closed = False
        self._crawler = crawler
        self._spider = cast(SpiderInfo, crawler.spider)
        self._entry_filter = EntryFilter(self._spider.name, self._spider.supersedes, selection, self.registry)
        self._open_entries: dict[str, _OpenEntry] = {}
        self._missing: dict[str, tuple[Reason, str]] = {}
        self._articles_saved = 0
        self._listing_pages_read = 0
        self._failed_listings: defaultdict[str, list[str]] = defaultdict(list)
        self._listing_parse_failed = False
        self._failures = FailureGroups()
        self.paused_origins = self.store.paused_origins.get_active(clock.now())
        coverage = self.store.coverage.for_spider(self._spider.name)
        self._paginators = {
            column: ListingPaginator(coverage.get(column), selection.since, selection.refresh)
            for column in selection.columns
        }
        self._retry_next_crawl: list[tuple[ListingEntry, str]] = []
        self._run_id = self.store.runs.start(self._spider.name, self._spider.arguments, clock.now())

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Raises UsageError, OutputLockedError, StoreError or OutputError: then nothing is fetched."""
        spider = cast(SpiderInfo, crawler.spider)
        output = resolve_output_dir(crawler.settings.get("OUTPUT_DIR"))
        selection = selection_from_arguments(spider, output)
        out = OutputDir.open_for_writing(output, address=crawler.settings["SITE_ADDRESS"])
        tracker = cls(crawler, out, selection)
        crawler.signals.connect(tracker.spider_error, signal=signals.spider_error)
        crawler.signals.connect(tracker.item_error, signal=signals.item_error)
        crawler.signals.connect(tracker.spider_idle, signal=signals.spider_idle)
        crawler.signals.connect(tracker.spider_closed, signal=signals.spider_closed)
        return tracker

    # what spiders tell

    def record_listing_page(
        self,
        column: str,
        rows: Sequence[ListingEntry | BadRow],
        *,
        is_last_page: bool,
        listing_size: ListingSize | None = None,
    ) -> tuple[list[ListingEntry], bool]:
        """Write a listing page down, before anything of it is fetched."""
        self._listing_pages_read += 1
        to_fetch = self._record_rows(column, rows)
        entries = [row for row in rows if isinstance(row, ListingEntry)]
        paginator = self._paginators[column]
        wants_next_page = paginator.wants_next_page(
            entries, all_known=not to_fetch, is_last_page=is_last_page, listing_size=listing_size
        )
        if paginator.stop_reason is StopReason.PAGE_LIMIT:
            self._failed_listings[f"it has no end after {paginator.pages_read:,} pages"].append(column)
        wants_next_page = wants_next_page and not self._entry_filter.is_limit_reached
        self._crawler.signals.send_catch_log(
            listing_page_done, column=column, paginator=paginator if wants_next_page else None
        )
        return to_fetch, wants_next_page

    def entries_to_refresh(self) -> list[ListingEntry]:
        """The known articles, as young as `refresh` asks, that no listing has named: what may have been withdrawn."""
        if self.selection.refresh is None:
            return []
        entries = self.store.articles.entries_to_refresh(self._spider.name, self.selection.refresh)
        return self._record_rows(NO_COLUMN, [entry for entry in entries if not self._entry_filter.is_seen(entry.code)])

    def count_known_articles(self, column: str, since: datetime | None, before: datetime) -> int:
        """How many articles of a column are known that were published in a time, and are not to be fetched again."""
        return self.store.articles.count_in_column(column, since, before, self._spider.supersedes)

    def _record_rows(self, column: str, rows: Sequence[ListingEntry | BadRow]) -> list[ListingEntry]:
        known_articles = self.store.articles.get_known(
            [row.code for row in rows if isinstance(row, ListingEntry)], self._spider.name
        )
        decisions = [self._decide(column, row, known_articles) for row in rows]
        entry_rows = [
            (row.code if isinstance(row, ListingEntry) else _extract_code(row.row), column, *decision)
            for row, decision in zip(rows, decisions, strict=True)
        ]
        entry_ids = self.store.runs.add_entries(self._run_id, entry_rows)
        to_fetch = []
        for row, entry_id, decision in zip(rows, entry_ids, decisions, strict=True):
            if decision.outcome is None and isinstance(row, ListingEntry):
                has_article = row.code in known_articles and known_articles[row.code].source is not None
                self._open_entries[row.code] = _OpenEntry(row, entry_id, has_article)
                to_fetch.append(row)
        codes = (row.code if isinstance(row, ListingEntry) else "" for row in rows)
        self._send_entry_events(
            [EntryEvent(code, each.outcome, newly_listed=True) for code, each in zip(codes, decisions, strict=True)]
        )
        return to_fetch

    def record_listing_failure(self, column: str, error: ItemError, response: RawResponse) -> None:
        reason = describe_listing_error(error, response.url)
        if isinstance(error, ParseError):
            self._listing_parse_failed = True
            self._save_to_quarantine(response, KIND_LISTING, reason, column=column)
        self._failed_listings[reason].append(column)
        self._crawler.signals.send_catch_log(listing_page_done, column=column, paginator=None)
        logger.warning("no listing of %s: %s", column, reason)

    def quarantine(self, entry: ListingEntry, error: ItemError, response: RawResponse) -> None:
        """An article came that must not be published: kept raw, and not asked for again as listed."""
        self._save_to_quarantine(response, KIND_ARTICLE, str(error), entry=entry)
        self.reject(entry, Outcome.QUARANTINED, error)

    def quarantine_unparsable(self, entry: ListingEntry, error: ParseError, response: RawResponse) -> None:
        """What came is no article: kept raw, and asked for again by the next crawl, since it may be one by then."""
        detail = describe_item_error(error, response.url)
        self._save_to_quarantine(response, KIND_ARTICLE, detail, entry=entry)
        self._retry_next_crawl.append((entry, detail))
        self.set_outcome(
            entry.code, Outcome.QUARANTINED, reason_of(error), detail, group_key=failure_group_key(error, response.url)
        )

    def reject(self, entry: ListingEntry, outcome: Outcome, error: ItemError) -> None:
        """An entry leads to nothing that can be published, and is not asked for again as it is listed now."""
        self.store.articles.mark_rejected(entry, self._spider.name, str(error))
        self.set_outcome(entry.code, outcome, reason_of(error), str(error))

    def fail(self, entry: ListingEntry, reason: Reason, detail: str) -> None:
        """An entry's article could not be had; the next crawl tries again, and its walk comes by it again."""
        self._retry_next_crawl.append((entry, ""))
        self.set_outcome(entry.code, Outcome.FAILED, reason, detail)

    def note_missing(self, entry: ListingEntry, reason: Reason, detail: str) -> bool:
        """Whether a missing article is one that we have: if so, the end of the crawl tells whether it was withdrawn."""
        if not self._open_entries[entry.code].has_article:
            return False
        self._missing[entry.code] = reason, detail
        return True

    # what middlewares ask and tell

    def pause(self, origin: str, wait: timedelta) -> None:
        """An origin asks to be left alone for longer than a crawl waits: this one and the next ones heed it."""
        until = clock.now() + wait + timedelta(seconds=1)
        if until > self.paused_origins.get(origin, until - wait):
            self.paused_origins[origin] = until
            self.store.paused_origins.pause(origin, until)

    def back_off(self, origin: str) -> None:
        """An origin refuses to answer so many requests, and says not for how long."""
        self.pause(origin, backoff_delay(clock.now() - self.store.runs.failing_since(self._spider.name)))

    # what pipelines tell

    def open_entry(self, code: str) -> ListingEntry:
        """The listing entry that an article on its way came from."""
        return self._open_entries[code].entry

    def set_outcome(
        self, code: str, outcome: Outcome, reason: Reason, detail: str, *, group_key: Hashable = None
    ) -> None:
        """The outcome of an entry that was to be fetched; troubles of one `group_key` are told once."""
        self.store.runs.set_outcome(self._open_entries.pop(code).entry_id, outcome, reason, detail)
        self._record_failure(FailureGroup(code, outcome, reason, detail), group_key or detail)
        self._send_entry_events([EntryEvent(code, outcome, newly_listed=False)])

    def enqueue(self, article: Article) -> None:
        """Take an article in, together with those that come in the next moment."""
        open_entry = self._open_entries[article.code]
        if self._batch_writer.add(PendingArticle(article, open_entry.entry, open_entry.entry_id)) >= BATCH_SIZE:
            self._flush()
        elif self._flush_timer is None:
            self._flush_timer = asyncio.get_running_loop().call_later(_BATCH_WAIT, self._flush)

    # what Scrapy tells

    def spider_error(self, failure: Failure, response: Any) -> None:
        """`response` is a Failure where the fault is in an errback; both know the request."""
        cb_kwargs = response.request.cb_kwargs
        if "entry" in cb_kwargs:
            self._handle_bug(failure, cb_kwargs["entry"].code)
        else:
            self._failed_listings[describe_bug(failure.value)].append(cb_kwargs.get("column", ""))
            self._handle_bug(failure, "")

    def item_error(self, item: Any, failure: Failure) -> None:
        self._handle_bug(failure, getattr(item, "code", ""))

    def spider_idle(self) -> None:
        """Nothing more is on its way for now: what follows, the site's pages too, finds everything in the database.

        Who stops a crawl has no time for reprints, and the next one looks for them.
        """
        self._flush()
        try:
            self.store.reprint_clusters.cluster_pending()
        except CommandError as error:
            self.abort(error)

    def spider_closed(self, reason: str) -> None:
        """Close the books, once."""
        if self._closed:
            return
        self._closed = True
        self._flush()
        try:
            self.result = self._finish_run(reason)
        except CommandError as error:
            self.fatal_error = self.fatal_error or error
        finally:
            self._out.close()

    # its steps

    def _flush(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        try:
            saved_articles, bugs = self._batch_writer.flush()
        except CommandError as error:
            self.abort(error)
            return
        self._articles_saved += len(saved_articles)
        for saved in saved_articles:
            del self._open_entries[saved.article.code]
        self._send_entry_events(
            [EntryEvent(done.article.code, done.outcome, newly_listed=False) for done in saved_articles]
        )
        for entry, bug in bugs:
            logger.error("%s: %s", entry.code, bug, exc_info=bug)
            self.fail(entry, Reason.BUG, describe_bug(bug))

    def _decide(self, column: str, row: ListingEntry | BadRow, known_articles: Mapping[str, KnownArticle]) -> Decision:
        return (
            self._entry_filter.decide(row, known_articles.get(row.code))
            if isinstance(row, ListingEntry)
            else self._quarantine_row(column, row)
        )

    def _quarantine_row(self, column: str, bad_row: BadRow) -> Decision:
        code, detail = _extract_code(bad_row.row), describe_item_error(bad_row.error, bad_row.url)
        if not self._entry_filter.mark_seen(code):
            return Decision(Outcome.DUPLICATE, Reason.LISTED_TWICE, DUPLICATE_DETAIL)
        row_json = json.dumps(bad_row.row, ensure_ascii=False, default=str).encode("utf-8", "replace")
        if not self._save_to_quarantine(
            RawResponse(bad_row.url, "application/json", row_json), KIND_ROW, detail, code=code, column=column
        ):
            return Decision(Outcome.UNCHANGED, Reason.REJECTED_EARLIER, STILL_REJECTED_PREFIX + detail)
        reason = reason_of(bad_row.error)
        self._record_failure(
            FailureGroup(code, Outcome.QUARANTINED, reason, detail), failure_group_key(bad_row.error, bad_row.url)
        )
        return Decision(Outcome.QUARANTINED, reason, detail)

    def _record_failure(self, trouble: FailureGroup, group_key: Hashable) -> None:
        if trouble.outcome not in {Outcome.FAILED, Outcome.QUARANTINED}:
            return
        if self._failures.add(trouble, (trouble.outcome, group_key)):
            logger.error("%s: %s: %s", trouble.outcome, trouble.code, trouble.detail)

    def _save_to_quarantine(self, response: RawResponse, kind: str, reason: str, **row_fields: Any) -> bool:
        return self.store.quarantine.add(
            response,
            run_id=self._run_id,
            spider=self._spider.name,
            kind=kind,
            reason=reason,
            seen_at=clock.now(),
            **row_fields,
        )

    def _handle_bug(self, failure: Failure, code: str) -> None:
        """A fault of ours, or of the disk: the latter ends the crawl, since every further article would meet it."""
        error = failure.value
        if isinstance(error, CommandError):
            self.abort(error)
        elif code in self._open_entries:
            self.fail(self.open_entry(code), Reason.BUG, describe_bug(error))

    def abort(self, error: CommandError) -> None:
        """End the crawl as failed: the work cannot go on."""
        if self.fatal_error is None:
            self.fatal_error = error
        if not self._closed and self._close_task is None:
            self._close_task = asyncio.ensure_future(self._crawler.engine.close_spider_async(reason="failed"))

    def _finish_run(self, reason: str) -> CrawlResult:
        runs = self.store.runs
        self._mark_withdrawn()
        for unsettled in list(self._open_entries.values()):
            if reason == FINISHED_REASON:
                self.fail(unsettled.entry, Reason.REQUEST_DROPPED, "its request was dropped")
            else:
                self.set_outcome(unsettled.entry.code, Outcome.FAILED, Reason.INTERRUPTED, "the crawl was stopped")
        gaps = (
            self._save_coverage(self._times_to_revisit()) if reason == FINISHED_REASON and not self.fatal_error else {}
        )
        counts = runs.entry_counts(self._run_id)
        outcome = crawl_outcome(
            reason=reason,
            has_fatal_error=self.fatal_error is not None,
            listings_read=self._listing_pages_read,
            listings_failed=len(self._failed_listings),
            listing_parse_failed=self._listing_parse_failed,
            gap_count=len(gaps),
            outcome_counts=counts,
        )
        runs.finish(self._run_id, outcome, clock.now(), str(self.fatal_error or "; ".join(self._failed_listings)))
        return CrawlResult(
            run=runs.get(self._run_id),
            output=str(self.output),
            failed_listings=dict(self._failed_listings),
            gaps=gaps,
            failures=self._failures.as_dicts(),
            notes=self._unknown_media_notes(),
        )

    def _mark_withdrawn(self) -> None:
        """An article that is gone while its neighbours answer was withdrawn; when they are gone too, it is none."""
        is_outage = self._articles_saved < max(1, len(self._missing))
        for code, (reason, detail) in self._missing.items():
            if is_outage:
                self.fail(self.open_entry(code), reason, detail)
            else:
                self.store.articles.mark_withdrawn(code, clock.now())
                self.set_outcome(code, Outcome.UPDATED, Reason.WITHDRAWN, WITHDRAWN_PREFIX + detail)

    def _times_to_revisit(self) -> Mapping[str, list[datetime]]:
        """By column, the times of what the next walk has to come by again.

        When several failed and no article came at all it is the source that failed, and no entry's failure counts.
        """
        is_outage = not self._articles_saved and len(self._retry_next_crawl) >= _OUTAGE_THRESHOLD
        times_by_column = defaultdict[str, list[datetime]](list)
        for entry, parse_error in self._retry_next_crawl:
            failed_crawls = self.store.articles.record_failure(entry, self._spider.name) if not is_outage else 0
            if failed_crawls < _MAX_FAILED_CRAWLS:
                times_by_column[entry.column].append(entry.published)
            elif parse_error:
                self.store.articles.mark_rejected(entry, self._spider.name, parse_error)
        return times_by_column

    def _save_coverage(self, times_to_revisit: Mapping[str, list[datetime]]) -> dict[str, Gap]:
        """Remember how far each listing is covered by now; what was missed for certain, by column."""
        gaps = {}
        for column, paginator in self._paginators.items() if self.selection.is_unfiltered else ():
            if gap := paginator.find_gap():
                gaps[column] = gap
                self.store.coverage.add_gap(self._run_id, column, gap)
            # What is dated ahead, to pin it, covers nothing that is yet to come.
            if coverage := paginator.new_coverage([*times_to_revisit.get(column, ()), clock.now()]):
                self.store.coverage.save(self._run_id, self._spider.name, column, coverage)
        return gaps

    def _unknown_media_notes(self) -> list[str]:
        """The media asked for that nobody knows: a new paper becomes known by its first article."""
        registry = CategoryRegistry(self.store.categories.all())
        selected_media = (category.media for category in self.selection.categories)
        return [registry.unknown_message(name) for name in selected_media if registry.find(name) is None]

    def _send_entry_events(self, entries: Sequence[EntryEvent]) -> None:
        self._crawler.signals.send_catch_log(entry_events, entries=entries)


def require_crawl_tracker(crawler: Crawler) -> CrawlTracker:
    """The ledger of a crawl. Raises UsageError where it is switched off."""
    tracker = crawler.get_extension(CrawlTracker)
    if tracker is None:
        raise UsageError("the extension crawler.crawl.tracker.CrawlTracker is switched off: a crawl needs it")
    return tracker


def _extract_code(row: Any) -> str:
    """The code of a row that is no entry, as far as it has one: for a person to look up."""
    values = (row.get(name) for name in ("code", "infoCode", "infocode", "id")) if isinstance(row, dict) else ()
    return next((collapse_whitespace(value.removeprefix("NW"))[:40] for value in values if isinstance(value, str)), "")
