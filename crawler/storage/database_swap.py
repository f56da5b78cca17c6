"""Database swap: put a rebuilt database in the place of the old one, with all that only the old one knew."""

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
# SQLite takes no name of a table or a column as a parameter: these are filled with those of the schema.
_DELETE_ORPHANS, _FREE_ORPHANS = 'DELETE FROM "{table}"', 'UPDATE "{table}" SET "{column}" = NULL'
_WHERE_ORPHAN = ' WHERE "{column}" IS NOT NULL AND "{column}" NOT IN (SELECT "{other_column}" FROM "{other_table}")'
# Of file systems on which a file has one name.
_NO_LINK_ERRNOS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class Replacement:
    """A new database under construction.

    `carried_over` says that it holds what the old one held, but for `faults`, in a line each: all are known at its end.
    """

    store: Store
    carried_over: bool
    faults: list[str]


@contextmanager
def replacement_database(output: Path, replaced_at: datetime) -> Iterator[Replacement]:
    """Yield a copy of the old database to write articles into, which replaces the old one at the end.

    On an error the old one stays. What follows from the articles is made again at the end. Only the holder of the lock
    may do this. Raises StoreError, also where a newer finews wrote the old one or another program reads it, and
    OutputError.
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
                # It is thrown away unless it becomes whole. A log would have to be folded in at the end.
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
    """Fold the log of the old database in, so that its file is all of it. Nothing else of it is changed.

    A damaged one is left as it is. Raises StoreError.
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
    """Return whether anything can be read of the old one, and what could not be copied.

    It is tried twice: a disk may fail to give a page once, and nothing of it must be given up for that.
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
    """Remove the rows of our tables whose partner is not there; return in a line each of which table, and how many.

    A row that may do without its partner stays, and so do all rows of the user's own tables.
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
    """Wait until a file, or what a folder lists, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_integrity(path: Path) -> None:
    """Check a database that is closed, by its one file alone. Raises StoreError when it is not sound."""
    with (
        as_store_error(path),
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection,
    ):
        (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        orphans = [row for table in our_tables() for row in connection.execute(f'PRAGMA foreign_key_check("{table}")')]
    if finding != "ok" or orphans:
        raise StoreError(f"the new database is not sound, and the old one stays: {orphans[0] if orphans else finding}")


def _replace_database_file(new_path: Path, path: Path, replaced_at: datetime) -> None:
    """The old file gets a second name before it loses its first, so that there is a database at every moment.

    The log of a damaged one goes with it before the new one is there, which must not read another's pages; one of a
    sound database is empty.
    """
    if path.exists():
        backup = _unused_backup_path(path, replaced_at)
        _link_or_copy(path, backup)
        _keep_permissions(path, new_path)
        for suffix in DATABASE_LOG_SUFFIXES:
            log = _with_suffix(path, suffix)
            if log.exists() and log.stat().st_size:
                log.rename(_with_suffix(backup, suffix))
    for suffix in (*DATABASE_LOG_SUFFIXES, "-shm"):
        _with_suffix(path, suffix).unlink(missing_ok=True)
    new_path.replace(path)
    _sync_file(path.parent)


def _link_or_copy(path: Path, backup: Path) -> None:
    try:
        os.link(path, backup)
    except OSError as error:
        if error.errno not in _NO_LINK_ERRNOS:
            raise
        shutil.copy2(path, backup)


def _keep_permissions(old_path: Path, new_path: Path) -> None:
    """Give the new file the group and the permissions of the old one; its owner is the user who rebuilds it."""
    status = old_path.stat()
    with suppress(PermissionError):  # of a group that this user is not in
        os.chown(new_path, -1, status.st_gid)
    new_path.chmod(stat.S_IMODE(status.st_mode))


def _with_suffix(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _unused_backup_path(path: Path, replaced_at: datetime) -> Path:
    base_name = f"{path.name}{DATABASE_BACKUP_INFIX}{replaced_at:%Y%m%dT%H%M%S}"
    paths = (path.with_name(base_name + (f"-{number}" if number else "")) for number in itertools.count())
    return next(name for name in paths if not name.exists())
