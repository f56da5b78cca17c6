"""The database as another program sees it: with the standard library's SQLite."""

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


def query_all(database: Path, *statements: str) -> list[list[Any]]:
    """Return the rows of each statement."""
    connection = sqlite3.connect(database)
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        return [connection.execute(sql).fetchall() for sql in statements]
    finally:
        connection.close()


def dump_database(database: Path) -> dict[str, list[Any]]:
    """Return all rows by table, without the search index and the stale pages, which follow from other tables."""
    select_tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%migrations'"
    ((*names,),) = query_all(
        database, f"{select_tables} AND name NOT LIKE 'search%' AND name NOT IN ('sqlite_sequence', 'stale_pages')"
    )
    quoted_names = {name: name.replace('"', '""') for (name,) in names}
    return {
        name: sorted(map(repr, query_all(database, f'SELECT * FROM "{quoted}"')[0]))  # noqa: S608  # quoted
        for name, quoted in quoted_names.items()
    }


def leave_in_log(database: Path, sql: str) -> None:
    """Change a database as a killed program does: the change is only in the write-ahead log."""
    log = database.with_name(f"{database.name}-wal")
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(sql)
    contents = {path: path.read_bytes() for path in (database, log)}
    connection.close()
    for path, content in contents.items():
        path.write_bytes(content)
