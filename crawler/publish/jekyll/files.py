"""Site files: atomic writes, and only of what has changed. All of them can be written again."""

import filecmp
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crawler.errors import OutputError


@contextmanager
def as_output_error(path: Path) -> Iterator[None]:
    """The disk's refusals as OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {error.filename or path}: {error.strerror}") from error


def write_if_changed(target: Path, content: bytes) -> bool:
    """Make a file hold this; whether it was written."""
    if read_if_exists(target) == content:
        return False
    _write_atomically(target, lambda temp_path: temp_path.write_bytes(content))
    return True


def write_chunks_if_changed(target: Path, chunks: Iterable[bytes]) -> None:
    """Likewise, where the whole would take too much memory: it is written first, and compared then."""

    def write_chunks(temp_path: Path) -> None:
        with temp_path.open("wb") as file:
            file.writelines(chunks)

    _write_atomically(target, write_chunks, skip_if_same=True)


def copy_file(source: Path, target: Path) -> None:
    """Make a file the same as another: a copy, since who publishes a tree may change it."""
    _write_atomically(target, lambda temp_path: shutil.copyfile(source, temp_path))


def copy_tree(source: Path, target: Path) -> None:
    """Copy every file below a folder to the same place below another."""
    for path in walk_files(source):
        copy_file(source / path, target / path)


def read_if_exists(path: Path) -> bytes | None:
    """What a file holds; None when there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def walk_files(folder: Path) -> Iterator[Path]:
    """All files below a folder, relative to it."""
    for directory, _, file_names in os.walk(folder):
        yield from (Path(directory, file_name).relative_to(folder) for file_name in sorted(file_names))


def _write_atomically(target: Path, write_content: Callable[[Path], object], *, skip_if_same: bool = False) -> None:
    with as_output_error(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temp_path = target.with_name(f".{secrets.token_hex(8)}.part")
        # With the permissions of the umask, in the folder's group: mkstemp's would be its owner's alone.
        os.close(os.open(temp_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            write_content(temp_path)
            if skip_if_same and target.is_file() and filecmp.cmp(temp_path, target, shallow=False):
                temp_path.unlink()
            else:
                temp_path.replace(target)
        except BaseException:
            temp_path.unlink(missing_ok=True)
            raise
