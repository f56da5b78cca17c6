"""Wait for another process."""

import time
from collections.abc import Callable
from typing import TypeVar

ConditionT = TypeVar("ConditionT")


def wait_until(condition: Callable[[], ConditionT]) -> ConditionT:
    """Return the first true value of a condition. The time limit only ends tests that would hang."""
    deadline = time.monotonic() + 240
    while not (result := condition()):
        assert time.monotonic() < deadline, "the condition was false for 240 seconds"
        time.sleep(0.02)
    return result
