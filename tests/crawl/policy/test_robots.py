"""Rules of a robots.txt response by RFC 9309."""

from datetime import datetime, timedelta

import pytest

from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.robots import MAX_BYTES, extract_rules, is_fresh

NOON = datetime(2026, 9, 18, 12, tzinfo=CHINA_TZ)
RULES = b"User-agent: *\nDisallow: /a\n"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, RULES), (206, RULES),
        (400, b""), (401, b""), (403, b""), (404, b""), (410, b""), (451, b""),
        (429, None), (500, None), (503, None), (301, None), (304, None), (101, None), (999, None),
    ],
)  # fmt: skip
def test_status_gives_rules_no_rules_or_nothing_known(status: int, expected: bytes | None) -> None:
    assert extract_rules(status, RULES) == expected


def test_rules_over_the_limit_end_with_a_whole_line() -> None:
    lines = b"Disallow: /abc\n" * (MAX_BYTES // 10)
    rules = extract_rules(200, lines)
    assert rules is not None
    assert MAX_BYTES - 20 < len(rules) <= MAX_BYTES
    assert set(rules.splitlines()) == {b"Disallow: /abc"}
    assert extract_rules(200, b"x" * MAX_BYTES) == b"x" * MAX_BYTES
    assert extract_rules(200, b"x" * (MAX_BYTES + 1)) == b""


@pytest.mark.parametrize(
    ("age", "expected"),
    [(timedelta(0), True), (timedelta(hours=24, seconds=-1), True), (timedelta(hours=24), False), (-timedelta(seconds=1), False)],
    ids=["new", "almost a day", "a day", "in the future"],
)  # fmt: skip
def test_rules_are_fresh_for_a_day(age: timedelta, expected: bool) -> None:
    assert is_fresh(NOON - age, NOON) is expected
