"""Conditions: troubles of a source that may last for weeks, reported when they change and once a day. Pure.

A crawl by cron mails what it prints: an endpoint that refuses, or a field that was renamed, is not reported every ten
minutes. What is reported is decided here; the outcome and the exit code of the crawl are not.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

_REPORT_INTERVAL = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ConditionUpdate:
    """What a crawl makes of the conditions of its spider, by text.

    `silent` were reported within a day, `to_report` are new or were reported longer ago, and `ended` are no more.
    """

    silent: frozenset[str]
    to_report: frozenset[str]
    ended: frozenset[str]


def update_conditions(
    current: Collection[str], reported_at: Mapping[str, datetime], answered: Collection[str], now: datetime
) -> ConditionUpdate:
    """Compare the conditions of a crawl with those of earlier ones.

    `current` are texts that begin with an endpoint, a host or a column, `reported_at` says when each was last reported,
    and `answered` are the endpoints and columns that are as they should be. A condition of which this crawl saw nothing
    goes on.
    """
    # A time that is yet to come was written before the clock was set back.
    silent = frozenset(
        text for text in current if text in reported_at and timedelta(0) <= now - reported_at[text] < _REPORT_INTERVAL
    )
    ended = frozenset(text for text in reported_at if text not in current and _is_about(text, answered))
    return ConditionUpdate(silent, frozenset(current) - silent, ended)


def _is_about(text: str, answered: Collection[str]) -> bool:
    """Return whether a text begins with one of these endpoints or columns, or with the host of an endpoint."""
    names = {name for endpoint in answered for name in (endpoint, endpoint.partition("/")[0])}
    return any(text.startswith((f"{name} ", f"{name}:")) for name in names)
