"""Whole crawls: the real command, the sample site over real sockets, real files and a real database."""

import json
from pathlib import Path

import pytest

from crawler.sample_site import SampleSite, reset_connection, return_body, return_redirect, return_status, truncate_body
from tests.support.articles import LEGACY_POSTS_DIR, RECORDED_DIR
from tests.support.commands import FAST_SETTINGS, CommandRunner
from tests.support.database import Query
from tests.support.hostile import list_as_blog_posts
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows, post_paths

FIRST_POST_NAME = "2022-01-10-NW202201102242171631.md"
BLANK_ROW_CODE = "202205262391921712"


@pytest.mark.parametrize(
    "name", [FIRST_POST_NAME, "2022-04-21-NW202204212352230938.md"], ids=["the first post", "another without links"]
)
def test_real_posts_are_reproduced_byte_for_byte(crawl: CommandRunner, output: Path, name: str) -> None:
    crawl("choice")
    post_path = next(path for path in post_paths(output) if path.name == name)
    assert post_path.read_bytes() == (LEGACY_POSTS_DIR / name).read_bytes()
    year, month, day = name.split("-")[:3]
    assert post_path.parent == output / "_posts" / year / month / day


@pytest.mark.parametrize(("spider", "exit_code"), [("choice", 3), ("eastmoney", 0), ("flash", 0)])
def test_every_listing_entry_has_an_outcome(
    crawl: CommandRunner, output: Path, query: Query, spider: str, exit_code: int
) -> None:
    result = crawl(spider)
    assert result.exit_code == exit_code, result.stderr
    assert result.json["new"] == query("SELECT count(*) FROM articles")[0] > 0
    assert result.json["failed"] == 0
    assert_outcomes_add_up(query)
    assert_posts_match_rows(output)


def test_blank_row_is_quarantined_and_reported(crawl: CommandRunner, query: Query, output: Path) -> None:
    result = crawl("choice")
    assert result.exit_code == 3
    assert BLANK_ROW_CODE in result.stderr
    assert query("SELECT outcome, detail FROM entries WHERE code = ?", BLANK_ROW_CODE) == [
        ("quarantined", "183.136.162.242/web/webapi: field 'title' is empty")
    ]
    assert json.loads(query("SELECT raw FROM quarantine")[0])["infoCode"] == f"NW{BLANK_ROW_CODE}"
    assert not [path for path in post_paths(output) if BLANK_ROW_CODE in path.name]


def test_second_crawl_fetches_and_changes_nothing(crawl: CommandRunner, sample_site: SampleSite, output: Path) -> None:
    for spider in ("choice", "eastmoney", "flash"):
        crawl(spider)
    before = {path: path.stat().st_mtime_ns for path in post_paths(output)}
    sample_site.reset()
    results = [crawl(spider) for spider in ("choice", "eastmoney", "flash")]
    assert sample_site.requested_codes == []
    assert [result.exit_code for result in results] == [0, 0, 0]
    assert [result.json["new"] + result.json["updated"] for result in results] == [0, 0, 0]
    assert {path: path.stat().st_mtime_ns for path in post_paths(output)} == before


def test_article_listed_several_times_is_one_row_and_one_post(
    crawl: CommandRunner, sample_site: SampleSite, output: Path, query: Query
) -> None:
    crawl("choice")
    crawl("eastmoney")
    codes_in_both = set(sample_site.corpus.codes_in_list("37")) & set(
        sample_site.corpus.codes_in_columns(["350", "355"])
    )
    assert codes_in_both
    for code in codes_in_both:
        assert query("SELECT source FROM articles WHERE code = ?", code) == ["choice"]
        assert len([path for path in post_paths(output) if code in path.name]) == 1
        columns = set(query("SELECT column_id FROM article_columns WHERE code = ?", code))
        assert {"37"} < columns
    assert_outcomes_add_up(query)


def test_full_text_replaces_fast_news_and_keeps_a_revision(crawl: CommandRunner, query: Query, output: Path) -> None:
    crawl("flash")
    flash_codes = set(query("SELECT code FROM articles"))
    paths = dict(query("SELECT code, post_path FROM articles"))
    result = crawl("eastmoney")
    updated = set(query("SELECT code FROM articles WHERE revision = 2"))
    assert updated
    assert updated <= flash_codes
    assert result.json["updated"] == len(updated)
    assert set(query("SELECT code FROM revisions")) == updated
    assert {code: paths[code] for code in updated} == {
        code: path for code, path in query("SELECT code, post_path FROM articles") if code in updated
    }
    assert crawl("flash").json["updated"] == 0
    assert_posts_match_rows(output)


