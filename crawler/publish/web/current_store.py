"""The store of an output folder, opened again when the file has been replaced."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME, FileIdentity, file_identity

Prepared = TypeVar("Prepared")


class CurrentStore(Generic[Prepared]):
    """What `prepare` makes of the store of an output folder; for one thread."""

    def __init__(self, output: Path, prepare: Callable[[Store], Prepared]) -> None:
        self._output, self._prepare = output, prepare
        self._opened: tuple[FileIdentity, Store, Prepared] | None = None

    def get(self) -> Prepared:
        """Return it for the database that is there now: `finews rebuild db` puts another file in the old one's place.

        Raises: StoreError.
        """
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
