"""Estimate of a crawl: listing pages, articles and requests that remain, and their time. Pure.

A listing whose length the source reports, and that is read to its end, is counted. How far a time lies back in it is
estimated: its entries are taken to have come as fast as those that were seen. Where neither is known, the estimate is
a lower bound.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from crawler.content.categories import CategoryRegistry
from crawler.crawl.policy.entry_filter import EntryFilter
from crawler.crawl.policy.pagination import MAX_PAGES, ListingPaginator
from crawler.crawl.policy.selection import Selection
from crawler.items import Coverage, KnownArticle, ListingEntry, ListingSize, Outcome, RunOutcome


class Precision(StrEnum):
    """How a number of a plan is known."""

    COUNTED = "counted"
    ESTIMATED = "estimated"
    AT_LEAST = "at least"

    @classmethod
    def least_precise(cls, *precisions: "Precision") -> "Precision":
        """How a number is known that was made of others."""
        return max(precisions, key=list(cls).index, default=cls.COUNTED)


@dataclass(frozen=True, slots=True)
class RemainingWork:
    """What remains of a listing: pages, and rows that are to be fetched."""

    pages: int
    rows: int
    precision: Precision


NOTHING_REMAINING = RemainingWork(0, 0, Precision.COUNTED)


@dataclass(frozen=True, slots=True)
class FirstPage:
    """The first page of a listing, what is known of its entries, and whether it is the last, too."""

    column: str
    entries: Sequence[ListingEntry]
    known_articles: Mapping[str, KnownArticle]
    is_last_page: bool
    listing_size: ListingSize | None = None


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What a crawl of a spider goes by. `count_known` counts the articles of a column that were published in a time."""

    spider: str
    columns: Mapping[str, str]
    supersedes: frozenset[str]
    selection: Selection
    registry: CategoryRegistry
    coverage: Mapping[str, Coverage]
    count_known: Callable[[str, datetime | None, datetime], int]

    def create_paginator(self, column: str) -> ListingPaginator:
        return ListingPaginator(self.coverage.get(column), self.selection.since, self.selection.refresh)

    def create_entry_filter(self) -> EntryFilter:
        return EntryFilter(self.spider, self.supersedes, self.selection, self.registry)


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What is expected of one listing: `pages` to fetch and `articles` to fetch.

    `back_to` is how far the first page goes back, `rows` how many the source counts in all, None where it does not, and
    `ends_early` whether these are too few to reach back to --since.
    """

    column_id: str
    name: str
    pages: int
    pages_precision: Precision
    articles: int
    articles_precision: Precision
    back_to: datetime | None
    rows: int | None
    ends_early: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a crawl is expected to request, in addition to `robots` files robots.txt, and how long a request takes.

    `again` are the known articles that --refresh fetches, `article_requests` whether an article takes a request at all,
    `request_share` how many of them do, by the first pages, `latency` the seconds that the source took to answer, and
    `asked` how many requests the plan itself has sent.
    `failed_listings` are the listings that did not come, by reason, and `notes` are for a person.
    """

    columns: Sequence[ColumnPlan]
    again: int
    robots: int
    article_requests: bool
    request_share: float
    latency: float
    seconds_between: float
    asked: int
    outcome: RunOutcome
    failed_listings: Mapping[str, Sequence[str]]
    notes: Sequence[str] = ()

    @property
    def pages(self) -> int:
        return sum(column.pages for column in self.columns)

    @property
    def articles(self) -> int:
        return sum(column.articles for column in self.columns) + self.again

    @property
    def requests(self) -> int:
        return self.robots + self.pages + self.fetched_articles

    @property
    def fetched_articles(self) -> int:
        """The articles that take a request: those that the pages do not hold."""
        return math.ceil(self.request_share * self.articles)

    @property
    def requests_precision(self) -> Precision:
        share_precision = Precision.COUNTED if self.request_share in {0.0, 1.0} else Precision.ESTIMATED
        return Precision.least_precise(
            share_precision,
            *(
                precision
                for column in self.columns
                for precision in (column.pages_precision, column.articles_precision)
            ),
        )

    @property
    def seconds(self) -> int:
        return round(self.requests * self.seconds_between)


