"""Whole crawls: the real command, the sample site over real sockets, real files and a real database."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler import sample_site
from crawler.content.post_format import SiteLinks, render_post
from crawler.items import Outcome, Post
from crawler.sample_site import SampleSite, reset_connection, return_redirect, return_status, truncate_body
from crawler.storage import Store
from tests.conftest import Finews

Query = Callable[..., list[Any]]

FIRST_POST = "2022-01-10-NW202201102242171631.md"
REAL_POSTS = Path(sample_site.__file__).parent / "posts"
BLANK_ROW = "202205262391921712"


def posts_in(output: Path) -> list[Path]:
    return sorted((output / "_posts").rglob("*.md"))


def assert_books_balance(query: Query) -> None:
    """Each run lists what it lists, and every entry has one outcome."""
    total = " + ".join(f'"{outcome}"' for outcome in Outcome)
    assert query(f"SELECT id FROM runs WHERE listed != {total}") == []  # noqa: S608  # our own words
    assert query("SELECT id FROM entries WHERE outcome IS NULL OR reason IS NULL") == []
    assert query("SELECT id FROM runs WHERE listed != (SELECT count(*) FROM entries WHERE run_id = runs.id)") == []


def assert_posts_are_rows(output: Path) -> None:
    """Each row's post stands where it says, with the bytes that follow from the row, and there is no other."""
    with Store.open_ro(output) as store:
        rows = [store.articles.get(path.name[13:-3]) for path in posts_in(output)]
        assert store.articles.count() == len(rows)
    for path, row in zip(posts_in(output), rows, strict=True):
        assert row is not None
        assert path == output / row["post_path"]
        assert path.read_text() == render_post(Post.from_row(row), SiteLinks("//finews.withounder.com"))
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["post_sha256"]


@pytest.mark.parametrize(
    "name", [FIRST_POST, "2022-04-21-NW202204212352230938.md"], ids=["the first post", "another without links"]
)
def test_the_real_posts_come_out_byte_for_byte(crawl: Finews, output: Path, name: str) -> None:
    crawl("choice")
    found = next(path for path in posts_in(output) if path.name == name)
    assert found.read_bytes() == (REAL_POSTS / name).read_bytes()
    year, month, day = name.split("-")[:3]
    assert found.parent == output / "_posts" / year / month / day


@pytest.mark.parametrize(("spider", "exit_code"), [("choice", 3), ("eastmoney", 0), ("flash", 0)])
def test_every_entry_of_the_sample_site_is_accounted_for(
    crawl: Finews, output: Path, query: Query, spider: str, exit_code: int
) -> None:
    answer = crawl(spider)
    assert answer.code == exit_code, answer.err
    assert answer.value["new"] == query("SELECT count(*) FROM articles")[0] > 0
    assert answer.value["failed"] == 0
    assert_books_balance(query)
    assert_posts_are_rows(output)


def test_a_blank_row_is_kept_and_told_and_never_published(crawl: Finews, query: Query, output: Path) -> None:
    answer = crawl("choice")
    assert answer.code == 3
    assert BLANK_ROW in answer.err
    assert query("SELECT outcome, detail FROM entries WHERE code = ?", BLANK_ROW) == [
        ("quarantined", "183.136.162.242/web/webapi: field 'title' is empty")
    ]
    assert json.loads(query("SELECT raw FROM quarantine")[0])["infoCode"] == f"NW{BLANK_ROW}"
    assert not [path for path in posts_in(output) if BLANK_ROW in path.name]


def test_a_second_crawl_fetches_no_article_and_changes_no_byte(crawl: Finews, site: SampleSite, output: Path) -> None:
    for spider in ("choice", "eastmoney", "flash"):
        crawl(spider)
    before = {path: path.stat().st_mtime_ns for path in posts_in(output)}
    site.reset()
    answers = [crawl(spider) for spider in ("choice", "eastmoney", "flash")]
    assert site.requested_codes == []
    assert [answer.code for answer in answers] == [0, 0, 0]
    assert [answer.value["new"] + answer.value["updated"] for answer in answers] == [0, 0, 0]
    assert {path: path.stat().st_mtime_ns for path in posts_in(output)} == before