@pytest.mark.parametrize("category", ["中国农网", "zhongguonongwang"])
def test_category_crawl_fetches_only_its_articles(
    crawl: CommandRunner, sample_site: SampleSite, query: Query, category: str
) -> None:
    result = crawl("eastmoney", "--category", category)
    heads = [sample_site.corpus.find_listed(code) for code in set(sample_site.requested_codes)]
    assert result.exit_code == 0
    assert heads
    assert {head.media for head in heads if head} == {"中国农网"}
    assert query("SELECT DISTINCT media FROM articles") == ["中国农网"]
    assert result.json["new"] == len(heads)
    assert result.json["filtered"] > 0


@pytest.mark.parametrize(("spider", "media_names"), [("choice", {"财联社", "中国农网"}), ("flash", {"中国证券报"})])
def test_category_filter_works_for_all_spiders(
    crawl: CommandRunner, query: Query, spider: str, media_names: set[str]
) -> None:
    crawl(spider, *(word for name in media_names for word in ("--category", name)))
    assert set(query("SELECT DISTINCT media FROM articles")) == media_names


@pytest.mark.parametrize("category", ["zhongguonongwan", "中国农亡"])
def test_slip_in_a_category_fails_before_any_request(
    crawl: CommandRunner, sample_site: SampleSite, output: Path, category: str
) -> None:
    result = crawl("eastmoney", "--category", category)
    assert result.exit_code == 2
    assert "zhongguonongwang (中国农网)" in result.stderr
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert len(sample_site.requests) == 0
    assert not output.exists()


def test_new_media_under_which_nothing_is_listed_is_wrong_usage(crawl: CommandRunner, query: Query) -> None:
    result = crawl("eastmoney", "--category", "不存在的新报纸", "--category", "中国农网")
    assert result.exit_code == 2
    (note,) = result.json["notes"]
    assert note.startswith("unknown media '不存在的新报纸', and no entry is listed under it: ")
    assert result.stderr == f"finews: {note}\n"
    assert result.json["new"] > 0
    assert query("SELECT outcome FROM runs") == ["done"]


