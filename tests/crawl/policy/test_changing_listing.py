"""Walks through listings that change between any two requests: a proven walk misses no entry."""

import random
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime

import pytest

from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.pagination import MAX_EXTRA_REQUESTS, ListingPaginator, StopReason, count_pages
from crawler.items import Coverage, PageWindow
from tests.support.listing_model import ListingModel, walk_listing

HISTORIES = 500
CHANGES = ("insert_at_top", "insert_anywhere", "delete", "delete_near_top", "move_to_top")
NEVER = datetime(2030, 1, 1, tzinfo=CHINA_TZ)


def random_changes(listing: ListingModel, rng: random.Random, *names: str) -> Callable[[], None]:
    """Return a function that changes a listing: mostly a little, sometimes a whole page at once."""
    share_of_changes, largest_change = rng.choice([0.1, 0.5, 1.0]), rng.choice([1, 3, 25])

    def change() -> None:
        if rng.random() < share_of_changes:
            for _ in range(rng.randint(1, largest_change)):
                getattr(listing, rng.choice(names))(rng)

    return change


def random_insertions(listing: ListingModel, rng: random.Random) -> Callable[[], None]:
    most_at_once = rng.randint(0, 2)

    def change() -> None:
        for _ in range(rng.randint(0, most_at_once)):
            listing.insert_at_top(rng)

    return change


@pytest.mark.parametrize(("by_cursor", "histories"), [(False, 1_000), (True, 300)], ids=["windows", "cursor"])
def test_complete_walk_misses_nothing_that_was_always_there(by_cursor: bool, histories: int) -> None:
    """Both walks are proven in most histories, since a walk that is never proven would pass the other tests."""
    complete_walks = 0
    for seed in range(histories):
        rng = random.Random(seed)
        listing = ListingModel.of_length(rng.randint(0, 300))
        change = random_changes(listing, rng, *rng.choices(CHANGES, k=rng.randint(1, 5)))
        walk = walk_listing(listing, ListingPaginator(), change, by_cursor=by_cursor, counts_rows=rng.random() < 0.8)
        complete_walks += walk.is_complete
        assert not walk.is_complete or listing.always_there <= walk.codes, seed
    assert complete_walks > 0.8 * histories


def test_complete_walk_to_what_is_covered_misses_nothing_that_was_always_there() -> None:
    """Each crawl reads from the top to the range that an earlier one has covered."""
    short_walks = 0
    for seed in range(HISTORIES):
        rng = random.Random(seed)
        listing = ListingModel.of_length(rng.randint(20, 200))
        change = random_changes(listing, rng, "insert_at_top", "delete", "delete_near_top", "move_to_top")
        coverage, known_codes = None, frozenset[int]()
        for _ in range(3):
            walk = walk_listing(listing, ListingPaginator(coverage), change, known_codes=known_codes)
            known_codes |= walk.codes
            coverage = walk.paginator.new_coverage([]) or coverage
            assert not walk.is_complete or listing.always_there <= known_codes, seed
            short_walks += walk.paginator.stop_reason is StopReason.REACHED_COVERED
            for _ in range(rng.randint(0, 30)):
                listing.insert_at_top(rng)
    assert short_walks > HISTORIES


@pytest.mark.slow
def test_insertions_at_the_top_cost_two_requests_at_most() -> None:
    """Up to one entry is added for a hundred that are read, which is more than in any column."""
    extra_requests = Counter[int]()
    for seed in range(200):
        rng = random.Random(seed)
        listing = ListingModel.of_length(rng.randint(0, 1_200))
        unchanged = walk_listing(deepcopy(listing), ListingPaginator(), lambda: None, first_size=100, max_size=200)
        change = random_insertions(listing, rng)
        walk = walk_listing(listing, ListingPaginator(), change, first_size=100, max_size=200)
        assert walk.is_complete, seed
        assert listing.always_there <= walk.codes, seed
        extra_requests[walk.requests - unchanged.requests] += 1
    assert max(extra_requests) <= 2


