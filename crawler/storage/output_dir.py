"""The folder that a crawl writes: which one it is, that it can be written, and that only one crawl holds it."""

import os
from pathlib import Path

from filelock import FileLock, Timeout

from crawler.errors import OutputError, OutputLockedError

DEFAULT_OUTPUT_DIR = Path("output")
OUTPUT_DIR_VARIABLE = "FINEWS_OUTPUT"
_LOCK_FILE_NAME = ".crawl.lock"
_OTHERS_WRITE_BIT = 0o002


def resolve_output_dir(given_path: str | None = None) -> Path:
    """The folder that was named, else `output/` where one stands, else FINEWS_OUTPUT, else `output/` to be made."""
    if given_path:
        return Path(given_path)
    if DEFAULT_OUTPUT_DIR.is_dir() or not os.environ.get(OUTPUT_DIR_VARIABLE):
        return DEFAULT_OUTPUT_DIR
    return Path(os.environ[OUTPUT_DIR_VARIABLE])


def create_output_dir(folder: Path) -> None:
    """Make the folder where there is none, for its owner to write and all to read. Raises OutputError."""
    # Whatever is made from here on: some systems hand out files that all may write.
    os.umask(os.umask(_OTHERS_WRITE_BIT) | _OTHERS_WRITE_BIT)
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        (folder / "_posts").mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write the output folder {error.filename}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write the output folder {folder}: permission denied")


def lock_output_dir(folder: Path) -> FileLock:
    """The one lock of a folder, which the kernel takes back when its holder dies. Raises OutputLockedError when
    another has it.
    """
    lock = FileLock(folder / _LOCK_FILE_NAME, timeout=0, mode=0o644)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputLockedError(f"another crawl of {folder} is running: try again when it has ended") from error
    except OSError as error:
        raise OutputError(f"cannot lock the output folder {folder}: {error.strerror}") from error
    return lock


def remove_partial_files(folder: Path) -> None:
    """Remove the unfinished files that a killed crawl left among the posts."""
    for partial_file in (folder / "_posts").rglob(".*.md.*"):
        partial_file.unlink(missing_ok=True)
