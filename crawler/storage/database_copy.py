"""Database copy: copy all readable rows of a database, which may be damaged, into a new file.

Tables are read and written one by one, those that users added included, so no damage is copied. Tables derived from the
articles (`DERIVED_PREFIXES`) are created empty; the caller fills them.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.db import quote_identifier

from crawler.storage.connection import BUSY_TIMEOUT_SECONDS, sqlite_code
from crawler.storage.migrations import migrations
from crawler.storage.schema_check import SELECT_IS_WITHOUT_ROWID

DERIVED_PREFIXES = ("search_", "story_")
# Properties of a database that have to be set before its first table is created.
_COPIED_PRAGMAS = ("encoding", "page_size", "auto_vacuum", "user_version", "application_id")
# A page with invalid content, or that the disk cannot read.
_DAMAGE_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_READ_ERROR_CODES = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}
# An index, a view or a trigger cannot be created: an object or a function is missing, or rows break its constraint.
_SCHEMA_CODES = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}
# Unreadable ranges of rows, by halving, before the rest of a table is given up: some thousand unreadable rows.
_MAX_FAILED_RANGES = 20_000
_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_ADD_VIRTUAL_TABLE = """
    INSERT INTO main.sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('table', ?1, ?1, 0, ?2)
"""
# SQLite takes no table or column name as a parameter: quoted names of the schema are filled in.
_COPY_ROWS = "INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {columns} FROM old.{table}"
_COUNT_ROWS = "SELECT count(*) FROM old.{table} NOT INDEXED"
_EMPTY_INTERNAL_TABLES = {
    "sqlite_sequence": "DELETE FROM main.sqlite_sequence",
    "sqlite_stat1": "DELETE FROM main.sqlite_stat1",
}
_ALL_ROWIDS = (-(1 << 63), (1 << 63) - 1)


class UnreadableDatabaseError(Exception):
    """Unreadable database: the file is not a database, or its schema table is damaged."""


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error means that a part of a database file cannot be read."""
    return sqlite_code(error) in _DAMAGE_CODES or getattr(error, "sqlite_errorcode", 0) in _READ_ERROR_CODES


@contextmanager
def _damage_as_unreadable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if is_damage(error):
            raise UnreadableDatabaseError(str(error)) from error
        raise


@cache
def our_tables() -> frozenset[str]:
    """Return the names of the tables of a new database, those of virtual tables included."""
    with Database(memory=True) as db:
        migrations.apply(db)
        return frozenset(db.table_names())


def copy_database(source: Path, target: Path) -> list[str]:
    """Copy a database into a new file, and return a line for each part that could not be copied.

    Rows keep their rowids, and values their types. Raises UnreadableDatabaseError, and sqlite3.Error where the new file
    cannot be written.
    """
    with (
        _damage_as_unreadable(),
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=rw", uri=True)) as connection,
    ):
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        pragmas = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _COPIED_PRAGMAS}
    with closing(sqlite3.connect(target.resolve().as_uri(), uri=True, isolation_level=None)) as connection:
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA main.{name} = {value!r}")
        # An incomplete copy is deleted, so nothing needs to survive a crash.
        for pragma in ("journal_mode = MEMORY", "synchronous = OFF", "temp_store = MEMORY", "writable_schema = ON"):
            connection.execute(f"PRAGMA {pragma}")
        # Otherwise SQLite reads the schema again before each statement, and takes the first read error for damage.
        connection.execute("PRAGMA main.locking_mode = EXCLUSIVE")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000:.0f}")
        connection.execute("ATTACH DATABASE ? AS old", [f"{source.resolve().as_uri()}?mode=rw"])
        # Without a transaction, which SQLite would roll back when a statement meets damage.
        copy = _Copy(connection)
        copy.run()
    return copy.faults


