"""Listings that change during a walk: entries listed all the time are stored, or read by the next crawl."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.support.changing_listing import ListingChanges
from tests.support.commands import CommandRunner
from tests.support.database import Query
from tests.support.hostile import rewrite_json
from tests.support.output_checks import assert_outcomes_add_up

COLUMN_ARGS = ("eastmoney", "--column", "345")
LISTING = "getNewsByColumns"


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    """Publish a listing of three pages, of 100, 200 and the remaining rows."""
    with SampleSite(Corpus.sample(210, columns=("345",))) as served:
        yield served


@pytest.fixture
def stored_codes(query: Query) -> Callable[[], set[str]]:
    return lambda: set(query("SELECT code FROM articles"))


def listed_codes(sample_site: SampleSite) -> list[str]:
    return list(sample_site.corpus.codes_in_columns(["345"]))


def listing_requests(sample_site: SampleSite) -> list[tuple[str, str]]:
    return [
        (request.query["page_index"], request.query["page_size"])
        for request in sample_site.requests
        if LISTING in request.path
    ]


def remove_from_top(sample_site: SampleSite, count: int) -> None:
    for code in listed_codes(sample_site)[5 : 5 + count]:
        sample_site.corpus.remove(code)


def test_entries_that_slide_over_a_page_edge_are_read(
    crawl: CommandRunner, sample_site: SampleSite, query: Query, stored_codes: Callable[[], set[str]]
) -> None:
    """After two pages, entries of the first one are removed, and the last entry is edited and moves to the top.

    What followed the second page is now on positions that were read, and so is the edited entry.
    """
    *_, edited_code = listed_codes(sample_site)
    sliding_codes = listed_codes(sample_site)[201:204]

    def change_listing() -> None:
        remove_from_top(sample_site, 4)
        newest = sample_site.corpus.find_listed(listed_codes(sample_site)[0])
        assert newest
        sample_site.corpus.replace(edited_code, published_at=newest.published_at + timedelta(minutes=1))

    ListingChanges(sample_site, LISTING, {2: change_listing})
    result = crawl(*COLUMN_ARGS)
    assert (result.exit_code, result.json["notes"]) == (0, [])
    assert listed_codes(sample_site)[198:201] == sliding_codes
    assert listed_codes(sample_site)[0] == edited_code
    assert set(listed_codes(sample_site)) <= stored_codes()
    assert listing_requests(sample_site) == [("1", "100"), ("1", "200"), ("2", "195"), ("1", "200")]
    assert query("SELECT count(*) FROM coverage WHERE oldest IS NULL") == [1]
    assert_outcomes_add_up(query)


def test_walk_that_is_not_proven_is_reported_and_repeated(
    crawl: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    """Rows that are not ordered by time prove nothing. After three crawls the listing counts as covered.

    It may go on for weeks, and is reported when it changes and once a day.
    """
    sample_site.add_fault(LISTING, rewrite_json(lambda response: response["data"]["list"].reverse()))
    for crawl_number in range(1, 4):
        sample_site.requests.clear()
        result = crawl(*COLUMN_ARGS, "--quiet")
        (note,) = result.json["notes"]
        assert note.startswith("column 345 may be incomplete: ")
        assert (result.exit_code, result.json["outcome"], result.json["detail"]) == (0, "done", note)
        assert result.stderr == (f"finews: {note}\n" if crawl_number == 1 else "")
        assert len(listing_requests(sample_site)) == 3
        assert query("SELECT count(*) FROM coverage") == [crawl_number == 3]
    sample_site.reset()
    assert crawl(*COLUMN_ARGS).json["notes"] == [f"no longer: {note}"]
    assert listing_requests(sample_site) == [("1", "100")]