def test_what_two_spiders_and_many_columns_list_is_one_row_and_one_post(
    crawl: Finews, site: SampleSite, output: Path, query: Query
) -> None:
    crawl("choice")
    crawl("eastmoney")
    both = set(site.corpus.codes_in_list("37")) & set(site.corpus.codes_in_columns(["350", "355"]))
    assert both
    for code in both:
        assert query("SELECT source FROM articles WHERE code = ?", code) == ["choice"]
        assert len([path for path in posts_in(output) if code in path.name]) == 1
        columns = set(query("SELECT column_id FROM article_columns WHERE code = ?", code))
        assert {"37"} < columns
    assert_books_balance(query)


def test_full_text_takes_the_place_of_fast_news_and_keeps_what_it_said(
    crawl: Finews, query: Query, output: Path
) -> None:
    crawl("flash")
    flashed = set(query("SELECT code FROM articles"))
    paths = dict(query("SELECT code, post_path FROM articles"))
    answer = crawl("eastmoney")
    updated = set(query("SELECT code FROM articles WHERE revision = 2"))
    assert updated
    assert updated <= flashed
    assert answer.value["updated"] == len(updated)
    assert set(query("SELECT code FROM revisions")) == updated
    assert {code: paths[code] for code in updated} == {
        code: path for code, path in query("SELECT code, post_path FROM articles") if code in updated
    }
    assert crawl("flash").value["updated"] == 0
    assert_posts_are_rows(output)


@pytest.mark.parametrize("asked", ["中国农网", "zhongguonongwang"])
def test_a_crawl_of_one_category_fetches_its_bodies_and_no_other(
    crawl: Finews, site: SampleSite, query: Query, asked: str
) -> None:
    answer = crawl("eastmoney", "--category", asked)
    heads = [site.corpus.find_listed(code) for code in set(site.requested_codes)]
    assert answer.code == 0
    assert heads
    assert {head.media for head in heads if head} == {"中国农网"}
    assert query("SELECT DISTINCT media FROM articles") == ["中国农网"]
    assert answer.value["new"] == len(heads)
    assert answer.value["filtered"] > 0


@pytest.mark.parametrize(("spider", "media"), [("choice", {"财联社", "中国农网"}), ("flash", {"中国证券报"})])
def test_categories_narrow_the_other_spiders_too(crawl: Finews, query: Query, spider: str, media: set[str]) -> None:
    crawl(spider, *(word for name in media for word in ("--category", name)))
    assert set(query("SELECT DISTINCT media FROM articles")) == media


def test_a_wrong_slug_ends_before_any_request(crawl: Finews, site: SampleSite, output: Path) -> None:
    answer = crawl("eastmoney", "--category", "zhongguonongwan")
    assert answer.code == 2
    assert "zhongguonongwang (中国农网)" in answer.err
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1
    assert len(site.requests) == 0
    assert not output.exists()


def test_a_new_chinese_name_is_taken_with_a_note(crawl: Finews) -> None:
    answer = crawl("eastmoney", "--category", "不存在的新报纸")
    assert answer.code == 0
    assert answer.value["new"] == 0
    assert "不存在的新报纸" in answer.value["notes"][0]


def test_columns_by_id_and_by_name_are_the_same(crawl: Finews, site: SampleSite) -> None:
    crawl("eastmoney", "--column", "350")
    by_id = [hit.query["column"] for hit in site.requests if "getNewsByColumns" in hit.path]
    site.reset()
    crawl("eastmoney", "--column", "国内经济")
    assert [hit.query["column"] for hit in site.requests if "getNewsByColumns" in hit.path] == by_id == ["350"]


def test_paging_goes_on_to_the_end_of_the_list(crawl: Finews, site: SampleSite) -> None:
    site.corpus.publish(400)
    listed = site.corpus.codes_in_columns(["345"])
    assert len(listed) > 100
    answer = crawl("eastmoney", "--column", "345")
    assert answer.value["listed"] == answer.value["new"] == len(listed)
    pages = [hit.query["page_index"] for hit in site.requests if "getNewsByColumns" in hit.path]
    assert pages == ["1", "2"]


def test_the_cursor_of_fast_news_is_followed_to_its_end(crawl: Finews, site: SampleSite) -> None:
    site.corpus.publish(300)
    listed = site.corpus.codes_in_fast_news()
    assert len(listed) > 50
    assert crawl("flash").value["listed"] == len(listed)


