"""Crawl after crawl: what is asked for again, what is corrected, withdrawn or missed."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import SampleSite, SourceArticle, return_status
from tests.conftest import Answer, Finews
from tests.test_crawl import assert_books_balance, assert_posts_are_rows

Query = Callable[..., list[Any]]

ONE_COLUMN = ("--column", "345")


@pytest.fixture
def listed(site: SampleSite) -> list[str]:
    """The codes of one column, newest first: more than two pages of them."""
    site.corpus.publish(700)
    codes = list(site.corpus.codes_in_columns(["345"]))
    assert len(codes) > 200
    return codes


@pytest.fixture
def crawl_column(crawl: Finews) -> Finews:
    def run(*words: str) -> Answer:
        return crawl("eastmoney", *ONE_COLUMN, *words)

    return run


def pages_asked(site: SampleSite) -> list[str]:
    return [hit.query["page_index"] for hit in site.requests if "getNewsByColumns" in hit.path]


def edited(site: SampleSite, code: str, *, minutes: int = 0, **changes: Any) -> SourceArticle:
    """An editor changes an article; the listing then shows it under a newer time."""
    article = site.corpus.find_article(code)
    assert article
    return site.corpus.replace(code, published_at=article.published_at + timedelta(minutes=minutes), **changes)


def test_a_crawl_stops_at_what_earlier_ones_have_covered(
    crawl_column: Finews, site: SampleSite, listed: list[str]
) -> None:
    assert crawl_column().value["listed"] == len(listed)
    site.reset()
    again = crawl_column()
    assert pages_asked(site) == ["1"]
    assert site.requested_codes == []
    assert again.value["unchanged"] == again.value["listed"]
    new = site.corpus.publish(20)
    fresh = crawl_column().value["new"]
    assert fresh == len(set(new) & set(site.corpus.codes_in_columns(["345"])))


def test_it_does_not_stop_at_the_first_known_code(
    crawl_column: Finews, site: SampleSite, listed: list[str], query: Query
) -> None:
    """The source shows edited articles again, above new ones."""
    crawl_column()
    new = site.corpus.publish(400)
    top = site.corpus.find_listed(site.corpus.codes_in_columns(["345"])[0])
    assert top
    resurfaced = site.corpus.replace(listed[-1], published_at=top.published_at + timedelta(minutes=5))
    answer = crawl_column()
    expected = set(new) & set(site.corpus.codes_in_columns(["345"]))
    assert answer.value["new"] == len(expected) > 100
    assert answer.value["updated"] == 1
    assert query("SELECT revision FROM articles WHERE code = ?", resurfaced.code) == [2]


def test_a_crawl_that_was_cut_short_covers_nothing(crawl_column: Finews, listed: list[str]) -> None:
    crawl_column("--limit", "30")
    crawl_column("--category", "财联社")
    assert crawl_column().value["listed"] == len(listed)


def test_what_failed_is_tried_again_below_what_is_covered(
    crawl_column: Finews, site: SampleSite, listed: list[str], query: Query
) -> None:
    unlucky = listed[150]
    site.add_fault(f"article/{unlucky}", return_status(500))
    assert crawl_column().code == 3
    site.clear_faults()
    answer = crawl_column()
    assert (answer.code, answer.value["new"]) == (0, 1)
    assert query("SELECT count(*) FROM articles WHERE code = ?", unlucky) == [1]
    site.reset()
    crawl_column()
    assert pages_asked(site) == ["1"]


def test_what_fails_for_ever_does_not_hold_up_the_walks_for_ever(
    crawl_column: Finews, site: SampleSite, listed: list[str]
) -> None:
    site.add_fault(listed[150], return_status(404))
    for _ in range(3):
        assert crawl_column().code == 3
    site.requests.clear()
    assert crawl_column().code == 0
    assert pages_asked(site) == ["1"]


def test_since_goes_below_what_is_covered_only_where_that_is_not(
    crawl_column: Finews, site: SampleSite, listed: list[str]
) -> None:
    times = [head.published_at for code in listed if (head := site.corpus.find_listed(code))]
    recent, older = (times[place].strftime("%Y-%m-%d %H:%M") for place in (50, 130))
    crawl_column("--since", recent)
    site.reset()
    crawl_column("--since", recent)
    assert pages_asked(site) == ["1"]
    site.reset()
    assert crawl_column("--since", older).value["new"] >= 75
    assert pages_asked(site) == ["1", "2"]


def test_only_a_change_of_words_or_time_is_a_revision(
    crawl_column: Finews, site: SampleSite, query: Query, output: Any
) -> None:
    """Three edits by an editor are three revisions, three changes of markup are none."""
    site.corpus.publish(30)
    codes = [
        code
        for code in site.corpus.codes_in_columns(["345"])
        if (found := site.corpus.find_article(code))
        and found.body_location == "json"
        and found.code != "202609183878840472"
    ][:6]
    crawl_column()
    bodies = [article.content for code in codes if (article := site.corpus.find_article(code))]
    edited(site, codes[0], title="更正后的标题")
    edited(site, codes[1], content=bodies[1].replace("。", "（更正）。", 1))
    edited(site, codes[2], minutes=1)
    edited(site, codes[3], content=bodies[3].replace("<p>", '<p style="text-indent:2em" data-x="1">'))
    edited(site, codes[4], content=bodies[4] + '<p style="display:none">token=1</p>')
    edited(site, codes[5], content=bodies[5].replace("<p>", "<p><span></span>", 1))
    answer = crawl_column("--refresh", "2026-09-01")
    assert query("SELECT code FROM revisions ORDER BY code") == sorted(codes[:3])
    assert answer.value["updated"] == 3
    assert query("SELECT count(*) FROM articles WHERE changed_at IS NOT NULL") == [3]
    assert_posts_are_rows(output)


def test_a_changed_row_is_fetched_without_being_asked_to_refresh(
    crawl_column: Finews, site: SampleSite, query: Query
) -> None:
    code = site.corpus.codes_in_columns(["345"])[2]
    crawl_column()
    site.reset()
    edited(site, code, title="换了标题")
    assert crawl_column().value["updated"] == 1
    assert site.requested_codes == [code]
    assert query("SELECT title FROM articles WHERE code = ?", code) == ["换了标题"]


def test_refresh_fetches_known_articles_of_that_age_again_and_no_others(
    crawl_column: Finews, site: SampleSite, query: Query
) -> None:
    crawl_column()
    site.reset()
    crawl_column("--refresh", "2026-09-18 21:00")
    assert set(site.requested_codes) == set(query("SELECT code FROM articles WHERE published_at >= '2026-09-18T21:00'"))
    assert site.requested_codes


@pytest.fixture
def withdrawn(crawl_column: Finews, site: SampleSite) -> str:
    """An article that was crawled, went from the source and was looked for again."""
    code = site.corpus.codes_in_columns(["345"])[3]
    crawl_column()
    site.corpus.remove(code)
    assert crawl_column("--refresh", "2026-09-18").code == 0
    return code


def test_a_withdrawn_article_is_marked_and_keeps_its_text(withdrawn: str, query: Query, output: Any) -> None:
    assert query("SELECT code FROM articles WHERE withdrawn_at IS NOT NULL") == [withdrawn]
    assert query("SELECT length(body_text) > 0 FROM articles WHERE code = ?", withdrawn) == [1]
    outcome, detail = query("SELECT outcome, detail FROM entries WHERE code = ? ORDER BY id DESC LIMIT 1", withdrawn)[0]
    assert outcome == "updated"
    assert "withdrawn" in detail
    assert_posts_are_rows(output)
    assert_books_balance(query)


def test_a_withdrawal_is_told_as_one_and_as_no_listing(
    withdrawn: str, site: SampleSite, finews: Finews, output: Path
) -> None:
    where = ("--output", str(output))
    explained = finews("explain", withdrawn, *where).out
    assert "  in no listing: updated: withdrawn at the source: HTTP 404\n" in explained
    assert "taken in: withdrawn" not in explained
    gone = "withdrawn: gone from the source since 20"
    assert gone in explained
    assert gone in finews("show", withdrawn, *where).out
    assert finews("show", withdrawn, "--json", *where).value["withdrawn_at"]
    other = site.corpus.codes_in_columns(["345"])[0]
    assert "withdrawn:" not in finews("show", other, *where).out


def test_a_frozen_post_is_told_where_it_stands(crawl_column: Finews, finews: Finews, output: Path) -> None:
    crawl_column("--limit", "1")
    (post,) = output.glob("_posts/*/*/*/*.md")
    code = post.stem.rpartition("-NW")[2]
    place = output / "_frozen" / post.relative_to(output / "_posts")
    place.parent.mkdir(parents=True)
    post.rename(place)
    assert f"post: {place} (it stands, revision 1)" in finews("explain", code, "--output", str(output)).out
    place.unlink()
    assert f"post: {post} (missing: " in finews("explain", code, "--output", str(output)).out


def test_an_article_that_comes_back_is_withdrawn_no_more(crawl_column: Finews, site: SampleSite, query: Query) -> None:
    code = site.corpus.codes_in_columns(["345"])[3]
    article = site.corpus.find_article(code)
    assert article
    crawl_column()
    site.corpus.remove(code)
    crawl_column("--refresh", "2026-09-18")
    site.corpus.add(article)
    crawl_column()
    assert query("SELECT withdrawn_at FROM articles WHERE code = ?", code) == [None]


def test_an_outage_withdraws_nothing(crawl_column: Finews, site: SampleSite, query: Query) -> None:
    crawl_column()
    site.add_fault("/kuaixun/|/a/", return_status(404))
    answer = crawl_column("--refresh", "2026-09-18")
    assert answer.code == 3
    assert query("SELECT count(*) FROM articles WHERE withdrawn_at IS NOT NULL") == [0]
    assert answer.value["failed"] > 0
    assert_books_balance(query)


def test_each_interval_that_was_missed_is_told_and_recorded(
    finews: Finews, crawl_column: Finews, site: SampleSite, output: Any
) -> None:
    """Five times the listing turns over completely between two crawls, and five times it does not."""
    for code in list(site.corpus):
        site.corpus.remove(code)
    site.corpus.publish(12)
    crawl_column()
    expected = []
    for _ in range(5):
        before = site.corpus.find_listed(site.corpus.codes_in_columns(["345"])[0])
        for code in list(site.corpus.codes_in_columns(["345"])):
            site.corpus.remove(code)
        site.corpus.publish(12)
        oldest = site.corpus.find_listed(site.corpus.codes_in_columns(["345"])[-1])
        assert before
        assert oldest
        missed = crawl_column()
        assert missed.code == 3
        assert "missed in column 345" in missed.err
        expected.append((before.published_at.isoformat(), oldest.published_at.isoformat()))
        assert crawl_column().code == 0
    gaps = finews("runs", "--gaps", "--json", "--output", str(output)).value
    assert [(gap["after"], gap["before"]) for gap in reversed(gaps)] == expected


def test_no_gap_is_told_where_the_listing_still_reaches_back(crawl_column: Finews, site: SampleSite) -> None:
    crawl_column()
    for code in list(site.corpus.codes_in_columns(["345"]))[2:]:
        site.corpus.remove(code)
    site.corpus.publish(10)
    answer = crawl_column()
    assert (answer.code, answer.value["gaps"]) == (0, {})
