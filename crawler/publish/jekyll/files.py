"""Files of the site: written whole or not at all, and only when they change. All of them can be made anew."""

import filecmp
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crawler.errors import OutputError


@contextmanager
def errors_told(path: Path) -> Iterator[None]:
    """The disk's refusals as OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {error.filename or path}: {error.strerror}") from error


def keep(target: Path, content: bytes) -> bool:
    """Make a file hold this; whether it was written."""
    if content_of(target) == content:
        return False
    _replace(target, lambda unfinished: unfinished.write_bytes(content))
    return True


def keep_parts(target: Path, parts: Iterable[bytes]) -> None:
    """Likewise, where the whole would take too much memory: it is written first, and compared then."""

    def write(unfinished: Path) -> None:
        with unfinished.open("wb") as file:
            file.writelines(parts)

    _replace(target, write, unless_same=True)


def copy(source: Path, target: Path) -> None:
    """Make a file the same as another: a copy, since who publishes a tree may change it."""
    _replace(target, lambda unfinished: shutil.copyfile(source, unfinished))


def copy_tree(source: Path, target: Path) -> None:
    """Copy every file below a folder to the same place below another."""
    for path in below(source):
        copy(source / path, target / path)


def content_of(path: Path) -> bytes | None:
    """What a file holds; None when there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def below(folder: Path) -> Iterator[Path]:
    """All files below a folder, relative to it."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name).relative_to(folder) for name in sorted(names))


def _replace(target: Path, write: Callable[[Path], object], *, unless_same: bool = False) -> None:
    with errors_told(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
        os.close(handle)
        unfinished = Path(name)
        try:
            write(unfinished)
            unfinished.chmod(0o644)
            if unless_same and target.is_file() and filecmp.cmp(unfinished, target, shallow=False):
                unfinished.unlink()
            else:
                unfinished.replace(target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
