"""Datasette's database: queries of Datasette run in processes that can be killed, queries of our pages in threads.

finews uses parts of Datasette 0.65 that are not its documented API. Check each before a new version of Datasette is
allowed; 1.0 also moves tables and queries from `metadata` (server.py) to `config`:

- here: `Database.execute` and `execute_fn` are overridden, `ds._prepare_connection`, `ds.executor`,
  `ds.max_returned_rows`, `ds.page_size`, `ds.sql_time_limit_ms`, `QueryInterrupted`, `utils.sqlite_timelimit`.
- plugin.py: `DatasetteError`, `Base400`, `jinja_env`, and the inline scripts of its templates, whose hashes are in the
  Content-Security-Policy (tests/publish/web/test_browser.py fails when a hash is missing).
- query_process.py: `utils.escape_fts`. security.py: `Request` on a bare scope.
- server.py: the name of the built-in plugin `datasette.handle_exception`, which is blocked.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from datasette.app import Datasette
from datasette.database import Database, QueryInterrupted, Results
from datasette.utils import sqlite_timelimit
from sqlite_utils.db import quote_identifier

from crawler.errors import StoreError
from crawler.publish.web.current_store import CurrentStore
from crawler.publish.web.query_process import QueryProcess
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME, sqlite_code
from crawler.storage.foreign_sql import ForeignQuery, ForeignSqlError, ForeignSqlTimeoutError, QueryResult

DATABASE_NAME = Path(DATABASE_FILE_NAME).stem
# Milliseconds for a query of our own pages, which are bounded; a cold disk may be slow.
_QUERY_TIMEOUT_MS = 5_000
# Processes for queries of readers; each query is limited to a second (Datasette's default), and in its memory.
_QUERY_PROCESSES = 3

Result = TypeVar("Result")


class QueryTimeoutError(Exception):
    """Query of one of our pages that was stopped at its time limit."""


class FinewsDatabase(Database):
    """Database with a store for each of Datasette's threads, and a query process for each thread that runs queries."""

    def __init__(self, datasette: Datasette, output: Path) -> None:
        super().__init__(datasette, str(output / DATABASE_FILE_NAME))
        self.output = output
        self._thread_local = threading.local()
        # These threads wait for the query processes, so slow queries of readers do not block our own pages.
        self._query_executor = ThreadPoolExecutor(_QUERY_PROCESSES)

    def connect(self, write: bool = False) -> sqlite3.Connection:
        """Refuse: Datasette needs no connection of its own, and nothing writes."""
        raise StoreError("finews serve is read-only")

    async def execute(
        self,
        sql: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        truncate: bool = False,
        custom_time_limit: int | None = None,
        page_size: int | None = None,
        log_sql_errors: bool = True,
    ) -> Results:
        """Run a query of Datasette's pages, all or a part of which a reader may have written.

        Raises:
            QueryInterrupted: the query takes too long.
            sqlite3.OperationalError: the query failed.
        """
        # A dict: the parameters of a canned query are an object that references the whole server.
        values = dict(params) if isinstance(params, Mapping) else params or {}
        # Datasette reads one row more than a page has, to see whether there is another page.
        max_rows = self.ds.max_returned_rows + (self.ds.max_returned_rows == (page_size or self.ds.page_size))
        # A reader may request a shorter time limit.
        time_limit_ms = max(1, min(custom_time_limit or self.ds.sql_time_limit_ms, self.ds.sql_time_limit_ms))
        query = ForeignQuery(sql, values, max_rows if truncate else None, time_limit_ms / 1000)
        try:
            result = await self._run_in_thread(lambda: self._thread_query_process().run(query), self._query_executor)
        except ForeignSqlTimeoutError as error:
            raise QueryInterrupted(error, sql, params) from error
        except ForeignSqlError as error:
            raise sqlite3.OperationalError(str(error)) from error
        return _to_datasette_results(result)

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a function of Datasette's that reads the schema."""
        return await self._run_in_thread(lambda: fn(self._thread_store().connection))

    async def execute_on_store(self, fn: Callable[[Store], Result]) -> Result:
        """Run a function of our pages on the store of a thread. Raises QueryTimeoutError."""

        def run_with_timeout(store: Store) -> Result:
            with sqlite_timelimit(store.connection, _QUERY_TIMEOUT_MS):
                try:
                    return fn(store)
                except StoreError as error:
                    if sqlite_code(error.__cause__) == sqlite3.SQLITE_INTERRUPT:
                        raise QueryTimeoutError from error
                    raise

        return await self._run_in_thread(lambda: run_with_timeout(self._thread_store()))

    async def _run_in_thread(self, fn: Callable[[], Result], executor: ThreadPoolExecutor | None = None) -> Result:
        return await asyncio.get_running_loop().run_in_executor(executor or self.ds.executor, fn)

    def modified_at(self) -> int | None:
        """Return the time of the last commit in whole seconds since 1970; None if the database is missing.

        A commit writes to the write-ahead log.
        """
        modified_times = []
        for suffix in ("", "-wal"):
            with suppress(OSError):
                status = (self.output / f"{DATABASE_FILE_NAME}{suffix}").stat()
                # Opening the database creates an empty log.
                modified_times += [int(status.st_mtime)] if status.st_size else []
        return max(modified_times, default=None)

    def _thread_store(self) -> Store:
        def prepare(store: Store) -> Store:
            self.ds._prepare_connection(store.connection, self.name)
            return store

        if not hasattr(self._thread_local, "store"):
            self._thread_local.store = CurrentStore(self.output, prepare)
        store: Store = self._thread_local.store.get()
        return store

    def _thread_query_process(self) -> QueryProcess:
        """Return this thread's query process, a new one if a query has ended the last."""
        process: QueryProcess | None = getattr(self._thread_local, "query_process", None)
        if process is None or not process.is_alive():
            process = self._thread_local.query_process = QueryProcess(self.output)
        return process


def _to_datasette_results(result: QueryResult) -> Results:
    """Return a result as Datasette expects it: `sqlite3.Row` takes the column names from a cursor."""
    columns = ", ".join(f"NULL AS {quote_identifier(name)}" for name in result.column_names) or "NULL"
    with closing(sqlite3.connect(":memory:")) as connection:
        cursor = connection.execute(f"SELECT {columns}")
        rows = [sqlite3.Row(cursor, row) for row in result.rows]
        return Results(rows, result.is_truncated, cursor.description)
