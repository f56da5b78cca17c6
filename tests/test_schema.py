"""The tables that other programs rely on, and the pragmas that keep them whole."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlite_utils import Database

from crawler.errors import StoreError
from crawler.items import Outcome, Reason
from crawler.storage.connection import open_database_ro, open_database_rw
from crawler.storage.migrations import migrations

RELIED_ON = {
    "articles": [
        "code", "title", "published_at", "media", "category", "source", "url", "summary", "body_html", "body_text",
        "post_path", "post_sha256", "first_seen_at", "changed_at", "revision", "withdrawn_at",
    ],
    "categories": ["slug", "media", "aliases"],
    "article_columns": ["code", "column_id"],
    "revisions": ["code", "revision", "seen_at", "title", "published_at", "body_html"],
    "mentions": ["code", "secid", "kind", "name", "count"],
    "runs": [
        "id", "spider", "arguments", "started_at", "finished_at", "outcome", "listed",
        "new", "updated", "unchanged", "duplicate", "filtered", "failed", "quarantined",
    ],
    "entries": ["run_id", "code", "outcome", "reason", "detail"],
    "quarantine": ["reason", "raw"],
}  # fmt: skip
KEYS = {
    "articles": {"code"},
    "categories": {"slug"},
    "article_columns": {"code", "column_id"},
    "revisions": {"code", "revision"},
    "mentions": {"code", "secid"},
    "runs": {"id"},
    "entries": {"id"},
    "quarantine": {"id"},
}
ARTICLE = {
    "code": "202201102242171631", "title": "题", "published_at": "2022-01-10T16:20:36+08:00", "media": "中国农网",
    "category": "zhongguonongwang", "source": "choice", "url": "http://a.cn/", "summary": "", "body_html": "<p>x</p>",
    "body_text": "x", "post_path": "_posts/a.md", "post_sha256": "0", "first_seen_at": "2022-01-10T17:00:00+08:00",
}  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return open_database_rw(tmp_path)


def insert(db: Database, table: str, row: Mapping[str, object]) -> None:
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))  # noqa: S608  # ours


@pytest.mark.parametrize("table", RELIED_ON, ids=str)
def test_every_column_that_others_rely_on_is_there(db: Database, table: str) -> None:
    found = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    assert [name for name in RELIED_ON[table] if name not in found] == []


@pytest.mark.parametrize("table", KEYS, ids=str)
def test_the_keys_are_those_that_others_rely_on(db: Database, table: str) -> None:
    assert {row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[5]} == KEYS[table]


def test_runs_count_every_outcome_there_is(db: Database) -> None:
    assert {row[1] for row in db.execute("PRAGMA table_info(runs)")} >= {str(outcome) for outcome in Outcome}


def test_the_file_is_in_wal_mode_for_whoever_opens_it(db: Database, tmp_path: Path) -> None:
    db.close()
    other = sqlite3.connect(tmp_path / "news.db")
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    other.close()


def test_a_committed_row_is_on_disk_before_its_post_is_written(db: Database) -> None:
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_a_category_must_exist_before_its_articles(db: Database) -> None:
    assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        insert(db, "articles", ARTICLE)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("revisions", {"code": "5", "revision": 1, "seen_at": "", "title": "", "published_at": "", "body_html": ""}),
        ("mentions", {"code": "5", "secid": "1.1", "kind": "stock", "name": "x", "count": 1}),
        ("article_columns", {"code": "5", "column_id": "350"}),
        ("entries", {"run_id": 5, "code": "5", "column_id": "350"}),
    ],
    ids=["revision", "mention", "column", "entry"],
)
def test_nothing_belongs_to_an_article_or_a_run_that_is_not_there(
    db: Database, table: str, row: dict[str, object]
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        insert(db, table, row)


def test_two_articles_have_two_post_files(db: Database) -> None:
    insert(db, "categories", {"slug": "zhongguonongwang", "media": "中国农网"})
    insert(db, "articles", ARTICLE)
    with pytest.raises(sqlite3.IntegrityError, match=r"articles\.post_path"):
        insert(db, "articles", {**ARTICLE, "code": "202201102242171632"})


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("entries", {"run_id": 1, "code": "5", "column_id": "350", "outcome": "lost"}),
        ("runs", {"spider": "flash", "started_at": "", "outcome": "finished"}),
    ],
    ids=["entry", "run"],
)
def test_an_outcome_is_one_of_the_known_words(db: Database, table: str, row: dict[str, object]) -> None:
    insert(db, "runs", {"spider": "flash", "started_at": "2022-01-10T17:00:00+08:00"})
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        insert(db, table, row)


def test_opening_again_changes_nothing(db: Database, tmp_path: Path) -> None:
    insert(db, "categories", {"slug": "zhongguonongwang", "media": "中国农网"})
    db.conn.commit()
    before = list(db.execute("SELECT name, sql FROM sqlite_master ORDER BY name"))
    steps = list(db.execute("SELECT name, applied_at FROM _sqlite_migrations ORDER BY id"))
    db.close()
    again = open_database_rw(tmp_path)
    assert list(again.execute("SELECT name, sql FROM sqlite_master ORDER BY name")) == before
    assert list(again.execute("SELECT name, applied_at FROM _sqlite_migrations ORDER BY id")) == steps
    assert again.execute("SELECT count(*) FROM categories").fetchone()[0] == 1
    again.close()


# What an older finews wrote of an entry, and the code of that.
OLD_ENTRIES = {
    (None, ""): None,
    ("new", ""): "scraped",
    ("new", "2022-01-10-NW202201102242171631.md"): "imported",
    ("new", "read again from its kept reply"): "replayed",
    ("updated", ""): "scraped",
    ("updated", "withdrawn at the source: HTTP 404"): "withdrawn",
    ("unchanged", ""): "not_modified",
    ("unchanged", "kept by choice"): "other_source",
    ("unchanged", "in quarantine since an earlier crawl: the title is empty"): "rejected_earlier",
    ("unchanged", "a.md: in the database already, from eastmoney"): "already_stored",
    ("duplicate", "listed already in this crawl"): "listed_twice",
    ("filtered", "category: 财联社"): "other_category",
    ("filtered", "before --since"): "before_since",
    ("filtered", "after --until"): "after_until",
    ("filtered", "over --limit"): "over_limit",
    ("filtered", "the page has no #ContentBody"): "no_body",
    ("failed", "HTTP 503"): "http_error",
    ("failed", "internal error: KeyError: 'x'"): "bug",
    ("failed", "the crawl was stopped"): "interrupted",
    ("failed", "the crawl was killed before its answer came"): "interrupted",
    ("failed", "its request was dropped"): "request_dropped",
    ("failed", "given up after 30 failures in a row, the last: a.cn: HTTP 500"): "request_dropped",
    ("failed", "the reply is larger than DOWNLOAD_MAXSIZE"): "response_too_large",
    ("failed", "the reply is cut"): "response_incomplete",
    ("failed", "the source answers: busy"): "source_error",
    ("failed", "Connection was refused by other side: 111"): "unspecified",
    ("quarantined", "a.cn/list has changed: field 'title' is missing"): "schema_changed",
    ("quarantined", "too complex: the body is over 1 MiB"): "rejected",
    ("quarantined", "Art_Content is empty"): "no_body",
    ("quarantined", "a.cn/list: broken JSON"): "unspecified",
}


def test_entries_of_an_older_finews_get_the_code_of_their_text(tmp_path: Path) -> None:
    older = Database(tmp_path / "news.db")
    migrations.apply(older, stop_before="m012_reasons")
    insert(older, "runs", {"id": 1, "spider": "eastmoney", "started_at": ""})
    for outcome, detail in OLD_ENTRIES:
        row = {"run_id": 1, "code": "5", "column_id": "350", "outcome": outcome, "detail": detail}
        insert(older, "entries", row)
    older.conn.commit()
    older.close()
    db = open_database_rw(tmp_path)
    assert {
        (row[0], row[1]): row[2] for row in db.execute("SELECT outcome, detail, reason FROM entries")
    } == OLD_ENTRIES
    db.close()


def test_every_code_of_an_old_entry_is_one_of_todays() -> None:
    assert {code for code in OLD_ENTRIES.values() if code} <= set(Reason)


def test_a_connection_for_reading_cannot_write(tmp_path: Path) -> None:
    open_database_rw(tmp_path).close()
    reading = open_database_ro(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        insert(reading, "categories", {"slug": "a", "media": "A"})
    reading.close()


def test_another_programs_file_under_our_name_is_told_and_gets_none_of_our_tables(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "news.db")
    other.execute("CREATE TABLE articles (id INTEGER)")
    other.close()
    with pytest.raises(StoreError, match="articles already exists"):
        open_database_rw(tmp_path)
    other = sqlite3.connect(tmp_path / "news.db")
    tables = [row[0] for row in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    other.close()
    assert [name for name in tables if name in RELIED_ON] == ["articles"]
