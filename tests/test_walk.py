"""How far a listing is walked, page by page, and what that proves."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.pagination import ListingPaginator, StopReason
from crawler.items import Coverage, Gap, ListingEntry

NOON = datetime(2026, 9, 18, 12, 0, tzinfo=CHINA_TZ)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def page(*minutes: float) -> list[ListingEntry]:
    return [ListingEntry(f"{2026 * 10**14 + int(m * 60) + 10**6:018}", "题", at(m), "345", "http://x") for m in minutes]


def test_a_first_walk_goes_on_to_the_end_and_covers_everything() -> None:
    walk = ListingPaginator()
    assert walk.wants_next_page(page(10, 9, 8), has_new_entries=True, all_known=False, is_last_page=False)
    assert not walk.wants_next_page(page(7, 6), has_new_entries=True, all_known=False, is_last_page=True)
    assert walk.new_coverage([]) == Coverage(at(10), None)
    assert walk.find_gap() is None


def test_a_later_walk_stops_where_all_is_known_and_covered() -> None:
    walk = ListingPaginator(Coverage(at(10), None))
    assert not walk.wants_next_page(page(10, 9, 8), has_new_entries=True, all_known=True, is_last_page=False)
    assert walk.stop_reason is StopReason.REACHED_COVERED
    assert walk.new_coverage([]) == Coverage(at(10), None)


def test_it_goes_on_past_what_is_covered_while_something_is_new() -> None:
    walk = ListingPaginator(Coverage(at(10), None))
    assert walk.wants_next_page(page(12, 9, 8), has_new_entries=True, all_known=False, is_last_page=False)


def test_it_goes_on_while_a_known_page_is_still_newer_than_what_is_covered() -> None:
    walk = ListingPaginator(Coverage(at(10), None))
    assert walk.wants_next_page(page(13, 12, 11), has_new_entries=True, all_known=True, is_last_page=False)
    assert walk.wants_next_page(page(10.5, 10), has_new_entries=True, all_known=True, is_last_page=False)


def test_a_page_out_of_order_is_judged_by_its_newest() -> None:
    """An old entry that was pinned to the foot of the page does not end the walk."""
    walk = ListingPaginator(Coverage(at(10), None))
    assert walk.wants_next_page(page(11, 13, 1), has_new_entries=True, all_known=True, is_last_page=False)


def test_since_ends_a_walk() -> None:
    walk = ListingPaginator(since=at(5))
    assert not walk.wants_next_page(page(9, 7, 4), has_new_entries=True, all_known=False, is_last_page=False)
    assert walk.new_coverage([]) == Coverage(at(9), at(5))


def test_since_below_what_is_covered_is_walked_to() -> None:
    walk = ListingPaginator(Coverage(at(10), at(8)), since=at(2))
    assert walk.wants_next_page(page(10, 9, 7), has_new_entries=True, all_known=True, is_last_page=False)
    assert not walk.wants_next_page(page(5, 1), has_new_entries=True, all_known=False, is_last_page=False)
    assert walk.new_coverage([]) == Coverage(at(10), at(2))


def test_a_walk_without_since_goes_below_one_that_had_it() -> None:
    walk = ListingPaginator(Coverage(at(10), at(8)))
    assert walk.wants_next_page(page(10, 9, 7), has_new_entries=True, all_known=True, is_last_page=False)


def test_a_recheck_walks_on_to_the_age_that_was_asked_for() -> None:
    walk = ListingPaginator(Coverage(at(10), None), refresh_since=at(4))
    assert walk.wants_next_page(page(10, 8, 6), has_new_entries=True, all_known=True, is_last_page=False)
    assert not walk.wants_next_page(page(5, 3), has_new_entries=True, all_known=True, is_last_page=False)


def test_the_same_page_again_is_the_end() -> None:
    walk = ListingPaginator()
    assert walk.wants_next_page(page(10, 9), has_new_entries=True, all_known=False, is_last_page=False)
    assert not walk.wants_next_page(page(10, 9), has_new_entries=False, all_known=True, is_last_page=False)
    assert walk.stop_reason is StopReason.END_OF_LISTING


def test_what_was_cut_short_covers_nothing() -> None:
    walk = ListingPaginator()
    assert walk.wants_next_page(page(10, 9), has_new_entries=True, all_known=False, is_last_page=False)
    assert walk.new_coverage([]) is None


def test_what_failed_is_not_covered_nor_what_is_newer() -> None:
    walk = ListingPaginator()
    walk.wants_next_page(page(10, 9, 8, 7), has_new_entries=True, all_known=False, is_last_page=True)
    assert walk.new_coverage([at(9), at(8)]) == Coverage(at(8), None)


def test_a_listing_that_no_longer_reaches_back_has_a_gap() -> None:
    walk = ListingPaginator(Coverage(at(10), None))
    walk.wants_next_page(page(20, 19, 18), has_new_entries=True, all_known=False, is_last_page=True)
    assert walk.find_gap() == Gap(after=at(10), before=at(18))


@pytest.mark.parametrize("oldest", [10, 9.5], ids=["touches", "overlaps"])
def test_a_listing_that_reaches_back_has_none(oldest: float) -> None:
    walk = ListingPaginator(Coverage(at(10), None))
    walk.wants_next_page(page(20, oldest), has_new_entries=True, all_known=False, is_last_page=True)
    assert walk.find_gap() is None


def test_an_empty_listing_proves_nothing() -> None:
    walk = ListingPaginator(Coverage(at(10), None))
    assert not walk.wants_next_page([], has_new_entries=False, all_known=True, is_last_page=True)
    assert walk.new_coverage([]) is None
    assert walk.find_gap() is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=120, unique=True),
    st.integers(1, 40),
    st.integers(0, 119),
)
def test_crawl_after_crawl_every_entry_is_met_or_told_missing(times: list[int], size: int, cut: int) -> None:
    """Two walks of a listing that grows and loses its tail: what no walk met lies in the gap that is told."""
    ordered = sorted(times, reverse=True)
    first, rest = ordered[min(cut, len(ordered) - 1) :], ordered
    met: set[int] = set()
    covered: Coverage | None = None
    for listing in (first, rest[: max(size, len(rest) // 2)]):
        walk = ListingPaginator(covered)
        pages = [listing[start : start + size] for start in range(0, len(listing), size)]
        for number, minutes in enumerate(pages, 1):
            all_known = set(minutes) <= met
            met |= set(minutes)
            if not walk.wants_next_page(
                page(*minutes), has_new_entries=True, all_known=all_known, is_last_page=number == len(pages)
            ):
                break
        gap, covered = walk.find_gap(), walk.new_coverage([])
        assert covered
        for minute in set(rest) - met if listing is not first else ():
            assert gap or at(minute) < covered.newest
            assert gap is None or gap.after < at(minute) < gap.before or at(minute) <= gap.after
