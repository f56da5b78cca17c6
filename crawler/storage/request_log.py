"""Request log: times of the latest requests to each site, in a file that the next crawl of the output folder reads.

One line per request: Unix time in seconds, and the site. All processes that send requests append to the file, a plan
made during a crawl too. It is not a table because a plan must not write to the database.
"""

import logging
import math
import os
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

FILE_NAME = ".requests.log"
# Size at which old lines are removed, and the size kept: some hours of requests, of which the last minutes matter.
_MAX_BYTES = 256 * 1024
_BYTES_KEPT = 16 * 1024


class RequestLog:
    """Requests to one site. The first disk error is logged; from then on each process counts only its own requests."""

    def __init__(self, path: Path, site: str) -> None:
        self._path, self._site = path, site
        self._offset = 0
        self._own_lines: set[bytes] = set()
        self._is_usable = True

    def read_new(self) -> list[float]:
        """Return the Unix times of requests that other processes have added since the last call."""
        lines = self._read_lines()
        others = [line for line in lines if line not in self._own_lines]
        self._own_lines.difference_update(lines)
        times = []
        for line in others:
            text, _, site = line.decode("utf-8", "replace").strip().partition(" ")
            with suppress(ValueError):
                if site == self._site and math.isfinite(time := float(text)):
                    times.append(time)
        return times

    def append(self, time: float) -> None:
        """Add a request at a Unix time."""
        line = f"{time:.6f} {self._site}\n".encode()
        self._own_lines.add(line)
        self._write(line, os.O_APPEND)

    def shorten(self) -> None:
        """Remove old lines from a large file. Lines that are added at the same time may be lost."""
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
