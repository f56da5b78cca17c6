"""Ping job: report a crawl to a dead man's switch, such as healthchecks.io."""

from urllib.error import URLError
from urllib.request import urlopen

# Seconds; the crawl has ended, and cron waits.
_TIMEOUT = 10


def send_ping(address: str, *, good: bool) -> str:
    """Request an address after a good crawl, and its `/fail` after a bad one; return why that failed, else nothing."""
    url = address if good else f"{address.rstrip('/')}/fail"
    try:
        with urlopen(url, timeout=_TIMEOUT):  # noqa: S310 - finews.toml takes only http and https
            return ""
    except (URLError, OSError, ValueError) as error:
        return f"the ping address did not answer: {getattr(error, 'reason', error)}"
