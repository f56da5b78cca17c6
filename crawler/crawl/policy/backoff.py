"""Backoff: delays between retries, and the header Retry-After, in seconds or as a date. Pure.

A short wait is waited for. A longer one is kept in the database, so that the crawls that follow keep it too; of more
than a day, a day. What no server means, such as the past, is no wait: then a crawl backs off by itself.
"""

import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

# However long a source's trouble lasts, one crawl does not wait longer than this at a time; the next one tries again.
MAX_WAIT = timedelta(seconds=30)
MAX_PAUSE = timedelta(hours=24)
# It is stored with a second more; the clock may be set a little in between.
LONGEST_STORED_PAUSE = MAX_PAUSE + timedelta(minutes=1)
# How long a source is left alone that has had too many requests, and does not say until when.
_MIN_BACKOFF = timedelta(minutes=1)
_MAX_BACKOFF = timedelta(hours=6)

# A century, in seconds, has ten digits.
_WHOLE_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)


def parse_retry_after(header: str, now: datetime) -> timedelta | None:
    """The wait that a Retry-After header asks for; None when it holds nothing that can be meant.

    >>> now = datetime.fromisoformat("2026-11-24T20:00:00+08:00")
    >>> [parse_retry_after(value, now) for value in ("120", "Tue, 24 Nov 2026 12:00:07 GMT", "-1")]
    [datetime.timedelta(seconds=120), datetime.timedelta(seconds=7), None]
    """
    text = header.strip()
    wait = timedelta(seconds=int(text)) if _WHOLE_SECONDS.fullmatch(text) else _wait_until_date(text, now)
    return min(wait, MAX_PAUSE) if wait is not None and wait > timedelta(0) else None


def backoff_delay(failing_for: timedelta) -> timedelta:
    """The wait of a crawl whose source does not name one: as long as the trouble has lasted, so that it doubles.

    >>> [str(backoff_delay(timedelta(minutes=lasted))) for lasted in (0, 3, 600)]
    ['0:01:00', '0:03:00', '6:00:00']
    """
    return min(max(failing_for, _MIN_BACKOFF), _MAX_BACKOFF)


def _wait_until_date(text: str, now: datetime) -> timedelta | None:
    try:
        end = parsedate_to_datetime(text[:60])
    except (ValueError, TypeError, OverflowError):
        return None
    return end - now if end.tzinfo else None
