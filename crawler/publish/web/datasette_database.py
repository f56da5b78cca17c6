"""Datasette's database: opened read-only by the store, and again when the file has been replaced."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from datasette.app import Datasette
from datasette.database import Database
from datasette.utils import sqlite_timelimit

from crawler.errors import StoreError
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME, file_identity, sqlite_code

DATABASE_NAME = Path(DATABASE_FILE_NAME).stem
# What our own pages ask is bounded; a cold disk may be slow.
_QUERY_TIMEOUT_MS = 5_000

Result = TypeVar("Result")


class QueryTimeoutError(Exception):
    """A question was stopped at its time limit."""


class FinewsDatabase(Database):
    """Each of Datasette's threads has a store of its own."""

    def __init__(self, datasette: Datasette, output: Path) -> None:
        super().__init__(datasette, str(output / DATABASE_FILE_NAME))
        self.output = output
        self._thread_local = threading.local()

    def connect(self, write: bool = False) -> sqlite3.Connection:
        """No other code opens this database, and it is not written."""
        raise StoreError("finews serve only reads")

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], Result]) -> Result:
        """What Datasette asks by all its ways."""
        return await self._run_in_thread(lambda store: fn(store.connection))

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

        return await self._run_in_thread(run_with_timeout)

    async def _run_in_thread(self, fn: Callable[[Store], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, lambda: fn(self._thread_store()))

    def _thread_store(self) -> Store:
        """This thread's store. `finews rebuild db` puts another file in the old one's place."""
        identity = file_identity(self.output / DATABASE_FILE_NAME)
        cached: tuple[Any, Store] | None = getattr(self._thread_local, "store", None)
        if cached and cached[0] == identity:
            return cached[1]
        if cached:
            self._thread_local.store = None  # it is closed; a folder that comes back may have its file again
            cached[1].close()
        store = Store.open_ro(self.output)
        self.ds._prepare_connection(store.connection, self.name)
        self._thread_local.store = (identity, store)
        return store
