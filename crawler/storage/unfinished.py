"""Unfinished files: atomic writing under a temporary name, and removal of the files that a killed run left.

Files and folders are called `.finews-….part` until they are complete. So is the mark that a run leaves at the top of
its output folder: if the next run finds it, the last run was killed, and its unfinished files are removed. Jekyll
ignores names that begin with a dot.
"""

import fcntl
import filecmp
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
# In the names of a replaced database and of its logs, which are kept (database_swap.py).
DATABASE_BACKUP_INFIX = ".before-rebuild-"
DATABASE_LOG_SUFFIXES = ("-wal", "-journal")
# Names that earlier versions gave to unfinished posts (`.swp` and `.bak` are an editor's), and to the folders of a site
# build and of a rebuilt database.
_OLD_POST_NAME = re.compile(r"\.\d{4}-\d\d-\d\d-[\w-]+\.md\.(?!(?:sw[a-p]|bak|backup|orig|save)\Z)\w+", re.ASCII)
_OLD_FOLDER_NAMES = {
    re.compile(r"\.stage-[a-z0-9_]{8}", re.ASCII): {"source", "tree"},
    re.compile(r"\.rebuild-[a-z0-9_]{1,8}", re.ASCII): {
        f"{DATABASE_FILE_NAME}{ending}" for ending in ("", "-wal", "-shm", "-journal")
    },
}


def unfinished_name(name: str) -> str:
    """Return the name of a file until it is complete, for files that only one process writes.

    >>> unfinished_name("2022-01-10-NW202201102242171631.md")
    '.finews-2022-01-10-NW202201102242171631.md.part'
    """
    return f"{_PREFIX}{name}{_SUFFIX}"


def is_unfinished_name(name: str) -> bool:
    """Return whether a file or folder of this name is unfinished.

    >>> [is_unfinished_name(name) for name in (".finews-a.part", ".2022-01-10-NW1.md.part", ".2022-01-10-NW1.md.swp")]
    [True, True, False]
    """
    is_ours = name.startswith(_PREFIX) and name.endswith(_SUFFIX) and len(name) > len(_PREFIX + _SUFFIX)
    return is_ours or bool(_OLD_POST_NAME.fullmatch(name))


@contextmanager
def atomic_file(target: Path, *, skip_if_same: bool = False) -> Iterator[Path]:
    """Yield an empty file, which replaces the target at the end, or is removed on an error. Raises OSError.

    Several processes may write the same target. `skip_if_same` keeps a target that has the same content already.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(unfinished_name(secrets.token_hex(8)))
    # With the permissions of the umask: only the owner may read mkstemp's files.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        yield path
        if skip_if_same and target.is_file() and filecmp.cmp(path, target, shallow=False):
            path.unlink()
        else:
            path.replace(target)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """Yield a folder to work in, which is removed at the end and not swept before. Raises OSError.

    Unfinished folders of killed processes in the same parent are removed first: exports are written outside the output
    folder, where no run sweeps.
    """
    for leftover in [path for path in parent.iterdir() if is_unfinished_name(path.name) and path.is_dir()]:
        with suppress(OSError):
            _remove_unused_folder(str(leftover))
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, suffix=_SUFFIX, dir=parent, ignore_cleanup_errors=True) as folder,
        _open_folder(folder) as descriptor,
    ):
        with suppress(OSError):  # the file system may have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Path(folder)


@contextmanager
def run_mark(output: Path) -> Iterator[None]:
    """Remove the unfinished files of a killed run, and mark the folder as in use. Requires the lock of the folder.

    Raises OutputError where the folder cannot be read or written.
    """
    try:
        has_unfinished = any(is_unfinished_name(path.name) or _is_old_folder(path) for path in output.iterdir())
    except OSError as error:
        raise OutputError(f"cannot read {output}: {error.strerror}") from error
    is_swept = sweep_unfinished(output) if has_unfinished else True
    mark = output / _RUN_MARK
    try:
        with suppress(FileExistsError):  # where some files could not be removed, the mark stays
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise OutputError(f"cannot write {mark}: {error.strerror}") from error
    try:
        yield
    finally:
        if is_swept:
            with suppress(OSError):  # the next run then sweeps, which does no harm
                mark.unlink()


def sweep_unfinished(output: Path) -> bool:
    """Remove unfinished files and folders below a folder, without following links; return whether all were removed.

    The mark of the run stays: if the sweep is killed, the next run sweeps again.
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
    # Unreadable folders are another user's.
    return all(isinstance(failure, PermissionError) for failure in failures)


def _collect_failure(failures: list[OSError], remove: Callable[[str], None], path: str) -> None:
    try:
        remove(path)
    except OSError as error:
        failures.append(error)


def _remove_unused_folder(path: str) -> None:
    """Remove a folder unless a process holds its lock."""
    with _open_folder(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:  # a file system without locks
            pass
        shutil.rmtree(path)


def _undo_interrupted_swap(database: str) -> None:
    """Remove the backup link that a killed `rebuild db` gave the current database, and move its logs back."""
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
    """Return whether a folder is a working folder of an earlier version, by its name and its contents."""
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
