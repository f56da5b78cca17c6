"""Site files: reads, lists and removes them, and writes them atomically and only if they change.

All of them can be generated again. A file that cannot be read is an OutputError, not a missing file: the build would
remove its page.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from crawler.errors import OutputError
from crawler.storage.post_files import read_if_file
from crawler.storage.unfinished import atomic_file

# Errors of a path at which there is no file that finews wrote.
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}


@contextmanager
def as_output_error(path: Path, action: str = "write") -> Iterator[None]:
    """Raise an OSError within this context as OutputError, with the path and the action that failed."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot {action} {error.filename or path}: {error.strerror}") from error


def write_if_changed(target: Path, content: bytes) -> bool:
    """Write a file unless it has this content already; return whether it was written. Raises OutputError."""
    if read_if_file(target) == content:
        return False
    with as_output_error(target), atomic_file(target) as temp_path:
        temp_path.write_bytes(content)
    return True


def write_chunks_if_changed(target: Path, chunks: Iterable[bytes]) -> None:
    """Write a file in chunks, for content that takes too much memory, unless it has this content already."""
    with (
        as_output_error(target),
        atomic_file(target, skip_if_same=True) as temp_path,
        temp_path.open("wb") as file,
    ):
        file.writelines(chunks)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file: a link would let a program that changes the published tree change the source."""
    with as_output_error(target), atomic_file(target) as temp_path:
        shutil.copyfile(source, temp_path)


def read_existing(path: Path) -> bytes:
    """Return the content of a file. Raises OutputError when it is missing or unreadable."""
    if (content := read_if_file(path)) is None:
        raise OutputError(f"cannot read {path}: it is missing, or not a file")
    return content


def write_below(root: Path, path: str, content: bytes) -> None:
    """Write a file below a root, if it changes.

    A symbolic link at its path, or at the path of a folder above it, is removed: it could lead out of the root.
    """
    for place in (*_folders_above(root, path), root / path):
        if stat.S_ISLNK(_mode(place)):
            with as_output_error(place):
                place.unlink()
    write_if_changed(root / path, content)


def remove_file_below(root: Path, path: str) -> None:
    """Remove a file if it exists, unless its path or a symbolic link above it leads out of the root.

    Raises OutputError.
    """
    if not is_path_below(path) or any(stat.S_ISLNK(_mode(folder)) for folder in _folders_above(root, path)):
        return
    mode = _mode(root / path)
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        with as_output_error(root / path, "remove"):
            (root / path).unlink(missing_ok=True)


def is_path_below(path: str) -> bool:
    r"""Return whether this is a relative path of a file, without `..`, that finews could have written.

    >>> [is_path_below(path) for path in ("2022/01/10/a.html", "../a", "/a", "a//b", "./a", "", "a\0", "\ud800")]
    [True, False, False, False, False, False, False, False]
    """
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return "\0" not in path and all(part not in {"", ".", ".."} for part in path.split("/"))


def fingerprint(path: Path) -> str:
    """Return the modification time and size of a file as text, empty if it is missing. Raises OutputError."""
    try:
        status = path.stat()
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return ""
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    return f"{status.st_mtime_ns:x}.{status.st_size:x}"


def list_files(output: Path, name: str) -> list[str]:
    """Return the paths of all files below a folder, or of one file, from the output folder. Raises OutputError."""
    root = output / name
    with as_output_error(root, "read"):
        if not root.is_dir():
            return [name] if root.exists() else []
    prefix_length = len(str(root)) - len(name)
    return sorted(
        f"{directory}/{file_name}"[prefix_length:]
        for directory, _, file_names in os.walk(root, onerror=_raise_unless_missing)
        for file_name in file_names
    )


def list_folder(folder: Path) -> list[Path]:
    """Return the paths in a folder, none if it is missing. Raises OutputError."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        _raise_unless_missing(error)
        return []


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield the paths of all files below a folder, relative to it. Raises OutputError."""
    for directory, _, file_names in os.walk(folder, onerror=_raise_unless_missing):
        yield from (Path(directory, file_name).relative_to(folder) for file_name in sorted(file_names))


def _raise_unless_missing(error: OSError) -> None:
    if error.errno not in _NOTHING_THERE:
        raise OutputError(f"cannot read {error.filename}: {error.strerror}") from error


def _folders_above(root: Path, path: str) -> list[Path]:
    return [root / folder for folder in reversed(PurePosixPath(path).parents[:-1])]


def _mode(path: Path) -> int:
    """Return the file mode of a path, 0 if there is nothing. Raises OutputError."""
    try:
        return path.lstat().st_mode
    except OSError as error:
        _raise_unless_missing(error)
        return 0
