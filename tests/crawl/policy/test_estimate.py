"""Estimates of pages and articles from the first page of each listing."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import CHINA_TZ, format_iso
from crawler.crawl.policy.entry_filter import EntryFilter
from crawler.crawl.policy.estimate import (
    ColumnPlan,
    FirstPage,
    Precision,
    estimate_columns,
    estimate_remaining,
)
from crawler.crawl.policy.pagination import ListingPaginator
from crawler.crawl.policy.selection import Selection
from crawler.items import Coverage, KnownArticle, ListingEntry, ListingSize

NOON = datetime(2026, 9, 18, 12, 0, tzinfo=CHINA_TZ)
MINUTE = timedelta(minutes=1)


def entries_of_page(column: str, numbers: Sequence[int], **fields: Any) -> list[ListingEntry]:
    """Return entries, one a minute; number 0 is the newest."""
    return [
        ListingEntry(f"{2026 * 10**14 + number:018}", "题", NOON - number * MINUTE, column, "http://x", **fields)
        for number in numbers
    ]


def known_articles(entries: Sequence[ListingEntry]) -> dict[str, KnownArticle]:
    return {
        entry.code: KnownArticle("eastmoney", False, entry.title, format_iso(entry.published), "") for entry in entries
    }


def estimate_first_pages(
    pages: Sequence[FirstPage],
    *,
    covered: Mapping[str, Coverage] | None = None,
    known_ahead: int = 0,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    categories: Sequence[str] = (),
) -> list[ColumnPlan]:
    registry, columns = CategoryRegistry(), tuple(page.column for page in pages)
    selection = Selection(columns, tuple(map(registry.resolve_or_create, categories)), since, until, limit)
    return estimate_columns(
        pages,
        names=dict.fromkeys(columns, ""),
        selection=selection,
        entry_filter=EntryFilter("eastmoney", frozenset(), selection, registry),
        coverage=covered or {},
        count_known=lambda *_: known_ahead,
    )


def counts_and_precisions(planned: ColumnPlan) -> tuple[int, Precision, int, Precision]:
    return planned.pages, planned.pages_precision, planned.articles, planned.articles_precision


def paginator_after_page(
    entries: Sequence[ListingEntry], *, listing_size: ListingSize | None = None, since: datetime | None = None
) -> ListingPaginator:
    paginator = ListingPaginator(since=since)
    assert paginator.wants_next_page(
        entries, has_new_entries=True, all_known=False, is_last_page=False, listing_size=listing_size
    )
    return paginator


def test_one_page_listing_is_counted() -> None:
    (planned,) = estimate_first_pages([FirstPage("345", entries_of_page("345", range(30)), {}, is_last_page=True)])
    assert counts_and_precisions(planned) == (1, Precision.COUNTED, 30, Precision.COUNTED)


def test_complete_listing_is_counted_by_the_source() -> None:
    (planned,) = estimate_first_pages(
        [FirstPage("345", entries_of_page("345", range(100)), {}, is_last_page=False, listing_size=ListingSize(730, 8))]
    )
    assert counts_and_precisions(planned) == (8, Precision.COUNTED, 730, Precision.COUNTED)


def test_listing_without_count_is_at_least_the_first_page() -> None:
    (planned,) = estimate_first_pages([FirstPage("102", entries_of_page("102", range(50)), {}, is_last_page=False)])
    assert counts_and_precisions(planned) == (2, Precision.AT_LEAST, 50, Precision.AT_LEAST)


def test_since_is_estimated_by_the_rate_of_the_first_page() -> None:
    since = NOON - 450 * MINUTE
    (planned,) = estimate_first_pages(
        [FirstPage("345", entries_of_page("345", range(100)), {}, False, ListingSize(5000, 50))], since=since
    )
    assert (planned.pages, planned.pages_precision, planned.articles_precision) == (
        5,
        Precision.ESTIMATED,
        Precision.ESTIMATED,
    )
    assert planned.articles == pytest.approx(450, abs=10)
    assert not planned.ends_early


def test_estimate_is_capped_by_the_sources_count() -> None:
    since = NOON - 45_000 * MINUTE
    (planned,) = estimate_first_pages(
        [FirstPage("345", entries_of_page("345", range(100)), {}, False, ListingSize(5000, 50))], since=since
    )
    assert counts_and_precisions(planned) == (50, Precision.ESTIMATED, 5000, Precision.ESTIMATED)
    assert planned.ends_early


def test_known_articles_take_pages_but_no_requests() -> None:
    entries = entries_of_page("345", range(100))
    first_page = FirstPage(
        "345", entries, known_articles(entries), is_last_page=False, listing_size=ListingSize(730, 8)
    )
    (planned,) = estimate_first_pages([first_page], known_ahead=400)
    assert counts_and_precisions(planned) == (8, Precision.COUNTED, 230, Precision.ESTIMATED)


def test_covered_range_ends_pagination() -> None:
    """News fill the first page and half of the second."""
    covered = {"345": Coverage(NOON - 150 * MINUTE, None)}
    (planned,) = estimate_first_pages(
        [FirstPage("345", entries_of_page("345", range(100)), {}, False, ListingSize(5000, 50))], covered=covered
    )
    assert planned.pages == 2
    assert planned.articles == pytest.approx(150, abs=5)
    entries = entries_of_page("345", range(100))
    (nothing_new,) = estimate_first_pages(
        [FirstPage("345", entries, known_articles(entries), False, ListingSize(5000, 50))],
        covered={"345": Coverage(NOON, None)},
    )
    assert counts_and_precisions(nothing_new) == (1, Precision.COUNTED, 0, Precision.COUNTED)


def test_article_in_two_listings_counts_for_the_first() -> None:
    pages = [
        FirstPage("344", entries_of_page("344", range(40)), {}, is_last_page=True),
        FirstPage("345", entries_of_page("345", range(20, 60)), {}, is_last_page=True),
    ]
    assert [counts_and_precisions(planned) for planned in estimate_first_pages(pages)] == [
        (1, Precision.COUNTED, 40, Precision.COUNTED),
        (1, Precision.COUNTED, 20, Precision.COUNTED),
    ]


def test_overlap_of_two_listings_is_estimated_from_their_first_pages() -> None:
    """Half of the second listing's first page is on that of the first."""
    pages = [
        FirstPage("344", entries_of_page("344", range(100)), {}, False, ListingSize(900, 9)),
        FirstPage("345", entries_of_page("345", range(50, 150)), {}, False, ListingSize(400, 4)),
    ]
    planned = estimate_first_pages(pages)
    assert counts_and_precisions(planned[0]) == (9, Precision.COUNTED, 900, Precision.COUNTED)
    assert counts_and_precisions(planned[1]) == (4, Precision.COUNTED, 200, Precision.ESTIMATED)


