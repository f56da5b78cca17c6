"""Database swap: put a rebuilt database in the place of the old one, with what only the old one knew."""

import itertools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database

from crawler.errors import OutputError, StoreError
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME, as_store_error, open_database_rw
from crawler.storage.reprints.clusters import ReprintClusters
from crawler.storage.search.index import SearchIndex

_BUILD_DIR_PREFIX = ".rebuild-"
# What posts say by themselves or triggers fill, and the migrations' own table.
_TABLES_NOT_COPIED = {
    "articles", "categories", "mentions", "search_documents", "search_blocks", "search_pending", "stale_pages",
    "story_texts", "story_articles", "story_keys", "story_pending", "_sqlite_migrations",
}  # fmt: skip
# What posts do not say of their articles.
_COPY_ARTICLE_COLUMNS = """
    UPDATE articles SET (summary, source, first_seen_at, changed_at, revision, withdrawn_at) = (
        SELECT summary, source, first_seen_at, changed_at, revision, withdrawn_at FROM old.articles AS was
        WHERE was.code = articles.code
    )
    WHERE code IN (SELECT code FROM old.articles)
"""
# By their names: a program that made the table again may have put them into another order.
_COPY_CATEGORIES = """
    INSERT OR REPLACE INTO categories (slug, media, aliases) SELECT slug, media, aliases FROM old.categories
"""
# SQLite takes no name of a table or a column as a parameter: these are filled with those of the schema.
_COPY_TABLE = 'INSERT INTO main."{table}" ({columns}) SELECT {columns} FROM old."{table}"'
_WHERE_ARTICLE_EXISTS = ' WHERE "{}" IN (SELECT code FROM articles)'


def checkpoint_old_database(output: Path) -> bool:
    """Whether there is an old database to carry over from: sound, brought up to date, with its log folded in.

    Only the holder of the lock may ask. Raises StoreError for one that a newer finews wrote or another program uses.
    """
    path = output / DATABASE_FILE_NAME
    if not path.is_file() or not path.stat().st_size or not _passes_quick_check(path):
        return False
    db = open_database_rw(output)
    with as_store_error(path):
        busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        db.close()
    if busy:
        raise StoreError(f"{path} is being read by another program: try again when it has ended")
    return True


@contextmanager
def replacement_database(output: Path, replaced_at: datetime, *, copy_old_data: bool) -> Iterator[Store]:
    """A new database to write articles into, which replaces the old one at the end; on an error the old one stays.

    `copy_old_data` takes over what posts do not say from the old one. Only the holder of the lock may do this. Raises
    StoreError and OutputError.
    """
    for leftover_dir in output.glob(f"{_BUILD_DIR_PREFIX}*"):
        shutil.rmtree(leftover_dir, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_BUILD_DIR_PREFIX, dir=output) as build_dir:
        with closing(open_database_rw(Path(build_dir))) as db, as_store_error():
            with db.atomic():
                yield Store(db)
            if copy_old_data:
                _copy_old_data(db, output / DATABASE_FILE_NAME)
                SearchIndex(db).index_pending()
            ReprintClusters(db).cluster_pending()
            _check_integrity(db)
        _replace_database_file(Path(build_dir) / DATABASE_FILE_NAME, output / DATABASE_FILE_NAME, replaced_at)


def _passes_quick_check(path: Path) -> bool:
    try:
        connection = sqlite3.connect(path)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: {error}") from error
    except sqlite3.DatabaseError:
        return False


def _copy_old_data(db: Database, old_path: Path) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("ATTACH DATABASE ? AS old", [str(old_path)])
    with db.atomic():
        db.execute(_COPY_ARTICLE_COLUMNS)
        db.execute("UPDATE articles SET published_revision = revision WHERE published_revision IS NOT NULL")
        db.execute(_COPY_CATEGORIES)
        for table in _tables_to_copy(db):
            _copy_table(db, table)
    db.execute("DETACH DATABASE old")


def _tables_to_copy(db: Database) -> list[str]:
    """The tables of our own making; the search index is rebuilt from the articles."""
    rows = db.query("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    names = (row["name"] for row in rows)
    return [name for name in names if name not in _TABLES_NOT_COPIED and not name.startswith("sqlite_")]


def _copy_table(db: Database, table: str) -> None:
    """What belongs to an article comes over with that article only."""
    columns = ", ".join(f'"{column.name}"' for column in db.table(table).columns)
    article_keys = [key.column for key in db.table(table).foreign_keys if key.other_table == "articles"]
    where = _WHERE_ARTICLE_EXISTS.format(article_keys[0]) if article_keys else ""
    db.execute(_COPY_TABLE.format(table=table, columns=columns) + where)


def _check_integrity(db: Database) -> None:
    """Raises StoreError when the new database is not sound."""
    foreign_key_faults = [*db.execute("PRAGMA foreign_key_check").fetchall()]
    integrity = db.execute("PRAGMA integrity_check(1)").fetchone()
    if foreign_key_faults or integrity != ("ok",):
        raise StoreError(
            f"the new database is not sound, and the old one stays: {(foreign_key_faults or [integrity])[0]}"
        )


def _replace_database_file(new_path: Path, path: Path, replaced_at: datetime) -> None:
    """The old file gets a second name before it loses its first, so that there is a database at every moment."""
    wal, shm = path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
    try:
        if path.exists():
            backup = _unused_backup_path(path, replaced_at)
            os.link(path, backup)
            if wal.exists() and wal.stat().st_size:  # of a damaged database: no other's pages may be read from it
                wal.rename(backup.with_name(f"{backup.name}-wal"))
        new_path.replace(path)
        wal.unlink(missing_ok=True)
        shm.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot replace {path}: {error.strerror}") from error


def _unused_backup_path(path: Path, replaced_at: datetime) -> Path:
    base_name = f"{path.name}.before-rebuild-{replaced_at:%Y%m%dT%H%M%S}"
    paths = (path.with_name(base_name + (f"-{number}" if number else "")) for number in itertools.count())
    return next(name for name in paths if not name.exists())
