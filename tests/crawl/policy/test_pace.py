"""Pace of requests to one site: their intervals, and their number in five minutes."""

import itertools
from random import Random

from crawler.crawl.policy.pace import MAX_REQUESTS_PER_WINDOW, WINDOW_SECONDS, Pace, seconds_between_requests


def busiest_window(times: list[float], seconds: float) -> int:
    """Return the maximum of requests in any half-open span of a number of seconds."""
    return max(sum(start <= time < start + seconds for time in times) for start in times)


def send_as_fast_as_allowed(pace: Pace, count: int, now: float = 0.0) -> list[float]:
    times = []
    for _ in range(count):
        now = pace.reserve(now)
        times.append(now)
    return times


def test_one_request_a_second_and_240_in_five_minutes() -> None:
    times = send_as_fast_as_allowed(Pace(1.0, Random(1).uniform), 1_000)
    assert (busiest_window(times, 1), busiest_window(times, WINDOW_SECONDS)) == (1, MAX_REQUESTS_PER_WINDOW)
    assert busiest_window(times, 60) <= 60
    distances = [round(later - earlier, 3) for earlier, later in itertools.pairwise(times)]
    assert len(set(distances)) > 100, "it has jitter"


def test_shorter_delay_keeps_the_limit_of_five_minutes() -> None:
    times = send_as_fast_as_allowed(Pace(0.1, Random(1).uniform), 1_000)
    assert busiest_window(times, WINDOW_SECONDS) == MAX_REQUESTS_PER_WINDOW
    assert seconds_between_requests(0.1) * 720 <= times[720]


def test_earlier_requests_count() -> None:
    """Requests of an earlier crawl count."""
    earlier = [-30.0 + 0.1 * number for number in range(MAX_REQUESTS_PER_WINDOW)]
    assert Pace(1.0, Random(1).uniform, earlier).reserve(0.0) == earlier[0] + WINDOW_SECONDS


def test_request_after_a_pause_is_sent_at_once() -> None:
    pace = Pace(1.0, Random(1).uniform)
    assert pace.reserve(10.0) == 10.0
    assert pace.reserve(60.0) == 60.0
