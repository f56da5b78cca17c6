"""Read and write the post files of an output folder."""

import heapq
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path

from crawler.errors import OutputError, ParseError
from crawler.items import ARCHIVED_POSTS_DIR, POSTS_DIR

# An unfinished file: what a killed crawl left of it is gone, and a link in its place is not followed.
_OPEN_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


def archived_path(output: Path, path: str) -> Path:
    """Where a post stands once the site keeps its page as HTML: its place there is as the one in `_posts`."""
    return output / ARCHIVED_POSTS_DIR / path.removeprefix(f"{POSTS_DIR}/")


def locate_post(output: Path, path: str) -> Path:
    """Where a post stands: at its path, or frozen. A path at which there is nothing stands for itself."""
    live_file, archived_file = output / path, archived_path(output, path)
    return archived_file if not os.path.lexists(live_file) and os.path.lexists(archived_file) else live_file


def read_if_file(file: Path, max_bytes: int = -1) -> bytes | None:
    """What a file holds, or its first bytes where `most` says how many are enough.

    None for what is no file, but a folder, a device, or a link to one of them or nowhere. Raises OutputError.
    """
    try:
        if not file.is_file():
            return None
        with file.open("rb") as stream:
            return stream.read(max_bytes)
    except FileNotFoundError:  # it was there a moment ago
        return None
    except OSError as error:
        raise OutputError(f"cannot read {file}: {error.strerror}") from error


def read_file(file: Path, max_bytes: int = -1) -> bytes:
    """Likewise. Raises ParseError for what is no file."""
    data = read_if_file(file, max_bytes)
    if data is None:
        raise ParseError("no file, but a folder or a device" if file.exists() else "a link that leads nowhere")
    return data


def write_post(output: Path, path: str, text: str) -> None:
    """Write a post so that a reader sees the old file or the new one, never half of one.

    The unfinished file begins with a dot, which Jekyll passes over. A frozen post is no longer
    frozen. Raises OutputError.
    """
    write_posts(output, {path: text})


def write_posts(output: Path, texts: Mapping[str, str]) -> None:
    """Likewise, posts by their paths: when it returns, they are on disk. Raises OutputError."""
    files_by_folder: dict[str, dict[str, bytes]] = {}
    for path, text in texts.items():
        folder, _, name = path.rpartition("/")
        files_by_folder.setdefault(folder, {})[name] = text.encode("utf-8")
    for folder, contents in sorted(files_by_folder.items()):
        with _as_output_error(output / folder, next(iter(contents))), _open_folder(output / folder) as folder_fd:
            _replace_files(output / folder, folder_fd, contents)
            os.fsync(folder_fd)
    if (output / ARCHIVED_POSTS_DIR).is_dir():
        for path in texts:
            with _as_output_error(output, path):
                archived_path(output, path).unlink(missing_ok=True)


@contextmanager
def _as_output_error(folder: Path, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {folder / name}: {error.strerror}") from error


@contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    """A folder's descriptor; it is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    folder_fd = os.open(folder, os.O_RDONLY)
    try:
        yield folder_fd
    finally:
        os.close(folder_fd)


def _replace_files(folder: Path, folder_fd: int, contents: Mapping[str, bytes]) -> None:
    """Put files into a folder, each whole before it has its name. All are on their way to the disk before the first is
    waited for: one by one, they took it twice as long (docs/performance.md).

    Only the holder of the output folder's lock writes posts, so that an unfinished file needs no name of chance.
    """
    partial_fds: dict[str, int] = {}
    try:
        for name, content in contents.items():
            with _as_output_error(folder, name):
                # Not through a file object: a crawl writes each article, and it costs as much as the writing.
                partial_fds[name] = fd = os.open(_partial_name(name), _OPEN_FLAGS, 0o644, dir_fd=folder_fd)
                _write_all(fd, content)
                os.fchmod(fd, 0o644)
                _start_writeback(fd)
        for name, fd in partial_fds.items():
            with _as_output_error(folder, name):
                os.fsync(fd)
                os.replace(_partial_name(name), name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    except BaseException:
        for name in partial_fds:
            with suppress(FileNotFoundError):
                os.unlink(_partial_name(name), dir_fd=folder_fd)
        raise
    finally:
        for fd in partial_fds.values():
            os.close(fd)


def _partial_name(name: str) -> str:
    return f".{name}.part"


def _start_writeback(fd: int) -> None:
    """Have what was written put on disk from now on, without waiting for it: a hint, which not every system takes."""
    with suppress(AttributeError, OSError):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def _write_all(fd: int, content: bytes) -> None:
    remaining = memoryview(content)
    while remaining:
        remaining = remaining[os.write(fd, remaining) :]


_PARTIAL_FILE_NAME = re.compile(r"\..*\.md\..*")


def iter_post_paths(output: Path) -> Iterator[str]:
    """The paths of all posts, frozen ones by the path that they had, in the order of their bytes."""
    archived_paths = (
        POSTS_DIR + path.removeprefix(ARCHIVED_POSTS_DIR) for path in iter_file_paths(output, ARCHIVED_POSTS_DIR)
    )
    for path, _ in groupby(heapq.merge(iter_file_paths(output, POSTS_DIR), archived_paths, key=os.fsencode)):
        yield path


def iter_file_paths(output: Path, folder: str) -> Iterator[str]:
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
            yield from iter_file_paths(output, path)
        else:
            yield path


def is_partial_file(path: str) -> bool:
    """Whether this is the half of a post that a killed crawl left, or one at work is writing."""
    return bool(_PARTIAL_FILE_NAME.fullmatch(path.rpartition("/")[2]))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)
