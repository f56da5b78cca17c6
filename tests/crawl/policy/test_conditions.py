"""Conditions are reported when they begin, once a day, and when they end."""

from datetime import datetime, timedelta

import pytest

from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.conditions import update_conditions

NOON = datetime(2026, 9, 24, 12, 0, tzinfo=CHINA_TZ)
ENDPOINT = "newsinfo.eastmoney.com/kuaixun/v2/api/article/CODE"
CLOSED = f"{ENDPOINT}: HTTP 403"
CHANGED = f"{ENDPOINT} has changed: field 'Art_Content' is missing"


def test_new_condition_is_reported() -> None:
    update = update_conditions([CLOSED], {}, (), NOON)
    assert update.to_report == {CLOSED}
    assert not update.silent


@pytest.mark.parametrize(
    ("reported_ago", "is_silent"),
    [(timedelta(minutes=10), True), (timedelta(hours=24), False), (timedelta(days=-30), False)],
    ids=["just now", "a day ago", "by a clock that was ahead"],
)
def test_known_condition_is_reported_once_a_day(reported_ago: timedelta, is_silent: bool) -> None:
    update = update_conditions([CLOSED], {CLOSED: NOON - reported_ago}, (), NOON)
    assert (update.silent == {CLOSED}, update.to_report == {CLOSED}) == (is_silent, not is_silent)


def test_condition_that_changes_is_reported_again() -> None:
    update = update_conditions([CHANGED], {CLOSED: NOON}, (), NOON)
    assert update.to_report == {CHANGED}


@pytest.mark.parametrize("text", [CLOSED, CHANGED, "newsinfo.eastmoney.com: HTTP 503"])
def test_condition_ends_when_its_endpoint_answers(text: str) -> None:
    assert update_conditions([], {text: NOON}, {ENDPOINT}, NOON).ended == {text}
    assert update_conditions([], {text: NOON}, {"finance.eastmoney.com/a/CODE.html"}, NOON).ended == set()
