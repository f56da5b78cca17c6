"""Body cleaner: batches of article bodies, cleaned in this process or, where they are many, in a second one.

Of all steps of an article, cleaning is the one that needs nothing but what it is given, and a good tenth of the whole:
it can be done anywhere. The process is started when that pays. It holds no file and no lock of the crawl's, ends with
the crawl however that ends, and what it does not answer in time is cleaned here: nothing is lost with it.
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from crawler.content.markup import SourceMarkup
from crawler.content.normalise import CleanBody, clean_body
from crawler.crawl.gc_tuning import freeze_gc
from crawler.errors import EmptyBodyError, RejectedArticleError

logger = logging.getLogger(__name__)

BodySource = tuple[str, str, SourceMarkup]
"""A body, the address of its page, and what its source adds to its texts."""

# With fewer at once the source is what a crawl waits for.
_MIN_BATCH_FOR_SUBPROCESS = 8
# A crawl with fewer bodies is over before a second process has paid for its start.
_MIN_BODIES_FOR_SUBPROCESS = 200
# Far longer than the largest bodies take: a process that has not answered by then hangs.
_SUBPROCESS_TIMEOUT = 60.0


class BodyCleaner:
    """Bodies in one process or two."""

    def __init__(self) -> None:
        self._bodies_received = 0
        self._may_use_subprocess = _available_cores() > 1
        self._subprocess: _CleanerProcess | None = None

    async def clean_all(self, bodies: Sequence[BodySource]) -> list[CleanBody | Exception]:
        """What `clean_body` answers or raises for each of these."""
        self._bodies_received += len(bodies)
        subprocess_results = await self._clean_in_subprocess(bodies) or [None] * len(bodies)
        return [
            subprocess_result or _clean_or_error(*body_source)
            for subprocess_result, body_source in zip(subprocess_results, bodies, strict=True)
        ]

    def close(self) -> None:
        """End the second process, where there is one, and whatever it is at."""
        if self._subprocess is not None:
            self._subprocess.close()
        self._subprocess = None

    async def _clean_in_subprocess(self, bodies: Sequence[BodySource]) -> list[CleanBody | Exception | None] | None:
        if (
            not self._may_use_subprocess
            or len(bodies) < _MIN_BATCH_FOR_SUBPROCESS
            or self._bodies_received < _MIN_BODIES_FOR_SUBPROCESS
        ):
            return None
        try:
            self._subprocess = self._subprocess or _CleanerProcess()
            return await self._subprocess.clean_all(bodies)
        except Exception as error:  # whatever it is, all goes on in this process
            logger.warning("no second process for cleaning: %s", repr(error))
            self._may_use_subprocess = False
            self.close()
            return None


class _CleanerProcess:
    """A child process that cleans bodies, and the pipe to it."""

    def __init__(self) -> None:
        from multiprocessing.connection import Pipe  # a crawl of few articles does without it

        self._connection, child_connection = Pipe()
        # It is to find what this process has found, and nothing that lies about in the current folder.
        python_path = os.pathsep.join(filter(None, sys.path))
        with child_connection:
            self._child = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-c",
                    f"from {__name__} import run_cleaner_process; run_cleaner_process({child_connection.fileno()})",
                ],
                pass_fds=[child_connection.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is handled by the parent
                env={**os.environ, "PYTHONPATH": python_path},
            )
        self._executor = ThreadPoolExecutor(max_workers=1)

    async def clean_all(self, bodies: Sequence[BodySource]) -> list[CleanBody | Exception | None]:
        """One for each; None where there is none. Raises whatever comes of a process that is no more, or hangs."""
        results = asyncio.get_running_loop().run_in_executor(self._executor, self._send_and_receive, bodies)
        return await asyncio.wait_for(results, _SUBPROCESS_TIMEOUT)

    def _send_and_receive(self, bodies: Sequence[BodySource]) -> list[CleanBody | Exception | None]:
        self._connection.send(bodies)
        results: list[CleanBody | Exception | None] = self._connection.recv()
        return results

    def close(self) -> None:
        """It has nothing that could be left half done, and a caller that waits for its answer gets an error."""
        self._child.kill()
        self._child.wait()
        self._executor.shutdown()
        self._connection.close()


def _clean_or_error(body: str, url: str, markup: SourceMarkup) -> CleanBody | Exception:
    try:
        return clean_body(body, url, markup)
    except Exception as error:
        return error


def _available_cores() -> int:
    """The cores that this process may run on, where the system reports them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_cleaner_process(descriptor: int) -> None:
    """The second process: answers until the first is no more. How that one is stopped is none of its concern."""
    from multiprocessing.connection import Connection

    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, signal.SIG_IGN)
    freeze_gc()
    connection = Connection(descriptor)
    while True:
        try:
            bodies: list[BodySource] = connection.recv()
            results = [_clean_or_error(*body_source) for body_source in bodies]
            # A bug is met again, and reported, where the crawl's log is.
            connection.send(
                [
                    result if isinstance(result, CleanBody | RejectedArticleError | EmptyBodyError) else None
                    for result in results
                ]
            )
        except (EOFError, OSError):
            return


Item = TypeVar("Item")


Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Does a piece of work for all things that come within `max_wait` of the first, or for `max_size` of them at once.

    The work answers each thing in turn with its result, or with the exception that is raised for that one alone.

    A processor's caches hold what it has just done: an article that is normalised between the steps that Scrapy takes
    for a response costs half as much again as one that is normalised after another (docs/performance.md).
    """

    def __init__(
        self,
        process_batch: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_size: int,
        max_wait: float,
    ) -> None:
        self._process_batch, self._max_size, self._max_wait = process_batch, max_size, max_wait
        self._pending: list[tuple[Item, asyncio.Future[Result]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """What the work makes of a thing. Raises what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._pending.append((item, future))
        if len(self._pending) >= self._max_size:
            self._start_batch()
        elif self._timer is None:
            self._timer = loop.call_later(self._max_wait, self._start_batch)
        return await future

    def _start_batch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._pending = self._pending, []
        task = asyncio.ensure_future(self._run_batch([pending for pending in batch if not pending[1].done()]))
        self._tasks.add(task)  # the loop would not keep it
        task.add_done_callback(self._tasks.discard)

    async def _run_batch(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._process_batch([item for item, _ in batch])
        except Exception as error:
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller was cancelled
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
