"""How a crawl ended, as a word and as an exit code. Pure: Scrapy itself ends with 0 when everything failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crawler.errors import Failed
from crawler.items import Gap, Outcome, RunOutcome

EXIT_CODES = {
    RunOutcome.DONE: 0,
    RunOutcome.PARTIAL: 3,
    RunOutcome.FAILED: Failed.exit_code,
    RunOutcome.INTERRUPTED: Failed.exit_code,
}

# Scrapy's word for a spider that came to its end by itself.
FINISHED = "finished"


def verdict(
    *,
    reason: str,
    fatal: bool,
    listings_read: int,
    listings_lost: int,
    unreadable: bool,
    gaps: int,
    counts: Mapping[str, int],
) -> RunOutcome:
    """The outcome of a crawl that closed for `reason`, Scrapy's word.

    A source of which no listing could be had has failed; one whose listings came but could not be read (`unreadable`),
    some of whose entries failed, or that has lost entries between two crawls (`gaps`), was partly done.
    """
    if fatal:
        return RunOutcome.FAILED
    if reason != FINISHED:
        return RunOutcome.INTERRUPTED
    if listings_lost and not listings_read and not unreadable:
        return RunOutcome.FAILED
    if listings_lost or gaps or counts[Outcome.FAILED] or counts[Outcome.QUARANTINED]:
        return RunOutcome.PARTIAL
    return RunOutcome.DONE


@dataclass(frozen=True, slots=True)
class Summary:
    """A closed crawl. `run` is its row of `runs`, `output` the folder.

    `lost` are the listings that did not come, by reason; `gaps` what was missed since the last crawl, by column;
    `troubles` the entries that failed or went to quarantine, by kind, each with its first `code`, `outcome`, `detail`
    and `count`; `notes` what a person should know and need not mend.
    """

    run: Mapping[str, Any]
    output: str
    lost: Mapping[str, Sequence[str]]
    gaps: Mapping[str, Gap]
    troubles: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.run["outcome"]]