def test_walk_by_cursor_costs_no_more_while_entries_come() -> None:
    for seed in range(100):
        rng = random.Random(seed)
        listing = ListingModel.of_length(rng.randint(0, 300))
        unchanged = walk_listing(deepcopy(listing), ListingPaginator(), lambda: None, by_cursor=True)
        walk = walk_listing(listing, ListingPaginator(), random_insertions(listing, rng), by_cursor=True)
        assert walk.is_complete
        assert listing.always_there <= walk.codes
        assert walk.requests == unchanged.requests


@pytest.mark.parametrize(("length", "requests"), [(90, 1), (200, 2), (201, 4), (380, 4), (900, 7), (5_000, 30)])
def test_proof_takes_few_requests(length: int, requests: int) -> None:
    """Without a proof, pages of a hundred would be 1, 2, 3, 4, 9 and 50."""
    walk = walk_listing(ListingModel.of_length(length), ListingPaginator(), lambda: None, first_size=100, max_size=200)
    assert (walk.requests, walk.is_complete) == (requests, True)
    assert count_pages(length, PageWindow(1, 100, 200)) == requests


def test_entries_that_slide_over_an_edge_are_read() -> None:
    """Three of 900 entries leave after each request, in the end more than two windows overlap by."""
    listing = ListingModel.of_length(900)

    def delete_three() -> None:
        for _ in range(3):
            listing.delete_near_top(random.Random(1))

    walk = walk_listing(listing, ListingPaginator(), delete_three, first_size=100, max_size=200)
    assert (walk.requests, walk.is_complete) == (7, True)
    assert listing.always_there <= walk.codes


def test_walk_goes_back_where_more_entries_left_than_windows_overlap_by() -> None:
    listing = ListingModel.of_length(900)
    deletions = iter([0, 0, 40])

    def delete_forty() -> None:
        for _ in range(next(deletions, 0)):
            listing.delete_near_top(random.Random(1))

    walk = walk_listing(listing, ListingPaginator(), delete_forty, first_size=100, max_size=200)
    assert (walk.requests, walk.is_complete) == (9, True)
    assert listing.always_there <= walk.codes


def test_entry_that_moves_to_the_top_is_read_there() -> None:
    listing = ListingModel.of_length(900)
    changes = iter([listing.entries[700], None])

    def move_one() -> None:
        if entry := next(changes, None):
            listing.entries.remove(entry)
            listing.entries.insert(0, (entry[0], 1_000.0))

    walk = walk_listing(listing, ListingPaginator(), move_one, first_size=100, max_size=200)
    assert walk.is_complete
    assert listing.always_there <= walk.codes


def test_listing_that_changes_too_fast_is_not_proven() -> None:
    """The walk ends nevertheless."""
    listing = ListingModel.of_length(900)

    def delete_page() -> None:
        for _ in range(200):
            listing.delete_near_top(random.Random(1))
            listing.entries.append((listing._new_number(), -listing._tick()))

    walk = walk_listing(listing, ListingPaginator(), delete_page, first_size=100, max_size=200)
    assert walk.paginator.has_ended
    assert not walk.is_complete
    assert walk.requests < 7 + 2 * MAX_EXTRA_REQUESTS
    assert walk.paginator.new_coverage([]) is None


def test_listing_that_is_not_in_order_of_time_is_read_to_its_end_and_not_proven() -> None:
    """Old entries above new ones end no walk, whatever the coverage and the selection."""
    listing = ListingModel.of_length(900)
    random.Random(1).shuffle(listing.entries)
    everything = frozenset(number for number, _ in listing.entries)
    walk = walk_listing(
        listing, ListingPaginator(Coverage(NEVER, None), since=NEVER), lambda: None, known_codes=everything,
        first_size=100, max_size=200,
    )  # fmt: skip
    assert walk.codes == everything
    assert not walk.is_complete


def test_listing_of_one_page_is_proven_in_any_order() -> None:
    listing = ListingModel.of_length(20)
    random.Random(1).shuffle(listing.entries)
    assert walk_listing(listing, ListingPaginator(), lambda: None, first_size=20).is_complete