def test_since_ends_the_paging_and_until_narrows(crawl: Finews, site: SampleSite, query: Query) -> None:
    site.corpus.publish(500)
    newest = [site.corpus.find_listed(code) for code in site.corpus.codes_in_columns(["345"])]
    since, until = (newest[place].published_at.strftime("%Y-%m-%d %H:%M") for place in (40, 10) if newest[place])  # type: ignore[union-attr]
    answer = crawl("eastmoney", "--column", "345", "--since", since, "--until", until)
    times = query("SELECT published_at FROM articles ORDER BY 1")
    assert answer.value["new"] == len(times) >= 30
    assert since.replace(" ", "T") <= times[0][:16]
    assert times[-1][:16] <= until.replace(" ", "T")
    assert [hit.query["page_index"] for hit in site.requests if "getNewsByColumns" in hit.path] == ["1"]


def test_limit_counts_wanted_entries_known_ones_included(crawl: Finews, query: Query) -> None:
    column = ("eastmoney", "--column", "345")  # of several listings, the one whose reply comes first counts first
    assert crawl(*column, "--limit", "3").value["new"] == 3
    again = crawl(*column, "--limit", "5").value
    assert (again["new"], again["unchanged"]) == (2, 3)
    assert_books_balance(query)


def test_a_page_that_comes_again_and_again_ends_the_walk(crawl: Finews, site: SampleSite) -> None:
    """A recorded reply says 5000 hits: a source that answers every page with it must not be walked 250 times."""
    recorded = (Path(sample_site.__file__).parent / "recorded" / "df_list_344.json").read_bytes()
    site.add_fault("getNewsByColumns", sample_site.return_body(recorded, "application/json"))
    crawl("eastmoney", "--column", "344")
    assert len([hit for hit in site.requests if "getNewsByColumns" in hit.path]) == 2


def test_a_source_that_is_down_is_one_line_and_exit_1(finews: Finews, output: Path) -> None:
    answer = finews("crawl", "--mirror", "http://127.0.0.1:9", "--output", str(output), "--set", "RETRY_BACKOFF=0")
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 1
    assert "refused" in answer.err
    assert answer.out == ""


def test_an_error_shell_with_http_200_fails_like_any_error(crawl: Finews, site: SampleSite, query: Query) -> None:
    shell = b'{"code": 0, "message": "Required String parameter \'req_trace\' is not present"}'
    site.add_fault("getNewsByColumns", sample_site.return_body(shell, "application/json"))
    answer = crawl()
    assert answer.code == 1
    assert "req_trace" in answer.err
    assert query("SELECT outcome FROM runs") == ["failed"]


def test_some_failures_are_exit_3_and_are_tried_again(
    crawl: Finews, site: SampleSite, output: Path, query: Query
) -> None:
    codes = list(site.corpus.codes_in_columns(["345"]))
    for code, fault in zip(
        codes, (return_status(500), reset_connection(), truncate_body(40), return_status(404)), strict=False
    ):
        site.add_fault(f"article/{code}", fault)
    site.add_fault(f"/a/{codes[3]}", return_status(404))
    answer = crawl("eastmoney", "--column", "345")
    assert answer.code == 3
    assert set(query("SELECT code FROM entries WHERE outcome = 'failed'")) == set(codes[:4])
    assert all(code in answer.err for code in codes[:4])
    assert_books_balance(query)
    site.clear_faults()
    again = crawl("eastmoney", "--column", "345")
    assert again.code == 0
    assert again.value["new"] == 4
    assert_posts_are_rows(output)


def test_a_redirect_to_another_host_is_a_failed_entry(crawl: Finews, site: SampleSite, query: Query) -> None:
    """Scrapy's offsite filter gives neither callback nor errback."""
    code = site.corpus.codes_in_columns(["345"])[0]
    site.add_fault(f"article/{code}", return_redirect(f"http://localhost:{site.url.rsplit(':', 1)[1]}/article/{code}"))
    answer = crawl("eastmoney", "--column", "345")
    assert answer.code == 3
    assert query("SELECT outcome, detail FROM entries WHERE code = ?", code) == [
        ("failed", f"the source sends to http://localhost:{site.url[17:]}/article/{code}, which is none of its hosts")
    ]
    assert_books_balance(query)


def test_a_fault_in_the_crawl_itself_is_one_line_and_exit_1(crawl: Finews) -> None:
    answer = crawl("choice", "--set", "CHOICE_HOSTS={}")
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 1


