"""Successive crawls: articles that are fetched again, corrected, withdrawn or missed."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import SampleSite, SourceArticle, return_status
from tests.support.commands import CommandResult, CommandRunner
from tests.support.database import Query
from tests.support.hostile import rewrite_json
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows

COLUMN_ARGS = ("--column", "345")


@pytest.fixture
def listed_codes(sample_site: SampleSite) -> list[str]:
    """Return the codes of one column, newest first: more than two pages."""
    sample_site.corpus.publish(700)
    codes = list(sample_site.corpus.codes_in_columns(["345"]))
    assert len(codes) > 200
    return codes


@pytest.fixture
def crawl_column(crawl: CommandRunner) -> CommandRunner:
    def run(*args: str) -> CommandResult:
        return crawl("eastmoney", *COLUMN_ARGS, *args)

    return run


def pages_requested(sample_site: SampleSite) -> list[str]:
    return [hit.query["page_index"] for hit in sample_site.requests if "getNewsByColumns" in hit.path]


def edit_article(sample_site: SampleSite, code: str, *, minutes: int = 0, **changes: Any) -> SourceArticle:
    """Edit an article, which the listing then shows with a newer time."""
    article = sample_site.corpus.find_article(code)
    assert article
    return sample_site.corpus.replace(code, published_at=article.published_at + timedelta(minutes=minutes), **changes)


def test_crawl_stops_at_covered_range(
    crawl_column: CommandRunner, sample_site: SampleSite, listed_codes: list[str]
) -> None:
    assert crawl_column().json["listed"] == len(listed_codes)
    sample_site.reset()
    second_crawl = crawl_column()
    assert pages_requested(sample_site) == ["1"]
    assert sample_site.requested_codes == []
    assert second_crawl.json["unchanged"] == second_crawl.json["listed"]
    new_codes = sample_site.corpus.publish(20)
    new_count = crawl_column().json["new"]
    assert new_count == len(set(new_codes) & set(sample_site.corpus.codes_in_columns(["345"])))


def test_crawl_does_not_stop_at_first_known_code(
    crawl_column: CommandRunner, sample_site: SampleSite, listed_codes: list[str], query: Query
) -> None:
    """The source lists edited articles again, above new ones."""
    crawl_column()
    new_codes = sample_site.corpus.publish(400)
    newest_head = sample_site.corpus.find_listed(sample_site.corpus.codes_in_columns(["345"])[0])
    assert newest_head
    resurfaced = sample_site.corpus.replace(
        listed_codes[-1], published_at=newest_head.published_at + timedelta(minutes=5)
    )
    result = crawl_column()
    expected = set(new_codes) & set(sample_site.corpus.codes_in_columns(["345"]))
    assert result.json["new"] == len(expected) > 100
    assert result.json["updated"] == 1
    assert query("SELECT revision FROM articles WHERE code = ?", resurfaced.code) == [2]


def test_limited_crawl_covers_nothing(crawl_column: CommandRunner, listed_codes: list[str]) -> None:
    crawl_column("--limit", "30")
    crawl_column("--category", "财联社")
    assert crawl_column().json["listed"] == len(listed_codes)


def test_failed_entry_is_retried_within_covered_range(
    crawl_column: CommandRunner, sample_site: SampleSite, listed_codes: list[str], query: Query
) -> None:
    failing_code = listed_codes[150]
    sample_site.add_fault(f"/(article|a)/{failing_code}", return_status(500))
    assert crawl_column().exit_code == 3
    sample_site.clear_faults()
    result = crawl_column()
    assert (result.exit_code, result.json["new"]) == (0, 1)
    assert query("SELECT count(*) FROM articles WHERE code = ?", failing_code) == [1]
    sample_site.reset()
    crawl_column()
    assert pages_requested(sample_site) == ["1"]


def test_permanently_failing_entry_stops_blocking_coverage(
    crawl_column: CommandRunner, sample_site: SampleSite, listed_codes: list[str]
) -> None:
    sample_site.add_fault(listed_codes[150], return_status(404))
    for _ in range(3):
        assert crawl_column().exit_code == 3
    sample_site.requests.clear()
    assert crawl_column().exit_code == 0
    assert pages_requested(sample_site) == ["1"]


def test_since_extends_coverage_downwards_once(
    crawl_column: CommandRunner, sample_site: SampleSite, listed_codes: list[str]
) -> None:
    times = [head.published_at for code in listed_codes if (head := sample_site.corpus.find_listed(code))]
    recent, older = (times[index].strftime("%Y-%m-%d %H:%M") for index in (50, 130))
    crawl_column("--since", recent)
    sample_site.reset()
    crawl_column("--since", recent)
    assert pages_requested(sample_site) == ["1"]
    sample_site.reset()
    assert crawl_column("--since", older).json["new"] >= 75
    # The second request is for the page of 200 rows, which includes the first page.
    assert pages_requested(sample_site) == ["1", "1"]


def test_only_text_or_time_changes_are_revisions(
    crawl_column: CommandRunner, sample_site: SampleSite, query: Query, output: Any
) -> None:
    """Three edits by an editor are three revisions, three changes of markup are none."""
    sample_site.corpus.publish(30)
    codes = [
        code
        for code in sample_site.corpus.codes_in_columns(["345"])
        if (candidate := sample_site.corpus.find_article(code))
        and candidate.body_location == "json"
        and candidate.code != "202609183878840472"
    ][:6]
    crawl_column()
    bodies = [article.content for code in codes if (article := sample_site.corpus.find_article(code))]
    edit_article(sample_site, codes[0], title="更正后的标题")
    edit_article(sample_site, codes[1], content=bodies[1].replace("。", "（更正）。", 1))
    edit_article(sample_site, codes[2], minutes=1)
    edit_article(sample_site, codes[3], content=bodies[3].replace("<p>", '<p style="text-indent:2em" data-x="1">'))
    edit_article(sample_site, codes[4], content=bodies[4] + '<p style="display:none">token=1</p>')
    edit_article(sample_site, codes[5], content=bodies[5].replace("<p>", "<p><span></span>", 1))
    result = crawl_column("--refresh", "2026-09-01")
    assert query("SELECT code FROM revisions ORDER BY code") == sorted(codes[:3])
    assert result.json["updated"] == 3
    assert query("SELECT count(*) FROM articles WHERE changed_at IS NOT NULL") == [3]
    assert_posts_match_rows(output)


@pytest.mark.parametrize(("first", "second"), [("json", "page2022"), ("page2022", "json"), ("json", "page2018")])
def test_the_way_an_article_comes_is_no_correction(
    crawl_column: CommandRunner, sample_site: SampleSite, query: Query, output: Any, first: str, second: str
) -> None:
    """Pages have the media at their foot, the site's name in their titles, and adverts; the JSON has none of these."""
    codes = sample_site.corpus.codes_in_columns(["345"])
    for code in codes:
        sample_site.corpus.replace(code, body_location=first)
    crawl_column()
    named = "SELECT count(*) FROM articles WHERE media != '东方财富网'"
    assert query(f"{named} AND body_html NOT LIKE '%（文章来源：' || replace(media, '&', '&amp;') || '）</p>'") == [0]
    before = query("SELECT * FROM articles ORDER BY code")
    for code in codes:
        sample_site.corpus.replace(code, body_location=second)
    result = crawl_column("--refresh", "2021-01-01")
    assert (result.json["updated"], result.json["unchanged"]) == (0, result.json["listed"])
    assert query("SELECT * FROM articles ORDER BY code") == before
    assert_posts_match_rows(output)


