"""Crawl result: its outcome and exit code, since Scrapy itself always exits with 0. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crawler.errors import CommandError, FatalError, StoppedError, UsageError
from crawler.items import Gap, Outcome, RunOutcome

EXIT_CODES = {
    RunOutcome.DONE: 0,
    RunOutcome.PARTIAL: 3,
    RunOutcome.FAILED: FatalError.exit_code,
    RunOutcome.INTERRUPTED: FatalError.exit_code,
}

# Scrapy's reason for a spider that was closed because it has no more requests.
FINISHED_REASON = "finished"


def crawl_outcome(
    *,
    reason: str,
    has_fatal_error: bool,
    listings_read: int,
    listings_failed: int,
    listing_parse_failed: bool,
    gap_count: int,
    outcome_counts: Mapping[str, int],
    has_bad_rows: bool = False,
) -> RunOutcome:
    """Return the outcome of a crawl that Scrapy closed for `reason`.

    A crawl fails if no listing could be fetched. It is partial if listings could not be fetched or parsed
    (`listing_parse_failed`), entries failed or went to quarantine, entries were missed since the last crawl
    (`gap_count`), or rows of the database were damaged by another program (`has_bad_rows`).
    """
    if has_fatal_error:
        return RunOutcome.FAILED
    if reason != FINISHED_REASON:
        return RunOutcome.INTERRUPTED
    if listings_failed and not listings_read and not listing_parse_failed:
        return RunOutcome.FAILED
    if (
        listings_failed
        or gap_count
        or has_bad_rows
        or outcome_counts[Outcome.FAILED]
        or outcome_counts[Outcome.QUARANTINED]
    ):
        return RunOutcome.PARTIAL
    return RunOutcome.DONE


def is_good(result: "CrawlResult | CommandError") -> bool:
    """Return whether a crawl ended with exit code 0, or with 3 and something read."""
    if isinstance(result, CommandError):
        return False
    partly_done = result.exit_code == EXIT_CODES[RunOutcome.PARTIAL]
    return result.exit_code == 0 or (partly_done and bool(result.run["listed"]))


def combine_exit_codes(exit_codes: Sequence[int]) -> int:
    """Return the exit code of several crawls: 1 only if all failed, 3 if some did.

    >>> [combine_exit_codes(codes) for codes in ((0, 0), (0, 1), (1, 1), (3, 0), (0, 2), (130,), (1,))]
    [0, 3, 1, 3, 2, 130, 1]
    """
    for exit_code in (StoppedError.exit_code, UsageError.exit_code):
        if exit_code in exit_codes:
            return exit_code
    return exit_codes[0] if len(set(exit_codes)) == 1 else EXIT_CODES[RunOutcome.PARTIAL]


@dataclass(frozen=True, slots=True)
class CrawlResult:
    """A closed crawl. `run` is its row of `runs`, `output` the folder.

    `failed_listings` are columns by reason, `gaps` the entries missed since the last crawl by column, `failures` the
    failed and quarantined entries by kind (see FailureGroups.as_dicts), and `notes` further messages.
    `recently_reported` are the messages that a crawl of the last day has reported. `got_ctrl_c` says that Ctrl-C
    stopped the crawl. `unlisted_media` are unknown media of the selection without a listed entry: wrong usage, unless
    the crawl failed or was stopped.
    """

    run: Mapping[str, Any]
    output: str
    failed_listings: Mapping[str, Sequence[str]]
    gaps: Mapping[str, Gap]
    failures: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()
    recently_reported: Collection[str] = ()
    got_ctrl_c: bool = False
    unlisted_media: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """Return the exit code of `finews crawl`."""
        if self.got_ctrl_c and self.run["outcome"] == RunOutcome.INTERRUPTED:
            return StoppedError.exit_code
        exit_code = EXIT_CODES[self.run["outcome"]]
        return UsageError.exit_code if self.unlisted_media and exit_code != FatalError.exit_code else exit_code
