"""Opens the database, and turns SQLite's errors into ours at this one wall."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from crawler.errors import StoreError
from crawler.storage.migrations import migrations

FILE_NAME = "news.db"
# A crawl waits this long for another program's write before it gives up.
SECONDS_TO_WAIT = 30.0
# What to do about it, by SQLite's words.
_REBUILD = ": move it away, and `finews rebuild db` makes it anew from the posts"
_HINTS = {
    "locked": ": another program is writing to it; end that, and try again",
    "readonly": ": this user may not write it, which SQLite needs to read it, too: ask as its owner, or copy news.db",
    "malformed": _REBUILD,
    "not a database": _REBUILD,
}


def open_for_writing(output: Path) -> Database:
    """The database of an output folder, made or brought up to date. Raises StoreError."""
    path = output / FILE_NAME
    with errors_told(path):
        db = _connect(str(path), uri=False)
        # FULL: a committed row must outlive a power cut, since its post is written next.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            db.execute(f"PRAGMA {pragma}")
        _refuse_newer(db, path)
        migrations.apply(db)
        # What a transaction of many rows may have to take back is kept in memory, not in files elsewhere.
        db.execute("PRAGMA temp_store = MEMORY")
        return db


def open_any(output: Path) -> Database | None:
    """The database of any version that we know, for reading; None where there is none yet. Raises StoreError."""
    path = output / FILE_NAME
    if not path.is_file() or not path.stat().st_size:
        return None
    with errors_told(path):
        _recover(path)
        db = _connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        _refuse_newer(db, path)
        return db if migrations.applied(db) else None


def _recover(path: Path) -> None:
    """Do as a writer what a reader cannot: roll back what a kill cut short, or index the log that it left."""
    journal, log, index = (path.with_name(path.name + ending) for ending in ("-journal", "-wal", "-shm"))
    if journal.exists() or (log.exists() and not index.exists()):
        with _connect(f"{path.resolve().as_uri()}?mode=rw", uri=True) as db:
            db.execute("PRAGMA schema_version").fetchone()


def open_for_reading(output: Path) -> Database:
    """The database of an output folder, which this connection cannot change. Raises StoreError when there is none."""
    path = output / FILE_NAME
    db = open_any(output)
    if db is None:
        raise StoreError(f"no finews database at {path}: `finews crawl` makes one, `--output DIR` names another folder")
    if migrations.pending(db):
        raise StoreError(f"{path} was written by an older finews: the next `finews crawl` brings it up to date")
    return db


@contextmanager
def errors_told(path: Path | None = None) -> Iterator[None]:
    """SQLite's errors as StoreError, in a line that says which file and what is wrong with it."""
    try:
        yield
    except sqlite3.Error as error:
        hint = next((hint for words, hint in _HINTS.items() if words in str(error)), "")
        raise StoreError(f"{path or 'the database'}: {error}{hint}") from error


def rows_of(db: Database, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[dict[str, Any]]:
    """All rows that a query finds.

    Not by the `query` of sqlite-utils, which sets a savepoint, where each article asks this.
    """
    cursor = db.execute(sql, values)
    names = [name for name, *_ in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _connect(name: str, *, uri: bool) -> Database:
    return Database(sqlite3.connect(name, uri=uri, timeout=SECONDS_TO_WAIT), recursive_triggers=False)


def _refuse_newer(db: Database, path: Path) -> None:
    with Database(memory=True) as blank:
        released = {step.name for step in migrations.pending(blank)}
    if newer := {step.name for step in migrations.applied(db)} - released:
        raise StoreError(
            f"{path} was written by a newer finews (its step {min(newer)} is not known here): update finews"
        )
