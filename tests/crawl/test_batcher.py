"""Work that is done for many at once."""

import asyncio
from collections.abc import Sequence

import pytest

from crawler.crawl.body_cleaner import Batcher


async def halves(numbers: Sequence[int]) -> list[int | Exception]:
    return [ValueError(f"{number} is odd") if number % 2 else number // 2 for number in numbers]


async def broken(_numbers: Sequence[int]) -> list[int | Exception]:
    raise RuntimeError("a fault of ours")


def test_each_caller_gets_its_own_result_or_error() -> None:
    async def found() -> list[int | BaseException]:
        gathering = Batcher(halves, max_size=4, max_wait=0)
        return await asyncio.gather(*map(gathering.submit, (2, 3, 8)), return_exceptions=True)

    first, second, third = asyncio.run(found())
    assert (first, third) == (1, 4)
    with pytest.raises(ValueError, match="3 is odd"):
        raise second if isinstance(second, BaseException) else AssertionError(second)


def test_error_of_the_batch_reaches_all_callers() -> None:
    async def found() -> list[int | BaseException]:
        gathering = Batcher(broken, max_size=2, max_wait=86_400)
        return await asyncio.gather(*map(gathering.submit, (2, 4)), return_exceptions=True)

    assert [repr(result) for result in asyncio.run(found())] == ["RuntimeError('a fault of ours')"] * 2


def test_full_batch_does_not_wait() -> None:
    async def found() -> list[int]:
        gathering = Batcher(halves, max_size=3, max_wait=86_400)
        return await asyncio.gather(*map(gathering.submit, (2, 4, 6, 8, 10, 12)))

    assert asyncio.run(found()) == [1, 2, 3, 4, 5, 6]


def test_cancelled_caller_is_skipped() -> None:
    done: list[int] = []

    async def noted(numbers: Sequence[int]) -> list[int | Exception]:
        done.extend(numbers)
        return [*numbers]

    async def found() -> int:
        gathering = Batcher(noted, max_size=2, max_wait=86_400)
        given_up = asyncio.ensure_future(gathering.submit(1))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        return await gathering.submit(2)

    assert asyncio.run(found()) == 2
    assert done == [2]


def test_caller_cancelled_during_the_batch_disturbs_no_other() -> None:
    async def found() -> list[int | BaseException]:
        begun, goes_on = asyncio.Event(), asyncio.Event()

        async def slowly(numbers: Sequence[int]) -> list[int | Exception]:
            begun.set()
            await goes_on.wait()
            return [*numbers]

        gathering = Batcher(slowly, max_size=2, max_wait=86_400)
        one, other = (asyncio.ensure_future(gathering.submit(number)) for number in (1, 2))
        await begun.wait()
        one.cancel()
        goes_on.set()
        return [*await asyncio.gather(one, other, return_exceptions=True)]

    one, other = asyncio.run(found())
    assert isinstance(one, asyncio.CancelledError)
    assert other == 2
