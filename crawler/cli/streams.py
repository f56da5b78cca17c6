"""Standard streams of a process, set up once at its start, for any locale and for closed, full or failing streams.

Files and pipes get UTF-8 in every locale. A terminal gets its own encoding, with `?` for characters it cannot show.
"""

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# Sample of the characters that arguments and file names may contain.
_CHINESE = "中"


class StandardStream(io.FileIO):
    """Standard stream that discards all data after its first write error.

    If `is_needed` returns True, the error is also raised and kept in `error`.
    """

    error: OSError | None = None
    _is_lost = False

    def __init__(self, descriptor: int, is_needed: Callable[[], bool]) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._is_needed = is_needed

    def write(self, data: "ReadableBuffer") -> int:
        """Write or discard bytes and return their number. Raises OSError at the first error of a needed stream."""
        if not self._is_lost:
            try:
                return super().write(data)
            except OSError as error:
                self._is_lost = True
                if self._is_needed():
                    self.error = error
                    raise
        return len(memoryview(data))


def set_up_streams(is_output_needed: Callable[[], bool]) -> StandardStream:
    """Replace standard output and error, and return standard output.

    Restarts Python in UTF-8 mode if the arguments are UTF-8 and the locale's encoding is not. Closed descriptors are
    opened read-only, so no other file or socket becomes a standard stream, and writing still fails.
    """
    locale_encoding = sys.getfilesystemencoding()
    if locale_encoding != "utf-8" and sys.executable and _are_utf8_arguments(locale_encoding):
        environment = {**os.environ, "PYTHONUTF8": "1"}  # for child processes
        if sys.stdout:  # UTF-8 mode must not change the encoding of a terminal
            environment.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
        with suppress(OSError):
            os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], environment)
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # gets the lowest free number: this descriptor
    encoding = next((stream.encoding for stream in (sys.stdout, sys.stderr) if stream), "utf-8")
    stdout, stderr = StandardStream(1, is_output_needed), StandardStream(2, lambda: False)
    sys.stdout = _as_text(stdout, encoding, line_buffering=stdout.isatty())
    sys.stderr = _as_text(stderr, encoding, line_buffering=True)
    return stdout


def _as_text(stream: StandardStream, terminal_encoding: str, *, line_buffering: bool) -> io.TextIOWrapper:
    encoding = terminal_encoding if stream.isatty() else "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(stream), encoding, errors="replace", line_buffering=line_buffering)


def _are_utf8_arguments(encoding: str) -> bool:
    """Return whether the arguments are UTF-8 rather than in the locale's encoding; GBK text is rarely valid UTF-8."""
    arguments = b" ".join(map(os.fsencode, sys.orig_argv))
    try:
        arguments.decode("utf-8")
        _CHINESE.encode(encoding)
    except UnicodeDecodeError:
        return False
    except UnicodeEncodeError:
        return True
    return not arguments.isascii()
