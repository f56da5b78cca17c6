"""Base class of all tables: takes SQL, returns rows as dicts, raises SQLite's errors as StoreError."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlite_utils import Database

from crawler.storage.connection import report_bad_value, store_error
from crawler.storage.row_rules import BadValue, checks_of_query, find_key


class Table:
    """SQL statements on one database. Values are given by position for `?`, or by name for `:name`.

    Rows that break a row rule (storage/row_rules.py) are reported and left out. Each method raises StoreError where
    SQLite reports an error.

    Reads do not use `Database.query`, which sets a savepoint: inside a transaction, FTS5 writes a part of its index at
    each savepoint.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def _fetch_all(self, sql: str, *values: object, **named_values: object) -> list[dict[str, Any]]:
        """Return all rows."""
        return list(self._iter_rows(sql, *values, **named_values))

    def _iter_rows(self, sql: str, *values: object, **named_values: object) -> Iterator[dict[str, Any]]:
        """Yield the rows one at a time."""
        try:
            cursor = self._db.execute(sql, named_values or values)
            names = tuple(column[0] for column in cursor.description)
            checks = checks_of_query(sql, names)
            for row in cursor:
                for position, name, table, rule in checks:
                    if problem := rule(row[position]):
                        report_bad_value(self._db, BadValue(table, find_key(names, row), name, problem))
                        break
                else:
                    yield dict(zip(names, row, strict=True))
        except sqlite3.Error as error:
            raise store_error(error) from error

    def _fetch_one(self, sql: str, *values: object, **named_values: object) -> dict[str, Any] | None:
        """Return the first row; None where there is no row."""
        return next(iter(self._fetch_all(sql, *values, **named_values)), None)

    def _execute(self, sql: str, *values: object, **named_values: object) -> sqlite3.Cursor:
        """Run a statement; outside a transaction, its changes are committed at once."""
        try:
            return self._db.execute(sql, named_values or values)
        except sqlite3.Error as error:
            raise store_error(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes of the block, or none on an error. Nested transactions are savepoints."""
        try:
            with self._db.atomic():
                yield
        except sqlite3.Error as error:
            raise store_error(error) from error
