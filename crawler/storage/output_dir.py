"""The folder that a crawl writes: which one it is, that it can be written, and that only one crawl holds it."""

import os
from pathlib import Path

from filelock import FileLock, Timeout

from crawler.errors import Busy, OutputError

DEFAULT = Path("output")
VARIABLE = "FINEWS_OUTPUT"
_LOCK = ".crawl.lock"
_OTHERS_WRITE = 0o002


def output_folder(named: str | None = None) -> Path:
    """The folder that was named, else `output/` where one stands, else FINEWS_OUTPUT, else `output/` to be made."""
    if named:
        return Path(named)
    if DEFAULT.is_dir() or not os.environ.get(VARIABLE):
        return DEFAULT
    return Path(os.environ[VARIABLE])


def prepare(folder: Path) -> None:
    """Make the folder where there is none, for its owner to write and all to read. Raises OutputError."""
    # Whatever is made from here on: some systems hand out files that all may write.
    os.umask(os.umask(_OTHERS_WRITE) | _OTHERS_WRITE)
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        (folder / "_posts").mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write the output folder {error.filename}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write the output folder {folder}: permission denied")


def hold(folder: Path) -> FileLock:
    """The one lock of a folder, which the kernel takes back when its holder dies. Raises Busy when another has it."""
    lock = FileLock(folder / _LOCK, timeout=0, mode=0o644)
    try:
        lock.acquire()
    except Timeout as error:
        raise Busy(f"another crawl of {folder} is running: try again when it has ended") from error
    except OSError as error:
        raise OutputError(f"cannot lock the output folder {folder}: {error.strerror}") from error
    return lock


def sweep(folder: Path) -> None:
    """Remove the unfinished files that a killed crawl left among the posts."""
    for unfinished in (folder / "_posts").rglob(".*.md.*"):
        unfinished.unlink(missing_ok=True)
