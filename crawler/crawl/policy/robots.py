"""robots.txt by RFC 9309: the rules of a response, and how long they are valid. Pure.

A missing file (4xx) allows everything. An unavailable one forbids everything for now, because its rules are unknown.
"""

from datetime import datetime, timedelta

# RFC 9309, section 2.4: a file may be older only while the source is unavailable.
MAX_AGE = timedelta(hours=24)
# Time between two requests for an unavailable file, in a worker that runs for weeks.
RETRY_INTERVAL = timedelta(minutes=10)
# Bytes that are read of a file, the least that RFC 9309, section 2.5 allows.
MAX_BYTES = 500 * 1024

_TOO_MANY_REQUESTS = 429


def extract_rules(status: int, body: bytes) -> bytes | None:
    """Return the rules of a response: empty for a client error, None if unknown, as for 429.

    >>> [extract_rules(status, b"Disallow: /") for status in (200, 404, 429, 503)]
    [b'Disallow: /', b'', None, None]
    """
    if 200 <= status < 300:
        # A truncated line may forbid more than the whole one: "Disallow: /" of "Disallow: /private".
        return body if len(body) <= MAX_BYTES else body[:MAX_BYTES].rpartition(b"\n")[0]
    return b"" if 400 <= status < 500 and status != _TOO_MANY_REQUESTS else None


def is_fresh(fetched_at: datetime, now: datetime) -> bool:
    """Return whether a file need not be fetched again. A time in the future was stored by a wrong clock."""
    return timedelta(0) <= now - fetched_at < MAX_AGE
