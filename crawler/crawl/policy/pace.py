"""Pace: when the next request to a site may be sent. Pure; times are seconds of any one clock.

The one public account of Eastmoney's limits (of users, 2026-05): who asks its hosts, all together, more than 5 times a
second, 10 times at once, 200 times a minute or 300 times in five minutes is refused for half an hour to hours. The
pace stays well below each of these.
"""

from collections import deque
from collections.abc import Callable, Iterable

# The delay is drawn between one and this many times DOWNLOAD_DELAY: never shorter, so that the average keeps it too.
MAX_DELAY_FACTOR = 1.5
MAX_REQUESTS_PER_WINDOW = 240
# Five minutes, and what one request may take longer than another on its way to the site.
WINDOW_SECONDS = 305.0


class Pace:
    """The times at which one site is sent requests.

    `delay` is in seconds, `uniform` draws a number between two; `sent_at` are the times of earlier requests.
    """

    def __init__(self, delay: float, uniform: Callable[[float, float], float], sent_at: Iterable[float] = ()) -> None:
        self._delay, self._uniform = delay, uniform
        self._sent_at = deque[float](maxlen=MAX_REQUESTS_PER_WINDOW)
        self.add(sent_at)

    def add(self, sent_at: Iterable[float]) -> None:
        """Count requests that something else sends to the site."""
        times = sorted([*self._sent_at, *sent_at])
        self._sent_at.clear()
        self._sent_at.extend(times)

    def slow_down(self, delay: float) -> None:
        """Send requests no faster than one in this many seconds from now on."""
        self._delay = max(self._delay, delay)

    def reserve(self, now: float) -> float:
        """Return when a request may be sent, and count it as sent then."""
        send_at = now
        if self._sent_at:
            send_at = max(send_at, self._sent_at[-1] + self._uniform(self._delay, self._delay * MAX_DELAY_FACTOR))
        if len(self._sent_at) == MAX_REQUESTS_PER_WINDOW:
            send_at = max(send_at, self._sent_at[0] + WINDOW_SECONDS)
        self._sent_at.append(send_at)
        return send_at


def seconds_between_requests(delay: float) -> float:
    """Return the average time between two requests while more are waiting, for a DOWNLOAD_DELAY in seconds.

    >>> seconds_between_requests(0), round(seconds_between_requests(0.1), 2), seconds_between_requests(2)
    (0.0, 1.27, 2.5)
    """
    return max(delay * (1 + MAX_DELAY_FACTOR) / 2, WINDOW_SECONDS / MAX_REQUESTS_PER_WINDOW) if delay else 0.0
