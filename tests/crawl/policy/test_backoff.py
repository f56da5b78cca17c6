"""Pauses of a source: Retry-After, and backoff."""

from datetime import timedelta

import pytest

from crawler.content.clock import now
from crawler.crawl.policy.backoff import backoff_delay, parse_retry_after


@pytest.mark.parametrize("header", ["", "0", "-1", "1.5", "soon", "1e3", "９", "9" * 400, "Mon, 99 Jan 2001", "\0"])  # fmt: skip
def test_invalid_retry_after_is_none(header: str) -> None:
    assert parse_retry_after(header, now()) is None


@pytest.mark.parametrize("header", ["86401", "9999999", "Fri, 01 Jan 2094 00:00:00 GMT"])
def test_more_than_a_day_is_taken_for_a_day(header: str) -> None:
    assert parse_retry_after(header, now()) == timedelta(days=1)


def test_retry_after_is_a_number_or_a_date() -> None:
    assert parse_retry_after(" 120 ", now()) == timedelta(minutes=2)
    assert parse_retry_after("86400", now()) == timedelta(days=1)


def test_backoff_delay_doubles_from_a_minute_to_six_hours() -> None:
    outage, delays_in_minutes = timedelta(0), []
    for _ in range(12):
        delays_in_minutes.append(backoff_delay(outage) // timedelta(minutes=1))
        outage += backoff_delay(outage)
    assert delays_in_minutes == [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]
