"""Database connections: open SQLite, and turn its errors into StoreError, here alone."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from sqlite_utils import Database

from crawler.errors import StoreError
from crawler.storage.migrations import migrations
from crawler.storage.notices import add_notice
from crawler.storage.row_rules import BadValue
from crawler.storage.schema_check import find_schema_faults, find_unrecorded_steps, record_steps

DATABASE_FILE_NAME = "news.db"
# Of RHEL 9, whose Python 3.11 uses the system's; statements need no newer one.
MIN_SQLITE_VERSION = (3, 34, 0)
# A crawl waits this long for another program's write before it gives up.
BUSY_TIMEOUT_SECONDS = 30.0
_STEP_NAME = re.compile(r"m\d{3}_\w+", re.ASCII)
# What to do about it, by SQLite's result code.
_REBUILD_HINT = ": `finews rebuild db` makes it again from the posts and what can be read of it, and keeps the old file"
_FULL_HINT = ": make room on the disk, and try again"
# Some file systems without locks answer as if one were held.
_LOCKED_HINT = (
    ": another program is writing to it; end that, and try again. If there is none, its file system has no locks: name "
    "a folder on a local disk with --output DIR"
)
_READONLY_HINT = (
    ": this user may not write it, which SQLite needs to read it, too: ask as its owner, or copy news.db; "
    "`chmod -R g+w` lets its group in"
)
_LOCAL_DISK_HINT = ", which SQLite needs: name a folder on a local disk with --output DIR, or move this one there"
_NO_LOCKS_HINT = f": its file system has no locks{_LOCAL_DISK_HINT}"
_NO_SHARED_MEMORY_HINT = f": its file system has no shared memory{_LOCAL_DISK_HINT}"
_HINT_BY_CODE = {
    sqlite3.SQLITE_BUSY: _LOCKED_HINT,
    sqlite3.SQLITE_LOCKED: _LOCKED_HINT,
    sqlite3.SQLITE_READONLY: _READONLY_HINT,
    sqlite3.SQLITE_CORRUPT: _REBUILD_HINT,
    sqlite3.SQLITE_NOTADB: _REBUILD_HINT,
    sqlite3.SQLITE_FULL: _FULL_HINT,
    sqlite3.SQLITE_PROTOCOL: _NO_LOCKS_HINT,
}
# By SQLite's extended result code: what a network or FUSE file system may be without.
_HINT_BY_EXTENDED_CODE = {
    **dict.fromkeys(
        (
            sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK, sqlite3.SQLITE_IOERR_UNLOCK,
            sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
        ),
        _NO_LOCKS_HINT,
    ),
    **dict.fromkeys(
        (
            sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMLOCK,
            sqlite3.SQLITE_IOERR_SHMMAP,
        ),
        _NO_SHARED_MEMORY_HINT,
    ),
}  # fmt: skip


def open_database_rw(output: Path) -> Database:
    """The database of an output folder, made or brought up to date. Raises StoreError."""
    _check_sqlite_version()
    path = output / DATABASE_FILE_NAME
    # SQLite would let only its owner write it; its log and its shared memory get the same permissions.
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
    with as_store_error(path):
        db = _connect(str(path), uri=False)
        # FULL: a committed row must outlive a power cut, since its post is written next.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            db.execute(f"PRAGMA {pragma}")
        _check_not_newer(db, path)
        record_steps(db, find_unrecorded_steps(db))
        # Else SQLite renames no table while a view or a trigger of the user's names one that is not there.
        db.execute("PRAGMA legacy_alter_table = ON")
        migrations.apply(db)
        db.execute("PRAGMA legacy_alter_table = OFF")
        # What a transaction of many rows may have to take back is kept in memory, not in files elsewhere.
        db.execute("PRAGMA temp_store = MEMORY")
        return db


FileIdentity = tuple[int, int] | None


def file_identity(path: Path) -> FileIdentity:
    """Return the device and inode of a file, which another file of its name does not have; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def files_in_use(path: Path) -> tuple[Path, Path, Path]:
    """Return the files of a database that is open: the database, its log, and what indexes the log."""
    return path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def open_database_of_any_version(output: Path) -> Database | None:
    """The database of any version that we know, for reading; None where there is none yet. Raises StoreError."""
    _check_sqlite_version()
    path = output / DATABASE_FILE_NAME
    if not path.is_file() or not path.stat().st_size:
        return None
    with as_store_error(path):
        _recover_journal(path)
        db = _connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        _check_not_newer(db, path)
        return db if migrations.applied(db) or find_unrecorded_steps(db) else None


