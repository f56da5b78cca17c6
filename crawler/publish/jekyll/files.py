"""Site files: read, listed, and written whole and only where they change. All of them can be written again.

What cannot be read is an OutputError, and not a file that is not there: a page would be taken for gone.
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

# A path at which nothing can be, or nothing that we put there.
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}


@contextmanager
def as_output_error(path: Path, action: str = "write") -> Iterator[None]:
    """The disk's refusals as OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot {action} {error.filename or path}: {error.strerror}") from error


def write_if_changed(target: Path, content: bytes) -> bool:
    """Make a file hold this; whether it was written."""
    if read_if_file(target) == content:
        return False
    with as_output_error(target), atomic_file(target) as temp_path:
        temp_path.write_bytes(content)
    return True


def write_chunks_if_changed(target: Path, chunks: Iterable[bytes]) -> None:
    """Likewise, where the whole would take too much memory: it is written first, and compared then."""
    with (
        as_output_error(target),
        atomic_file(target, skip_if_same=True) as temp_path,
        temp_path.open("wb") as file,
    ):
        file.writelines(chunks)


def copy_file(source: Path, target: Path) -> None:
    """Make a file the same as another: a copy, since who publishes a tree may change it."""
    with as_output_error(target), atomic_file(target) as temp_path:
        shutil.copyfile(source, temp_path)


def read_existing(path: Path) -> bytes:
    """What a file holds that has to be there. Raises OutputError."""
    if (content := read_if_file(path)) is None:
        raise OutputError(f"cannot read {path}: it is gone, or no file")
    return content


def write_below(root: Path, path: str, content: bytes) -> None:
    """Make a file below a root hold this. A link in its place, or in that of a folder, may lead anywhere: it goes."""
    for place in (*_folders_above(root, path), root / path):
        if stat.S_ISLNK(_mode(place)):
            with as_output_error(place):
                place.unlink()
    write_if_changed(root / path, content)


def remove_file_below(root: Path, path: str) -> None:
    """Remove a file if it is there, and neither its name nor a link on the way leads out of the root.

    Raises OutputError.
    """
    if not is_path_below(path) or any(stat.S_ISLNK(_mode(folder)) for folder in _folders_above(root, path)):
        return
    mode = _mode(root / path)
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        with as_output_error(root / path, "remove"):
            (root / path).unlink(missing_ok=True)


def is_path_below(path: str) -> bool:
    """Whether this is the path of a file below a folder, as we write it.

    >>> [is_path_below(path) for path in ("2022/01/10/a.html", "../a", "/a", "a//b", "./a", "", "a\\0", "\\ud800")]
    [True, False, False, False, False, False, False, False]
    """
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return "\0" not in path and all(part not in {"", ".", ".."} for part in path.split("/"))


def fingerprint(path: Path) -> str:
    """The time and the size of a file, which change with it; empty where there is none. Raises OutputError."""
    try:
        status = path.stat()
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return ""
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    return f"{status.st_mtime_ns:x}.{status.st_size:x}"


def list_files(output: Path, name: str) -> list[str]:
    """A file, or all files below a folder, by their paths from the output folder. Raises OutputError."""
    root = output / name
    with as_output_error(root, "read"):
        if not root.is_dir():
            return [name] if root.exists() else []
    prefix_length = len(str(root)) - len(name)
    return sorted(
        f"{directory}/{file_name}"[prefix_length:]
        for directory, _, file_names in os.walk(root, onerror=_raise_unless_gone)
        for file_name in file_names
    )


def list_folder(folder: Path) -> list[Path]:
    """What is in a folder, nothing where that is missing. Raises OutputError."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        _raise_unless_gone(error)
        return []


def walk_files(folder: Path) -> Iterator[Path]:
    """All files below a folder, relative to it. Raises OutputError."""
    for directory, _, file_names in os.walk(folder, onerror=_raise_unless_gone):
        yield from (Path(directory, file_name).relative_to(folder) for file_name in sorted(file_names))


def _raise_unless_gone(error: OSError) -> None:
    if error.errno not in _NOTHING_THERE:
        raise OutputError(f"cannot read {error.filename}: {error.strerror}") from error


def _folders_above(root: Path, path: str) -> list[Path]:
    return [root / folder for folder in reversed(PurePosixPath(path).parents[:-1])]


def _mode(path: Path) -> int:
    """The type of what is at a path, 0 where nothing is. Raises OutputError."""
    try:
        return path.lstat().st_mode
    except OSError as error:
        _raise_unless_gone(error)
        return 0
