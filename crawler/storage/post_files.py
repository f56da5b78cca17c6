"""Read and write the post files of an output folder."""

import heapq
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path

from crawler.errors import OutputError, Unreadable
from crawler.items import FROZEN, POSTS

# An unfinished file: what a killed crawl left of it is gone, and a link in its place is not followed.
_ANEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


def frozen(output: Path, path: str) -> Path:
    """Where a post stands once the site keeps its page as HTML: its place there is as the one in `_posts`."""
    return output / FROZEN / path.removeprefix(f"{POSTS}/")


def standing(output: Path, path: str) -> Path:
    """Where a post stands: at its path, or frozen. A path at which there is nothing stands for itself."""
    hot, cold = output / path, frozen(output, path)
    return cold if not os.path.lexists(hot) and os.path.lexists(cold) else hot


def content(file: Path, most: int = -1) -> bytes | None:
    """What a file holds, or its first bytes where `most` says how many are enough.

    None for what is no file, but a folder, a device, or a link to one of them or nowhere. Raises OutputError.
    """
    try:
        if not file.is_file():
            return None
        with file.open("rb") as opened:
            return opened.read(most)
    except FileNotFoundError:  # it was there a moment ago
        return None
    except OSError as error:
        raise OutputError(f"cannot read {file}: {error.strerror}") from error


def file_content(file: Path, most: int = -1) -> bytes:
    """Likewise. Raises Unreadable for what is no file."""
    found = content(file, most)
    if found is None:
        raise Unreadable("no file, but a folder or a device" if file.exists() else "a link that leads nowhere")
    return found


def put(output: Path, path: str, text: str) -> None:
    """Write a post so that a reader sees the old file or the new one, never half of one.

    The unfinished file begins with a dot, which Jekyll passes over. A frozen post is no longer
    frozen. Raises OutputError.
    """
    put_all(output, {path: text})


def put_all(output: Path, texts: Mapping[str, str]) -> None:
    """Likewise, posts by their paths: when it returns, they are on disk. Raises OutputError."""
    folders: dict[str, dict[str, bytes]] = {}
    for path, text in texts.items():
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, {})[name] = text.encode("utf-8")
    for folder, contents in sorted(folders.items()):
        with _told(output / folder, next(iter(contents))), _opened(output / folder) as descriptor:
            _replace_all(output / folder, descriptor, contents)
            os.fsync(descriptor)
    if (output / FROZEN).is_dir():
        for path in texts:
            with _told(output, path):
                frozen(output, path).unlink(missing_ok=True)


@contextmanager
def _told(folder: Path, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {folder / name}: {error.strerror}") from error


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A folder's descriptor; it is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _replace_all(folder: Path, descriptor: int, contents: Mapping[str, bytes]) -> None:
    """Put files into a folder, each whole before it has its name. All are on their way to the disk before the first is
    waited for: one by one, they took it twice as long (docs/performance.md).

    Only the holder of the output folder's lock writes posts, so that an unfinished file needs no name of chance.
    """
    unfinished: dict[str, int] = {}
    try:
        for name, content in contents.items():
            with _told(folder, name):
                # Not through a file object: a crawl writes each article, and it costs as much as the writing.
                unfinished[name] = handle = os.open(_part(name), _ANEW, 0o644, dir_fd=descriptor)
                _write_all(handle, content)
                os.fchmod(handle, 0o644)
                _begin_to_sync(handle)
        for name, handle in unfinished.items():
            with _told(folder, name):
                os.fsync(handle)
                os.replace(_part(name), name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
    except BaseException:
        for name in unfinished:
            with suppress(FileNotFoundError):
                os.unlink(_part(name), dir_fd=descriptor)
        raise
    finally:
        for handle in unfinished.values():
            os.close(handle)


def _part(name: str) -> str:
    return f".{name}.part"


def _begin_to_sync(handle: int) -> None:
    """Have what was written put on disk from now on, without waiting for it: a hint, which not every system takes."""
    with suppress(AttributeError, OSError):
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def _write_all(handle: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


_UNFINISHED = re.compile(r"\..*\.md\..*")


def posts_below(output: Path) -> Iterator[str]:
    """The paths of all posts, frozen ones by the path that they had, in the order of their bytes."""
    cold = (POSTS + path.removeprefix(FROZEN) for path in files_below(output, FROZEN))
    for path, _ in groupby(heapq.merge(files_below(output, POSTS), cold, key=os.fsencode)):
        yield path


def files_below(output: Path, folder: str) -> Iterator[str]:
    """The paths of all files below a folder, relative to the output folder, in the order of their bytes."""
    try:
        entries = list(os.scandir(output / folder))
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"cannot read {output / folder}: {error.strerror}") from error
    for entry in sorted(entries, key=lambda entry: os.fsencode(entry.name) + b"/" * _is_folder(entry)):
        path = f"{folder}/{entry.name}"
        if _is_folder(entry):
            yield from files_below(output, path)
        else:
            yield path


def is_unfinished(path: str) -> bool:
    """Whether this is the half of a post that a killed crawl left, or one at work is writing."""
    return bool(_UNFINISHED.fullmatch(path.rpartition("/")[2]))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)