def test_new_media_is_crawled_and_known_from_then_on(
    crawl: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    code = sample_site.corpus.codes_in_columns(["345"])[0]
    sample_site.corpus.replace(code, media="不存在的新报纸")
    for new_count in (1, 0):
        result = crawl("eastmoney", "--column", "345", "--category", "不存在的新报纸")
        assert (result.exit_code, result.json["new"], result.json["notes"]) == (0, new_count, [])
    assert query("SELECT code, category FROM articles") == [(code, "bucunzaidexinbaozhi")]


def test_listing_that_is_missing_may_hold_the_new_media(crawl: CommandRunner, sample_site: SampleSite) -> None:
    sample_site.add_fault("column=345", return_status(404))
    result = crawl("eastmoney", "--column", "345,350", "--category", "不存在的新报纸")
    assert (result.exit_code, result.json["notes"]) == (3, [])


def test_columns_by_id_and_by_name_are_the_same(crawl: CommandRunner, sample_site: SampleSite) -> None:
    crawl("eastmoney", "--column", "350")
    by_id = [hit.query["column"] for hit in sample_site.requests if "getNewsByColumns" in hit.path]
    sample_site.reset()
    crawl("eastmoney", "--column", "国内经济")
    assert [hit.query["column"] for hit in sample_site.requests if "getNewsByColumns" in hit.path] == by_id == ["350"]


def test_crawl_paginates_to_the_end_of_the_listing(crawl: CommandRunner, sample_site: SampleSite) -> None:
    sample_site.corpus.publish(400)
    listed_codes = sample_site.corpus.codes_in_columns(["345"])
    assert len(listed_codes) > 100
    result = crawl("eastmoney", "--column", "345")
    assert result.json["listed"] == result.json["new"] == len(listed_codes)
    pages = [hit.query["page_index"] for hit in sample_site.requests if "getNewsByColumns" in hit.path]
    # The second request is for the page of 200 rows, which includes the first page.
    assert pages == ["1", "1"]


def test_fast_news_cursor_is_followed_to_its_end(crawl: CommandRunner, sample_site: SampleSite) -> None:
    sample_site.corpus.publish(300)
    listed_codes = sample_site.corpus.codes_in_fast_news()
    assert len(listed_codes) > 50
    assert crawl("flash").json["listed"] == len(listed_codes)


def test_since_stops_pagination_and_until_filters(crawl: CommandRunner, sample_site: SampleSite, query: Query) -> None:
    sample_site.corpus.publish(500)
    heads = [sample_site.corpus.find_listed(code) for code in sample_site.corpus.codes_in_columns(["345"])]
    since, until = (heads[index].published_at.strftime("%Y-%m-%d %H:%M") for index in (40, 10) if heads[index])  # type: ignore[union-attr]
    result = crawl("eastmoney", "--column", "345", "--since", since, "--until", until)
    times = query("SELECT published_at FROM articles ORDER BY 1")
    assert result.json["new"] == len(times) >= 30
    assert since.replace(" ", "T") <= times[0][:16]
    assert times[-1][:16] <= until.replace(" ", "T")
    assert [hit.query["page_index"] for hit in sample_site.requests if "getNewsByColumns" in hit.path] == ["1"]


def test_limit_counts_known_entries_too(crawl: CommandRunner, query: Query) -> None:
    column_args = ("eastmoney", "--column", "345")  # of several listings, the first response counts first
    assert crawl(*column_args, "--limit", "3").json["new"] == 3
    second_crawl = crawl(*column_args, "--limit", "5").json
    assert (second_crawl["new"], second_crawl["unchanged"]) == (2, 3)
    assert_outcomes_add_up(query)


def test_repeated_page_stops_pagination(crawl: CommandRunner, sample_site: SampleSite) -> None:
    """A source that returns a recorded response with 5000 hits for every page must not get 250 requests."""
    recorded = (RECORDED_DIR / "df_list_344.json").read_bytes()
    sample_site.add_fault("getNewsByColumns", return_body(recorded, "application/json"))
    crawl("eastmoney", "--column", "344")
    assert len([hit for hit in sample_site.requests if "getNewsByColumns" in hit.path]) == 2


def test_unreachable_source_is_one_line_and_exit_code_1(finews: CommandRunner, output: Path) -> None:
    result = finews("crawl", "--mirror", "http://127.0.0.1:9", "--output", str(output), "--set", "RETRY_BACKOFF=0")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "refused" in result.stderr
    assert result.stdout == ""


def test_error_json_with_status_200_fails_the_listing(
    crawl: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    error_json = b'{"code": 0, "message": "Required String parameter \'req_trace\' is not present"}'
    sample_site.add_fault("getNewsByColumns", return_body(error_json, "application/json"))
    result = crawl()
    assert result.exit_code == 1
    assert "req_trace" in result.stderr
    assert query("SELECT outcome FROM runs") == ["failed"]


def test_some_failures_are_exit_code_3_and_retried_by_next_crawl(
    crawl: CommandRunner, sample_site: SampleSite, output: Path, query: Query
) -> None:
    # A valid response between two failures, since two in a row close an endpoint; 404 is no failure.
    listed_codes = list(sample_site.corpus.codes_in_columns(["345"]))
    codes = [listed_codes[index] for index in (0, 2, 4, 5)]
    faults = (return_status(500), reset_connection(), truncate_body(40), return_status(404))
    for code, fault in zip(codes, faults, strict=True):
        sample_site.add_fault(f"/(article|a)/{code}", fault)
    sample_site.add_fault("getNewsByColumns", list_as_blog_posts(codes[:3]))
    result = crawl("eastmoney", "--column", "345", "--set", "CONCURRENT_REQUESTS=1")
    assert result.exit_code == 3
    assert set(query("SELECT code FROM entries WHERE outcome = 'failed'")) == set(codes)
    assert all(code in result.stderr for code in codes)
    assert_outcomes_add_up(query)
    sample_site.clear_faults()
    second_crawl = crawl("eastmoney", "--column", "345")
    assert second_crawl.exit_code == 0
    assert second_crawl.json["new"] == 4
    assert_posts_match_rows(output)


def test_redirect_to_foreign_host_fails_the_entry(crawl: CommandRunner, sample_site: SampleSite, query: Query) -> None:
    """Scrapy's offsite filter calls neither callback nor errback."""
    code = sample_site.corpus.codes_in_columns(["345"])[0]
    sample_site.add_fault(
        f"/(article|a)/{code}", return_redirect(f"http://localhost:{sample_site.url.rsplit(':', 1)[1]}/article/{code}")
    )
    result = crawl("eastmoney", "--column", "345")
    assert result.exit_code == 3
    assert query("SELECT outcome, detail FROM entries WHERE code = ?", code) == [
        (
            "failed",
            f"blocked request to http://localhost:{sample_site.url[17:]}/article/{code}: not one of the source's hosts",
        )
    ]
    assert_outcomes_add_up(query)


def test_bug_in_the_crawl_is_one_line_and_exit_code_1(crawl: CommandRunner) -> None:
    result = crawl("choice", "--set", "CHOICE_HOSTS={}")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_non_json_listing_is_quarantined_and_others_continue(
    crawl: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    sample_site.add_fault("column=351", return_body(b"<html><body>maintenance</body></html>", "text/html"))
    result = crawl()
    assert result.exit_code == 3
    assert result.json["new"] > 0
    assert "351" in result.stderr
    assert query("SELECT raw FROM quarantine") == [b"<html><body>maintenance</body></html>"]


def test_text_of_another_article_is_quarantined(crawl: CommandRunner, sample_site: SampleSite, query: Query) -> None:
    faulty_code, other_code = list(sample_site.corpus.codes_in_columns(["345"]))[:2]
    with_detail = json.dumps({"success": 1, "data": {"Art_Code": other_code, "Art_Content": "<p>另一篇</p>"}})
    sample_site.add_fault(f"article/{faulty_code}", return_body(with_detail.encode(), "application/json"))
    sample_site.add_fault(f"/a/{faulty_code}", return_status(503))
    assert crawl("eastmoney", "--column", "345").exit_code == 3
    assert query("SELECT outcome FROM entries WHERE code = ?", faulty_code) == ["quarantined"]
    assert query("SELECT count(*) FROM articles WHERE code = ?", faulty_code) == [0]


def test_html_pages_replace_an_empty_detail_response(
    crawl: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    sample_site.corpus.publish(30)
    crawl()
    for layout in ("page2022", "page2018"):
        codes = [
            code
            for code in sample_site.corpus
            if getattr(sample_site.corpus.find_article(code), "body_location", "") == layout
        ]
        assert codes
        for code in codes:
            assert query("SELECT length(body_text) > 20 FROM articles WHERE code = ?", code) == [1]


@pytest.mark.parametrize(
    "filling", ["<i>" * 101_000, "<p " + " ".join(f"a{n:x}" for n in range(70_000)) + ">"], ids=["tags", "words"]
)
def test_page_too_complex_to_parse_is_quarantined(
    crawl: CommandRunner, sample_site: SampleSite, query: Query, filling: str
) -> None:
    sample_site.corpus.publish(30)
    code = next(
        code
        for code in sample_site.corpus
        if getattr(sample_site.corpus.find_article(code), "body_location", "") == "page2022"
    )
    page = f'<html><body><div id="ContentBody"><p>字</p></div>{filling}</body></html>'
    sample_site.add_fault(f"/a/{code}", return_body(page.encode(), "text/html"))
    assert crawl().exit_code == 3
    assert query("SELECT outcome, detail LIKE 'too complex: %' FROM entries WHERE code = ?", code)[0] == (
        "quarantined",
        1,
    )


def test_choice_hosts_are_a_setting(sample_site: SampleSite, finews: CommandRunner, output: Path) -> None:
    hosts = json.dumps(dict.fromkeys(("list", "market", "text"), sample_site.url))
    result = finews(
        "crawl", "choice", "--output", str(output), *FAST_SETTINGS, "--set", f"CHOICE_HOSTS={hosts}", "--json"
    )
    assert result.json["new"] > 0


def test_share_host_of_choice_is_a_setting(crawl: CommandRunner, query: Query) -> None:
    assert crawl("choice", "--set", "SHARE_HOST=https://news.example.org").json["new"] > 0
    prefix = "https://news.example.org/html_News/NewsShare.html?infoCode=NW"
    assert query("SELECT count(*) FROM articles WHERE url != ? || code", prefix) == [0]


def test_concurrent_crawl_of_one_output_exits_75(crawl: CommandRunner, output: Path) -> None:
    from crawler.storage.output_dir import OutputDir, create_output_dir

    create_output_dir(output)
    with OutputDir.lock(output):
        result = crawl()
    assert result.exit_code == 75
    assert len(result.stderr.splitlines()) == 1


def test_next_crawl_writes_missing_post_of_a_killed_crawl(crawl: CommandRunner, output: Path, query: Query) -> None:
    import sqlite3

    crawl("choice")
    missing_post = post_paths(output)[0]
    missing_post.unlink()
    partial_post = missing_post.parent / f".{missing_post.name}.abc"
    partial_post.write_text("half")
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("UPDATE articles SET published_revision = NULL WHERE code = ?", [missing_post.name[13:-3]])
        connection.execute("UPDATE runs SET finished_at = NULL, outcome = NULL")
        connection.execute("UPDATE entries SET outcome = NULL WHERE id = 1")
    connection.close()
    crawl("choice")
    assert missing_post.exists()
    assert not partial_post.exists()
    assert query("SELECT outcome FROM runs ORDER BY id") == ["interrupted", "done"]
    assert_outcomes_add_up(query)
    assert_posts_match_rows(output)
