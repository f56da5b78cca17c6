"""How a crawl ended, as a word and as an exit code."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from crawler.crawl.policy.result import EXIT_CODES, Summary, verdict
from crawler.items import Outcome, RunOutcome

NONE = dict.fromkeys(Outcome, 0)
FINE: dict[str, Any] = {
    "reason": "finished", "fatal": False, "listings_read": 3, "listings_lost": 0, "unreadable": False, "gaps": 0,
    "counts": NONE,
}  # fmt: skip


def ending(**changes: Any) -> RunOutcome:
    return verdict(**{**FINE, **changes})


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing new": ({}, "done"),
    "new articles": ({"counts": {**NONE, Outcome.NEW: 5, Outcome.UPDATED: 1, Outcome.FILTERED: 9}}, "done"),
    "nothing listed at all": ({"listings_read": 0}, "done"),
    "an entry failed": ({"counts": {**NONE, Outcome.NEW: 5, Outcome.FAILED: 1}}, "partial"),
    "an entry in quarantine": ({"counts": {**NONE, Outcome.QUARANTINED: 1}}, "partial"),
    "every entry failed": ({"counts": {**NONE, Outcome.FAILED: 9}}, "partial"),
    "one of the listings lost": ({"listings_lost": 1}, "partial"),
    "every listing lost": ({"listings_read": 0, "listings_lost": 3}, "failed"),
    "every listing unreadable": ({"listings_read": 0, "listings_lost": 3, "unreadable": True}, "partial"),
    "entries missed since the last crawl": ({"gaps": 1}, "partial"),
    "stopped by a signal": ({"reason": "shutdown"}, "interrupted"),
    "stopped by a timeout": ({"reason": "closespider_timeout"}, "interrupted"),
    "stopped before a listing came": ({"reason": "shutdown", "listings_read": 0, "listings_lost": 3}, "interrupted"),
    "stopped with failures": ({"reason": "shutdown", "counts": {**NONE, Outcome.FAILED: 1}}, "interrupted"),
    "the disk is full": ({"fatal": True, "reason": "failed"}, "failed"),
    "the disk was full at the very end": ({"fatal": True}, "failed"),
}


@pytest.mark.parametrize(("changes", "wanted"), CASES.values(), ids=CASES.keys())
def test_how_a_crawl_ended(changes: dict[str, Any], wanted: str) -> None:
    assert ending(**changes) == wanted


@pytest.mark.parametrize(
    ("outcome", "code"), [("done", 0), ("partial", 3), ("failed", 1), ("interrupted", 1)], ids=lambda value: str(value)
)
def test_the_exit_code_follows_from_the_outcome(outcome: str, code: int) -> None:
    run: Mapping[str, Any] = {"outcome": outcome}
    assert Summary(run=run, output="output", lost={}, gaps={}).exit_code == code


def test_every_ending_has_an_exit_code_and_only_a_sound_one_is_zero() -> None:
    flags = (True, False)
    endings = {
        (reason, fatal, read, lost, gaps, unreadable, failed): ending(
            reason=reason,
            fatal=fatal,
            listings_read=read,
            listings_lost=lost,
            gaps=gaps,
            unreadable=unreadable,
            counts={**NONE, Outcome.FAILED: failed},
        )
        for reason, fatal, read, lost, gaps, unreadable, failed in itertools.product(
            ("finished", "shutdown"), flags, (0, 1), (0, 1), (0, 1), flags, (0, 1)
        )
    }
    assert {EXIT_CODES[word] for word in endings.values()} == {0, 1, 3}
    sound = {(key[0], key[1], key[3], key[4], key[6]) for key, word in endings.items() if EXIT_CODES[word] == 0}
    assert sound == {("finished", False, 0, 0, 0)}
