"""Foreign SQL: run statements of web users, with limits on operations, size, memory and time.

An authorizer allows the operations listed here and no others. It cannot limit time and memory: a single step of SQLite
may take minutes, and so may parsing a statement. Such SQL therefore runs in a separate process
(publish/web/query_process.py), which is killed at its time limit.
"""

import resource
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from crawler.errors import FinewsError
from crawler.storage.connection import sqlite_code

# Bytes of a value. The largest in the database are raw responses, of up to 8 MiB before compression.
_MAX_VALUE_BYTES = 16 << 20
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: _MAX_VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,  # bytes; the URL of a table page may filter by hundreds of values
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 1_000,  # the time to parse a statement grows with the square
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,  # bytes; time grows with the product of pattern and text
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}
# Bytes of memory for SQLite, and for the whole process: with Python, and a result that is sent.
_MAX_SQLITE_MEMORY = 128 << 20
_MAX_PROCESS_MEMORY = 512 << 20
# Bytes of a result, of which the server holds several copies while it renders a page.
_MAX_RESULT_BYTES = 32 << 20
# Bytes that are counted for a cell in addition to its text: rendering many small cells is slow, too.
_BYTES_PER_CELL = 500
# SQLite operations between two calls of the progress handler; they take about 0.1 ms.
_OPERATIONS_PER_CHECK = 1_000
# Seconds of CPU time, in addition to the time limit, after which the system ends a process without a parent.
_CPU_GRACE_SECONDS = 2

_ACTIONS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_RECURSIVE,
    # finews' search functions read in one transaction.
    sqlite3.SQLITE_SAVEPOINT,
    sqlite3.SQLITE_TRANSACTION,
}
_FUNCTIONS = {
    # text and numbers
    "abs", "char", "coalesce", "format", "glob", "hex", "ifnull", "iif", "instr", "length", "like",
    "likelihood", "likely", "lower", "ltrim", "max", "min", "nullif", "octet_length", "printf", "quote",
    "random", "replace", "round", "rtrim", "sign", "substr", "substring", "trim", "typeof", "unicode",
    "unlikely", "upper", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos",
    "cosh", "degrees", "exp", "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow", "power", "radians",
    "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    # times
    "current_date", "current_time", "current_timestamp", "date", "datetime", "julianday", "strftime", "time",
    "timediff", "unixepoch",
    # aggregates and windows
    "avg", "count", "group_concat", "median", "string_agg", "sum", "total", "cume_dist", "dense_rank",
    "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank", "row_number",
    # JSON
    "->", "->>", "json", "json_array", "json_array_length", "json_error_position", "json_extract",
    "json_group_array", "json_group_object", "json_insert", "json_object", "json_patch", "json_quote",
    "json_remove", "json_replace", "json_set", "json_type", "json_valid",
    # full-text search of SQLite, Datasette and finews
    "bm25", "highlight", "match", "snippet", "escape_fts", "finews_match", "finews_search",
    # the program
    "sqlite_version",
}  # fmt: skip
_TABLE_FUNCTIONS = ("json_each", "json_tree")
# Pragmas that describe the schema; each takes the name of a table.
_PRAGMAS_OF_A_TABLE = (
    "foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_list", "table_xinfo",
)  # fmt: skip
# Pragmas allowed only without a value, with which some would change the database. FTS5 reads `data_version`.
_PRAGMAS_WITHOUT_VALUE = (
    "collation_list", "compile_options", "data_version", "database_list", "function_list", "page_count", "page_size",
    "pragma_list", "schema_version",
)  # fmt: skip
_SCHEMA_TABLES = ("sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema", "sqlite_sequence")


class ForeignSqlError(FinewsError):
    """Query that failed; the text is the reason."""


class ForeignSqlTimeoutError(ForeignSqlError):
    """Query that exceeded its time limit."""


