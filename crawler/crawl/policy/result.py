"""Crawl result: its outcome and its exit code. Pure: Scrapy itself ends with 0 when everything failed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crawler.errors import FatalError, StoppedError, UsageError
from crawler.items import Gap, Outcome, RunOutcome

EXIT_CODES = {
    RunOutcome.DONE: 0,
    RunOutcome.PARTIAL: 3,
    RunOutcome.FAILED: FatalError.exit_code,
    RunOutcome.INTERRUPTED: FatalError.exit_code,
}

# Scrapy's word for a spider that came to its end by itself.
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
    """The outcome of a crawl that closed for `reason`, Scrapy's word.

    A source of which no listing could be had has failed; one whose listings came but could not be read
    (`listing_parse_failed`), some of whose entries failed, or that has lost entries between two crawls
    (`gap_count`), was partly done; so was one that met rows which another program wrote and it could not use.
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


@dataclass(frozen=True, slots=True)
class CrawlResult:
    """A closed crawl. `run` is its row of `runs`, `output` the folder.

    `failed_listings` are the listings that did not come, by reason; `gap_count` what was missed since the last
    crawl, by column; `failures` the entries that failed or went to quarantine, by kind, each with its first `code`,
    `outcome`, `detail` and `count`; `notes` what a person should know and need not repair. `recently_reported` are
    those of these texts that a crawl of the last day has reported. `got_ctrl_c` says that a person wanted it to end.
    `unlisted_media` are those media of the selection that are not known and under which nothing was listed: wrong
    usage, unless the crawl failed or was stopped.
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
        if self.got_ctrl_c and self.run["outcome"] == RunOutcome.INTERRUPTED:
            return StoppedError.exit_code
        exit_code = EXIT_CODES[self.run["outcome"]]
        return UsageError.exit_code if self.unlisted_media and exit_code != FatalError.exit_code else exit_code
