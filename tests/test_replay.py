"""Kept replies, read again by the extractors of today."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler import sample_site
from crawler.content import clock
from crawler.items import ListingEntry, RawResponse
from crawler.sample_site import SampleSite
from crawler.storage import Store
from crawler.storage.output_dir import create_output_dir
from crawler.storage.quarantine import KIND_ARTICLE, KIND_LISTING, KIND_ROW
from tests.conftest import Finews
from tests.test_crawl import assert_books_balance, assert_posts_are_rows
from tests.test_import import CODE, old_post

Query = Callable[..., list[Any]]

KEEP_RAW = ("--set", "KEEP_RAW=1")


def damage(output: Path, sql: str, *values: object) -> None:
    """As if an earlier version of finews had read the replies worse."""
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute(sql, values)
    connection.close()


def test_an_article_that_could_not_be_read_is_taken_in_once_it_can_be(
    finews: Finews, crawl: Finews, site: SampleSite, output: Path, query: Query
) -> None:
    """The reply was sound all along, and an extractor of yesterday refused it."""
    code = site.corpus.codes_in_columns(["345"])[0]
    article = site.corpus.find_article(code)
    assert article
    detail = {"success": 1, "data": {"Art_Code": code, "Art_Content": "<p>　　正文。</p>", "Art_ShowTime": "昨天"}}
    site.add_fault(f"article/{code}", sample_site.return_body(json.dumps(detail).encode(), "application/json"))
    assert crawl("eastmoney", "--column", "345").code == 3
    unread = finews("replay", "--output", str(output))
    assert unread.out.splitlines()[-1] == "0 articles changed, 1 reply cannot be read"
    assert unread.code == 3
    assert query("SELECT outcome FROM runs WHERE spider = 'replay'") == ["partial"]
    detail["data"]["Art_ShowTime"] = "2026/09/19 01:00:00"  # type: ignore[index]
    damage(output, "UPDATE quarantine SET raw = ?", json.dumps(detail).encode())
    read = finews("replay", "--json", "--output", str(output))
    assert [(row["code"], row["readable"]) for row in read.value] == [(code, True)]
    assert read.code == 0
    assert query("SELECT body_html, published_at FROM articles WHERE code = ?", code) == [
        ("<p>正文。</p>", "2026-09-19T01:00:00+08:00")
    ]
    assert finews("replay", "--json", "--output", str(output)).value == []
    assert_posts_are_rows(output)
    assert_books_balance(query)


def test_replies_are_kept_only_where_that_is_asked_for(crawl: Finews, query: Query) -> None:
    crawl("flash")
    assert query("SELECT count(*) FROM raw_replies") == [0]
    crawl("eastmoney", *KEEP_RAW)
    kept = set(query("SELECT code FROM raw_replies"))
    assert kept == set(query("SELECT code FROM articles WHERE source = 'eastmoney'"))
    assert query("SELECT count(*) FROM raw_contents")[0] <= len(kept)


def test_a_dry_run_says_field_by_field_what_would_change_and_changes_nothing(
    finews: Finews, crawl: Finews, site: SampleSite, output: Path, query: Query
) -> None:
    crawl("eastmoney", *KEEP_RAW)
    code, other = query("SELECT code FROM articles ORDER BY code LIMIT 2")
    damage(output, "UPDATE articles SET title = '旧标题' WHERE code = ?", code)
    damage(output, "UPDATE articles SET body_html = '<p>' || body_html WHERE code = ?", other)
    before = query("SELECT * FROM articles ORDER BY code")
    site.reset()
    answer = finews("replay", "--dry-run", "--json", "--output", str(output))
    assert {row["code"]: list(row["changes"]) for row in answer.value} == {code: ["title"], other: ["body_html"]}
    assert next(row for row in answer.value if row["code"] == code)["changes"]["title"]["old"] == "旧标题"
    assert query("SELECT * FROM articles ORDER BY code") == before
    assert len(site.requests) == 0


def test_a_replay_mends_rows_and_posts_and_keeps_what_readers_saw(
    finews: Finews, crawl: Finews, output: Path, query: Query
) -> None:
    for spider in ("choice", "eastmoney", "flash"):
        crawl(spider, *KEEP_RAW)
    right = query("SELECT code, title, body_html, post_path FROM articles ORDER BY code")
    worse, untidy = right[0][0], right[1][0]
    damage(output, "UPDATE articles SET title = '旧标题', body_text = '旧' WHERE code = ?", worse)
    damage(output, "UPDATE articles SET body_html = '<p></p>' || body_html WHERE code = ?", untidy)
    answer = finews("replay", "--output", str(output))
    assert (answer.code, answer.out.splitlines()[-1]) == (3, "2 articles changed, 1 reply cannot be read")
    assert f"{worse}: title: '旧标题' -> " in answer.out
    assert query("SELECT code, title, body_html, post_path FROM articles ORDER BY code") == right
    assert query("SELECT code, title FROM revisions") == [(worse, "旧标题")]
    assert_posts_are_rows(output)
    assert_books_balance(query)
    assert finews("replay", "--json", "--output", str(output)).value[1:] == []


def test_a_row_that_is_readable_now_is_left_to_the_next_crawl(
    finews: Finews, crawl: Finews, output: Path, query: Query
) -> None:
    crawl("choice")
    make_readable(output, query)
    (replayed,) = finews("replay", "--json", "--output", str(output)).value
    assert (replayed["kind"], replayed["readable"]) == ("row", True)
    assert query("SELECT resolved_at IS NOT NULL FROM quarantine") == [1]


def make_readable(output: Path, query: Query) -> None:
    """As if the one row of a crawl that stands in quarantine had been whole."""
    row = json.loads(query("SELECT raw FROM quarantine WHERE spider = 'choice'")[0])
    row |= {"title": "补上的标题", "showtime": "2022-05-26 19:20:11"}
    damage(output, "UPDATE quarantine SET raw = ? WHERE spider = 'choice'", json.dumps(row).encode())


def test_a_file_that_no_import_could_read_is_taken_in_once_it_can_be(
    finews: Finews, output: Path, query: Query, tmp_path: Path
) -> None:
    """Unless there is an article of that code by then, which is not touched."""
    folder = tmp_path / "old"
    folder.mkdir()
    for name in (f"2022-03-04-NW{CODE}.md", "2022-03-05-NW202203051234567890.md", "README.md"):
        (folder / name).write_text(old_post(date="gestern").replace(CODE, name[13:-3]))
    for _ in range(2):
        assert finews("import", str(folder), "--output", str(output)).code == 3
    assert query("SELECT spider, kind, code, reason FROM quarantine WHERE code = ?", CODE) == [
        ("import", "file", CODE, "its date is not a time of the source: 'gestern'")
    ]
    assert query("SELECT raw FROM quarantine WHERE code = ?", CODE) == [old_post(date="gestern").encode()]
    assert query("SELECT count(*) FROM quarantine") == [2]
    assert CODE in finews("explain", CODE, "--output", str(output)).out
    unread = finews("replay", "--json", "--output", str(output))
    assert (unread.code, [row["readable"] for row in unread.value]) == (3, [False, False])
    damage(output, "UPDATE quarantine SET raw = ? WHERE code = ?", old_post().encode(), CODE)
    read = finews("replay", "--json", "--output", str(output)).value
    assert [row["code"] for row in read if row["readable"]] == [CODE]
    assert query("SELECT code, title, source FROM articles") == [(CODE, "标题", "choice")]
    damage(output, "UPDATE quarantine SET resolved_at = NULL, raw = ?", old_post(title="另题").encode())
    again = finews("replay", "--json", "--output", str(output)).value
    assert [row["detail"] for row in again if row["code"] == CODE] == ["in the database already"]
    assert query("SELECT title FROM articles WHERE code = ?", CODE) == ["标题"]
    assert_posts_are_rows(output)
    assert_books_balance(query)


@pytest.mark.parametrize("kind", [KIND_LISTING, KIND_ROW, KIND_ARTICLE])
def test_what_was_kept_in_part_is_told_and_what_follows_is_read(
    finews: Finews, crawl: Finews, output: Path, query: Query, kind: str
) -> None:
    reply = RawResponse("http://example.org/", "application/json", json.dumps({"title": "长" * (1 << 20)}).encode())
    entry = ListingEntry(code="202201102242171631", title="", published=clock.now(), column="345", url="")
    create_output_dir(output)
    with Store.open_rw(output) as store:
        run_id = store.runs.start("eastmoney", {}, clock.now())
        store.quarantine.add(
            reply, run_id=run_id, spider="eastmoney", kind=kind, reason="too long", seen_at=clock.now(), entry=entry
        )
    crawl("choice")
    make_readable(output, query)
    answer = finews("replay", "--json", "--output", str(output))
    assert [(row["kind"], row["readable"], row["detail"]) for row in answer.value] == [
        (kind, False, "only its beginning was kept"),
        ("row", True, "the next crawl takes it"),
    ]
    assert answer.code == 3