def estimate_remaining(paginator: ListingPaginator) -> RemainingWork:
    """Estimate what remains of a listing, by the pages read so far."""
    covered_below = paginator.covered_below()
    possible_ends = [
        _remaining_to_end(paginator),
        paginator.since and _remaining_to_time(paginator, paginator.since),
        # It stops where all of a page is known: on the page after the last one with news.
        covered_below and _remaining_to_time(paginator, covered_below, extra_page=True),
    ]
    estimable_ends = [end for end in possible_ends if end]
    if not estimable_ends:
        return RemainingWork(1, 0, Precision.AT_LEAST)
    return replace(min(estimable_ends, key=lambda end: end.pages), rows=min(end.rows for end in estimable_ends))


def estimate_columns(pages: Iterable[FirstPage], inputs: PlanInputs) -> list[ColumnPlan]:
    """By column, in the order of the listings, what a crawl that begins with these first pages is expected to ask for.

    An article that several listings name is the first one's.
    """
    entry_filter, listed_codes = inputs.create_entry_filter(), set[str]()
    column_estimates: list[_ColumnEstimate] = []
    for page in pages:
        column_estimates.append(_ColumnEstimate(page, inputs, entry_filter, listed_codes, column_estimates))
    return [column_estimate.to_column_plan(entry_filter.remaining_limit) for column_estimate in column_estimates]


class _ColumnEstimate:
    """One first page, after those of the listings `earlier_columns`, whose wanted codes are in `listed_codes`."""

    def __init__(
        self,
        page: FirstPage,
        inputs: PlanInputs,
        entry_filter: EntryFilter,
        listed_codes: set[str],
        earlier_columns: Sequence["_ColumnEstimate"],
    ) -> None:
        self._page, self._inputs = page, inputs
        self._to_fetch = []
        for entry in page.entries:
            known_article = page.known_articles.get(entry.code)
            outcome = entry_filter.decide(entry, known_article, is_duplicate=entry.code in listed_codes).outcome
            if outcome is None:
                self._to_fetch.append(entry)
            if outcome is not Outcome.FILTERED:
                listed_codes.add(entry.code)
        self._paginator = inputs.create_paginator(page.column)
        wants_next_page = self._paginator.wants_next_page(
            page.entries,
            has_new_entries=bool(page.entries),
            all_known=not self._to_fetch,
            is_last_page=page.is_last_page,
            listing_size=page.listing_size,
        )
        self._remaining = (
            estimate_remaining(self._paginator)
            if wants_next_page and not entry_filter.is_limit_reached
            else NOTHING_REMAINING
        )
        # The codes that the listings before name, all of them down to the time `oldest_time`.
        self._earlier_codes = {entry.code for column in earlier_columns for entry in column._page.entries}
        oldest_times = [
            view._paginator.oldest_seen for view in earlier_columns if view._remaining is not NOTHING_REMAINING
        ]
        self._earlier_codes_since = max((oldest_time for oldest_time in oldest_times if oldest_time), default=None)

    def to_column_plan(self, remaining_limit: int | None) -> ColumnPlan:
        """`remaining_limit` is what --limit leaves after all first pages, None without one."""
        remaining = _apply_limit(self._remaining, remaining_limit, len(self._page.entries))
        unsure_entries = [entry for entry in self._to_fetch if not self._is_surely_unlisted(entry)]
        estimated_articles = round(self._unlisted_share() * (len(unsure_entries) + self._estimate_new_rows(remaining)))
        articles_precision = remaining.precision
        if unsure_entries or (remaining.rows and not self._keeps_every_row()):
            articles_precision = Precision.least_precise(articles_precision, Precision.ESTIMATED)
        return ColumnPlan(
            column_id=self._page.column,
            name=self._inputs.columns[self._page.column],
            pages=self._paginator.pages_read + remaining.pages,
            pages_precision=remaining.precision,
            articles=len(self._to_fetch)
            - len(unsure_entries)
            + (estimated_articles if remaining_limit is None else min(estimated_articles, remaining_limit)),
            articles_precision=articles_precision,
            back_to=self._paginator.oldest_seen,
            rows=self._page.listing_size.rows if self._page.listing_size else None,
            ends_early=self._remaining is not NOTHING_REMAINING and _ends_early(self._paginator),
        )

    def _is_surely_unlisted(self, entry: ListingEntry) -> bool:
        """Whether it is certain that no listing before names the entry, if its first page does not."""
        return self._earlier_codes_since is None or entry.published >= self._earlier_codes_since

    def _keeps_every_row(self) -> bool:
        return self._inputs.selection.is_unfiltered and not self._earlier_codes and not self._count_known_ahead()

    def _unlisted_share(self) -> float:
        """Of the entries that are wanted, the part that no listing before names."""
        wanted_codes = [
            entry.code
            for entry in self._page.entries
            if self._matches_selection(entry) and self._is_surely_unlisted(entry)
        ]
        return (
            sum(code not in self._earlier_codes for code in wanted_codes) / len(wanted_codes) if wanted_codes else 1.0
        )

    def _matches_selection(self, entry: ListingEntry) -> bool:
        """Whatever its time."""
        selection = replace(self._inputs.selection, since=None, until=None)
        return not selection.skip_reason(entry, self._inputs.registry)

    def _estimate_new_rows(self, remaining: RemainingWork) -> float:
        """How many of the rows ahead are wanted, and are not known."""
        if not remaining.rows:
            return 0.0
        until = self._inputs.selection.until
        rows_too_new = (
            (_rows_per_second(self._paginator) or 0.0) * _elapsed_seconds(self._paginator.oldest_seen, until)
            if until
            else 0.0
        )
        wanted_share = sum(map(self._matches_selection, self._page.entries)) / len(self._page.entries)
        return max(0.0, (remaining.rows - rows_too_new) * wanted_share - self._count_known_ahead())

    def _count_known_ahead(self) -> int:
        """How many articles are known of the rows ahead."""
        oldest_seen = self._paginator.oldest_seen
        return (
            self._inputs.count_known(self._page.column, self._paginator.stops_at(), oldest_seen) if oldest_seen else 0
        )


