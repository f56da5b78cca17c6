"""The same work for many, one right after the other."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


class Gathering(Generic[Thing, Result]):
    """Does a piece of work for all things that come within `seconds` of the first, or for `most` of them at once.

    A processor's caches hold what it has just done: an article that is normalised between the steps that Scrapy takes
    for a reply costs half as much again as one that is normalised after another (docs/performance.md).
    """

    def __init__(self, work: Callable[[Thing], Result], *, most: int, seconds: float) -> None:
        self._work, self._most, self._seconds = work, most, seconds
        self._waiting: list[tuple[Thing, asyncio.Future[Result]]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def result(self, thing: Thing) -> Result:
        """What the work makes of a thing. Raises what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((thing, future))
        if len(self._waiting) >= self._most:
            self._work_off()
        elif self._timer is None:
            self._timer = loop.call_later(self._seconds, self._work_off)
        return await future

    def _work_off(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for thing, future in waiting:
            if future.cancelled():
                continue
            try:
                future.set_result(self._work(thing))
            except Exception as error:
                future.set_exception(error)