@dataclass(slots=True)
class _Copy:
    """Copy from the attached database `old` to `main`, on one connection."""

    connection: sqlite3.Connection
    faults: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Copy tables with rows before indexes, which are then created faster, and triggers, which must not fire."""
        with _damage_as_unreadable():
            schema = self.connection.execute(
                "SELECT type, name, sql, type = 'table' AND rootpage = 0 FROM old.sqlite_master "
                "WHERE sql IS NOT NULL ORDER BY rowid"
            ).fetchall()
        tables = {name: sql for kind, name, sql, _ in schema if kind == "table"}
        virtual_tables = {name for _, name, _, is_virtual in schema if is_virtual}
        shadow_prefixes = tuple(f"{name}_" for name in virtual_tables if _is_derived(name))
        for name, sql in tables.items():
            if name.startswith("sqlite_") or (_is_derived(name) and name.startswith(shadow_prefixes)):
                continue
            if _is_derived(name):
                self._create(name, sql)
            elif name in virtual_tables:
                # Its module may be missing, so only its line in the schema is copied; its rows are in shadow tables.
                self._create(name, _ADD_VIRTUAL_TABLE, name, sql)
            elif self._create(name, sql):
                self._copy_rows(name)
        self._copy_internal_tables(tables.keys())
        for wanted_kind in ("index", "view", "trigger"):
            for kind, name, sql, _ in schema:
                if kind == wanted_kind:
                    self._create(f"{kind} {name}", sql)

    def _create(self, label: str, statement: str, *values: str) -> bool:
        """Create a part of the schema, or record why it cannot be created; return whether it was created."""
        try:
            with _damage_as_unreadable():
                self.connection.execute(statement, values)
        except sqlite3.Error as error:
            if sqlite_code(error) not in _SCHEMA_CODES:
                raise
            self.faults.append(f"{label}: {error}")
            return False
        return True

    def _copy_internal_tables(self, old_names: AbstractSet[str]) -> None:
        """Copy the last ids of AUTOINCREMENT tables, and the statistics of ANALYZE."""
        if "sqlite_stat1" in old_names:
            self.connection.execute("ANALYZE main.sqlite_master")
        names = {row[0] for row in self.connection.execute("SELECT name FROM main.sqlite_master")}
        for name in old_names & names & _EMPTY_INTERNAL_TABLES.keys():
            self.connection.execute(_EMPTY_INTERNAL_TABLES[name])
            self._copy_rows(name)

    def _copy_rows(self, table: str) -> None:
        """Copy the readable rows of a table, with one statement if all are readable."""
        columns = self.connection.execute(
            "SELECT name, hidden, pk FROM pragma_table_xinfo(?, 'main')", [table]
        ).fetchall()
        (is_without_rowid,) = self.connection.execute(SELECT_IS_WITHOUT_ROWID, [table]).fetchone()
        taken_names = {name.lower() for name, *_ in columns}
        rowid = next((name for name in _ROWID_NAMES if name not in taken_names), "") if not is_without_rowid else ""
        listed = ", ".join(
            [rowid] * bool(rowid) + [quote_identifier(name) for name, hidden, _ in columns if not hidden]
        )
        insert = _COPY_ROWS.format(table=quote_identifier(table), columns=listed)
        key = [rowid] if rowid else [quote_identifier(name) for name, _, pk in sorted(columns, key=itemgetter(2)) if pk]
        # Ordered by its key, SQLite reads the table; without an order, it may read an index that has all columns.
        in_order = f"{insert} ORDER BY {', '.join(key)}"
        copied = next((count for sql in (in_order, insert) if (count := self._insert(sql)) is not None), None)
        if copied is not None:
            self._check_count(table, copied)
        elif rowid:
            self._copy_ranges(table, f"{insert} WHERE {rowid} BETWEEN ? AND ?")
        else:
            self._copy_both_ends(table, insert, key)

    def _insert(self, statement: str, *values: int) -> int | None:
        """Return the number of inserted rows; None, with no row inserted, if one of them could not be read."""
        try:
            return self.connection.execute(statement, values).rowcount
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return None

    def _check_count(self, table: str, copied: int) -> None:
        """Record the number of rows that were left out because they break a constraint."""
        try:
            (total,) = self.connection.execute(_COUNT_ROWS.format(table=quote_identifier(table))).fetchone()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return  # all rows were read from an index
        if copied < total:
            self.faults.append(f"{table}: {total - copied} of {total} rows break a constraint of the table")

    def _copy_ranges(self, table: str, insert: str) -> None:
        """Copy all rows on readable pages, by halving the ranges that have an unreadable page."""
        copied, failures, is_complete = 0, 0, True
        ranges = [_ALL_ROWIDS]
        while ranges:
            low, high = ranges.pop()
            inserted = self._insert(insert, low, high)
            if inserted is not None:
                copied += inserted
            elif low == high or failures == _MAX_FAILED_RANGES:
                is_complete = False
            else:
                failures += 1
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]
        if not is_complete:
            self.faults.append(f"{table}: damaged; {copied} rows could be read")

    def _copy_both_ends(self, table: str, insert: str, key: Sequence[str]) -> None:
        """Copy the rows of a table without rowids, from both ends up to an unreadable page."""
        copied = 0
        for direction in ("ASC", "DESC"):
            order = ", ".join(f"{name} {direction}" for name in key)
            from_this_end, is_complete = self._copy_first_rows(f"{insert} ORDER BY {order} LIMIT ?")
            copied += from_this_end
            if is_complete:
                return
        self.faults.append(f"{table}: damaged; {copied} rows could be read")

    def _copy_first_rows(self, insert: str) -> tuple[int, bool]:
        """Copy rows in their order up to an unreadable page; return their number, and whether these are all rows."""
        copied, readable, step, is_growing = 0, 0, 1, True
        while step:
            inserted = self._insert(insert, readable + step)
            if inserted is None:
                is_growing = False
            else:
                if is_growing and readable and not inserted:
                    return copied, True
                copied += inserted
                readable += step
            step = step * 2 if is_growing else step // 2
        return copied, False


def _is_derived(table: str) -> bool:
    return table in our_tables() and table.startswith(DERIVED_PREFIXES)