def _recover_journal(path: Path) -> None:
    """Do as a writer what a reader cannot: roll back what a kill cut short, or index the log that it left."""
    journal, wal, shm = (path.with_name(path.name + suffix) for suffix in ("-journal", "-wal", "-shm"))
    if journal.exists() or (wal.exists() and not shm.exists()):
        with _connect(f"{path.resolve().as_uri()}?mode=rw", uri=True) as db:
            db.execute("PRAGMA schema_version").fetchone()


def open_database_ro(output: Path, *, to_be_repaired: bool = False) -> Database:
    """The database of an output folder, which this connection cannot change.

    Raises StoreError when there is none, and unless it is `to_be_repaired`, when tables or columns of it are missing.
    """
    path = output / DATABASE_FILE_NAME
    db = open_database_of_any_version(output)
    if db is None:
        raise StoreError(f"no finews database at {path}: `finews crawl` makes one, `--output DIR` names another folder")
    with as_store_error(path):
        is_older = migrations.pending(db) and not find_unrecorded_steps(db)
        faults = [] if to_be_repaired or is_older else [fault for fault in find_schema_faults(db) if fault.hides_data]
    if is_older:
        raise StoreError(f"{path} was written by an older finews: the next `finews crawl` brings it up to date")
    if faults:
        remedy = ": `finews verify --repair` repairs it" if faults[0].statements and not faults[0].needs_posts else ""
        raise StoreError(f"{path}: {faults[0]}{remedy}")
    return db


@contextmanager
def as_store_error(path: Path | None = None) -> Iterator[None]:
    """SQLite's errors as StoreError, in a line that says which file and what is wrong with it."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(error, path) from error


def store_error(error: sqlite3.Error, path: Path | None = None) -> StoreError:
    """Return the StoreError that says which file SQLite's error is about, and what to do about it."""
    extended_code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    hint = _HINT_BY_EXTENDED_CODE.get(extended_code) or _HINT_BY_CODE.get(sqlite_code(error), "")
    return StoreError(f"{path or 'the database'}: {error}{hint}")


def sqlite_code(error: BaseException | None) -> int:
    """Return SQLite's primary result code of an error; SQLITE_OK for what is no error of SQLite's own."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


def _is_step_name(name: object) -> bool:
    """Whether a migration of finews may be called so; another program may have recorded anything."""
    return isinstance(name, str) and bool(_STEP_NAME.fullmatch(name))


class NewsDatabase(Database):
    """A finews database, with the values that another program wrote and that were met so far (`bad_values`)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection, recursive_triggers=False)
        # Bytes that are no UTF-8 must not end a query: they become half characters, which no rule lets pass.
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        self.bad_values: set[BadValue] = set()


def report_bad_value(db: Database, bad_value: BadValue) -> None:
    """Report a value that another program wrote, once for each connection."""
    if isinstance(db, NewsDatabase):
        db.bad_values.add(bad_value)
    add_notice(f"{bad_value}: left out; `finews verify --repair` repairs the row or sets it aside")


def _check_sqlite_version() -> None:
    if sqlite3.sqlite_version_info < MIN_SQLITE_VERSION:
        raise StoreError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and finews needs "
            f"{'.'.join(map(str, MIN_SQLITE_VERSION[:2]))} or newer: update the system's SQLite, or use another Python"
        )


def _connect(path_or_uri: str, *, uri: bool) -> NewsDatabase:
    return NewsDatabase(sqlite3.connect(path_or_uri, uri=uri, timeout=BUSY_TIMEOUT_SECONDS))


def _check_not_newer(db: Database, path: Path) -> None:
    with Database(memory=True) as empty_db:
        known_steps = {step.name for step in migrations.pending(empty_db)}
    recorded_names = {step.name for step in migrations.applied(db)}
    if unknown_steps := {name for name in recorded_names if _is_step_name(name)} - known_steps:
        raise StoreError(
            f"{path} was written by a newer finews (its step {min(unknown_steps)} is not known here): update finews"
        )