def _apply_limit(remaining: RemainingWork, remaining_limit: int | None, page_size: int) -> RemainingWork:
    """What of it is asked for where only a number of entries is wanted; one page is on its way in any case."""
    if remaining_limit is None or remaining is NOTHING_REMAINING:
        return remaining
    if remaining.precision is Precision.AT_LEAST:
        remaining = RemainingWork(MAX_PAGES, remaining_limit, Precision.ESTIMATED)
    pages = min(remaining.pages, max(1, math.ceil(remaining_limit / max(1, page_size))))
    return RemainingWork(
        pages, min(remaining.rows, remaining_limit), Precision.ESTIMATED if remaining_limit else Precision.COUNTED
    )


def _ends_early(paginator: ListingPaginator) -> bool:
    to_end, to_since = (
        _remaining_to_end(paginator),
        _remaining_to_time(paginator, paginator.since) if paginator.since else None,
    )
    return to_end is not None and to_since is not None and to_since.rows > to_end.rows


def _remaining_to_end(paginator: ListingPaginator) -> RemainingWork | None:
    if paginator.listing_size is None:
        return None
    pages, rows = paginator.listing_size.pages - paginator.pages_read, paginator.listing_size.rows - paginator.rows_read
    precision = Precision.ESTIMATED if paginator.since or paginator.covered_below() else Precision.COUNTED
    return RemainingWork(min(max(1, pages), MAX_PAGES - paginator.pages_read), max(0, rows), precision)


def _remaining_to_time(
    paginator: ListingPaginator, oldest_wanted: datetime, *, extra_page: bool = False
) -> RemainingWork | None:
    rows_per_second = _rows_per_second(paginator)
    if rows_per_second is None:
        return None
    rows = rows_per_second * _elapsed_seconds(paginator.oldest_seen, oldest_wanted)
    pages = rows / (paginator.rows_read / paginator.pages_read)
    whole_pages = math.ceil(pages) + 1 if extra_page else math.floor(pages) + 1
    return RemainingWork(min(whole_pages, MAX_PAGES - paginator.pages_read), math.ceil(rows), Precision.ESTIMATED)


def _rows_per_second(paginator: ListingPaginator) -> float | None:
    """Entries a second, by those that were seen; None where they are all of one moment."""
    seconds = _elapsed_seconds(paginator.newest_published, paginator.oldest_seen)
    return paginator.rows_read / seconds if seconds else None


def _elapsed_seconds(later: datetime | None, earlier: datetime | None) -> float:
    return max(0.0, (later - earlier).total_seconds()) if later and earlier else 0.0
