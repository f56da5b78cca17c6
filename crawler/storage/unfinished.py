"""Unfinished files: the one name that files and folders have until they are whole, and the sweep of what a kill left.

Whatever is written as a whole is called `.finews-….part` until it is, and so is the mark that a run leaves at the top
of its output folder while it works. A mark that is there when a run begins says that the last one was killed: what
that one left is swept then, wherever it is. Jekyll passes over names that begin with a dot.
"""

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from crawler.errors import OutputError
from crawler.storage.connection import DATABASE_FILE_NAME

_PREFIX, _SUFFIX = ".finews-", ".part"
_RUN_MARK = f"{_PREFIX}run{_SUFFIX}"
# A database that is replaced keeps its content, and a log of its own, under another name (database_swap.py).
DATABASE_BACKUP_INFIX = ".before-rebuild-"
DATABASE_LOG_SUFFIXES = ("-wal", "-journal")
# What earlier versions called them: a post (`.swp` or `.bak` are an editor's), and the folders of a build and of a
# rebuilt database.
_OLD_POST_NAME = re.compile(r"\.\d{4}-\d\d-\d\d-[\w-]+\.md\.(?!(?:sw[a-p]|bak|backup|orig|save)\Z)\w+", re.ASCII)
_OLD_FOLDER_NAMES = {
    re.compile(r"\.stage-[a-z0-9_]{8}", re.ASCII): {"source", "tree"},
    re.compile(r"\.rebuild-[a-z0-9_]{1,8}", re.ASCII): {
        f"{DATABASE_FILE_NAME}{ending}" for ending in ("", "-wal", "-shm", "-journal")
    },
}


def unfinished_name(name: str) -> str:
    """The name of a file that is to be `name`, until it is whole: for files that only one process can be writing.

    >>> unfinished_name("2022-01-10-NW202201102242171631.md")
    '.finews-2022-01-10-NW202201102242171631.md.part'
    """
    return f"{_PREFIX}{name}{_SUFFIX}"


def is_unfinished_name(name: str) -> bool:
    """Whether this is the name of what is not whole yet, or never will be.

    >>> [is_unfinished_name(name) for name in (".finews-a.part", ".2022-01-10-NW1.md.part", ".2022-01-10-NW1.md.swp")]
    [True, True, False]
    """
    is_ours = name.startswith(_PREFIX) and name.endswith(_SUFFIX) and len(name) > len(_PREFIX + _SUFFIX)
    return is_ours or bool(_OLD_POST_NAME.fullmatch(name))


def create_unfinished_file(folder: Path) -> Path:
    """An empty file that is to be another's new content, with a name that no other process has. Raises OSError."""
    path = folder / unfinished_name(secrets.token_hex(8))
    # With the permissions of the umask, in the folder's group: mkstemp's would be its owner's alone.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return path


@contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """A folder to work in, which goes at the end. No sweep takes it as long as this process lives. Raises OSError.

    What a killed process left of its own in the same place goes first: exports are written anywhere.
    """
    for leftover in [path for path in parent.iterdir() if is_unfinished_name(path.name) and path.is_dir()]:
        with suppress(OSError):
            _remove_unused_folder(str(leftover))
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, suffix=_SUFFIX, dir=parent, ignore_cleanup_errors=True) as folder,
        _open_folder(folder) as descriptor,
    ):
        with suppress(OSError):  # not every disk has such locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Path(folder)


@contextmanager
def run_mark(output: Path) -> Iterator[None]:
    """Sweep what a killed run left in an output folder, and mark this run's work there. Only for the lock's holder.

    Raises OutputError where the folder cannot be written.
    """
    is_swept = sweep_unfinished(output) if _has_unfinished(output) else True
    mark = output / _RUN_MARK
    try:
        with suppress(FileExistsError):  # what could not be swept keeps the mark of the run that left it
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise OutputError(f"cannot write {mark}: {error.strerror}") from error
    try:
        yield
    finally:
        if is_swept:
            with suppress(OSError):  # then the next run looks for what this one might have left
                mark.unlink()


def _has_unfinished(output: Path) -> bool:
    try:
        return any(is_unfinished_name(path.name) or _is_old_folder(path) for path in output.iterdir())
    except OSError as error:
        raise OutputError(f"cannot read {output}: {error.strerror}") from error


def sweep_unfinished(output: Path) -> bool:
    """Remove all that is unfinished below a folder, links not followed; whether all of it is gone.

    The mark stays, so that a sweep that is killed is done again.
    """
    failures: list[OSError] = []
    for parent, folders, names in os.walk(output, onerror=failures.append):
        for name in names:
            if is_unfinished_name(name) and name != _RUN_MARK:
                _collect_failure(failures, os.unlink, f"{parent}/{name}")
        for name in [name for name in folders if is_unfinished_name(name) or _is_old_folder(Path(parent, name))]:
            folders.remove(name)
            _collect_failure(failures, _remove_unused_folder, f"{parent}/{name}")
    _collect_failure(failures, _undo_interrupted_swap, f"{output}/{DATABASE_FILE_NAME}")
    # A folder that this user may not read is somebody else's.
    return all(isinstance(failure, PermissionError) for failure in failures)


def _collect_failure(failures: list[OSError], remove: Callable[[str], None], path: str) -> None:
    try:
        remove(path)
    except OSError as error:
        failures.append(error)


def _remove_unused_folder(path: str) -> None:
    """Remove a folder unless a process works in it."""
    with _open_folder(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:  # a disk without such locks
            pass
        shutil.rmtree(path)


def _undo_interrupted_swap(database: str) -> None:
    """Take its second name from a database that was about to lose its first one, and give its log back."""
    path = Path(database)
    for backup in path.parent.glob(f"{path.name}{DATABASE_BACKUP_INFIX}*"):
        if backup.is_symlink() or not path.exists() or not backup.exists() or not backup.samefile(path):
            continue
        for suffix in DATABASE_LOG_SUFFIXES:
            log = Path(f"{path}{suffix}")
            if Path(f"{backup}{suffix}").exists() and not log.exists():
                Path(f"{backup}{suffix}").rename(log)
        backup.unlink()


def _is_old_folder(path: Path) -> bool:
    """Whether an earlier version worked here: what else is called so has other contents."""
    contents = next((known for name, known in _OLD_FOLDER_NAMES.items() if name.fullmatch(path.name)), None)
    if contents is None or path.is_symlink():
        return False
    try:
        return {entry.name for entry in path.iterdir()} <= contents
    except OSError:
        return False


@contextmanager
def _open_folder(path: str | Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
