"""Waiting for what another process does."""

import time
from collections.abc import Callable
from typing import TypeVar

ConditionT = TypeVar("ConditionT")


def wait_until(condition: Callable[[], ConditionT]) -> ConditionT:
    """What is found in the end. Time is no measure here: the bound is for what never comes."""
    deadline = time.monotonic() + 240
    while not (result := condition()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return result
