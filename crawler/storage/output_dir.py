"""Output folder: which one it is, and how it is opened, locked, recovered and closed."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from crawler.content import clock
from crawler.content.post_format import SiteLinks
from crawler.errors import OutputError, OutputLockedError
from crawler.storage import Store
from crawler.storage.connection import open_database_ro
from crawler.storage.recovery import recover_interrupted_crawl
from crawler.storage.site_links import load_site_links

DEFAULT_OUTPUT_DIR = Path("output")
OUTPUT_DIR_VARIABLE = "FINEWS_OUTPUT"
_LOCK_FILE_NAME = ".crawl.lock"
_OTHERS_WRITE_BIT = 0o002


def resolve_output_dir(given_path: str | None = None) -> Path:
    """The folder that was named, else `output/` where there is one, else FINEWS_OUTPUT, else `output/` to be made."""
    if given_path:
        return Path(given_path)
    if DEFAULT_OUTPUT_DIR.is_dir() or not os.environ.get(OUTPUT_DIR_VARIABLE):
        return DEFAULT_OUTPUT_DIR
    return Path(os.environ[OUTPUT_DIR_VARIABLE])


def create_output_dir(folder: Path) -> None:
    """Make the folder where there is none, for its owner to write and all to read. Raises OutputError."""
    # Whatever is made from here on: some systems hand out files that all may write.
    os.umask(os.umask(_OTHERS_WRITE_BIT) | _OTHERS_WRITE_BIT)
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        (folder / "_posts").mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write the output folder {error.filename}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write the output folder {folder}: permission denied")


@dataclass(frozen=True, slots=True)
class OutputDir:
    """An open output folder: its path, its database, and the site that its posts link back to.

    Use it as a context manager, or call `close`.
    """

    path: Path
    db: Store
    links: SiteLinks
    _resources: ExitStack = field(repr=False)

    @classmethod
    def open_for_writing(
        cls,
        path: Path,
        *,
        address: str = "",
        must_exist: bool = False,
        recover: bool = True,
        already_locked: bool = False,
    ) -> Self:
        """Lock a folder, open its database, and finish what an interrupted crawl left.

        A folder or a database that is missing is created, unless `must_exist`: then a database that is missing, or
        that an older finews wrote, raises StoreError. `address` is the site's; by default it is the folder's own.
        `recover=False` is for callers that first look at what was left, and `already_locked` for those in `lock`.

        Raises:
            OutputLockedError, StoreError, OutputError: nothing stays open or locked then.
        """
        if must_exist:
            open_database_ro(path, to_be_mended=True).close()
        create_output_dir(path)
        resources = ExitStack()
        try:
            if not already_locked:
                resources.enter_context(cls.lock(path))
            site_links = load_site_links(path, address)
            db = resources.enter_context(Store.open_rw(path, site_links))
            out = cls(path, db, site_links, resources)
            if recover:
                recover_interrupted_crawl(out, clock.now())
        except BaseException:
            resources.close()
            raise
        return out

    @classmethod
    def open_for_reading(cls, path: Path, *, address: str = "") -> Self:
        """Open a folder without changing it, also while a crawl writes it.

        Raises:
            StoreError: there is no database, or an older finews wrote it.
        """
        resources = ExitStack()
        db = resources.enter_context(Store.open_ro(path))
        return cls(path, db, load_site_links(path, address), resources)

    @staticmethod
    @contextmanager
    def lock(path: Path) -> Iterator[None]:
        """Hold the one lock of a folder, which the kernel takes back when its holder dies.

        Raises:
            OutputLockedError: another process holds it.
            OutputError: the lock file cannot be written.
        """
        lock = FileLock(path / _LOCK_FILE_NAME, timeout=0, mode=0o644)
        try:
            lock.acquire()
        except Timeout as error:
            raise OutputLockedError(f"another crawl of {path} is running: try again when it has ended") from error
        except OSError as error:
            raise OutputError(f"cannot lock the output folder {path}: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()

    def repair_met_rows(self) -> None:
        """Repair the rows of another program, if one was met since the folder was opened. Raises StoreError."""
        if self.db.bad_values:
            self.db.repair_rows(self.path, self.links)

    def close(self) -> None:
        """Close the database and give the lock back. Calling it again does nothing."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
