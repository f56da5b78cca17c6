"""Standard streams of a process, set up once at its start: for any locale, and where one is closed, full or gives up.

What is no terminal gets UTF-8 whatever the locale is, as files do. A terminal gets its own encoding, in which `?`
replaces what it cannot show.
"""

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# What arguments and names of files may hold.
_CHINESE = "中"


class StandardStream(io.FileIO):
    """A standard stream that drops what is written from the first error of writing on.

    That error is raised, and kept in `error`, where `is_needed` answers that a command has no purpose without it.
    """

    error: OSError | None = None
    _is_lost = False

    def __init__(self, descriptor: int, is_needed: Callable[[], bool]) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._is_needed = is_needed

    def write(self, data: "ReadableBuffer") -> int:
        """Write, or drop, some bytes, and return how many. Raises OSError, once."""
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
    """Replace standard output and error, and return the former; it raises its first error where it is needed.

    Nothing else that a process opens gets the number of a stream that is closed. Where the locale's encoding is not
    that of the arguments, Python is started again in UTF-8 mode.
    """
    _restart_in_utf8_mode_if_needed()
    _open_closed_descriptors()
    encoding = next((stream.encoding for stream in (sys.stdout, sys.stderr) if stream), "utf-8")
    stdout, stderr = StandardStream(1, is_output_needed), StandardStream(2, lambda: False)
    sys.stdout = _as_text(stdout, encoding, line_buffering=stdout.isatty())
    sys.stderr = _as_text(stderr, encoding, line_buffering=True)
    return stdout


def _as_text(stream: StandardStream, terminal_encoding: str, *, line_buffering: bool) -> io.TextIOWrapper:
    encoding = terminal_encoding if stream.isatty() else "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(stream), encoding, errors="replace", line_buffering=line_buffering)


def _open_closed_descriptors() -> None:
    """Open those of 0, 1 and 2 that are closed, else a file or a socket would become a standard stream.

    They cannot be written, so that a command whose output is lost knows it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # at the lowest number that is free: this one


def _restart_in_utf8_mode_if_needed() -> None:
    encoding = sys.getfilesystemencoding()
    if encoding == "utf-8" or not sys.executable or not _are_utf8_arguments(encoding):
        return
    environment = {**os.environ, "PYTHONUTF8": "1"}  # for the processes that this one starts
    if sys.stdout:  # what a terminal shows is not changed
        environment.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    with suppress(OSError):
        os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], environment)


def _are_utf8_arguments(encoding: str) -> bool:
    """Whether UTF-8 reads the arguments, and the locale's encoding does not: few words of GBK are valid UTF-8."""
    arguments = b" ".join(map(os.fsencode, sys.orig_argv))
    try:
        arguments.decode("utf-8")
        _CHINESE.encode(encoding)
    except UnicodeDecodeError:
        return False
    except UnicodeEncodeError:
        return True
    return not arguments.isascii()
