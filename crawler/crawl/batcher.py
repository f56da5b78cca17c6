"""The same work for many, one right after the other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


class Gathering(Generic[Thing, Result]):
    """Does a piece of work for all things that come within `seconds` of the first, or for `most` of them at once.

    The work answers each thing in turn with its result, or with the exception that is raised for that one alone.

    A processor's caches hold what it has just done: an article that is normalised between the steps that Scrapy takes
    for a reply costs half as much again as one that is normalised after another (docs/performance.md).
    """

    def __init__(
        self, work: Callable[[Sequence[Thing]], Awaitable[Sequence[Result | Exception]]], *, most: int, seconds: float
    ) -> None:
        self._work, self._most, self._seconds = work, most, seconds
        self._waiting: list[tuple[Thing, asyncio.Future[Result]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def result(self, thing: Thing) -> Result:
        """What the work makes of a thing. Raises what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((thing, future))
        if len(self._waiting) >= self._most:
            self._begin()
        elif self._timer is None:
            self._timer = loop.call_later(self._seconds, self._begin)
        return await future

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        task = asyncio.ensure_future(self._work_off([each for each in waiting if not each[1].done()]))
        self._tasks.add(task)  # the loop would not keep it
        task.add_done_callback(self._tasks.discard)

    async def _work_off(self, waiting: list[tuple[Thing, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._work([thing for thing, _ in waiting])
        except Exception as error:
            results = [error] * len(waiting)
        for (_, future), result in zip(waiting, results, strict=True):
            if future.done():  # nobody waits for it any more
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
