"""The same work for many, one right after the other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Does a piece of work for all things that come within `max_wait` of the first, or for `max_size` of them at once.

    The work answers each thing in turn with its result, or with the exception that is raised for that one alone.

    A processor's caches hold what it has just done: an article that is normalised between the steps that Scrapy takes
    for a reply costs half as much again as one that is normalised after another (docs/performance.md).
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
            if future.done():  # nobody waits for it any more
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
