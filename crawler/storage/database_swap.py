"""A database made anew: what only the old one knew is carried over, and the new one takes its place at once."""

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
from crawler.storage.connection import FILE_NAME, errors_told, open_for_writing
from crawler.storage.reprints.clusters import Stories
from crawler.storage.search.index import Index

_BUILT_IN = ".rebuild-"
# What posts say by themselves or triggers fill, and the migrations' own table.
_NOT_CARRIED = {
    "articles", "categories", "mentions", "search_documents", "search_blocks", "search_pending", "stale_pages",
    "story_texts", "story_articles", "story_keys", "story_pending", "_sqlite_migrations",
}  # fmt: skip
# What posts do not say of their articles.
_RECALLED = """
    UPDATE articles SET (summary, source, first_seen_at, changed_at, revision, withdrawn_at) = (
        SELECT summary, source, first_seen_at, changed_at, revision, withdrawn_at FROM old.articles AS was
        WHERE was.code = articles.code
    )
    WHERE code IN (SELECT code FROM old.articles)
"""
# SQLite takes no name of a table or a column as a parameter: these are filled with those of the schema.
_COPIED = 'INSERT INTO main."{table}" ({columns}) SELECT {columns} FROM old."{table}"'
_OF_ARTICLES = ' WHERE "{}" IN (SELECT code FROM articles)'


def fold_in(output: Path) -> bool:
    """Whether there is an old database to carry over from: sound, brought up to date, with its log folded in.

    Only the holder of the lock may ask. Raises StoreError for one that a newer finews wrote or another program uses.
    """
    path = output / FILE_NAME
    if not path.is_file() or not path.stat().st_size or not _is_sound(path):
        return False
    db = open_for_writing(output)
    with errors_told(path):
        busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        db.close()
    if busy:
        raise StoreError(f"{path} is being read by another program: try again when it has ended")
    return True


@contextmanager
def renewed(output: Path, at: datetime, *, carry: bool) -> Iterator[Store]:
    """A new database to write articles into, which replaces the old one at the end; on an error the old one stays.

    `carry` takes over what posts do not say from the old one. Only the holder of the lock may do this. Raises
    StoreError and OutputError.
    """
    for left in output.glob(f"{_BUILT_IN}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_BUILT_IN, dir=output) as folder:
        with closing(open_for_writing(Path(folder))) as db, errors_told():
            with db.atomic():
                yield Store(db)
            if carry:
                _carry_over(db, output / FILE_NAME)
                Index(db).catch_up_all()
            Stories(db).catch_up()
            _check(db)
        _take_the_place(Path(folder) / FILE_NAME, output / FILE_NAME, at)


def _is_sound(path: Path) -> bool:
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


def _carry_over(db: Database, old: Path) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("ATTACH DATABASE ? AS old", [str(old)])
    with db.atomic():
        db.execute(_RECALLED)
        db.execute("UPDATE articles SET published_revision = revision WHERE published_revision IS NOT NULL")
        db.execute("INSERT OR REPLACE INTO categories SELECT * FROM old.categories")
        for table in _carried_tables(db):
            _copy(db, table)
    db.execute("DETACH DATABASE old")


def _carried_tables(db: Database) -> list[str]:
    """The tables of our own making; an index of words makes itself from the articles."""
    rows = db.query("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    names = (row["name"] for row in rows)
    return [name for name in names if name not in _NOT_CARRIED and not name.startswith("sqlite_")]


def _copy(db: Database, table: str) -> None:
    """What belongs to an article comes over with that article only."""
    columns = ", ".join(f'"{column.name}"' for column in db.table(table).columns)
    own = [key.column for key in db.table(table).foreign_keys if key.other_table == "articles"]
    where = _OF_ARTICLES.format(own[0]) if own else ""
    db.execute(_COPIED.format(table=table, columns=columns) + where)


def _check(db: Database) -> None:
    """Raises StoreError when the new database is not sound."""
    faults = [*db.execute("PRAGMA foreign_key_check").fetchall()]
    found = db.execute("PRAGMA integrity_check(1)").fetchone()
    if faults or found != ("ok",):
        raise StoreError(f"the new database is not sound, and the old one stays: {(faults or [found])[0]}")


def _take_the_place(new: Path, path: Path, at: datetime) -> None:
    """The old file gets a second name before it loses its first, so that there is a database at every moment."""
    log, index = path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
    try:
        if path.exists():
            kept = _free_name(path, at)
            os.link(path, kept)
            if log.exists() and log.stat().st_size:  # of a damaged database: no other's pages may be read from it
                log.rename(kept.with_name(f"{kept.name}-wal"))
        new.replace(path)
        log.unlink(missing_ok=True)
        index.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot replace {path}: {error.strerror}") from error


def _free_name(path: Path, at: datetime) -> Path:
    base = f"{path.name}.before-rebuild-{at:%Y%m%dT%H%M%S}"
    names = (path.with_name(base + (f"-{number}" if number else "")) for number in itertools.count())
    return next(name for name in names if not name.exists())
