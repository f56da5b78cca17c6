"""Backoff: delays between retries, and the header Retry-After. Pure.

A crawl waits for a short time. A longer pause, of a day at most, is stored for the next crawls. An invalid time, such
as one in the past, is ignored, and the crawl backs off by itself.
"""

import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

# The longest wait inside a crawl; a longer one is left to the next crawl.
MAX_WAIT = timedelta(seconds=30)
# The longest pause between crawls.
MAX_PAUSE = timedelta(hours=24)
# A stored pause that is longer was stored before the clock was set back, and is ignored. A minute for small changes.
LONGEST_STORED_PAUSE = MAX_PAUSE + timedelta(minutes=1)
# The pause of a source that refuses requests without a Retry-After.
_MIN_BACKOFF = timedelta(minutes=1)
_MAX_BACKOFF = timedelta(hours=6)

# Digits of the header; ten are enough for a century in seconds.
_WHOLE_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)


def parse_retry_after(header: str, now: datetime) -> timedelta | None:
    """Return the wait of a Retry-After header, in seconds or as a date; None for an invalid or a past one.

    >>> now = datetime.fromisoformat("2026-11-24T20:00:00+08:00")
    >>> [parse_retry_after(value, now) for value in ("120", "Tue, 24 Nov 2026 12:00:07 GMT", "-1")]
    [datetime.timedelta(seconds=120), datetime.timedelta(seconds=7), None]
    """
    text = header.strip()
    if _WHOLE_SECONDS.fullmatch(text):
        wait = timedelta(seconds=int(text))
    else:
        try:
            end = parsedate_to_datetime(text[:60])
        except (ValueError, TypeError, OverflowError):
            return None
        wait = end - now if end.tzinfo else timedelta(0)
    return min(wait, MAX_PAUSE) if wait > timedelta(0) else None


def backoff_delay(failing_for: timedelta) -> timedelta:
    """Return the pause of a source without a Retry-After: as long as crawls have been failing, so each one doubles it.

    >>> [str(backoff_delay(timedelta(minutes=lasted))) for lasted in (0, 3, 600)]
    ['0:01:00', '0:03:00', '6:00:00']
    """
    return min(max(failing_for, _MIN_BACKOFF), _MAX_BACKOFF)
