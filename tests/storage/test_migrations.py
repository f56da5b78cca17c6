"""Migrations: the tables that other programs use, and the pragmas for their integrity."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlite_utils import Database

from crawler.errors import StoreError
from crawler.items import Outcome, Reason
from crawler.storage import Store
from crawler.storage.connection import open_database_ro, open_database_rw
from crawler.storage.migrations import migrations
from tests.support.stored_articles import create_article, save_article

PUBLIC_COLUMNS = {
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
PRIMARY_KEYS = {
    "articles": {"code"},
    "categories": {"slug"},
    "article_columns": {"code", "column_id"},
    "revisions": {"code", "revision"},
    "mentions": {"code", "secid"},
    "runs": {"id"},
    "entries": {"id"},
    "quarantine": {"id"},
}
ARTICLE_ROW = {
    "code": "202201102242171631", "title": "题", "published_at": "2022-01-10T16:20:36+08:00", "media": "中国农网",
    "category": "zhongguonongwang", "source": "choice", "url": "http://a.cn/", "summary": "", "body_html": "<p>x</p>",
    "body_text": "x", "post_path": "_posts/a.md", "post_sha256": "0", "first_seen_at": "2022-01-10T17:00:00+08:00",
}  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return open_database_rw(tmp_path)


def insert(db: Database, table: str, row: Mapping[str, object]) -> None:
    placeholders = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({placeholders})", list(row.values()))  # noqa: S608  # ours


@pytest.mark.parametrize("table", PUBLIC_COLUMNS, ids=str)
def test_public_columns_exist(db: Database, table: str) -> None:
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    assert [name for name in PUBLIC_COLUMNS[table] if name not in columns] == []


@pytest.mark.parametrize("table", PRIMARY_KEYS, ids=str)
def test_primary_keys(db: Database, table: str) -> None:
    assert {row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[5]} == PRIMARY_KEYS[table]


def test_runs_have_a_column_per_outcome(db: Database) -> None:
    assert {row[1] for row in db.execute("PRAGMA table_info(runs)")} >= {str(outcome) for outcome in Outcome}


def test_database_is_in_wal_mode(db: Database, tmp_path: Path) -> None:
    db.close()
    other_connection = sqlite3.connect(tmp_path / "news.db")
    assert other_connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert other_connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    other_connection.close()


def test_synchronous_is_full(db: Database) -> None:
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_article_needs_its_category(db: Database) -> None:
    assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        insert(db, "articles", ARTICLE_ROW)


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
def test_foreign_keys_are_enforced(db: Database, table: str, row: dict[str, object]) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        insert(db, table, row)


def test_post_path_is_unique(db: Database) -> None:
    insert(db, "categories", {"slug": "zhongguonongwang", "media": "中国农网"})
    insert(db, "articles", ARTICLE_ROW)
    with pytest.raises(sqlite3.IntegrityError, match=r"articles\.post_path"):
        insert(db, "articles", {**ARTICLE_ROW, "code": "202201102242171632"})


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("entries", {"run_id": 1, "code": "5", "column_id": "350", "outcome": "lost"}),
        ("runs", {"spider": "flash", "started_at": "", "outcome": "finished"}),
    ],
    ids=["entry", "run"],
)
def test_outcome_is_checked(db: Database, table: str, row: dict[str, object]) -> None:
    insert(db, "runs", {"spider": "flash", "started_at": "2022-01-10T17:00:00+08:00"})
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        insert(db, table, row)


def test_opening_again_changes_nothing(db: Database, tmp_path: Path) -> None:
    insert(db, "categories", {"slug": "zhongguonongwang", "media": "中国农网"})
    db.conn.commit()
    before = list(db.execute("SELECT name, sql FROM sqlite_master ORDER BY name"))
    applied_migrations = list(db.execute("SELECT name, applied_at FROM _sqlite_migrations ORDER BY id"))
    db.close()
    reopened = open_database_rw(tmp_path)
    assert list(reopened.execute("SELECT name, sql FROM sqlite_master ORDER BY name")) == before
    assert list(reopened.execute("SELECT name, applied_at FROM _sqlite_migrations ORDER BY id")) == applied_migrations
    assert reopened.execute("SELECT count(*) FROM categories").fetchone()[0] == 1
    reopened.close()


# Texts that an older finews wrote for entries, and their reason codes.
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


@pytest.mark.parametrize(
    "view",
    [
        "CREATE VIEW mine AS SELECT count(*) FROM search_documents",
        "CREATE VIEW mine AS SELECT * FROM a_table_that_was_dropped",
        "CREATE TRIGGER mine AFTER INSERT ON articles BEGIN INSERT INTO gone VALUES (1); END",
    ],
)
def test_views_and_triggers_of_a_user_stop_no_migration(tmp_path: Path, view: str) -> None:
    older = Database(tmp_path / "news.db")
    migrations.apply(older, stop_before="m010_smaller_search")
    older.execute(view)
    older.conn.commit()
    older.close()
    with open_database_rw(tmp_path) as db:
        assert not migrations.pending(db)
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'mine'").fetchone() == (1,)


def test_every_code_of_an_old_entry_is_one_of_todays() -> None:
    assert {code for code in OLD_ENTRIES.values() if code} <= set(Reason)


def test_read_only_connection_cannot_write(tmp_path: Path) -> None:
    open_database_rw(tmp_path).close()
    read_only = open_database_ro(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        insert(read_only, "categories", {"slug": "a", "media": "A"})
    read_only.close()


def test_foreign_database_is_a_store_error_and_unchanged(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "news.db")
    connection.execute("CREATE TABLE articles (id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match="articles already exists"):
        open_database_rw(tmp_path)
    connection = sqlite3.connect(tmp_path / "news.db")
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    connection.close()
    assert [name for name in tables if name in PUBLIC_COLUMNS] == ["articles"]


def test_new_text_alone_makes_the_lists_stale_in_an_older_database_too(tmp_path: Path) -> None:
    older_db = Database(sqlite3.connect(tmp_path / "news.db"), recursive_triggers=False)
    migrations.apply(older_db, stop_before="m016_archived_pages")
    older_db.close()
    db = open_database_rw(tmp_path)
    insert(db, "categories", {"slug": "zhongguonongwang", "media": "中国农网", "aliases": "[]"})
    insert(db, "articles", ARTICLE_ROW)
    for statement, expected in (
        ("UPDATE articles SET summary = summary", []),
        ("UPDATE articles SET summary = '新'", [("category", "zhongguonongwang")]),
        ("UPDATE articles SET body_text = '新'", [("category", "zhongguonongwang")]),
    ):
        db.execute("DELETE FROM stale_pages")
        db.execute(statement)
        assert db.execute("SELECT * FROM stale_pages").fetchall() == expected


def test_what_was_refused_for_its_size_is_fetched_again(tmp_path: Path) -> None:
    older_db = Database(sqlite3.connect(tmp_path / "news.db"), recursive_triggers=False)
    migrations.apply(older_db, stop_before="m021_long_articles")
    refusals = (
        "too complex: over 4000 tags on one line",
        "the title has 369 characters, over 300",
        "the title is empty",
    )
    for number, refused in enumerate(refusals):
        key = {"code": str(number), "spider": "eastmoney", "title": "题", "published_at": "2022-01-10T16:20:36+08:00"}
        insert(older_db, "sightings", {**key, "refused": refused})
        insert(older_db, "column_sightings", {**key, "column_id": "350"})
    older_db.close()
    db = open_database_rw(tmp_path)
    assert db.execute("SELECT code, title, refused FROM sightings ORDER BY code").fetchall() == [
        ("0", "", ""), ("1", "", ""), ("2", "题", "the title is empty"),
    ]  # fmt: skip
    assert db.execute("SELECT code FROM column_sightings").fetchall() == [("2",)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM _sqlite_migrations",
        "DELETE FROM _sqlite_migrations WHERE name LIKE 'm003%'",
        "DELETE FROM _sqlite_migrations WHERE name LIKE 'm017%'",
        "UPDATE _sqlite_migrations SET name = 'x' WHERE name LIKE 'm001%'",
        "UPDATE _sqlite_migrations SET migration_set = x'00'",
        "DROP TABLE _sqlite_migrations",
    ],
)
def test_steps_that_another_program_has_unrecorded_are_not_applied_again(tmp_path: Path, statement: str) -> None:
    with Store.open_rw(tmp_path) as store:
        save_article(store, create_article())
    connection = sqlite3.connect(tmp_path / "news.db")
    with connection:
        connection.execute(statement)
    connection.close()
    for opening in (Store.open_ro, Store.open_rw):
        with opening(tmp_path) as store:
            assert store.articles.count() == 1
