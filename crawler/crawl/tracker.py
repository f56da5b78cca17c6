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
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

from filelock import FileLock
from scrapy import signals
from scrapy.crawler import Crawler
from twisted.python.failure import Failure

from crawler.content import clock
from crawler.content.categories import Media
from crawler.content.post_format import Site
from crawler.content.unicode_text import one_line
from crawler.crawl.body_cleaner import Cleaning
from crawler.crawl.interface import BadRow, Books, Source, asked_for, fault_told, why_lost
from crawler.crawl.policy.backoff import of_itself
from crawler.crawl.policy.entry_filter import DUPLICATE, STILL_REFUSED, WITHDRAWN, Decision, Triage
from crawler.crawl.policy.failures import Trouble, Troubles, explained, kind_of
from crawler.crawl.policy.pagination import Ended, Walk
from crawler.crawl.policy.result import FINISHED, Summary, verdict
from crawler.crawl.policy.selection import Selection
from crawler.errors import Ending, Unreadable, Unusable, UsageError
from crawler.items import NO_COLUMN, Article, Entry, Extent, Gap, Known, Outcome, Reply
from crawler.storage import Store
from crawler.storage.article_writer import LARGEST, Recorder, Waiting
from crawler.storage.output_dir import hold, output_folder, prepare
from crawler.storage.quarantine import ARTICLE, LISTING, ROW
from crawler.storage.recovery import finish_what_was_left
from crawler.storage.site_links import site_of

logger = logging.getLogger(__name__)

# Sent with the `entries` that are taken down (`fresh`; `outcome` is None while one is to be fetched), and with those
# that are settled; then the outcome is committed, and `code` is the article's.
entries_counted = object()
# Sent when the entries of a listing page are taken down: the listing's `walk`, None when it goes no further.
page_counted = object()

# An entry that failed in so many crawls no longer keeps the walks from passing it, and one that was unreadable in as
# many is not asked for any more.
_MOST_FAILURES = 3
# Articles that come within so many seconds of the first are taken in together.
_SECONDS_TO_GATHER = 0.2
# So many failures and no success are the source's, not the entries'.
_MANY = 5


class Counted(NamedTuple):
    """What is told of an entry."""

    code: str
    outcome: Outcome | None
    fresh: bool


@dataclass(frozen=True, slots=True)
class _Open:
    """An entry that is being fetched, its row in `entries`, and whether we have its article already."""

    entry: Entry
    entry_id: int
    has_article: bool


