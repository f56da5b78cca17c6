"""Database swap: replace the database by a rebuilt copy, and keep the old file."""

import errno
import itertools
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database

from crawler.errors import OutputError, StoreError
from crawler.storage import Store
from crawler.storage.connection import (
    DATABASE_FILE_NAME,
    as_store_error,
    open_database_of_any_version,
    open_database_rw,
)
from crawler.storage.database_copy import UnreadableDatabaseError, copy_database, is_damage, our_tables
from crawler.storage.migrations import MARK_ALL_PAGES_STALE
from crawler.storage.reprints.clusters import ReprintClusters
from crawler.storage.schema_check import repair_schema
from crawler.storage.search.index import SearchIndex
from crawler.storage.unfinished import DATABASE_BACKUP_INFIX, DATABASE_LOG_SUFFIXES, unfinished_folder

_ADD_MISSING_CATEGORIES = "INSERT OR IGNORE INTO categories (slug, media) SELECT category, media FROM articles"
# SQLite takes no table or column name as a parameter: names of the schema are filled in.
_DELETE_ORPHANS, _FREE_ORPHANS = 'DELETE FROM "{table}"', 'UPDATE "{table}" SET "{column}" = NULL'
_WHERE_ORPHAN = ' WHERE "{column}" IS NOT NULL AND "{column}" NOT IN (SELECT "{other_column}" FROM "{other_table}")'
# Errors of file systems without hard links.
_NO_LINK_ERRNOS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class Replacement:
    """New database that is being filled.

    `carried_over`: it has the old database's rows, except for `faults`, a line each, which are complete at the end.
    """

    store: Store
    carried_over: bool
    faults: list[str]


@contextmanager
def replacement_database(output: Path, replaced_at: datetime) -> Iterator[Replacement]:
    """Yield a copy of the old database to write articles into, which replaces the old one at the end.

    On an error the old one stays. Search index and reprints are rebuilt at the end. Requires the lock of the output
    folder. Raises OutputError, and StoreError, also where a newer finews wrote the old database or another program
    reads it.
    """
    path = output / DATABASE_FILE_NAME
    try:
        has_old = path.is_file() and bool(path.stat().st_size)
        if has_old:
            _prepare_old_database(output)
        with unfinished_folder(output) as build_dir:
            new_path = build_dir / DATABASE_FILE_NAME
            carried_over, faults = _copy_old_database(path, new_path) if has_old else (False, [])
            with closing(open_database_rw(build_dir)) as db, as_store_error(path):
                # An incomplete database is deleted. A write-ahead log would have to be checkpointed at the end.
                for pragma in (
                    "locking_mode = EXCLUSIVE",
                    "journal_mode = MEMORY",
                    "synchronous = OFF",
                    "foreign_keys = OFF",
                ):
                    db.execute(f"PRAGMA {pragma}")
                repair_schema(db, has_posts=True)
                replacement = Replacement(Store(db), carried_over, faults)
                with db.atomic():
                    yield replacement
                faults += _remove_orphans(db)
                for statement in MARK_ALL_PAGES_STALE:
                    db.execute(statement)
                SearchIndex(db).rebuild()
                ReprintClusters(db).rebuild()
                db.execute("PRAGMA journal_mode = WAL")
            _sync_file(new_path)
            _check_integrity(new_path)
            _replace_database_file(new_path, path, replaced_at)
    except OSError as error:
        raise OutputError(f"cannot replace {path}: {error.strerror}") from error


def _prepare_old_database(output: Path) -> None:
    """Checkpoint the log of the old database, whose file is complete then. A damaged database is left unchanged.

    Raises StoreError.
    """
    path = output / DATABASE_FILE_NAME
    try:
        if (db := open_database_of_any_version(output)) is not None:
            db.close()
        with as_store_error(path), closing(sqlite3.connect(path)) as connection:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except StoreError as error:
        if isinstance(error.__cause__, sqlite3.Error) and is_damage(error.__cause__):
            return
        raise
    if busy:
        raise StoreError(f"{path} is being read by another program: try again when it has ended")


def _copy_old_database(path: Path, new_path: Path) -> tuple[bool, list[str]]:
    """Copy the old database; return whether it could be read, and a line for each part that could not be copied.

    Tried twice: a read error of the disk may be temporary.
    """
    faults: list[str] = []
    for _ in range(2):
        try:
            with as_store_error(path):
                faults = copy_database(path, new_path)
            return True, faults
        except UnreadableDatabaseError as error:
            for file in new_path.parent.iterdir():
                file.unlink()
            faults = [f"anything of the old database, which cannot be read: {error}"]
    return False, faults


def _remove_orphans(db: Database) -> list[str]:
    """Remove rows of finews' tables that refer to a missing row; return a line with the number for each table.

    Where the reference may be NULL, it becomes NULL and the row stays. Rows of users' tables stay.
    """
    faults = []
    with db.atomic():
        db.execute(_ADD_MISSING_CATEGORIES)
        for table in sorted(our_tables()):
            not_null = {column.name for column in db.table(table).columns if column.notnull or column.is_pk}
            for key in db.table(table).foreign_keys:
                names = {"column": key.column, "other_table": key.other_table, "other_column": key.other_column}
                repair = _DELETE_ORPHANS if key.column in not_null else _FREE_ORPHANS
                count = db.execute((repair + _WHERE_ORPHAN).format(table=table, **names)).rowcount
                if count and key.column in not_null:
                    faults.append(f"{table}: rows whose {key.column} is in no row of {key.other_table}: {count}")
    return faults


def _sync_file(path: Path) -> None:
    """Sync a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_integrity(path: Path) -> None:
    """Check a closed database. Raises StoreError if it is damaged or rows refer to missing rows."""
    with (
        as_store_error(path),
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection,
    ):
        (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        orphans = [row for table in our_tables() for row in connection.execute(f'PRAGMA foreign_key_check("{table}")')]
    if finding != "ok" or orphans:
        raise StoreError(f"the new database is damaged, and the old one stays: {orphans[0] if orphans else finding}")


def _replace_database_file(new_path: Path, path: Path, replaced_at: datetime) -> None:
    """Give the old file a backup name, then move the new one to its place, so there is a database at any time.

    The log of a damaged database is moved with it first: with the new file it would mix pages of two databases. The log
    of an intact database is empty.
    """
    if path.exists():
        base_name = f"{path.name}{DATABASE_BACKUP_INFIX}{replaced_at:%Y%m%dT%H%M%S}"
        candidates = (path.with_name(base_name + (f"-{number}" if number else "")) for number in itertools.count())
        backup = next(candidate for candidate in candidates if not candidate.exists())
        try:
            os.link(path, backup)
        except OSError as error:
            if error.errno not in _NO_LINK_ERRNOS:
                raise
            shutil.copy2(path, backup)
        # The new file keeps group and permissions of the old one; its owner is the current user.
        status = path.stat()
        with suppress(PermissionError):  # the user is not in the group
            os.chown(new_path, -1, status.st_gid)
        new_path.chmod(stat.S_IMODE(status.st_mode))
        for suffix in DATABASE_LOG_SUFFIXES:
            log = _with_suffix(path, suffix)
            if log.exists() and log.stat().st_size:
                log.rename(_with_suffix(backup, suffix))
    for suffix in (*DATABASE_LOG_SUFFIXES, "-shm"):
        _with_suffix(path, suffix).unlink(missing_ok=True)
    new_path.replace(path)
    _sync_file(path.parent)


def _with_suffix(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
