"""Articles of several pages: stored as one article, completely or not at all."""

from pathlib import Path

import pytest

from crawler.sample_site import Fault, SampleSite, reset_connection, return_body, return_redirect, return_status
from tests.support.commands import CommandRunner
from tests.support.database import Query
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows

COLUMN_ARGS = ("--column", "345")
CONTENT = "".join(f"<p>第{number}段。</p>" for number in range(1, 7))


@pytest.fixture
def long_code(sample_site: SampleSite) -> str:
    """Return the code of an article of three pages, whose detail is empty."""
    code = sample_site.corpus.codes_in_columns(["345"])[0]
    sample_site.corpus.replace(code, content=CONTENT, body_location="page2022", page_count=3, media="林业周报")
    return code


def page_requests(sample_site: SampleSite) -> list[str]:
    return [request.path.rpartition("/a/")[2] for request in sample_site.requests if "/a/" in request.path]


def test_pages_are_joined_in_order(
    crawl: CommandRunner, finews: CommandRunner, sample_site: SampleSite, long_code: str, query: Query, output: Path
) -> None:
    assert crawl("eastmoney", *COLUMN_ARGS, "--set", "KEEP_RAW=1").exit_code == 0
    source_line = '<p class="em_media">（文章来源：林业周报）</p>'
    assert query("SELECT body_html FROM articles WHERE code = ?", long_code) == [CONTENT + source_line]
    assert [path for path in page_requests(sample_site) if long_code in path] == [
        f"{long_code}.html", f"{long_code}_2.html", f"{long_code}_3.html",
    ]  # fmt: skip
    assert_posts_match_rows(output)
    assert_outcomes_add_up(query)
    assert finews("replay", "--json", "--output", str(output)).json == []
    sample_site.requests.clear()
    crawl("eastmoney", *COLUMN_ARGS)
    assert page_requests(sample_site) == []


def test_detail_has_all_pages(crawl: CommandRunner, sample_site: SampleSite, long_code: str, query: Query) -> None:
    sample_site.corpus.replace(long_code, body_location="json")
    crawl("eastmoney", *COLUMN_ARGS)
    assert not any(long_code in path for path in page_requests(sample_site))
    assert "第6段" in query("SELECT body_text FROM articles WHERE code = ?", long_code)[0]


PAGE = '<html><body><div id="ContentBody"><p>{}</p></div>{}</body></html>'
FAULTS = {
    "404": (return_status(404), "failed", "page 2"),
    "403": (return_status(403), "failed", "HTTP 403"),
    "reset": (reset_connection(), "failed", "closed"),
    "no text": (return_body(PAGE.format("　&nbsp;", "").encode(), "text/html"), "failed", "page 2"),
    "no page of a known layout": (return_body(b"<html><body>?</body></html>", "text/html"), "quarantined", "page"),
    "another page": (return_redirect("/a/{}.html"), "quarantined", "another page"),
}


@pytest.mark.parametrize(("fault", "outcome", "detail"), FAULTS.values(), ids=FAULTS.keys())
def test_article_without_one_of_its_pages_is_not_stored(
    crawl: CommandRunner, sample_site: SampleSite, long_code: str, query: Query, fault: Fault, outcome: str, detail: str
) -> None:
    if detail == "another page":
        fault = return_redirect(f"{sample_site.url}/a/{long_code}.html")
    sample_site.add_fault(f"{long_code}_2.html", fault)
    result = crawl("eastmoney", *COLUMN_ARGS)
    assert result.exit_code == 3
    assert query("SELECT count(*) FROM articles WHERE code = ?", long_code) == [0]
    ((found_outcome, found_detail),) = query("SELECT outcome, detail FROM entries WHERE code = ?", long_code)
    assert (found_outcome, detail in found_detail) == (outcome, True)
    sample_site.clear_faults()
    assert crawl("eastmoney", *COLUMN_ARGS).json["new"] == 1
    assert query("SELECT withdrawn_at FROM articles WHERE code = ?", long_code) == [None]


def test_known_article_whose_second_page_is_gone_is_not_withdrawn(
    crawl: CommandRunner, sample_site: SampleSite, long_code: str, query: Query
) -> None:
    crawl("eastmoney", *COLUMN_ARGS)
    before = query("SELECT * FROM articles WHERE code = ?", long_code)
    sample_site.corpus.replace(long_code, title="新题")
    sample_site.add_fault(f"{long_code}_2.html", return_status(404))
    assert crawl("eastmoney", *COLUMN_ARGS).json["failed"] == 1
    assert query("SELECT * FROM articles WHERE code = ?", long_code) == before


@pytest.mark.parametrize(("page_count", "is_stored"), [(10, True), (11, False)])
def test_at_most_ten_pages_are_read(
    crawl: CommandRunner, sample_site: SampleSite, long_code: str, query: Query, page_count: int, is_stored: bool
) -> None:
    content = "".join(f"<p>第{number}段。</p>" for number in range(1, page_count + 1))
    sample_site.corpus.replace(long_code, content=content, page_count=page_count)
    crawl("eastmoney", *COLUMN_ARGS)
    assert query("SELECT count(*) FROM articles WHERE code = ?", long_code) == [is_stored]
    assert len([path for path in page_requests(sample_site) if long_code in path]) == 10


def test_page_that_repeats_an_earlier_one_is_not_joined(
    crawl: CommandRunner, sample_site: SampleSite, long_code: str, query: Query
) -> None:
    page = PAGE.format("同一页", f'<a href="/a/{long_code}_2.html">2</a>').encode()
    sample_site.add_fault(f"/a/{long_code}", return_body(page, "text/html"))
    crawl("eastmoney", *COLUMN_ARGS)
    ((outcome, detail),) = query("SELECT outcome, detail FROM entries WHERE code = ?", long_code)
    assert (outcome, "repeats" in detail) == ("quarantined", True)
