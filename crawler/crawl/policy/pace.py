"""Pace: times at which requests to a site may be sent. Pure; times are seconds of any one clock.

By reports of users (2026-05), Eastmoney refuses an address for half an hour to hours after more than 5 requests a
second, 10 at once, 200 a minute or 300 in five minutes, to all its hosts together. The pace stays well below.
"""

from collections import deque
from collections.abc import Callable, Iterable

# The delay is drawn between 1 and 1.5 times DOWNLOAD_DELAY, so neither a single delay nor the average is shorter.
MAX_DELAY_FACTOR = 1.5
# Requests in five minutes; the source refuses from 300.
MAX_REQUESTS_PER_WINDOW = 240
# Five minutes, and 5 seconds for differences in the transit times of requests.
WINDOW_SECONDS = 305.0


class Pace:
    """Schedule of the requests to one site.

    `delay` is in seconds, `uniform` draws a number between its arguments, `sent_at` are the times of earlier requests.
    """

    def __init__(self, delay: float, uniform: Callable[[float, float], float], sent_at: Iterable[float] = ()) -> None:
        self._delay, self._uniform = delay, uniform
        self._sent_at = deque[float](maxlen=MAX_REQUESTS_PER_WINDOW)
        self.add(sent_at)

    def add(self, sent_at: Iterable[float]) -> None:
        """Add requests that other crawls have sent."""
        times = sorted([*self._sent_at, *sent_at])
        self._sent_at.clear()
        self._sent_at.extend(times)

    def slow_down(self, delay: float) -> None:
        """Raise the delay to this number of seconds, if it is shorter."""
        self._delay = max(self._delay, delay)

    def reserve(self, now: float) -> float:
        """Return the time at which a request may be sent, and add the request."""
        send_at = now
        if self._sent_at:
            send_at = max(send_at, self._sent_at[-1] + self._uniform(self._delay, self._delay * MAX_DELAY_FACTOR))
        if len(self._sent_at) == MAX_REQUESTS_PER_WINDOW:
            send_at = max(send_at, self._sent_at[0] + WINDOW_SECONDS)
        self._sent_at.append(send_at)
        return send_at


def seconds_between_requests(delay: float) -> float:
    """Return the average seconds between two of many requests, for a DOWNLOAD_DELAY in seconds.

    >>> seconds_between_requests(0), round(seconds_between_requests(0.1), 2), seconds_between_requests(2)
    (0.0, 1.27, 2.5)
    """
    return max(delay * (1 + MAX_DELAY_FACTOR) / 2, WINDOW_SECONDS / MAX_REQUESTS_PER_WINDOW) if delay else 0.0
