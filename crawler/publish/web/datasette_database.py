"""The database as Datasette sees it: opened by the store, for reading alone, and anew when it has been replaced."""

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
from crawler.storage.connection import FILE_NAME

NAME = Path(FILE_NAME).stem
# What our own pages ask is bounded; a cold disk may be slow.
_MILLISECONDS = 5_000

Answer = TypeVar("Answer")


class TookTooLong(Exception):
    """A question was stopped at its time limit."""


class News(Database):
    """Each of Datasette's threads has a store of its own."""

    def __init__(self, datasette: Datasette, output: Path) -> None:
        super().__init__(datasette, str(output / FILE_NAME))
        self.output = output
        self._mine = threading.local()

    def connect(self, write: bool = False) -> sqlite3.Connection:
        """Nobody else opens this database, and nobody writes."""
        raise StoreError("finews serve only reads")

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """What Datasette asks by all its ways."""
        return await self._in_thread(lambda store: fn(store.connection))

    async def ask(self, fn: Callable[[Store], Answer]) -> Answer:
        """What our pages ask of the store. Raises TookTooLong."""

        def limited(store: Store) -> Answer:
            with sqlite_timelimit(store.connection, _MILLISECONDS):
                try:
                    return fn(store)
                except StoreError as error:
                    if error.__cause__ is not None and str(error.__cause__) == "interrupted":
                        raise TookTooLong from error
                    raise

        return await self._in_thread(limited)

    async def _in_thread(self, fn: Callable[[Store], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, lambda: fn(self._store()))

    def _store(self) -> Store:
        """This thread's store. `finews rebuild db` puts another file in the old one's place."""
        which = _identity(self.output / FILE_NAME)
        known: tuple[Any, Store] | None = getattr(self._mine, "store", None)
        if known and known[0] == which:
            return known[1]
        if known:
            known[1].close()
        store = Store.reading(self.output)
        self.ds._prepare_connection(store.connection, self.name)
        self._mine.store = (which, store)
        return store


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
