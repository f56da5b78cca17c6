"""Post files of an output folder: read, list, and write them atomically."""

import hashlib
import heapq
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from crawler.content.post_format import parse_post_path
from crawler.errors import OutputError, ParseError
from crawler.items import ARCHIVED_POSTS_DIR, POSTS_DIR
from crawler.storage.unfinished import is_unfinished_name, unfinished_name

# Of an unfinished file: one that a killed crawl left is overwritten, and a link in its place is not followed.
_OPEN_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


def archived_path(output: Path, path: str) -> Path:
    """Return the path of a post that is archived because the site keeps its page as HTML."""
    return output / ARCHIVED_POSTS_DIR / path.removeprefix(f"{POSTS_DIR}/")


def locate_post(output: Path, path: str) -> Path:
    """Return the file of a post, archived or not; for a missing post, the file that it should have."""
    live_file, archived_file = output / path, archived_path(output, path)
    return archived_file if not os.path.lexists(live_file) and os.path.lexists(archived_file) else live_file


def read_if_file(file: Path, max_bytes: int = -1) -> bytes | None:
    """Return the content of a file, or its first `max_bytes` bytes. Raises OutputError.

    None where the path is not a file: missing, a folder, a device, or a link to one of these.
    """
    try:
        if not file.is_file():
            return None
        with file.open("rb") as stream:
            return stream.read(max_bytes)
    except FileNotFoundError:  # removed in the meantime
        return None
    except OSError as error:
        raise OutputError(f"cannot read {file}: {error.strerror}") from error


def read_file(file: Path, max_bytes: int = -1) -> bytes:
    """Return the content of a file as `read_if_file` does. Raises ParseError where the path is not a file."""
    data = read_if_file(file, max_bytes)
    if data is None:
        raise ParseError("no file, but a folder or a device" if file.exists() else "a link that leads nowhere")
    return data


def hash_post(text: str) -> str:
    """Return the SHA-256 of a post file with this text, as `post_sha256` stores it."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_posts(output: Path, texts: Mapping[str, str]) -> None:
    """Write posts, given by their paths, atomically, sync them, and remove their archived versions.

    Raises:
        OutputError: a file cannot be written (posts in earlier folders are written then), or a path is not a post's
            (nothing is written then).
    """
    for path in texts:
        if parse_post_path(path) is None:
            raise OutputError(f"will not write {path[:80]!r}, which is not the path of a post")
    files_by_folder: dict[str, dict[str, bytes]] = {}
    for path, text in texts.items():
        folder, _, name = path.rpartition("/")
        files_by_folder.setdefault(folder, {})[name] = text.encode("utf-8")
    for folder, contents in sorted(files_by_folder.items()):
        _replace_files(output / folder, contents)
    if (output / ARCHIVED_POSTS_DIR).is_dir():
        for path in texts:
            try:
                archived_path(output, path).unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(f"cannot write {output / path}: {error.strerror}") from error


def _replace_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a folder atomically, and create the folder where it is missing.

    All files are written before the first is synced, which takes half the time
    (docs/decisions/0017-cpu-of-a-crawl.md). Unlike `atomic_file` it uses no random names: only the holder of the
    output folder's lock writes posts.
    """
    fds: dict[str, int] = {}
    name = next(iter(contents))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder_fd = os.open(folder, os.O_RDONLY)
        try:
            for name, content in contents.items():
                # A file object would double the time of writing an article.
                fds[name] = fd = os.open(unfinished_name(name), _OPEN_FLAGS, 0o666, dir_fd=folder_fd)
                remaining = memoryview(content)
                while remaining:
                    remaining = remaining[os.write(fd, remaining) :]
                with suppress(AttributeError, OSError):  # a hint to start writing to disk; not on every system
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            for name, fd in fds.items():
                os.fsync(fd)
                os.replace(unfinished_name(name), name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
            os.fsync(folder_fd)
        except BaseException:
            for unfinished in fds:
                with suppress(FileNotFoundError):
                    os.unlink(unfinished_name(unfinished), dir_fd=folder_fd)
            raise
        finally:
            for fd in (*fds.values(), folder_fd):
                os.close(fd)
    except OSError as error:
        raise OutputError(f"cannot write {folder / name}: {error.strerror}") from error


def iter_post_paths(output: Path) -> Iterator[str]:
    """Yield the paths of all posts in byte order, archived posts by their original path."""
    archived_paths = (
        POSTS_DIR + path.removeprefix(ARCHIVED_POSTS_DIR) for path in iter_file_paths(output, ARCHIVED_POSTS_DIR)
    )
    for path, _ in groupby(heapq.merge(iter_file_paths(output, POSTS_DIR), archived_paths, key=os.fsencode)):
        yield path


def iter_file_paths(output: Path, folder: str) -> Iterator[str]:
    """Yield the paths of all files below a folder in byte order, relative to the output folder."""
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
    """Return whether the path is that of an unfinished post, of a killed crawl or a running one."""
    return is_unfinished_name(path.rpartition("/")[2])


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)
