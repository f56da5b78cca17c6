"""Conditions: lasting problems of a source, reported when they begin or end, and once a day. Pure.

Cron mails the output of each crawl, so an endpoint that refuses, or a renamed field, is not reported every ten minutes.
The outcome and the exit code of a crawl do not depend on conditions.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

_REPORT_INTERVAL = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ConditionUpdate:
    """Conditions of a spider after a crawl, by their message.

    `silent` were reported within a day, `to_report` are new or were reported longer ago, `ended` are over.
    """

    silent: frozenset[str]
    to_report: frozenset[str]
    ended: frozenset[str]


def update_conditions(
    current: Collection[str], reported_at: Mapping[str, datetime], answered: Collection[str], now: datetime
) -> ConditionUpdate:
    """Compare the conditions of a crawl with those of earlier ones.

    `current` are messages that begin with an endpoint, a host or a column, `reported_at` are the times of their last
    reports, and `answered` are the endpoints and columns without a problem in this crawl. A condition of any other
    endpoint or column goes on.
    """
    # A time in the future was written before the clock was set back.
    silent = frozenset(
        text for text in current if text in reported_at and timedelta(0) <= now - reported_at[text] < _REPORT_INTERVAL
    )
    names = {name for endpoint in answered for name in (endpoint, endpoint.partition("/")[0])}
    starts = tuple(f"{name}{separator}" for name in names for separator in " :")
    ended = frozenset(text for text in reported_at if text not in current and text.startswith(starts))
    return ConditionUpdate(silent, frozenset(current) - silent, ended)
