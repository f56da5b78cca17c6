"""robots.txt by RFC 9309: what a response says, and how long it is used. Pure.

A file that the source does not have allows everything. One that cannot be had forbids everything for now: nothing is
known of what the source wants.
"""

from datetime import datetime, timedelta

# RFC 9309, section 2.4: no longer, unless the file cannot be had.
MAX_AGE = timedelta(hours=24)
# How long a file that could not be had is not requested again; a worker runs for weeks.
RETRY_INTERVAL = timedelta(minutes=10)
# Bytes; RFC 9309, section 2.5 asks for no less.
MAX_BYTES = 500 * 1024

_TOO_MANY_REQUESTS = 429


def extract_rules(status: int, body: bytes) -> bytes | None:
    """Return the rules of a response, as far as they are read: none (empty) for a client error, None if unknown.

    Too many requests is an answer to who asks, and not to the question.

    >>> [extract_rules(status, b"Disallow: /") for status in (200, 404, 429, 503)]
    [b'Disallow: /', b'', None, None]
    """
    if 200 <= status < 300:
        # A line that is cut may forbid more than the whole one: "Disallow: /" of "Disallow: /private".
        return body if len(body) <= MAX_BYTES else body[:MAX_BYTES].rpartition(b"\n")[0]
    return b"" if 400 <= status < 500 and status != _TOO_MANY_REQUESTS else None


def is_fresh(fetched_at: datetime, now: datetime) -> bool:
    """Return whether a file need not be fetched again. A time in the future is that of a clock which was wrong."""
    return timedelta(0) <= now - fetched_at < MAX_AGE
