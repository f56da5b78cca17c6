"""Estimate of a crawl from the first page of each listing: pages, articles, requests and their time. Pure.

A listing that is read to its end is counted by the source. A listing that is read to a time is estimated: its older
entries are assumed to come at the rate of those that were seen. Without a count or a rate there is a lower bound.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from crawler.crawl.policy.entry_filter import EntryFilter
from crawler.crawl.policy.pagination import MAX_PAGES, ListingPaginator
from crawler.crawl.policy.selection import Selection
from crawler.items import Coverage, KnownArticle, ListingEntry, ListingSize, Outcome, Reason, RunOutcome


class Precision(StrEnum):
    """Precision of a number of a plan, from the most precise."""

    COUNTED = "counted"
    ESTIMATED = "estimated"
    AT_LEAST = "at least"

    @classmethod
    def least_precise(cls, *precisions: "Precision") -> "Precision":
        """Return the precision of a number that is computed from others."""
        return max(precisions, key=list(cls).index, default=cls.COUNTED)


@dataclass(frozen=True, slots=True)
class RemainingWork:
    """Pages of a listing that remain to be fetched, and the rows on them.

    `ends_early` says that the listing is estimated to end before `--since`.
    """

    pages: int
    rows: int
    precision: Precision
    ends_early: bool = False


@dataclass(frozen=True, slots=True)
class FirstPage:
    """The first page of a listing, and the stored articles of its entries, by code."""

    column: str
    entries: Sequence[ListingEntry]
    known_articles: Mapping[str, KnownArticle]
    is_last_page: bool
    listing_size: ListingSize | None = None


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """Pages and articles that a crawl is expected to fetch of one listing.

    `back_to` is the publication time that the first page goes back to, and `rows` the length of the listing, None where
    the source does not report it. `ends_early` says that the listing is estimated to end before `--since`.
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
    """Requests that a crawl is expected to send, in addition to `robots` for robots.txt.

    `again` counts the known articles that `--refresh` fetches. `request_share`, from 0 to 1, is the part of the
    articles that take a request of their own; `article_requests` says that it is not 0. `latency` and
    `seconds_between` (two requests) are in seconds; `asked` counts the requests of the plan itself. `failed_listings`
    are columns by reason.
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
        """Return the listing pages to fetch."""
        return sum(column.pages for column in self.columns)

    @property
    def articles(self) -> int:
        """Return the articles to store, those that listing pages hold included."""
        return sum(column.articles for column in self.columns) + self.again

    @property
    def requests(self) -> int:
        """Return the requests to send."""
        return self.robots + self.pages + self.fetched_articles

    @property
    def fetched_articles(self) -> int:
        """Return the articles that take a request of their own."""
        return math.ceil(self.request_share * self.articles)

    @property
    def requests_precision(self) -> Precision:
        """Return the precision of `requests`, which is that of its least precise part."""
        precisions = [Precision.COUNTED if self.request_share in {0.0, 1.0} else Precision.ESTIMATED]
        for column in self.columns:
            precisions += [column.pages_precision, column.articles_precision]
        return Precision.least_precise(*precisions)

    @property
    def seconds(self) -> int:
        """Return the time of the crawl: its requests at the pace of the crawl."""
        return round(self.requests * self.seconds_between)


def estimate_remaining(paginator: ListingPaginator, limit: int | None = None) -> RemainingWork:
    """Estimate what remains of a listing that has a next page, by the pages read so far.

    The crawl stops at the end of the listing, at the time that it reads back to, or after `limit` more entries,
    whichever comes first.
    """
    page_size, size, bound = paginator.rows_read / paginator.pages_read, paginator.listing_size, paginator.stops_at()
    ends, ends_early = list[RemainingWork](), False
    if size:
        precision = Precision.ESTIMATED if bound else Precision.COUNTED
        ends.append(
            RemainingWork(size.pages - paginator.pages_read, max(0, size.rows - paginator.rows_read), precision)
        )
    if (rows := count_rows_newer(paginator, bound)) is not None:
        ends_early = bool(paginator.since and size and rows > ends[0].rows)
        ends.append(RemainingWork(math.ceil(rows / page_size), math.ceil(rows), Precision.ESTIMATED))
    if limit is not None:
        ends.append(RemainingWork(math.ceil(limit / max(1, page_size)), limit, Precision.ESTIMATED))
    if not ends:
        return RemainingWork(1, 0, Precision.AT_LEAST)
    first_end = min(ends, key=lambda end: end.pages)
    pages = min(max(1, first_end.pages), MAX_PAGES - paginator.pages_read)
    return replace(first_end, pages=pages, rows=min(end.rows for end in ends), ends_early=ends_early)


def count_rows_newer(paginator: ListingPaginator, bound: datetime | None) -> float | None:
    """Estimate the rows between the last page and a time, by the rate so far; None where the rate is unknown."""
    newest, oldest = paginator.newest_published, paginator.oldest_seen
    if not (bound and newest and oldest and newest > oldest):
        return None
    return paginator.rows_read * max(0.0, (oldest - bound) / (newest - oldest))


def estimate_columns(
    pages: Iterable[FirstPage],
    *,
    names: Mapping[str, str],
    selection: Selection,
    entry_filter: EntryFilter,
    coverage: Mapping[str, Coverage],
    count_known: Callable[[str, datetime | None, datetime], int],
) -> list[ColumnPlan]:
    """Estimate each listing from its first page, in the order of the listings.

    An article of several listings counts for the first of them; on further pages they are assumed to share as many
    articles as on the first pages. `count_known` counts the stored articles of a column that were published in a span.
    """
    starts, listed_codes = [], set[str]()
    for page in pages:
        to_fetch, wanted_share = _decide_entries(page, entry_filter, listed_codes)
        paginator = ListingPaginator(coverage.get(page.column), selection.since, selection.refresh)
        wants_next_page = paginator.wants_next_page(
            page.entries,
            has_new_entries=bool(page.entries),
            all_known=not to_fetch,
            is_last_page=page.is_last_page,
            listing_size=page.listing_size,
        )
        starts.append((page, paginator, to_fetch, wanted_share, wants_next_page and not entry_filter.is_limit_reached))

    plans: list[ColumnPlan] = []
    limit, pages_ahead = entry_filter.remaining_limit, 0
    for page, paginator, to_fetch, wanted_share, has_more in starts:
        back_to = paginator.oldest_seen
        remaining = estimate_remaining(paginator, limit) if has_more else RemainingWork(0, 0, Precision.COUNTED)
        known = count_known(page.column, paginator.stops_at(), back_to) if back_to and remaining.rows else 0
        rows = remaining.rows - (count_rows_newer(paginator, selection.until) or 0.0)
        # Further pages of an earlier listing may name the articles of this one.
        pages_ahead += remaining.pages
        is_counted = not pages_ahead or (not plans and selection.is_unfiltered and not known)
        articles_precision = Precision.COUNTED if is_counted else Precision.ESTIMATED
        plans.append(
            ColumnPlan(
                column_id=page.column,
                name=names[page.column],
                pages=paginator.pages_read + remaining.pages,
                pages_precision=remaining.precision,
                articles=to_fetch + max(0, round(rows * wanted_share - known)),
                articles_precision=Precision.least_precise(remaining.precision, articles_precision),
                back_to=back_to,
                rows=page.listing_size.rows if page.listing_size else None,
                ends_early=remaining.ends_early,
            )
        )
    return plans


def _decide_entries(page: FirstPage, entry_filter: EntryFilter, listed_codes: set[str]) -> tuple[int, float]:
    """Return how many entries of a page to fetch, and which part of them is wanted; add their codes to those listed."""
    to_fetch = wanted = 0
    for entry in page.entries:
        decision = entry_filter.decide(
            entry, page.known_articles.get(entry.code), is_duplicate=entry.code in listed_codes
        )
        to_fetch += decision.outcome is None
        wanted += decision.reason not in {Reason.LISTED_TWICE, Reason.OTHER_CATEGORY}
        if decision.outcome is not Outcome.FILTERED:
            listed_codes.add(entry.code)
    return to_fetch, wanted / max(1, len(page.entries))
