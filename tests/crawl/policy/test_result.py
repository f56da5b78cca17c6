"""Outcome and exit code of a crawl."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from crawler.crawl.policy.result import EXIT_CODES, CrawlResult, crawl_outcome
from crawler.items import Outcome, RunOutcome

NO_OUTCOMES = dict.fromkeys(Outcome, 0)
SOUND_CRAWL: dict[str, Any] = {
    "reason": "finished", "has_fatal_error": False, "listings_read": 3, "listings_failed": 0, "listing_parse_failed": False, "gap_count": 0,
    "outcome_counts": NO_OUTCOMES,
}  # fmt: skip


def outcome_with(**changes: Any) -> RunOutcome:
    return crawl_outcome(**{**SOUND_CRAWL, **changes})


OUTCOME_CASES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing new": ({}, "done"),
    "new articles": (
        {"outcome_counts": {**NO_OUTCOMES, Outcome.NEW: 5, Outcome.UPDATED: 1, Outcome.FILTERED: 9}},
        "done",
    ),
    "nothing listed at all": ({"listings_read": 0}, "done"),
    "an entry failed": ({"outcome_counts": {**NO_OUTCOMES, Outcome.NEW: 5, Outcome.FAILED: 1}}, "partial"),
    "an entry in quarantine": ({"outcome_counts": {**NO_OUTCOMES, Outcome.QUARANTINED: 1}}, "partial"),
    "every entry failed": ({"outcome_counts": {**NO_OUTCOMES, Outcome.FAILED: 9}}, "partial"),
    "one of the listings lost": ({"listings_failed": 1}, "partial"),
    "every listing lost": ({"listings_read": 0, "listings_failed": 3}, "failed"),
    "every listing unreadable": ({"listings_read": 0, "listings_failed": 3, "listing_parse_failed": True}, "partial"),
    "entries missed since the last crawl": ({"gap_count": 1}, "partial"),
    "stopped by a signal": ({"reason": "shutdown"}, "interrupted"),
    "stopped by a timeout": ({"reason": "closespider_timeout"}, "interrupted"),
    "stopped before a listing came": ({"reason": "shutdown", "listings_read": 0, "listings_failed": 3}, "interrupted"),
    "stopped with failures": (
        {"reason": "shutdown", "outcome_counts": {**NO_OUTCOMES, Outcome.FAILED: 1}},
        "interrupted",
    ),
    "the disk is full": ({"has_fatal_error": True, "reason": "failed"}, "failed"),
    "the disk was full at the very end": ({"has_fatal_error": True}, "failed"),
}


@pytest.mark.parametrize(("changes", "expected"), OUTCOME_CASES.values(), ids=OUTCOME_CASES.keys())
def test_crawl_outcome(changes: dict[str, Any], expected: str) -> None:
    assert outcome_with(**changes) == expected


@pytest.mark.parametrize(
    ("outcome", "code", "code_after_ctrl_c"),
    [("done", 0, 0), ("partial", 3, 3), ("failed", 1, 1), ("interrupted", 1, 130)],
    ids=lambda value: str(value),
)
def test_exit_code_of_outcome(outcome: str, code: int, code_after_ctrl_c: int) -> None:
    run: Mapping[str, Any] = {"outcome": outcome}
    result = CrawlResult(run=run, output="output", failed_listings={}, gaps={})
    assert (result.exit_code, replace(result, got_ctrl_c=True).exit_code) == (code, code_after_ctrl_c)


def test_only_a_sound_crawl_has_exit_code_zero() -> None:
    flags = (True, False)
    outcomes = {
        (reason, fatal, listings_read, listings_failed, gaps, unreadable, failed): outcome_with(
            reason=reason,
            has_fatal_error=fatal,
            listings_read=listings_read,
            listings_failed=listings_failed,
            gap_count=gaps,
            listing_parse_failed=unreadable,
            outcome_counts={**NO_OUTCOMES, Outcome.FAILED: failed},
        )
        for reason, fatal, listings_read, listings_failed, gaps, unreadable, failed in itertools.product(
            ("finished", "shutdown"), flags, (0, 1), (0, 1), (0, 1), flags, (0, 1)
        )
    }
    assert {EXIT_CODES[outcome] for outcome in outcomes.values()} == {0, 1, 3}
    successful = {
        (key[0], key[1], key[3], key[4], key[6]) for key, outcome in outcomes.items() if EXIT_CODES[outcome] == 0
    }
    assert successful == {("finished", False, 0, 0, 0)}


@pytest.mark.parametrize(("outcome", "code"), [("done", 2), ("partial", 2), ("failed", 1), ("interrupted", 1)])
def test_new_media_without_entries_is_wrong_usage_unless_the_crawl_failed(outcome: str, code: int) -> None:
    result = CrawlResult(
        run={"outcome": outcome}, output="output", failed_listings={}, gaps={}, unlisted_media=["不存在的新报纸"]
    )
    assert result.exit_code == code
