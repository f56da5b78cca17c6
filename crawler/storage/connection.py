"""Database connections: open SQLite databases, and convert SQLite's errors to StoreError."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from sqlite_utils import Database

from crawler.errors import StoreError
from crawler.storage.migrations import migrations
from crawler.storage.notices import add_notice
from crawler.storage.row_rules import BadValue
from crawler.storage.schema_check import find_schema_faults, find_unrecorded_steps, record_steps

DATABASE_FILE_NAME = "news.db"
# RHEL 9's, which its Python 3.11 uses; no statement needs a newer SQLite.
MIN_SQLITE_VERSION = (3, 34, 0)
# Time that a crawl waits for another program's write before it gives up.
BUSY_TIMEOUT_SECONDS = 30.0
# Names of migrations: another program may have recorded any other value.
_STEP_NAME = re.compile(r"m\d{3}_\w+", re.ASCII)
# Remedies, by SQLite's result code.
_REBUILD_HINT = (
    ": run `finews rebuild db`, which restores it from the posts and its readable part and keeps the old file"
)
_FULL_HINT = ": free space on the disk, and try again"
# Some file systems without locks report that a lock is held.
_LOCKED_HINT = (
    ": another program is writing to it; end that program, and try again. If there is none, the file system has no "
    "locks: name a folder on a local disk with --output DIR"
)
_READONLY_HINT = (
    ": this user may not write it, and SQLite needs write access even to read it: run as its owner, allow its group "
    "with `chmod -R g+w`, or copy news.db"
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
# By SQLite's extended result code: features that network and FUSE file systems may lack.
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
    """Open the database of an output folder for writing; create or migrate it. Raises StoreError."""
    _check_sqlite_version()
    path = output / DATABASE_FILE_NAME
    # Created with the umask's permissions, which its log and shared memory get too: SQLite's own are 0o644.
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
    with as_store_error(path):
        db = _connect(str(path), uri=False)
        # FULL: a committed row must survive a power cut, because its post is written next.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            db.execute(f"PRAGMA {pragma}")
        _check_not_newer(db, path)
        record_steps(db, find_unrecorded_steps(db))
        # Otherwise SQLite renames no table while a view or a trigger of the user refers to a missing table.
        db.execute("PRAGMA legacy_alter_table = ON")
        migrations.apply(db)
        db.execute("PRAGMA legacy_alter_table = OFF")
        # Savepoint journals of large transactions are kept in memory, not in temporary files.
        db.execute("PRAGMA temp_store = MEMORY")
        return db


FileIdentity = tuple[int, int] | None


def file_identity(path: Path) -> FileIdentity:
    """Return the device and inode of a file, which change when the file is replaced; None where it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def files_in_use(path: Path) -> tuple[Path, Path, Path]:
    """Return the files of an open database: the database, its log, and the index of the log."""
    return path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def open_database_of_any_version(output: Path) -> Database | None:
    """Open a database of this or an older version for reading; None where there is none yet. Raises StoreError."""
    _check_sqlite_version()
    path = output / DATABASE_FILE_NAME
    if not path.is_file() or not path.stat().st_size:
        return None
    with as_store_error(path):
        # After a kill only a writer can roll back the journal, or index the log.
        journal, wal, shm = (path.with_name(path.name + suffix) for suffix in ("-journal", "-wal", "-shm"))
        if journal.exists() or (wal.exists() and not shm.exists()):
            with _connect(f"{path.resolve().as_uri()}?mode=rw", uri=True) as db:
                db.execute("PRAGMA schema_version").fetchone()
        db = _connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        _check_not_newer(db, path)
        return db if migrations.applied(db) or find_unrecorded_steps(db) else None


def open_database_ro(output: Path, *, to_be_repaired: bool = False) -> Database:
    """Open the database of an output folder for reading.

    Raises StoreError where it is missing or an older finews wrote it, and, unless it is `to_be_repaired`, where tables
    or columns are missing.
    """
    path = output / DATABASE_FILE_NAME
    db = open_database_of_any_version(output)
    if db is None:
        raise StoreError(f"no finews database at {path}: run `finews crawl`, or name another folder with --output DIR")
    with as_store_error(path):
        is_older = migrations.pending(db) and not find_unrecorded_steps(db)
        faults = [] if to_be_repaired or is_older else [fault for fault in find_schema_faults(db) if fault.hides_data]
    if is_older:
        raise StoreError(f"{path} was written by an older finews: run `finews crawl` to bring it up to date")
    if faults:
        remedy = ": run `finews verify --repair`" if faults[0].statements and not faults[0].needs_posts else ""
        raise StoreError(f"{path}: {faults[0]}{remedy}")
    return db


def check_writable(output: Path) -> None:
    """Begin to write the database of an output folder, and take it back.

    Raises:
        StoreError: it cannot be written. A database that another program writes at this moment can be.
    """
    path = output / DATABASE_FILE_NAME
    with as_store_error(path):
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None)
        with closing(connection):
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if sqlite_code(error) != sqlite3.SQLITE_BUSY:
                    raise
            else:
                connection.execute("ROLLBACK")


@contextmanager
def as_store_error(path: Path | None = None) -> Iterator[None]:
    """Raise SQLite's errors as StoreError, with the file, the cause and a remedy on one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(error, path) from error


def store_error(error: sqlite3.Error, path: Path | None = None) -> StoreError:
    """Return the StoreError for an error of SQLite, with the file, the cause and a remedy."""
    extended_code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    hint = _HINT_BY_EXTENDED_CODE.get(extended_code) or _HINT_BY_CODE.get(sqlite_code(error), "")
    return StoreError(f"{path or 'the database'}: {error}{hint}")


def sqlite_code(error: BaseException | None) -> int:
    """Return SQLite's primary result code of an error; SQLITE_OK if the error is not SQLite's."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


class NewsDatabase(Database):
    """finews database that collects the values that break a row rule, as they are read (`bad_values`)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection, recursive_triggers=False)
        # Invalid UTF-8 must not end a query: it becomes surrogates, which no row rule accepts.
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        self.bad_values: set[BadValue] = set()


def report_bad_value(db: Database, bad_value: BadValue) -> None:
    """Add a value that breaks a row rule to the connection's `bad_values` and to the notices."""
    if isinstance(db, NewsDatabase):
        db.bad_values.add(bad_value)
    add_notice(f"{bad_value}: left out; run `finews verify --repair` to repair the row or set it aside")


def _check_sqlite_version() -> None:
    if sqlite3.sqlite_version_info < MIN_SQLITE_VERSION:
        raise StoreError(
            f"this Python has SQLite {sqlite3.sqlite_version}, but finews needs "
            f"{'.'.join(map(str, MIN_SQLITE_VERSION[:2]))} or newer: update the system's SQLite, or use another Python"
        )


def _connect(path_or_uri: str, *, uri: bool) -> NewsDatabase:
    return NewsDatabase(sqlite3.connect(path_or_uri, uri=uri, timeout=BUSY_TIMEOUT_SECONDS))


def _check_not_newer(db: Database, path: Path) -> None:
    with Database(memory=True) as empty_db:
        known_steps = {step.name for step in migrations.pending(empty_db)}
    recorded_names = {step.name for step in migrations.applied(db)}
    step_names = {name for name in recorded_names if isinstance(name, str) and _STEP_NAME.fullmatch(name)}
    if unknown_steps := step_names - known_steps:
        raise StoreError(
            f"{path} was written by a newer finews, with the unknown migration {min(unknown_steps)}: update finews"
        )
