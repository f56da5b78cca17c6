"""Request log: when sites were sent requests lately, in a file that the next crawl of the output folder reads.

A line is one request: Unix time in seconds, and the site. Each process that sends requests appends to it, so that a
plan that is made during a crawl counts as well; it is no table, since a plan must not write to the database.
"""

import logging
import math
import os
from pathlib import Path

logger = logging.getLogger(__name__)

FILE_NAME = ".requests.log"
# Lines of some hours, of which only the last minutes count.
_MAX_BYTES = 256 * 1024
_BYTES_KEPT = 16 * 1024


class RequestLog:
    """The requests to one site. What the disk refuses is reported once; then each process counts for itself."""

    def __init__(self, path: Path, site: str) -> None:
        self._path, self._site = path, site
        self._offset = 0
        self._own_lines: set[bytes] = set()
        self._is_usable = True

    def read_new(self) -> list[float]:
        """Return the times of the requests that others have added since the last call."""
        lines = self._read_lines()
        others = [line for line in lines if line not in self._own_lines]
        self._own_lines.difference_update(lines)
        return [time for line in others if (time := self._parse(line)) is not None]

    def append(self, time: float) -> None:
        """Add a request."""
        line = f"{time:.6f} {self._site}\n".encode()
        self._own_lines.add(line)
        self._write(line, os.O_APPEND)

    def shorten(self) -> None:
        """Leave out old lines where the file has grown large. A line that is added meanwhile may be lost."""
        lines = self._read_lines()
        if self._offset > _MAX_BYTES:
            self._write(b"".join(lines)[-_BYTES_KEPT:].partition(b"\n")[2], os.O_TRUNC)
        self._offset = 0

    def _read_lines(self) -> list[bytes]:
        if not self._is_usable:
            return []
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                complete_lines = file.read().rpartition(b"\n")[0].splitlines(keepends=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._give_up(error)
            return []
        self._offset += sum(map(len, complete_lines)) + bool(complete_lines)
        return [line.rstrip(b"\n") + b"\n" for line in complete_lines]

    def _write(self, data: bytes, flag: int) -> None:
        if not self._is_usable:
            return
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flag, 0o666)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._is_usable = False
        logger.warning("%s: %s: only the requests of this process are counted", self._path, error.strerror)

    def _parse(self, line: bytes) -> float | None:
        text, _, site = line.decode("utf-8", "replace").strip().partition(" ")
        try:
            time = float(text)
        except ValueError:
            return None
        return time if site == self._site and math.isfinite(time) else None