def test_limit_ends_pagination() -> None:
    pages = [
        FirstPage(column, entries_of_page(column, range(100)), {}, False, ListingSize(5000, 50))
        for column in ("344", "345")
    ]
    assert [counts_and_precisions(planned)[::2] for planned in estimate_first_pages(pages, limit=30)] == [
        (1, 30),
        (1, 0),
    ]
    assert [counts_and_precisions(planned)[::2] for planned in estimate_first_pages(pages, limit=100)] == [
        (1, 100),
        (1, 0),
    ]
    assert estimate_first_pages(pages[:1], limit=350)[0].pages == 4
    assert estimate_first_pages(pages[:1], limit=350)[0].articles == 350


def test_filtered_articles_are_not_expected() -> None:
    entries = [
        *entries_of_page("345", range(20), media="财联社"),
        *entries_of_page("345", range(20, 100), media="中国网"),
    ]
    first_page = FirstPage("345", entries, {}, is_last_page=False, listing_size=ListingSize(500, 5))
    (with_category,) = estimate_first_pages([first_page], categories=["财联社"])
    assert counts_and_precisions(with_category) == (5, Precision.COUNTED, 100, Precision.ESTIMATED)
    (with_until,) = estimate_first_pages([first_page], until=NOON - 300 * MINUTE)
    assert with_until.articles == pytest.approx(200, abs=10)


@pytest.mark.parametrize("minutes", [[7] * 9, [3, 5, 4]], ids=["all at once", "out of order"])
def test_without_a_rate_the_count_is_used(minutes: list[int]) -> None:
    entries = [entry for number in range(3) for entry in entries_of_page("345", minutes)[number : number + 1]]
    remaining = estimate_remaining(
        paginator_after_page(entries, listing_size=ListingSize(90, 30), since=NOON - 10_000 * MINUTE)
    )
    assert (remaining.pages, remaining.rows, remaining.precision) == (29, 87, Precision.ESTIMATED)


def test_pinned_entries_do_not_affect_the_rate() -> None:
    entries = [*entries_of_page("345", range(99)), *entries_of_page("345", [500_000])]
    assert estimate_remaining(paginator_after_page(entries[::-1], since=NOON - 450 * MINUTE)).pages == pytest.approx(
        4, abs=1
    )
