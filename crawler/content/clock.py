"""Clock: the only module that reads the current time."""

import time
from datetime import datetime

from crawler.content.dates import CHINA_TZ


def now() -> datetime:
    """Return the current time, to the second, with the source's offset (+08:00)."""
    return datetime.now(CHINA_TZ).replace(microsecond=0)


def epoch_milliseconds() -> int:
    """Return the milliseconds since 1970, as the source's own pages send them in `req_trace`."""
    return time.time_ns() // 1_000_000
