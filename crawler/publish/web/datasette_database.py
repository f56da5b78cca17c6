"""Datasette's database: what Datasette asks runs in processes that can be killed, what our pages ask in threads."""

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
# What our own pages ask is bounded; a cold disk may be slow.
_QUERY_TIMEOUT_MS = 5_000
# Each has a second, and memory of its own.
_QUERY_PROCESSES = 3

Result = TypeVar("Result")


class QueryTimeoutError(Exception):
    """A question was stopped at its time limit."""


class FinewsDatabase(Database):
    """Each of Datasette's threads has a store and a process for queries of its own."""

    def __init__(self, datasette: Datasette, output: Path) -> None:
        super().__init__(datasette, str(output / DATABASE_FILE_NAME))
        self.output = output
        self._thread_local = threading.local()
        # Threads that wait for processes. Our own pages are answered while readers' queries take all of these.
        self._query_executor = ThreadPoolExecutor(_QUERY_PROCESSES)

    def connect(self, write: bool = False) -> sqlite3.Connection:
        """No other code opens this database, and it is not written."""
        raise StoreError("finews serve only reads")

    async def execute(
        self,
        sql: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        truncate: bool = False,
        custom_time_limit: int | None = None,
        page_size: int | None = None,
        log_sql_errors: bool = True,
    ) -> Results:
        """What Datasette asks for its pages and for its readers, who may have written all of it or a part.

        Raises: QueryInterrupted when it takes too long, sqlite3.OperationalError when it has no answer.
        """
        # Of a canned query, they hold the whole server, too.
        values = dict(params) if isinstance(params, Mapping) else params or {}
        # With as many rows as a page has, Datasette reads one more to see whether there is another page.
        max_rows = self.ds.max_returned_rows + (self.ds.max_returned_rows == (page_size or self.ds.page_size))
        # A reader may ask for a shorter time.
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
        """What Datasette asks about tables and columns."""
        return await self._run_in_thread(lambda: fn(self._thread_store().connection))

    async def execute_on_store(self, fn: Callable[[Store], Result]) -> Result:
        """What our pages ask of the store. Raises QueryTimeoutError."""

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
        """Return when anything was written to the database last, in whole seconds since 1970; None if it is gone.

        A commit writes to the log next to it.
        """
        modified_times = []
        for suffix in ("", "-wal"):
            with suppress(OSError):
                status = (self.output / f"{DATABASE_FILE_NAME}{suffix}").stat()
                # An empty log is made by a client that opens the database.
                modified_times += [int(status.st_mtime)] if status.st_size else []
        return max(modified_times, default=None)

    def _thread_store(self) -> Store:
        if not hasattr(self._thread_local, "store"):
            self._thread_local.store = CurrentStore(self.output, self._prepare_store)
        store: Store = self._thread_local.store.get()
        return store

    def _prepare_store(self, store: Store) -> Store:
        self.ds._prepare_connection(store.connection, self.name)
        return store

    def _thread_query_process(self) -> QueryProcess:
        """This thread's process; a query may have ended the last one."""
        process: QueryProcess | None = getattr(self._thread_local, "query_process", None)
        if process is None or not process.is_alive():
            process = self._thread_local.query_process = QueryProcess(self.output)
        return process


def _to_datasette_results(result: QueryResult) -> Results:
    """The answer as Datasette expects it: `sqlite3.Row` takes the names of its columns from a cursor."""
    columns = ", ".join(f"NULL AS {quote_identifier(name)}" for name in result.column_names) or "NULL"
    with closing(sqlite3.connect(":memory:")) as connection:
        cursor = connection.execute(f"SELECT {columns}")
        rows = [sqlite3.Row(cursor, row) for row in result.rows]
        return Results(rows, result.is_truncated, cursor.description)