def test_changed_listing_row_is_fetched_without_refresh(
    crawl_column: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    code = sample_site.corpus.codes_in_columns(["345"])[2]
    crawl_column()
    sample_site.reset()
    edit_article(sample_site, code, title="换了标题")
    assert crawl_column().json["updated"] == 1
    assert sample_site.requested_codes == [code]
    assert query("SELECT title FROM articles WHERE code = ?", code) == ["换了标题"]


def test_refresh_fetches_only_articles_of_that_age(
    crawl_column: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    crawl_column()
    sample_site.reset()
    crawl_column("--refresh", "2026-09-18 21:00")
    assert set(sample_site.requested_codes) == set(
        query("SELECT code FROM articles WHERE published_at >= '2026-09-18T21:00'")
    )
    assert sample_site.requested_codes


@pytest.fixture
def withdrawn_code(crawl_column: CommandRunner, sample_site: SampleSite) -> str:
    """Crawl an article, remove it from the source, and crawl again."""
    code = sample_site.corpus.codes_in_columns(["345"])[3]
    crawl_column()
    sample_site.corpus.remove(code)
    assert crawl_column("--refresh", "2026-09-18").exit_code == 0
    return code


def test_withdrawn_article_keeps_its_text(withdrawn_code: str, query: Query, output: Any) -> None:
    assert query("SELECT code FROM articles WHERE withdrawn_at IS NOT NULL") == [withdrawn_code]
    assert query("SELECT length(body_text) > 0 FROM articles WHERE code = ?", withdrawn_code) == [1]
    outcome, detail = query(
        "SELECT outcome, detail FROM entries WHERE code = ? ORDER BY id DESC LIMIT 1", withdrawn_code
    )[0]
    assert outcome == "updated"
    assert "withdrawn" in detail
    assert_posts_match_rows(output)
    assert_outcomes_add_up(query)


def test_explain_and_show_report_a_withdrawal(
    withdrawn_code: str, sample_site: SampleSite, finews: CommandRunner, output: Path
) -> None:
    output_args = ("--output", str(output))
    explained = finews("explain", withdrawn_code, *output_args).stdout
    assert "  in no listing: updated: withdrawn at the source: HTTP 404\n" in explained
    assert "text saved: withdrawn" not in explained
    withdrawn_note = "withdrawn: missing at the source since 20"
    assert withdrawn_note in explained
    assert withdrawn_note in finews("show", withdrawn_code, *output_args).stdout
    assert finews("show", withdrawn_code, "--json", *output_args).json["withdrawn_at"]
    other_code = sample_site.corpus.codes_in_columns(["345"])[0]
    assert "withdrawn:" not in finews("show", other_code, *output_args).stdout


def test_explain_finds_an_archived_post(crawl_column: CommandRunner, finews: CommandRunner, output: Path) -> None:
    crawl_column("--limit", "1")
    (post,) = output.glob("_posts/*/*/*/*.md")
    code = post.stem.rpartition("-NW")[2]
    archived_path = output / "_frozen" / post.relative_to(output / "_posts")
    archived_path.parent.mkdir(parents=True)
    post.rename(archived_path)
    assert f"post: {archived_path} (written, revision 1)" in finews("explain", code, "--output", str(output)).stdout
    archived_path.unlink()
    assert f"post: {post} (missing: " in finews("explain", code, "--output", str(output)).stdout


def test_article_that_returns_is_no_longer_withdrawn(
    crawl_column: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    code = sample_site.corpus.codes_in_columns(["345"])[3]
    article = sample_site.corpus.find_article(code)
    assert article
    crawl_column()
    sample_site.corpus.remove(code)
    crawl_column("--refresh", "2026-09-18")
    sample_site.corpus.add(article)
    crawl_column()
    assert query("SELECT withdrawn_at FROM articles WHERE code = ?", code) == [None]


def test_an_outage_withdraws_nothing(crawl_column: CommandRunner, sample_site: SampleSite, query: Query) -> None:
    crawl_column()
    sample_site.add_fault("/kuaixun/|/a/", return_status(404))
    result = crawl_column("--refresh", "2026-09-18")
    assert result.exit_code == 3
    assert query("SELECT count(*) FROM articles WHERE withdrawn_at IS NOT NULL") == [0]
    assert result.json["failed"] > 0
    assert_outcomes_add_up(query)


def test_each_gap_is_reported_and_stored(
    finews: CommandRunner, crawl_column: CommandRunner, sample_site: SampleSite, output: Any
) -> None:
    """In five of ten cases all entries of the listing are replaced between two crawls."""
    for code in list(sample_site.corpus):
        sample_site.corpus.remove(code)
    sample_site.corpus.publish(12)
    crawl_column()
    expected = []
    for _ in range(5):
        before = sample_site.corpus.find_listed(sample_site.corpus.codes_in_columns(["345"])[0])
        for code in list(sample_site.corpus.codes_in_columns(["345"])):
            sample_site.corpus.remove(code)
        sample_site.corpus.publish(12)
        oldest = sample_site.corpus.find_listed(sample_site.corpus.codes_in_columns(["345"])[-1])
        assert before
        assert oldest
        crawl_with_gap = crawl_column()
        assert crawl_with_gap.exit_code == 3
        assert "missed in column 345" in crawl_with_gap.stderr
        expected.append((before.published_at.isoformat(), oldest.published_at.isoformat()))
        assert crawl_column().exit_code == 0
    gaps = finews("runs", "--gaps", "--json", "--output", str(output)).json
    assert [(gap["after"], gap["before"]) for gap in reversed(gaps)] == expected


def test_no_gap_while_listing_overlaps_coverage(crawl_column: CommandRunner, sample_site: SampleSite) -> None:
    crawl_column()
    for code in list(sample_site.corpus.codes_in_columns(["345"]))[2:]:
        sample_site.corpus.remove(code)
    sample_site.corpus.publish(10)
    result = crawl_column()
    assert (result.exit_code, result.json["gaps"]) == (0, {})


def test_columns_that_disagree_do_not_fetch_an_article_at_every_turn(
    crawl: CommandRunner, sample_site: SampleSite
) -> None:
    """One column lists its articles a minute later, with other titles."""

    def disagree(response_json: Any) -> None:
        for row in response_json["data"]["list"]:
            row["title"] += "（图）"
            row["showTime"] = row["showTime"][:-2] + "59"

    sample_site.add_fault("column=344&", rewrite_json(disagree))
    in_both = set(sample_site.corpus.codes_in_columns(["345"])) & set(sample_site.corpus.codes_in_columns(["344"]))
    assert in_both
    for column in ("345", "344", "345", "344"):
        sample_site.requests.clear()
        result = crawl("eastmoney", "--column", column)
        fetched_again = set(sample_site.requested_codes) & in_both
        assert result.exit_code == 0
        if result.json["id"] > 2:
            assert not fetched_again
