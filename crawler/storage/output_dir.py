"""Output folder: find, create, lock, open, recover and close it."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from crawler.config import load_config
from crawler.content import clock
from crawler.content.dates import format_iso
from crawler.content.post_format import SiteLinks
from crawler.errors import OutputError, OutputLockedError, UsageError
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME, open_database_ro
from crawler.storage.post_files import iter_post_paths
from crawler.storage.recovery import recover_interrupted_crawl
from crawler.storage.search.index import ProgressReporter
from crawler.storage.site_links import load_site_links
from crawler.storage.unfinished import run_mark

_LOCK_FILE_NAME = ".crawl.lock"
# Seconds between two attempts to lock a folder that another process holds.
_LOCK_POLL_SECONDS = 0.2
# Bytes; the lock file names its holder in one line.
_MAX_HOLDER_BYTES = 200
# File that marks the folder of a demo.
_DEMO_MARKER = ".demo"
_OTHERS_WRITE_BIT = 0o002
# Errors of flock on file systems without locks.
_NO_LOCKS_ERRNOS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def resolve_output_dir(given_path: str | None = None) -> Path:
    """Return the given folder, else the one that FINEWS_OUTPUT or a `finews.toml` names, else `output/`.

    Raises:
        UsageError: a `finews.toml` cannot be used.
    """
    return Path(given_path or load_config(os.environ, Path.cwd())["output"])


def create_output_dir(folder: Path) -> None:
    """Create the folder where it is missing, with the permissions of the umask. Raises OutputError."""
    # For all files created from here on: some systems' umask lets other users write.
    os.umask(os.umask(_OTHERS_WRITE_BIT) | _OTHERS_WRITE_BIT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "_posts").mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write the output folder {error.filename}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write the output folder {folder}: permission denied")


def mark_as_demo(folder: Path) -> None:
    """Create a folder if needed, and mark it as a demo's. Raises UsageError where it holds other articles."""
    if (folder / _DEMO_MARKER).exists():
        return
    if (folder / DATABASE_FILE_NAME).exists() or next(iter_post_paths(folder), None):
        raise UsageError(f"{folder} holds articles that are not a demo's: name another folder with --output DIR")
    create_output_dir(folder)
    (folder / _DEMO_MARKER).touch()


def refuse_demo_dir(folder: Path) -> None:
    """Raise UsageError for a demo's folder: real articles would mix with synthetic ones."""
    if (marker := folder / _DEMO_MARKER).exists():
        raise UsageError(
            f"{folder} is for demos, whose articles are made up ({marker}): name another with --output DIR"
        )


@dataclass(frozen=True, slots=True)
class OutputDir:
    """Open output folder: its path, its database, and the site that its posts link to.

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
        report_index_progress: ProgressReporter | None = None,
    ) -> Self:
        """Lock a folder, open its database, and recover from an interrupted crawl.

        A missing folder or database is created, unless `must_exist`: then a database that is missing, or that an older
        finews wrote, raises StoreError. `address` is the site's, by default the folder's own. Use `recover=False` to
        inspect the folder before recovery, and `already_locked` inside `lock`. `report_index_progress` is called while
        the search index is built again after an update.

        Raises:
            OutputLockedError, StoreError, OutputError: nothing stays open or locked then.
        """
        if must_exist:
            open_database_ro(path, to_be_repaired=True).close()
        create_output_dir(path)
        resources = ExitStack()
        try:
            if not already_locked:
                resources.enter_context(cls.lock(path))
            site_links = load_site_links(path, address)
            db = resources.enter_context(Store.open_rw(path, site_links, report_index_progress))
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
    def lock(path: Path, wait_seconds: float = 0) -> Iterator[None]:
        """Hold the lock of a folder; the kernel releases it when the process ends.

        Unfinished files of a killed process are removed first.

        Raises:
            OutputLockedError: another process holds the lock, and does not release it within `wait_seconds`.
            OutputError: the lock file cannot be opened, or its file system has no locks.
        """
        with _hold_lock(path, wait_seconds) as descriptor, run_mark(path):
            with suppress(OSError):  # the file of another user may be read-only
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"process {os.getpid()} since {format_iso(clock.now())}\n".encode(), 0)
            yield

    @staticmethod
    def is_locked(path: Path) -> bool:
        """Return whether a process holds the lock of a folder. Raises OutputError as `lock` does."""
        try:
            with _hold_lock(path):
                return False
        except OutputLockedError:
            return True

    def repair_met_rows(self) -> None:
        """Repair all rows if a bad value was read since the folder was opened. Raises StoreError."""
        if self.db.bad_values:
            self.db.repair_rows(self.path, self.links)

    def close(self) -> None:
        """Close the database and release the lock. Calling it again does nothing."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exception_type: type[BaseException] | None, *_exception: object) -> None:
        try:
            if exception_type is None:
                self.db.check_in_place()
        finally:
            self.close()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextmanager
def _hold_lock(path: Path, wait_seconds: float = 0) -> Iterator[int]:
    """Hold the lock of a folder, and yield the descriptor of the lock file.

    Does not use filelock, which on a file system without locks takes the existence of the file for the lock, and
    ignores the umask.
    """
    try:
        descriptor = _open_lock_file(path / _LOCK_FILE_NAME)
    except OSError as error:
        raise OutputError(f"cannot lock the output folder {path}: {error.strerror}") from error
    try:
        _acquire_lock(descriptor, path, wait_seconds)
        yield descriptor
    finally:
        os.close(descriptor)


def _open_lock_file(lock_path: Path) -> int:
    """Open or create the lock file, for reading only if it is another user's, and return its descriptor."""
    flags = os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(lock_path, os.O_RDWR | flags, 0o666)
    except PermissionError:
        return os.open(lock_path, os.O_RDONLY | flags, 0o666)


def _acquire_lock(descriptor: int, path: Path, wait_seconds: float) -> None:
    """Lock the lock file, or raise OutputLockedError with what it says of its holder."""
    try:
        while not _try_lock(descriptor):
            if wait_seconds <= 0:
                holder = os.pread(descriptor, _MAX_HOLDER_BYTES, 0).decode("utf-8", "replace").strip()
                by_whom = f" ({holder})" if holder else ""
                raise OutputLockedError(f"another crawl of {path} is running{by_whom}: try again when it has ended")
            time.sleep(_LOCK_POLL_SECONDS)
            wait_seconds -= _LOCK_POLL_SECONDS
    except OSError as error:
        reason = error.strerror
        if error.errno in _NO_LOCKS_ERRNOS:
            reason = (
                f"its file system has no locks ({reason}); name a folder on a local disk with --output DIR, "
                "or move this one there"
            )
        raise OutputError(f"cannot lock the output folder {path}: {reason}") from error
