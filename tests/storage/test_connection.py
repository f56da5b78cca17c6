"""Database connections: opening, and concurrent use by other programs."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database

from crawler.errors import StoreError
from crawler.items import Outcome, Reason, RunOutcome
from crawler.storage import Store, load_stored_categories
from crawler.storage.connection import open_database_rw
from crawler.storage.migrations import migrations
from tests.support.database import Query
from tests.support.stored_articles import (
    DEFAULT_CODE,
    FARMERS_CATEGORY,
    LATER,
    NOW,
    create_article,
    entry_for,
    quarantine_response,
    save_article,
)

# Opening


def test_missing_database_error_says_how_to_create_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no finews database at .*: run `finews crawl`"):
        Store.open_ro(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert load_stored_categories(tmp_path) == []


@pytest.mark.parametrize("opening", [Store.open_ro, Store.open_rw, load_stored_categories])
def test_sqlite_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opening: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.33.0")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 33, 0))
    with pytest.raises(StoreError, match=r"has SQLite 3\.33\.0, but finews needs 3\.34 or newer: update"):
        opening(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_empty_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "news.db").touch()
    with pytest.raises(StoreError, match="no finews database"):
        Store.open_ro(tmp_path)
    assert load_stored_categories(tmp_path) == []
    with Store.open_rw(tmp_path) as store:
        assert store.articles.count() == 0


def test_foreign_database_is_rejected(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "news.db")
    connection.execute("CREATE TABLE articles (id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match="no finews database"):
        Store.open_ro(tmp_path)


@pytest.mark.parametrize(
    "opening", [Store.open_ro, Store.open_rw, load_stored_categories], ids=["reading", "writing", "asking"]
)
def test_non_database_file_is_a_store_error_and_unchanged(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    (tmp_path / "news.db").write_bytes(b"this is not a database " * 100)
    with pytest.raises(StoreError, match=r"news\.db: file is not a database"):
        opening(tmp_path)
    assert (tmp_path / "news.db").read_bytes() == b"this is not a database " * 100


@pytest.mark.parametrize("opening", [Store.open_ro, Store.open_rw], ids=["reading", "writing"])
def test_damaged_database_is_a_store_error(tmp_path: Path, opening: Callable[[Path], Store]) -> None:
    with Store.open_rw(tmp_path) as store:
        for number in range(20):
            save_article(store, create_article("<p>" + "正文" * 2_000 + "</p>", code=str(int(DEFAULT_CODE) + number)))
    path = tmp_path / "news.db"
    damaged = path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096)
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="malformed"), opening(tmp_path) as store:
        store.articles.get(DEFAULT_CODE)


@pytest.mark.parametrize(
    "opening", [Store.open_ro, Store.open_rw, load_stored_categories], ids=["reading", "writing", "asking"]
)
def test_newer_database_is_a_store_error_and_unchanged(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    db = open_database_rw(tmp_path)
    db.execute("UPDATE _sqlite_migrations SET name = 'm999_from_the_future' WHERE name LIKE 'm001%'")
    db.conn.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    before = (tmp_path / "news.db").read_bytes()
    with pytest.raises(StoreError, match=r"written by a newer finews, .*m999_from_the_future: update finews"):
        opening(tmp_path)
    assert (tmp_path / "news.db").read_bytes() == before


def test_older_database_is_rejected_by_readers_and_migrated_by_writers(tmp_path: Path) -> None:
    with Database(memory=True) as empty_db:
        newest_migration = migrations.pending(empty_db)[-1]
    with Database(tmp_path / "news.db") as old_db:
        migrations.apply(old_db, stop_before=newest_migration.name)
        old_db.table("categories").insert({"slug": "zhongguonongwang", "media": "中国农网", "aliases": '["农网"]'})
    with pytest.raises(StoreError, match=r"written by an older finews: run `finews crawl` to bring it up to date"):
        Store.open_ro(tmp_path)
    assert load_stored_categories(tmp_path) == [FARMERS_CATEGORY]
    with Store.open_rw(tmp_path) as store:
        assert save_article(store, create_article()).outcome == Outcome.NEW
    with Store.open_ro(tmp_path) as store:
        assert store.categories.all() == [FARMERS_CATEGORY]


@pytest.mark.parametrize("opening", [Store.open_ro, Store.open_rw], ids=["reading", "writing"])
def test_folder_in_place_of_database_is_a_store_error(tmp_path: Path, opening: Callable[[Path], Store]) -> None:
    (tmp_path / "news.db").mkdir()
    with pytest.raises(StoreError, match=r"news\.db"):
        opening(tmp_path)


def test_read_only_store_rejects_writes(store: Store, tmp_path: Path, query_store: Query) -> None:
    save_article(store, create_article())
    with Store.open_ro(tmp_path) as read_only:
        assert read_only.articles.get(DEFAULT_CODE) == store.articles.get(DEFAULT_CODE)
        for write in (
            lambda: save_article(read_only, create_article("<p>x</p>")),
            lambda: read_only.articles.mark_post_written(DEFAULT_CODE, 1),
            lambda: read_only.sightings.mark_rejected(entry_for(create_article()), "eastmoney", "x"),
            lambda: read_only.runs.start("eastmoney", {}, NOW),
        ):
            with pytest.raises(StoreError, match="readonly"):
                write()
    assert query_store("SELECT body_text, published_revision FROM articles") == [("正文", None)]


def test_stored_categories_can_be_loaded_alone(store: Store, tmp_path: Path) -> None:
    save_article(store, create_article())
    assert load_stored_categories(tmp_path) == [FARMERS_CATEGORY]


# Concurrent use


def test_readers_see_the_old_state_during_a_write(tmp_path: Path, query_store: Query) -> None:
    db = open_database_rw(tmp_path)
    store = Store(db)
    save_article(store, create_article())
    with db.atomic():
        db.execute("UPDATE articles SET title = 'half written'")
        assert query_store("SELECT title FROM articles") == [("题",)]
        with Store.open_ro(tmp_path) as read_only:
            row = read_only.articles.get(DEFAULT_CODE)
            assert row is not None
            assert row["title"] == "题"
    assert query_store("SELECT title FROM articles") == [("half written",)]
    store.close()


def test_read_transaction_keeps_its_snapshot(store: Store, tmp_path: Path, query_store: Query) -> None:
    save_article(store, create_article())
    reader = sqlite3.connect(tmp_path / "news.db", timeout=0, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM articles").fetchone() == (1,)
    save_article(store, create_article(code="202201102242171632"))
    assert reader.execute("SELECT count(*) FROM articles").fetchone() == (1,)
    reader.execute("COMMIT")
    reader.close()
    assert query_store("SELECT count(*) FROM articles") == [(2,)]


def test_no_lock_is_held_between_calls(store: Store, tmp_path: Path) -> None:
    """End the transaction of each call: another writer must not wait until the crawl ends."""
    other_connection = sqlite3.connect(tmp_path / "news.db", timeout=0, isolation_level=None)

    def assert_writable() -> None:
        other_connection.execute("BEGIN IMMEDIATE")
        other_connection.execute("ROLLBACK")

    run_id = store.runs.start("eastmoney", {}, NOW)
    assert_writable()
    (entry_id,) = store.runs.add_entries(run_id, [(DEFAULT_CODE, "350", None, None, "")])
    assert_writable()
    store.articles.get_known([DEFAULT_CODE], "eastmoney")
    save_article(store, create_article())
    assert_writable()
    store.articles.mark_post_written(DEFAULT_CODE, 1)
    assert_writable()
    store.sightings.mark_rejected(entry_for(create_article(), code="5" * 18), "eastmoney", "x")
    assert_writable()
    quarantine_response(store, run_id)
    assert_writable()
    quarantine_response(store, run_id)
    assert_writable()
    store.runs.set_outcome(entry_id, Outcome.NEW, Reason.SCRAPED)
    assert_writable()
    store.runs.finish(run_id, RunOutcome.DONE, LATER)
    assert_writable()
    other_connection.close()