@dataclass(frozen=True, slots=True)
class ForeignQuery:
    """Statement with its values and its limits of rows and seconds; `max_rows` of None: all rows."""

    sql: str
    values: Mapping[str, Any] | Sequence[Any]
    max_rows: int | None
    max_seconds: float


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows of a query with the names of their columns; `is_truncated`: there were more than `max_rows`."""

    column_names: Sequence[str]
    rows: Sequence[tuple[Any, ...]]
    is_truncated: bool


class ForeignSqlConnection:
    """A connection that is to run the SQL of others, under an authorizer and SQLite's own limits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.text_factory = lambda value: str(value, "utf-8", "replace")
        self._modules = {name for (name,) in connection.execute("SELECT name FROM pragma_module_list")}
        self._tables: frozenset[str] = frozenset()
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        connection.set_authorizer(self._authorize)

    def run(self, query: ForeignQuery) -> QueryResult:
        """Return the rows of a query.

        Raises:
            ForeignSqlTimeoutError: the query takes too long.
            ForeignSqlError: any other problem of the query.
        """
        deadline = time.monotonic() + query.max_seconds
        self._read_table_names()
        self._connection.set_progress_handler(lambda: time.monotonic() > deadline, _OPERATIONS_PER_CHECK)
        try:
            return _fetch(self._connection.execute(query.sql, query.values), query.max_rows)
        except MemoryError as error:
            raise ForeignSqlError("the query needs too much memory") from error
        except ForeignSqlError:
            raise
        except Exception as error:  # invalid values, a second statement, a forbidden operation …
            if sqlite_code(error) == sqlite3.SQLITE_INTERRUPT:
                raise ForeignSqlTimeoutError("the query takes too long") from error
            raise ForeignSqlError(str(error)) from error
        finally:
            self._connection.set_progress_handler(None, 0)
            self._connection.rollback()

    def _read_table_names(self) -> None:
        """Read the names of the current tables and views, for the authorizer; table functions are added."""
        self._tables = frozenset(_SCHEMA_TABLES)  # readable by this query
        names = self._connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        pragma_tables = (f"pragma_{name}" for name in (*_PRAGMAS_OF_A_TABLE, *_PRAGMAS_WITHOUT_VALUE))
        self._tables = frozenset(
            {*_SCHEMA_TABLES, *_TABLE_FUNCTIONS, *pragma_tables, *(str(name).lower() for (name,) in names)}
        )

    def _authorize(self, action: int, name: str | None, detail: str | None, *_: str | None) -> int:
        match action:
            case sqlite3.SQLITE_READ:
                # A common table expression of the query is authorized without a column.
                table = str(name).lower()
                is_allowed = table in self._tables or (not detail and table not in self._modules)
            case sqlite3.SQLITE_FUNCTION:
                is_allowed = str(detail).lower() in _FUNCTIONS
            case sqlite3.SQLITE_PRAGMA:
                is_allowed = name in _PRAGMAS_OF_A_TABLE or (name in _PRAGMAS_WITHOUT_VALUE and detail is None)
            case sqlite3.SQLITE_UPDATE:
                # SQLite authorizes this, without doing it, when it opens a virtual table; it forbids it in statements.
                is_allowed = name == "sqlite_master"
            case _:
                is_allowed = action in _ACTIONS
        return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY


def limit_memory() -> None:
    """Limit the memory of this process."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA hard_heap_limit = {_MAX_SQLITE_MEMORY}").fetchone()  # of the process
    with suppress(ValueError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_PROCESS_MEMORY, _MAX_PROCESS_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_cpu(max_seconds: float) -> None:
    """Let the system end this process after its time limit, in case its parent has died and cannot kill it."""
    seconds = int(time.process_time() + max_seconds) + _CPU_GRACE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def _fetch(cursor: sqlite3.Cursor, max_rows: int | None) -> QueryResult:
    column_names = [column[0] for column in cursor.description or ()]
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:
        if len(rows) == max_rows:
            return QueryResult(column_names, rows, is_truncated=True)
        size += sum(_BYTES_PER_CELL + (len(value) if isinstance(value, str | bytes) else 0) for value in row)
        if size > _MAX_RESULT_BYTES:
            raise ForeignSqlError(
                f"the result is larger than {_MAX_RESULT_BYTES >> 20} MB: select fewer rows (_size=100) or columns"
            )
        rows.append(row)
    return QueryResult(column_names, rows, is_truncated=False)
