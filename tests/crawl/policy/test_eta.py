"""The remaining time of a crawl, estimated from what it has listed and fetched so far."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.eta import EtaEstimator
from crawler.crawl.policy.pagination import ListingPaginator
from crawler.items import ListingEntry, ListingSize, Outcome

NOON = datetime(2026, 9, 18, 12, 0, tzinfo=CHINA_TZ)
MINUTE = timedelta(minutes=1)


def add_page(
    outlook: EtaEstimator,
    walk: ListingPaginator,
    outcomes: Sequence[Outcome | None],
    *,
    last: bool = False,
) -> None:
    """Count a page of entries, one a minute."""
    numbers = range(walk.rows_read, walk.rows_read + len(outcomes))
    page = [ListingEntry(f"{number:018}", "题", NOON - number * MINUTE, "345", "http://x") for number in numbers]
    wants_next_page = walk.wants_next_page(
        page,
        has_new_entries=bool(page),
        all_known=False,
        is_last_page=last,
        listing_size=walk.listing_size or ListingSize(1000, 10),
    )
    for outcome in outcomes:
        outlook.count_entry(outcome, newly_listed=True)
    outlook.count_page("345", walk if wants_next_page else None)


def add_outcomes(outlook: EtaEstimator, count: int) -> None:
    for _ in range(count):
        outlook.count_entry(Outcome.NEW, newly_listed=False)


def test_eta_counts_remaining_pages() -> None:
    """Ten pages of 100 articles: of 1,010 requests 51 are done after 51 seconds."""
    outlook, walk = EtaEstimator(["345"]), ListingPaginator()
    add_page(outlook, walk, [None] * 100)
    add_outcomes(outlook, 50)
    assert outlook.estimate_seconds_left(51.0) == pytest.approx(1010 - 51)


def test_eta_ends_at_zero() -> None:
    outlook, walk = EtaEstimator(["345"]), ListingPaginator()
    add_page(outlook, walk, [None] * 100, last=True)
    add_outcomes(outlook, 100)
    assert outlook.estimate_seconds_left(101.0) == 0
    assert outlook.slowest_listing_position() is None


def test_known_articles_take_only_page_time() -> None:
    """Of the rows ahead, as many are expected to be known as of the rows so far."""
    outlook, walk = EtaEstimator(["345"]), ListingPaginator()
    add_page(outlook, walk, [Outcome.UNCHANGED] * 80 + [None] * 20)
    add_outcomes(outlook, 19)
    assert outlook.estimate_seconds_left(20.0) == pytest.approx(1 + 9 + 180)


def test_eta_ends_at_since() -> None:
    outlook, walk = EtaEstimator(["345"]), ListingPaginator(since=NOON - 250 * MINUTE)
    add_page(outlook, walk, [None] * 100)
    add_outcomes(outlook, 99)
    assert outlook.slowest_listing_position() == NOON - 99 * MINUTE
    # One article, two pages, and their articles since then.
    assert outlook.estimate_seconds_left(100.0) == pytest.approx(1 + 2 + 153, abs=2)


def test_unseen_listings_are_assumed_average() -> None:
    outlook, walk = EtaEstimator(["345", "350"]), ListingPaginator()
    add_page(outlook, walk, [None] * 100)
    add_outcomes(outlook, 99)
    assert outlook.estimate_seconds_left(100.0) == pytest.approx(1 + 909 + 910)


def test_duplicate_and_filtered_entries_take_no_time() -> None:
    outlook, walk = EtaEstimator(["345"]), ListingPaginator()
    add_page(outlook, walk, [None] * 20 + [Outcome.DUPLICATE] * 50 + [Outcome.FILTERED] * 30)
    add_outcomes(outlook, 20)
    assert outlook.estimate_seconds_left(21.0) == pytest.approx(9 + 900 * 0.2)


def test_limit_caps_the_eta() -> None:
    outlook, walk = EtaEstimator(["345"], limit=130), ListingPaginator()
    add_page(outlook, walk, [None] * 100)
    add_outcomes(outlook, 100)
    assert outlook.estimate_seconds_left(101.0) == pytest.approx(31)


def test_no_eta_without_a_known_end() -> None:
    outlook, walk = EtaEstimator(["102"]), ListingPaginator()
    page = [ListingEntry(f"{number:018}", "题", NOON - number * MINUTE, "102", "http://x") for number in range(50)]
    assert walk.wants_next_page(page, has_new_entries=True, all_known=False, is_last_page=False)
    for _ in page:
        outlook.count_entry(None, newly_listed=True)
    outlook.count_page("102", walk)
    add_outcomes(outlook, 50)
    assert outlook.estimate_seconds_left(51.0) is None


def test_no_eta_before_there_is_a_rate() -> None:
    outlook, walk = EtaEstimator(["345"]), ListingPaginator()
    add_page(outlook, walk, [None] * 100)
    add_outcomes(outlook, 3)
    assert outlook.estimate_seconds_left(4.0) is None
