"""Store of an output folder that is opened again when its file has been replaced."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME, FileIdentity, file_identity

Prepared = TypeVar("Prepared")


class CurrentStore(Generic[Prepared]):
    """Result of `prepare` for the current store of an output folder. For one thread."""

    def __init__(self, output: Path, prepare: Callable[[Store], Prepared]) -> None:
        self._output, self._prepare = output, prepare
        self._opened: tuple[FileIdentity, Store, Prepared] | None = None

    def get(self) -> Prepared:
        """Return the result for the present database file: `finews rebuild db` replaces it. Raises StoreError."""
        identity = file_identity(self._output / DATABASE_FILE_NAME)
        if self._opened and self._opened[0] == identity:
            return self._opened[2]
        if self._opened:
            self._opened[1].close()
            self._opened = None
        store = Store.open_ro(self._output)
        prepared = self._prepare(store)
        self._opened = identity, store, prepared
        return prepared
