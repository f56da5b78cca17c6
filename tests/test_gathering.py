"""Work that is done for many at once."""

import asyncio

import pytest

from crawler.gathering import Gathering


def halves(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


def test_each_gets_its_own_result_and_a_fault_is_no_others() -> None:
    async def found() -> list[int | BaseException]:
        gathering = Gathering(halves, most=4, seconds=0)
        return await asyncio.gather(*map(gathering.result, (2, 3, 8)), return_exceptions=True)

    first, second, third = asyncio.run(found())
    assert (first, third) == (1, 4)
    with pytest.raises(ValueError, match="3 is odd"):
        raise second if isinstance(second, BaseException) else AssertionError(second)


def test_so_many_do_not_wait_for_the_time_to_pass() -> None:
    async def found() -> list[int]:
        gathering = Gathering(halves, most=3, seconds=86_400)
        return await asyncio.gather(*map(gathering.result, (2, 4, 6, 8, 10, 12)))

    assert asyncio.run(found()) == [1, 2, 3, 4, 5, 6]


def test_one_that_is_not_waited_for_any_more_is_passed_over() -> None:
    done: list[int] = []

    def noted(number: int) -> int:
        done.append(number)
        return number

    async def found() -> int:
        gathering = Gathering(noted, most=2, seconds=86_400)
        given_up = asyncio.ensure_future(gathering.result(1))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        return await gathering.result(2)

    assert asyncio.run(found()) == 2
    assert done == [2]
