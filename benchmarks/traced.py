"""Run one crawl and record its calls of functions in crawler/ for one article; hops.py runs this script.

    python -P benchmarks/traced.py CHECKOUT TRACE OUTPUT WORD...

WORD... are the arguments of `finews`, TRACE is the written file. No module of the crawler is imported by name: the
trace begins with a signal of Scrapy and ends with a row of the database.
"""

import dis
import inspect
import json
import os
import runpy
import sqlite3
import sys
import threading
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from pydispatch import dispatcher
from scrapy import Request, signals

# Part of a listing's address; robots.txt is fetched before it.
_LISTING = "getNewsByColumns"
_OUTCOMES = "SELECT count(*) FROM entries WHERE outcome IS NOT NULL"

Function = tuple[str, str]
"""The file, relative to the package, and the qualified name."""


class Trace:
    """The calls of a package's functions, from the response of a listing to the first outcome in the database."""

    def __init__(self, package: Path, database: Path) -> None:
        self.calls: list[tuple[Function | None, Function]] = []
        self.ended = False
        self._package, self._database = f"{package}{os.sep}", database
        self._connection: sqlite3.Connection | None = None
        self._functions: dict[CodeType, Function | None] = {}

    def start(self, request: Request) -> None:
        """Begin at the first response of a listing; handles Scrapy's signal `response_downloaded`."""
        if self._connection is None and _LISTING in request.url:
            uri = f"{self._database.as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)

    def note(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Record a call until an outcome is committed; the interpreter calls this at each call and return."""
        if self._connection is None or self.ended or (function := self._function(frame.f_code)) is None:
            return
        if self._connection.execute(_OUTCOMES).fetchall() != [(0,)]:
            self.ended = True
        elif event == "call" and is_at_start(frame):
            self.calls.append((self._caller(frame), function))

    def _caller(self, frame: FrameType) -> Function | None:
        """Return the nearest calling function in crawler/; None if Scrapy calls it."""
        caller = frame.f_back
        while caller is not None and self._function(caller.f_code) is None:
            caller = caller.f_back
        return caller and self._function(caller.f_code)

    def _function(self, code: CodeType) -> Function | None:
        if code not in self._functions:
            self._functions[code] = self._function_of(code)
        return self._functions[code]

    def _function_of(self, code: CodeType) -> Function | None:
        """Return a function of the package; None for other code and for bodies of modules, classes and lambdas."""
        file = code.co_filename.removeprefix(self._package)
        is_ours = file != code.co_filename and not file.startswith("sample_site")
        is_function = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
        return (file, code.co_qualname) if is_ours and is_function else None


def is_at_start(frame: FrameType) -> bool:
    """Return whether this is a call, not a generator or coroutine that resumes, which is reported as a call too."""
    return frame.f_lasti <= _start_of(frame.f_code)


@cache
def _start_of(code: CodeType) -> int:
    return next(step.offset for step in dis.get_instructions(code) if step.opname == "RESUME")


def main() -> None:
    checkout, written, output, *words = sys.argv[1:]
    trace = Trace(Path(checkout) / "crawler", Path(output) / "news.db")
    dispatcher.connect(trace.start, signal=signals.response_downloaded)
    sys.argv = ["finews", *words]
    threading.setprofile(trace.note)
    sys.setprofile(trace.note)
    try:
        runpy.run_module("crawler", run_name="__main__")
    finally:
        sys.setprofile(None)
        if trace.ended:
            Path(written).write_text(json.dumps(trace.calls))


main()
