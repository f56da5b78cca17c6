"""Health of endpoints: when they are closed, and when a whole site is paused."""

import pytest

from crawler.crawl.policy.health import SourceHealth
from crawler.errors import RefusedError, RequestError
from crawler.items import Reason

ARTICLE_URL = "https://newsinfo.eastmoney.com/kuaixun/v2/api/article/{}?guid=finews"
PAGE_URL = "https://finance.eastmoney.com/a/{}.html"
CODES = [f"2026092438830{number:05}" for number in range(9)]
FORBIDDEN = RefusedError("HTTP 403")
RESET = RefusedError("the connection was closed without a response", blocks_address=True)


def test_endpoint_closes_at_the_second_refusal_in_a_row() -> None:
    health = SourceHealth()
    health.record_failure(ARTICLE_URL.format(CODES[0]), FORBIDDEN, 0)
    assert not health.why_closed(ARTICLE_URL.format(CODES[2]))
    health.record_failure(ARTICLE_URL.format(CODES[1]), FORBIDDEN, 1)
    assert "HTTP 403" in health.why_closed(ARTICLE_URL.format(CODES[2]))
    assert not health.why_closed(PAGE_URL.format(CODES[2]))


def test_an_answer_between_two_refusals_keeps_the_endpoint_open() -> None:
    health = SourceHealth()
    for code in CODES:
        health.record_failure(ARTICLE_URL.format(code), FORBIDDEN, 0)
        health.record_answer(ARTICLE_URL.format(code))
    assert not health.closed


@pytest.mark.parametrize(
    ("error", "is_closed"),
    [
        (RequestError(Reason.HTTP_ERROR, "HTTP 503"), True),
        (RequestError(Reason.CONNECTION_ERROR, "timed out"), True),
        (RequestError(Reason.REQUEST_DROPPED, "sends to another host"), False),
        (RequestError(Reason.RESPONSE_TOO_LARGE, "too large"), False),
    ],
)
def test_what_closes_an_endpoint(error: RequestError, is_closed: bool) -> None:
    health = SourceHealth()
    for code in CODES:
        health.record_failure(ARTICLE_URL.format(code), error, 0)
    assert bool(health.closed) is is_closed


def test_endpoint_that_robots_txt_forbids_is_closed_at_once() -> None:
    health = SourceHealth()
    health.record_failure(PAGE_URL.format(CODES[0]), RequestError(Reason.ROBOTS_FORBIDDEN, "robots.txt forbids it"), 0)
    assert health.why_closed(PAGE_URL.format(CODES[1])) == "robots.txt forbids it"


@pytest.mark.parametrize(("seconds", "is_blocked"), [(59, True), (61, False)])
def test_site_that_resets_from_two_hosts_within_a_minute(seconds: float, is_blocked: bool) -> None:
    health = SourceHealth()
    health.record_failure(ARTICLE_URL.format(CODES[0]), RESET, 0)
    health.record_failure(PAGE_URL.format(CODES[0]), RESET, seconds)
    assert bool(health.blocked_site) is is_blocked
    if is_blocked:
        assert "finance.eastmoney.com and newsinfo.eastmoney.com" in health.blocked_site


def test_other_refusals_do_not_block_the_site() -> None:
    health = SourceHealth()
    for url in (ARTICLE_URL, PAGE_URL):
        health.record_failure(url.format(CODES[0]), FORBIDDEN, 0)
    assert not health.blocked_site
