"""Bodies made clean: here, and in a second process where articles come many at once.

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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from crawler.content.normalise import Body, body_of
from crawler.crawl.gc_tuning import leave_what_stays
from crawler.errors import NoBody, Rejected

logger = logging.getLogger(__name__)

# With fewer at once the source is what a crawl waits for.
_MANY_AT_ONCE = 8
# A crawl that has not brought so many is over before a second process has paid for its start.
_WORTH_A_PROCESS = 200
# Far longer than the largest bodies take: a process that has not answered by then hangs.
_SECONDS_TO_ANSWER = 60.0


class Cleaning:
    """Bodies in one process or two."""

    def __init__(self) -> None:
        self._done = 0
        self._pays = _cores() > 1
        self._second: _SecondProcess | None = None

    async def outcomes(self, asked: Sequence[tuple[str, str]]) -> list[Body | Exception]:
        """What `body_of` answers or raises for each of these."""
        self._done += len(asked)
        answers = await self._elsewhere(asked) or [None] * len(asked)
        return [answer or _outcome(*each) for answer, each in zip(answers, asked, strict=True)]

    def close(self) -> None:
        """End the second process, where there is one, and whatever it is at."""
        if self._second is not None:
            self._second.close()
        self._second = None

    async def _elsewhere(self, asked: Sequence[tuple[str, str]]) -> list[Body | Exception | None] | None:
        if not self._pays or len(asked) < _MANY_AT_ONCE or self._done < _WORTH_A_PROCESS:
            return None
        try:
            self._second = self._second or _SecondProcess()
            return await self._second.answers(asked)
        except Exception as error:  # whatever it is, all goes on in this process
            logger.warning("no second process for cleaning: %s", repr(error))
            self._pays = False
            self.close()
            return None


class _SecondProcess:
    def __init__(self) -> None:
        from multiprocessing.connection import Pipe  # a crawl of few articles does without it

        self._ours, theirs = Pipe()
        # It is to find what this process has found, and nothing that lies about in the current folder.
        path = os.pathsep.join(filter(None, sys.path))
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-c", f"from {__name__} import answer_all; answer_all({theirs.fileno()})"],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is the first one's to heed
                env={**os.environ, "PYTHONPATH": path},
            )
        self._turn = ThreadPoolExecutor(max_workers=1)

    async def answers(self, asked: Sequence[tuple[str, str]]) -> list[Body | Exception | None]:
        """One for each; None where there is none. Raises whatever comes of a process that is no more, or hangs."""
        answers = asyncio.get_running_loop().run_in_executor(self._turn, self._ask, asked)
        return await asyncio.wait_for(answers, _SECONDS_TO_ANSWER)

    def _ask(self, asked: Sequence[tuple[str, str]]) -> list[Body | Exception | None]:
        self._ours.send(asked)
        answers: list[Body | Exception | None] = self._ours.recv()
        return answers

    def close(self) -> None:
        """It has nothing that could be left half done, and whoever waits for its answer is told that it is no more."""
        self._child.kill()
        self._child.wait()
        self._turn.shutdown()
        self._ours.close()


def _outcome(body: str, url: str) -> Body | Exception:
    try:
        return body_of(body, url)
    except Exception as error:
        return error


def _cores() -> int:
    """Those that this process may run on, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def answer_all(descriptor: int) -> None:
    """The second process: answers until the first is no more. How that one is stopped is none of its concern."""
    from multiprocessing.connection import Connection

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    leave_what_stays()
    asking = Connection(descriptor)
    while True:
        try:
            asked: list[tuple[str, str]] = asking.recv()
            outcomes = [_outcome(*each) for each in asked]
            # A fault of ours is met again, and told, where the crawl's log is.
            asking.send([found if isinstance(found, Body | Rejected | NoBody) else None for found in outcomes])
        except (EOFError, OSError):
            return