def test_a_listing_that_is_no_json_goes_to_quarantine_and_the_others_go_on(
    crawl: Finews, site: SampleSite, query: Query
) -> None:
    site.add_fault("column=351", sample_site.return_body(b"<html><body>maintenance</body></html>", "text/html"))
    answer = crawl()
    assert answer.code == 3
    assert answer.value["new"] > 0
    assert "351" in answer.err
    assert query("SELECT raw FROM quarantine") == [b"<html><body>maintenance</body></html>"]


def test_another_articles_text_is_not_taken(crawl: Finews, site: SampleSite, query: Query) -> None:
    wrong, right = list(site.corpus.codes_in_columns(["345"]))[:2]
    with_detail = json.dumps({"success": 1, "data": {"Art_Code": right, "Art_Content": "<p>另一篇</p>"}})
    site.add_fault(f"article/{wrong}", sample_site.return_body(with_detail.encode(), "application/json"))
    assert crawl("eastmoney", "--column", "345").code == 3
    assert query("SELECT outcome FROM entries WHERE code = ?", wrong) == ["quarantined"]
    assert query("SELECT count(*) FROM articles WHERE code = ?", wrong) == [0]


def test_html_pages_of_both_layouts_stand_in_for_an_empty_detail(crawl: Finews, site: SampleSite, query: Query) -> None:
    site.corpus.publish(30)
    crawl()
    for layout in ("page2022", "page2018"):
        codes = [code for code in site.corpus if getattr(site.corpus.find_article(code), "body_location", "") == layout]
        assert codes
        for code in codes:
            assert query("SELECT length(body_text) > 20 FROM articles WHERE code = ?", code) == [1]


@pytest.mark.parametrize(
    "filling", ["<i>" * 60_000, "<p " + " ".join(f"a{n:x}" for n in range(70_000)) + ">"], ids=["tags", "words"]
)
def test_a_page_that_would_take_minutes_to_parse_goes_to_quarantine(
    crawl: Finews, site: SampleSite, query: Query, filling: str
) -> None:
    site.corpus.publish(30)
    code = next(
        code for code in site.corpus if getattr(site.corpus.find_article(code), "body_location", "") == "page2022"
    )
    page = f'<html><body><div id="ContentBody"><p>字</p></div>{filling}</body></html>'
    site.add_fault(f"/a/{code}", sample_site.return_body(page.encode(), "text/html"))
    assert crawl().code == 3
    assert query("SELECT outcome, detail LIKE 'too complex: %' FROM entries WHERE code = ?", code)[0] == (
        "quarantined",
        1,
    )


def test_hosts_of_the_spider_choice_are_settings(site: SampleSite, finews: Finews, output: Path) -> None:
    hosts = json.dumps(dict.fromkeys(("list", "market", "text"), site.url))
    answer = finews("crawl", "choice", "--output", str(output), "--set", f"CHOICE_HOSTS={hosts}", "--json")
    assert answer.value["new"] > 0


def test_the_share_host_of_the_spider_choice_is_a_setting(crawl: Finews, query: Query) -> None:
    assert crawl("choice", "--set", "SHARE_HOST=https://news.example.org").value["new"] > 0
    prefix = "https://news.example.org/html_News/NewsShare.html?infoCode=NW"
    assert query("SELECT count(*) FROM articles WHERE url != ? || code", prefix) == [0]


def test_a_second_crawl_of_one_output_is_turned_away(crawl: Finews, output: Path) -> None:
    from crawler.storage.output_dir import OutputDir, create_output_dir

    create_output_dir(output)
    with OutputDir.lock(output):
        answer = crawl()
    assert answer.code == 75
    assert len(answer.err.splitlines()) == 1


def test_the_next_crawl_writes_the_post_that_a_killed_one_owed(crawl: Finews, output: Path, query: Query) -> None:
    import sqlite3

    crawl("choice")
    lost = posts_in(output)[0]
    lost.unlink()
    unfinished = lost.parent / f".{lost.name}.abc"
    unfinished.write_text("half")
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("UPDATE articles SET published_revision = NULL WHERE code = ?", [lost.name[13:-3]])
        connection.execute("UPDATE runs SET finished_at = NULL, outcome = NULL")
        connection.execute("UPDATE entries SET outcome = NULL WHERE id = 1")
    connection.close()
    crawl("choice")
    assert lost.exists()
    assert not unfinished.exists()
    assert query("SELECT outcome FROM runs ORDER BY id") == ["interrupted", "done"]
    assert_books_balance(query)
    assert_posts_are_rows(output)
