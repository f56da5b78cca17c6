"""Base class of all tables: SQL in, dicts out, SQLite's errors as StoreError."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlite_utils import Database

from crawler.storage.connection import store_error


class Table:
    """SQL statements on one database. Values are given by position for `?`, or by name for `:name`.

    Reads do not go through `Database.query`, which sets a savepoint: in a transaction, FTS5 writes a part of its index
    at each of them. Each method raises StoreError where SQLite reports an error.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def _fetch_all(self, sql: str, *values: object, **named_values: object) -> list[dict[str, Any]]:
        """Return all rows."""
        try:
            cursor = self._db.execute(sql, named_values or values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]
        except sqlite3.Error as error:
            raise store_error(error) from error

    def _iter_rows(self, sql: str, *values: object, **named_values: object) -> Iterator[dict[str, Any]]:
        """Yield the rows one at a time, however many there are."""
        try:
            cursor = self._db.execute(sql, named_values or values)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))
        except sqlite3.Error as error:
            raise store_error(error) from error

    def _fetch_one(self, sql: str, *values: object, **named_values: object) -> dict[str, Any] | None:
        """Return the first row, None where there is none."""
        return next(iter(self._fetch_all(sql, *values, **named_values)), None)

    def _execute(self, sql: str, *values: object, **named_values: object) -> sqlite3.Cursor:
        """Run a statement; outside a transaction, what it changes is committed at once."""
        try:
            return self._db.execute(sql, named_values or values)
        except sqlite3.Error as error:
            raise store_error(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is written inside together, or nothing of it. One inside another is a savepoint."""
        try:
            with self._db.atomic():
                yield
        except sqlite3.Error as error:
            raise store_error(error) from error
