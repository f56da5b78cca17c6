"""How long the source asks to be left alone: the header Retry-After, in seconds or as a date. Pure.

A short wait is waited for. A longer one is kept in the database, so that the crawls that follow keep it too. What no
server means, the past or more than a day, is no wait: then a crawl backs off by itself.
"""

import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

# However long a source's trouble lasts, one crawl does not wait longer than this at a time; the next one tries again.
LONGEST_WAIT = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=24)
# How long a source is left alone that has had too many requests, and does not say until when.
_SHORTEST_OF_ITSELF = timedelta(minutes=1)
_LONGEST_OF_ITSELF = timedelta(hours=6)

_SECONDS = re.compile(r"[0-9]{1,6}", re.ASCII)


def asked_for(retry_after: str, now: datetime) -> timedelta | None:
    """The wait that a Retry-After header asks for; None when it holds nothing that can be meant.

    >>> now = datetime.fromisoformat("2026-11-24T20:00:00+08:00")
    >>> asked_for("120", now), asked_for("Tue, 24 Nov 2026 12:00:07 GMT", now), asked_for("-1", now)
    (datetime.timedelta(seconds=120), datetime.timedelta(seconds=7), None)
    """
    text = retry_after.strip()
    wait = timedelta(seconds=int(text)) if _SECONDS.fullmatch(text) else _until(text, now)
    return wait if wait is not None and timedelta(0) < wait <= LONGEST_PAUSE else None


def of_itself(trouble: timedelta) -> timedelta:
    """The wait of a crawl whose source does not name one: as long as the trouble has lasted, so that it doubles.

    >>> [str(of_itself(timedelta(minutes=lasted))) for lasted in (0, 3, 600)]
    ['0:01:00', '0:03:00', '6:00:00']
    """
    return min(max(trouble, _SHORTEST_OF_ITSELF), _LONGEST_OF_ITSELF)


def _until(text: str, now: datetime) -> timedelta | None:
    try:
        moment = parsedate_to_datetime(text[:60])
    except (ValueError, TypeError, OverflowError):
        return None
    return moment - now if moment.tzinfo else None
