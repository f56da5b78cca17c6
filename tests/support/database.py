"""The database as any other program sees it: with the standard library's SQLite."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

Query = Callable[..., list[Any]]


def query_function(database: Path) -> Query:
    """Return a function that queries the database; a row of one column is its value."""

    def query(sql: str, *values: object) -> list[Any]:
        connection = sqlite3.connect(database)
        try:
            rows = connection.execute(sql, values).fetchall()
        finally:
            connection.close()
        return [row[0] if len(row) == 1 else row for row in rows]

    return query


def tuple_query_function(database: Path) -> Query:
    """Return a function that queries the database without waiting for a lock; every row is a tuple."""

    def query(sql: str, *values: object) -> list[Any]:
        connection = sqlite3.connect(database, timeout=0)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    return query


def execute_sql(output: Path, sql: str, *values: object) -> None:
    """Change rows of an output folder's database; the statement must find some."""
    connection = sqlite3.connect(output / "news.db")
    with connection:
        assert connection.execute(sql, values).rowcount > 0
    connection.close()