class Ledger(Books):
    """One crawl's book-keeping. Spiders take entries down, pipelines settle them."""

    def __init__(
        self, crawler: Crawler, *, output: Path, lock: FileLock, store: Store, selection: Selection, site: Site
    ) -> None:
        self._recorder = Recorder(output, store, site)
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Future[None] | None = None
        self.output, self.store, self.selection, self.site = output, store, selection, site
        self.media = Media(store.categories.all())
        self.cleaning = Cleaning()
        self.summary: Summary | None = None
        self.failure: Ending | None = None
        self._closed = False
        self._crawler = crawler
        self._lock = lock
        self._spider = cast(Source, crawler.spider)
        self._triage = Triage(self._spider.name, self._spider.supersedes, selection, self.media)
        self._open: dict[str, _Open] = {}
        self._gone: dict[str, str] = {}
        self._answered = 0
        self._listings_read = 0
        self._lost: defaultdict[str, list[str]] = defaultdict(list)
        self._unreadable = False
        self._troubles = Troubles()
        self.pauses = store.pauses.at(clock.now())
        covered = store.covered.of(self._spider.name)
        self._walks = {
            column: Walk(covered.get(column), selection.since, selection.refresh) for column in selection.columns
        }
        self._missed: list[tuple[Entry, str]] = []
        self._run_id = store.runs.begin(self._spider.name, self._spider.arguments, clock.now())

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Raises UsageError, Busy, StoreError or OutputError: then nothing is fetched."""
        spider = cast(Source, crawler.spider)
        output = output_folder(crawler.settings.get("OUTPUT_DIR"))
        selection = asked_for(spider, output)
        prepare(output)
        lock = hold(output)
        store = Store.writing(output)
        site = site_of(output, crawler.settings["SITE_ADDRESS"])
        finish_what_was_left(output, store, site, clock.now())
        ledger = cls(crawler, output=output, lock=lock, store=store, selection=selection, site=site)
        crawler.signals.connect(ledger.spider_error, signal=signals.spider_error)
        crawler.signals.connect(ledger.item_error, signal=signals.item_error)
        crawler.signals.connect(ledger.spider_idle, signal=signals.spider_idle)
        crawler.signals.connect(ledger.spider_closed, signal=signals.spider_closed)
        return ledger

    # what spiders tell

    def take_down(
        self, column: str, rows: Sequence[Entry | BadRow], *, last: bool, extent: Extent | None = None
    ) -> tuple[list[Entry], bool]:
        """Write a listing page down, before anything of it is fetched."""
        self._listings_read += 1
        to_fetch = self._write_down(column, rows)
        page = [row for row in rows if isinstance(row, Entry)]
        walk = self._walks[column]
        goes_on = walk.goes_on(page, all_known=not to_fetch, last=last, extent=extent)
        if walk.ended is Ended.TOO_LONG:
            self._lost[f"it has no end after {walk.pages:,} pages"].append(column)
        goes_on = goes_on and not self._triage.limit_reached
        self._crawler.signals.send_catch_log(page_counted, column=column, walk=walk if goes_on else None)
        return to_fetch, goes_on

    def recheck(self) -> list[Entry]:
        """The known articles, as young as `refresh` asks, that no listing has named: what may have been withdrawn."""
        if self.selection.refresh is None:
            return []
        entries = self.store.articles.to_recheck(self._spider.name, self.selection.refresh)
        return self._write_down(NO_COLUMN, [entry for entry in entries if not self._triage.has_met(entry.code)])

    def count_known(self, column: str, since: datetime | None, before: datetime) -> int:
        """How many articles of a column are known that were published in a time, and are not to be fetched again."""
        return self.store.articles.count_listed(column, since, before, self._spider.supersedes)

    def _write_down(self, column: str, rows: Sequence[Entry | BadRow]) -> list[Entry]:
        known = self.store.articles.known([row.code for row in rows if isinstance(row, Entry)], self._spider.name)
        decided = [self._decide(column, row, known) for row in rows]
        listed = [
            (row.code if isinstance(row, Entry) else _code_in(row.row), column, outcome, detail)
            for row, (outcome, detail) in zip(rows, decided, strict=True)
        ]
        ids = self.store.runs.list_entries(self._run_id, listed)
        fetched = []
        for row, entry_id, (outcome, _) in zip(rows, ids, decided, strict=True):
            if outcome is None and isinstance(row, Entry):
                has_article = row.code in known and known[row.code].source is not None
                self._open[row.code] = _Open(row, entry_id, has_article)
                fetched.append(row)
        codes = (row.code if isinstance(row, Entry) else "" for row in rows)
        self._tell([Counted(code, outcome, fresh=True) for code, (outcome, _) in zip(codes, decided, strict=True)])
        return fetched

    def listing_lost(self, column: str, error: Unusable, reply: Reply) -> None:
        reason = why_lost(error, reply.url)
        if isinstance(error, Unreadable):
            self._unreadable = True
            self._keep(reply, LISTING, reason, column=column)
        self._lost[reason].append(column)
        self._crawler.signals.send_catch_log(page_counted, column=column, walk=None)
        logger.warning("no listing of %s: %s", column, reason)

    def quarantine(self, entry: Entry, reason: str, reply: Reply) -> None:
        """An article came that must not be published: kept raw, and not asked for again as listed."""
        self._keep(reply, ARTICLE, reason, entry=entry)
        self.refuse(entry, Outcome.QUARANTINED, reason)

    def unreadable(self, entry: Entry, error: Unreadable, reply: Reply) -> None:
        """What came is no article: kept raw, and asked for again by the next crawl, since it may be one by then."""
        reason = explained(error, reply.url)
        self._keep(reply, ARTICLE, reason, entry=entry)
        self._missed.append((entry, reason))
        self.settle(entry.code, Outcome.QUARANTINED, reason, kind=kind_of(error, reply.url))

    def refuse(self, entry: Entry, outcome: Outcome, reason: str) -> None:
        """An entry leads to nothing that can be published, and is not asked for again as it is listed now."""
        self.store.articles.refused(entry, self._spider.name, reason)
        self.settle(entry.code, outcome, reason)

    def fail(self, entry: Entry, reason: str) -> None:
        """An entry's article could not be had; the next crawl tries again, and its walk comes by it again."""
        self._missed.append((entry, ""))
        self.settle(entry.code, Outcome.FAILED, reason)

    def gone(self, entry: Entry, reason: str) -> bool:
        """Whether a missing article is one that we have: if so, the end of the crawl tells whether it was withdrawn."""
        if not self._open[entry.code].has_article:
            return False
        self._gone[entry.code] = reason
        return True

    # what middlewares ask and tell

    def pause(self, origin: str, wait: timedelta) -> None:
        """An origin asks to be left alone for longer than a crawl waits: this one and the next ones heed it."""
        until = clock.now() + wait + timedelta(seconds=1)
        if until > self.pauses.get(origin, until - wait):
            self.pauses[origin] = until
            self.store.pauses.begin(origin, until)

    def back_off(self, origin: str) -> None:
        """An origin refuses to answer so many requests, and says not for how long."""
        self.pause(origin, of_itself(clock.now() - self.store.runs.failing_since(self._spider.name)))

    # what pipelines tell

    def entry_of(self, code: str) -> Entry:
        """The listing entry that an article on its way came from."""
        return self._open[code].entry

    def settle(self, code: str, outcome: Outcome, detail: str = "", *, kind: Hashable = None) -> None:
        """The outcome of an entry that was to be fetched; troubles of one `kind` are told once."""
        self.store.runs.settle(self._open.pop(code).entry_id, outcome, detail)
        self._note(code, outcome, detail, kind or detail)
        self._tell([Counted(code, outcome, fresh=False)])

    def record(self, article: Article) -> None:
        """Take an article in, together with those that come in the next moment."""
        opened = self._open[article.code]
        if self._recorder.add(Waiting(article, opened.entry, opened.entry_id)) >= LARGEST:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SECONDS_TO_GATHER, self._flush)

    # what Scrapy tells

    def spider_error(self, failure: Failure, response: Any) -> None:
        """`response` is a Failure where the fault is in an errback; both know the request."""
        about = response.request.cb_kwargs
        if "entry" in about:
            self._went_wrong(failure, about["entry"].code)
        else:
            self._lost[fault_told(failure.value)].append(about.get("column", ""))
            self._went_wrong(failure, "")

    def item_error(self, item: Any, failure: Failure) -> None:
        self._went_wrong(failure, getattr(item, "code", ""))

    def spider_idle(self) -> None:
        """Nothing more is on its way for now: what follows, the site's pages too, finds everything in the database.

        Who stops a crawl has no time for reprints, and the next one looks for them.
        """
        self._flush()
        try:
            self.store.stories.catch_up()
        except Ending as error:
            self.end(error)

    def spider_closed(self, reason: str) -> None:
        """Close the books, once."""
        if self._closed:
            return
        self._closed = True
        self._flush()
        try:
            self.summary = self._close(reason)
        except Ending as error:
            self.failure = self.failure or error
        finally:
            self.store.close()
            self._lock.release()

    # its steps

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            recorded, faults = self._recorder.flush()
        except Ending as error:
            self.end(error)
            return
        self._answered += len(recorded)
        for done in recorded:
            del self._open[done.article.code]
        self._tell([Counted(done.article.code, done.outcome, fresh=False) for done in recorded])
        for entry, fault in faults:
            logger.error("%s: %s", entry.code, fault, exc_info=fault)
            self.fail(entry, fault_told(fault))

    def _decide(self, column: str, row: Entry | BadRow, known: Mapping[str, Known]) -> Decision:
        return self._triage.decide(row, known.get(row.code)) if isinstance(row, Entry) else self._bad_row(column, row)

    def _bad_row(self, column: str, bad: BadRow) -> Decision:
        code, reason = _code_in(bad.row), explained(bad.error, bad.url)
        if not self._triage.meet(code):
            return Outcome.DUPLICATE, DUPLICATE
        raw = json.dumps(bad.row, ensure_ascii=False, default=str).encode("utf-8", "replace")
        if not self._keep(Reply(bad.url, "application/json", raw), ROW, reason, code=code, column=column):
            return Outcome.UNCHANGED, STILL_REFUSED + reason
        self._note(code, Outcome.QUARANTINED, reason, kind_of(bad.error, bad.url))
        return Outcome.QUARANTINED, reason

    def _note(self, code: str, outcome: Outcome, detail: str, kind: Hashable) -> None:
        if outcome not in {Outcome.FAILED, Outcome.QUARANTINED}:
            return
        if self._troubles.add(Trouble(code, outcome, detail), (outcome, kind)):
            logger.error("%s: %s: %s", outcome, code, detail)

    def _keep(self, reply: Reply, kind: str, reason: str, **about: Any) -> bool:
        return self.store.quarantine.keep(
            reply,
            run_id=self._run_id,
            spider=self._spider.name,
            kind=kind,
            reason=reason,
            at=clock.now(),
            **about,
        )

    def _went_wrong(self, failure: Failure, code: str) -> None:
        """A fault of ours, or of the disk: the latter ends the crawl, since every further article would meet it."""
        error = failure.value
        if isinstance(error, Ending):
            self.end(error)
        elif code in self._open:
            self.fail(self.entry_of(code), fault_told(error))

    def end(self, error: Ending) -> None:
        """End the crawl as failed: the work cannot go on."""
        if self.failure is None:
            self.failure = error
        if not self._closed and self._closing is None:
            self._closing = asyncio.ensure_future(self._crawler.engine.close_spider_async(reason="failed"))

    def _close(self, reason: str) -> Summary:
        runs = self.store.runs
        self._settle_gone()
        for left in list(self._open.values()):
            if reason == FINISHED:
                self.fail(left.entry, "its request was dropped")
            else:
                self.settle(left.entry.code, Outcome.FAILED, "the crawl was stopped")
        gaps = self._cover(self._not_covered()) if reason == FINISHED and not self.failure else {}
        counts = runs.counts(self._run_id)
        outcome = verdict(
            reason=reason,
            fatal=self.failure is not None,
            listings_read=self._listings_read,
            listings_lost=len(self._lost),
            unreadable=self._unreadable,
            gaps=len(gaps),
            counts=counts,
        )
        runs.finish(self._run_id, outcome, clock.now(), str(self.failure or "; ".join(self._lost)))
        return Summary(
            run=runs.get(self._run_id),
            output=str(self.output),
            lost=dict(self._lost),
            gaps=gaps,
            troubles=self._troubles.told(),
            notes=self._unknown_names(),
        )

    def _settle_gone(self) -> None:
        """An article that is gone while its neighbours answer was withdrawn; when they are gone too, it is none."""
        outage = self._answered < max(1, len(self._gone))
        for code, reason in self._gone.items():
            if outage:
                self.fail(self.entry_of(code), reason)
            else:
                self.store.articles.withdrawn(code, clock.now())
                self.settle(code, Outcome.UPDATED, WITHDRAWN + reason)

    def _not_covered(self) -> Mapping[str, list[datetime]]:
        """By column, the times of what the next walk has to come by again.

        When several failed and no article came at all it is the source that failed, and no entry's failure counts.
        """
        outage = not self._answered and len(self._missed) >= _MANY
        again = defaultdict[str, list[datetime]](list)
        for entry, unreadable in self._missed:
            times = self.store.articles.failed(entry, self._spider.name) if not outage else 0
            if times < _MOST_FAILURES:
                again[entry.column].append(entry.published)
            elif unreadable:
                self.store.articles.refused(entry, self._spider.name, unreadable)
        return again

    def _cover(self, again: Mapping[str, list[datetime]]) -> dict[str, Gap]:
        """Remember how far each listing is covered by now; what was missed for certain, by column."""
        gaps = {}
        for column, walk in self._walks.items() if self.selection.takes_all else ():
            if gap := walk.gap():
                gaps[column] = gap
                self.store.covered.missed(self._run_id, column, gap)
            # What is dated ahead, to pin it, covers nothing that is yet to come.
            if coverage := walk.coverage([*again.get(column, ()), clock.now()]):
                self.store.covered.reached(self._run_id, self._spider.name, column, coverage)
        return gaps

    def _unknown_names(self) -> list[str]:
        """The media asked for that nobody knows: a new paper becomes known by its first article."""
        known = Media(self.store.categories.all())
        asked = (category.media for category in self.selection.categories)
        return [known.unknown(name) for name in asked if known.find(name) is None]

    def _tell(self, entries: Sequence[Counted]) -> None:
        self._crawler.signals.send_catch_log(entries_counted, entries=entries)


def ledger_of(crawler: Crawler) -> Ledger:
    """The ledger of a crawl. Raises UsageError where it is switched off."""
    ledger = crawler.get_extension(Ledger)
    if ledger is None:
        raise UsageError("the extension crawler.crawl.tracker.Ledger is switched off: a crawl needs it")
    return ledger


def _code_in(row: Any) -> str:
    """The code of a row that is no entry, as far as it has one: for a person to look up."""
    found = (row.get(name) for name in ("code", "infoCode", "infocode", "id")) if isinstance(row, dict) else ()
    return next((one_line(value.removeprefix("NW"))[:40] for value in found if isinstance(value, str)), "")
