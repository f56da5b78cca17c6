"""Pages that are read of a listing, and the proof that no entry was missed."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.pagination import CursorStep, ListingPaginator, StopReason
from crawler.items import Coverage, Gap, ListingEntry

NOON = datetime(2026, 9, 18, 12, 0, tzinfo=CHINA_TZ)


def minutes_after_noon(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def entries_at(*minutes: float) -> list[ListingEntry]:
    return [
        ListingEntry(
            f"{2026 * 10**14 + int(minute * 60) + 10**6:018}", "题", minutes_after_noon(minute), "345", "http://x"
        )
        for minute in minutes
    ]


def look_at_top(walk: ListingPaginator, *minutes: float) -> bool:
    """Return whether the walk ends with this page, which is the first one again."""
    assert walk.next_page is CursorStep.FIRST
    return not walk.wants_next_page(entries_at(*minutes), has_new_entries=False, all_known=True, is_last_page=False)


def test_first_pagination_reads_to_the_end_and_covers_everything() -> None:
    walk = ListingPaginator()
    assert walk.wants_next_page(entries_at(10, 9, 8), has_new_entries=True, all_known=False, is_last_page=False)
    assert walk.wants_next_page(entries_at(7, 6), has_new_entries=True, all_known=False, is_last_page=True)
    assert walk.new_coverage([]) is None
    assert look_at_top(walk, 11, 10, 9)
    assert walk.new_coverage([]) == Coverage(minutes_after_noon(11), None)
    assert walk.find_gap() is None


def test_later_pagination_stops_at_covered_range() -> None:
    walk = ListingPaginator(Coverage(minutes_after_noon(10), None))
    assert not walk.wants_next_page(entries_at(10, 9, 8), has_new_entries=True, all_known=True, is_last_page=False)
    assert walk.stop_reason is StopReason.REACHED_COVERED
    assert walk.new_coverage([]) == Coverage(minutes_after_noon(10), None)


def test_pagination_continues_into_covered_range_while_there_are_new_entries() -> None:
    walk = ListingPaginator(Coverage(minutes_after_noon(10), None))
    assert walk.wants_next_page(entries_at(12, 9, 8), has_new_entries=True, all_known=False, is_last_page=False)


def test_pagination_continues_while_page_is_newer_than_coverage() -> None:
    walk = ListingPaginator(Coverage(minutes_after_noon(10), None))
    assert walk.wants_next_page(entries_at(13, 12, 11), has_new_entries=True, all_known=True, is_last_page=False)
    assert walk.wants_next_page(entries_at(10.5, 10), has_new_entries=True, all_known=True, is_last_page=False)


def test_a_page_out_of_order_is_judged_by_its_newest() -> None:
    """An old entry at the end of a page, where it was pinned, does not end the walk."""
    walk = ListingPaginator(Coverage(minutes_after_noon(10), None))
    assert walk.wants_next_page(entries_at(11, 13, 1), has_new_entries=True, all_known=True, is_last_page=False)


def test_since_ends_pagination() -> None:
    walk = ListingPaginator(since=minutes_after_noon(5))
    assert not walk.wants_next_page(entries_at(9, 7, 4), has_new_entries=True, all_known=False, is_last_page=False)
    assert walk.new_coverage([]) == Coverage(minutes_after_noon(9), minutes_after_noon(5))


def test_since_below_coverage_is_reached() -> None:
    walk = ListingPaginator(Coverage(minutes_after_noon(10), minutes_after_noon(8)), since=minutes_after_noon(2))
    assert walk.wants_next_page(entries_at(10, 9, 7), has_new_entries=True, all_known=True, is_last_page=False)
    assert walk.wants_next_page(entries_at(5, 1), has_new_entries=True, all_known=False, is_last_page=False)
    assert look_at_top(walk, 10, 9, 7)
    assert walk.new_coverage([]) == Coverage(minutes_after_noon(10), minutes_after_noon(2))


def test_pagination_without_since_goes_below_earlier_since() -> None:
    walk = ListingPaginator(Coverage(minutes_after_noon(10), minutes_after_noon(8)))
    assert walk.wants_next_page(entries_at(10, 9, 7), has_new_entries=True, all_known=True, is_last_page=False)


def test_refresh_paginates_to_the_requested_age() -> None:
    walk = ListingPaginator(Coverage(minutes_after_noon(10), None), refresh_since=minutes_after_noon(4))
    assert walk.wants_next_page(entries_at(10, 8, 6), has_new_entries=True, all_known=True, is_last_page=False)
    assert walk.wants_next_page(entries_at(5, 3), has_new_entries=True, all_known=True, is_last_page=False)
    assert look_at_top(walk, 10, 8, 6)


def test_repeated_page_is_the_end() -> None:
    walk = ListingPaginator()
    assert walk.wants_next_page(entries_at(10, 9), has_new_entries=True, all_known=False, is_last_page=False)
    assert not walk.wants_next_page(entries_at(10, 9), has_new_entries=False, all_known=True, is_last_page=False)
    assert (walk.stop_reason, walk.is_proven) == (StopReason.END_OF_LISTING, False)


def test_interrupted_pagination_covers_nothing() -> None:
    walk = ListingPaginator()
    assert walk.wants_next_page(entries_at(10, 9), has_new_entries=True, all_known=False, is_last_page=False)
    assert walk.new_coverage([]) is None


def test_failed_and_newer_entries_are_not_covered() -> None:
    walk = ListingPaginator()
    walk.wants_next_page(entries_at(10, 9, 8, 7), has_new_entries=True, all_known=False, is_last_page=True)
    assert walk.new_coverage([minutes_after_noon(9), minutes_after_noon(8)]) == Coverage(minutes_after_noon(8), None)


def test_listing_that_does_not_reach_coverage_has_a_gap() -> None:
    walk = ListingPaginator(Coverage(minutes_after_noon(10), None))
    walk.wants_next_page(entries_at(20, 19, 18), has_new_entries=True, all_known=False, is_last_page=True)
    assert walk.find_gap() == Gap(after=minutes_after_noon(10), before=minutes_after_noon(18))


@pytest.mark.parametrize("oldest", [10, 9.5], ids=["touches", "overlaps"])
def test_listing_that_reaches_coverage_has_no_gap(oldest: float) -> None:
    walk = ListingPaginator(Coverage(minutes_after_noon(10), None))
    walk.wants_next_page(entries_at(20, oldest), has_new_entries=True, all_known=False, is_last_page=True)
    assert walk.find_gap() is None


def test_an_empty_listing_proves_nothing() -> None:
    walk = ListingPaginator(Coverage(minutes_after_noon(10), None))
    assert not walk.wants_next_page([], has_new_entries=False, all_known=True, is_last_page=True)
    assert walk.new_coverage([]) is None
    assert walk.find_gap() is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=120, unique=True),
    st.integers(1, 40),
    st.integers(0, 119),
)
def test_every_entry_is_seen_or_within_a_gap(times: list[int], size: int, cut: int) -> None:
    """Entries that two walks missed, in a listing that grows and loses its tail, are in the reported gap."""
    all_minutes = sorted(times, reverse=True)
    first_listing, second_listing = all_minutes[min(cut, len(all_minutes) - 1) :], all_minutes
    seen: set[int] = set()
    coverage: Coverage | None = None
    for listing in (first_listing, second_listing[: max(size, len(second_listing) // 2)]):
        walk = ListingPaginator(coverage)
        pages = [listing[start : start + size] for start in range(0, len(listing), size)]
        for number, minutes in enumerate(pages, 1):
            all_known = set(minutes) <= seen
            seen |= set(minutes)
            walk.wants_next_page(
                entries_at(*minutes), has_new_entries=True, all_known=all_known, is_last_page=number == len(pages)
            )
            if walk.next_page is not CursorStep.OLDER:
                break
        if walk.next_page:
            assert look_at_top(walk, *pages[0])
        gap, coverage = walk.find_gap(), walk.new_coverage([])
        assert coverage
        for minute in set(second_listing) - seen if listing is not first_listing else ():
            assert gap or minutes_after_noon(minute) < coverage.newest
            assert (
                gap is None
                or gap.after < minutes_after_noon(minute) < gap.before
                or minutes_after_noon(minute) <= gap.after
            )


def test_look_at_the_top_goes_on_to_an_entry_that_has_not_moved() -> None:
    """Entries that moved to the top during the walk are above it. A look of two pages requires another look."""
    walk = ListingPaginator()
    assert walk.wants_next_page(entries_at(10, 9), has_new_entries=True, all_known=False, is_last_page=False)
    assert walk.wants_next_page(entries_at(8), has_new_entries=True, all_known=False, is_last_page=True)
    assert not look_at_top(walk, 14, 13)
    assert walk.next_page is CursorStep.OLDER
    assert walk.wants_next_page(entries_at(12, 10), has_new_entries=True, all_known=False, is_last_page=False)
    assert look_at_top(walk, 14, 13)
    assert walk.is_proven


def test_pinned_entry_is_no_mark_of_the_top() -> None:
    """A pinned entry stays above new ones."""
    walk = ListingPaginator()
    assert walk.wants_next_page(
        entries_at(99, 9), has_new_entries=True, all_known=False, is_last_page=False, now=minutes_after_noon(10)
    )
    assert walk.wants_next_page(entries_at(8), has_new_entries=True, all_known=False, is_last_page=True)
    assert not look_at_top(walk, 99, 12)


def test_unproven_walk_covers_only_what_is_accepted() -> None:
    walk = ListingPaginator()
    walk.wants_next_page(entries_at(10, 9), has_new_entries=True, all_known=False, is_last_page=True)
    walk.is_proven = False
    assert walk.new_coverage([]) is None
    assert walk.new_coverage([], accept_unproven=True) == Coverage(minutes_after_noon(10), None)
