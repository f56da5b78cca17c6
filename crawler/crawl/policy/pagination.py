"""How far one listing is walked in a crawl, and what that proves. Pure.

A listing is walked from its newest entry to older ones. What a complete walk has covered need not be walked again: the
next one may stop once it is past that, and where it cannot reach that any more, entries were missed for certain.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from crawler.crawl.policy.seen_codes import Codes
from crawler.items import Coverage, Entry, Extent, Gap

# The longest listing of the source has some 50 pages; where a cursor leads on and on there is no end to be found.
MOST_PAGES = 1_000
# One in so many entries of a page may be much older than where it stands.
_OUT_OF_PLACE = 10


class Ended(Enum):
    """Why a walk went no further. All but the last two prove that nothing was left out on the way."""

    AT_THE_END = auto()
    PAST_SINCE = auto()
    PAST_COVERED = auto()
    TOO_LONG = auto()
    CUT = auto()


@dataclass(slots=True)
class Walk:
    """One listing in one crawl.

    `covered` is what earlier crawls have; `since` and `recheck` are the oldest publication times that were asked for.
    `rows` stood on `pages`, the last of which reached back to `reached`; `extent` is how many there are, if known.
    """

    covered: Coverage | None = None
    since: datetime | None = None
    recheck: datetime | None = None
    ended: Ended = Ended.CUT
    newest: datetime | None = None
    oldest: datetime | None = None
    reached: datetime | None = None
    pages: int = 0
    rows: int = 0
    extent: Extent | None = None
    _codes: Codes = field(default_factory=Codes)

    def goes_on(self, page: Sequence[Entry], *, all_known: bool, last: bool, extent: Extent | None = None) -> bool:
        """Whether the next page is wanted after this one, whose entries are in the listing's order."""
        self.pages += 1
        self.rows += len(page)
        self.extent = extent
        fresh = {entry.code for entry in page if entry.code not in self._codes}
        self._codes.update(fresh)
        times = [entry.published for entry in page]
        if times:
            self.newest = max([*times, *([self.newest] if self.newest else [])])
            self.oldest = min([*times, *([self.oldest] if self.oldest else [])])
            self.reached = back_to(times)
        if last or not fresh:
            # A page that holds nothing new is the same page again: the source's count was wrong, or its cursor turns.
            self.ended = Ended.AT_THE_END
        elif self.since and _passed(self.since, times):
            self.ended = Ended.PAST_SINCE
        elif all_known and (bound := self.covered_from_here()) and _passed(bound, times):
            self.ended = Ended.PAST_COVERED
        elif self.pages >= MOST_PAGES:
            self.ended = Ended.TOO_LONG
        else:
            return True
        self._codes = Codes()  # a crawl of all listings keeps none that it is done with
        return False

    def gap(self) -> Gap | None:
        """What was missed: the listing ended before it reached what is covered."""
        if self.ended is Ended.AT_THE_END and self.covered and self.oldest and self.oldest > self.covered.newest:
            return Gap(self.covered.newest, self.oldest)
        return None

    def coverage(self, failed: Sequence[datetime]) -> Coverage | None:
        """What is covered now, given the publication times of entries that failed; None when this walk proves nothing.

        An entry that failed is not covered, nor is what is newer: the next walk comes by it again.
        """
        if self.ended in {Ended.TOO_LONG, Ended.CUT} or self.newest is None:
            return None
        newest = max(self.newest, self.covered.newest) if self.covered else self.newest
        return Coverage(min([newest, *failed]), self._oldest_covered())

    def covered_from_here(self) -> datetime | None:
        """The time below which everything that was asked for is covered; None when it is not."""
        if self.covered is None:
            return None
        reaches = self.covered.oldest is None or (self.since is not None and self.covered.oldest <= self.since)
        return min(self.covered.newest, self.recheck or self.covered.newest) if reaches else None

    def goes_down_to(self) -> datetime | None:
        """The time at which it stops, if nothing older is new; None when it goes to the end."""
        return max((bound for bound in (self.since, self.covered_from_here()) if bound), default=None)

    def _oldest_covered(self) -> datetime | None:
        if self.ended is Ended.AT_THE_END:
            return None
        if self.ended is Ended.PAST_COVERED and self.covered:
            return self.covered.oldest
        joins = self.covered is not None and self.since is not None and self.since <= self.covered.newest
        if not joins or self.covered is None:
            return self.since
        return None if self.covered.oldest is None else min(self.covered.oldest, self.since or self.covered.oldest)


def _passed(bound: datetime, times: Sequence[datetime]) -> bool:
    """Whether a page with entries of these times, in their order, has gone past a time.

    A page in order is judged by its last entry. The source pins edited entries to the top, so that any other page is
    judged by its newest.
    """
    return bool(times) and (times[-1] if _in_order(times) else max(times)) < bound


def back_to(times: Sequence[datetime]) -> datetime:
    """How far back a page with entries of these times goes, but for a few that stand where they do not belong.

    >>> [back_to([datetime(2026, 9, day) for day in days]).day for days in ([9, 8, 7], [7, 7, *range(19, 10, -1)])]
    [7, 11]
    """
    return times[-1] if _in_order(times) else sorted(times)[math.ceil(len(times) / _OUT_OF_PLACE)]


def _in_order(times: Sequence[datetime]) -> bool:
    return all(newer >= older for newer, older in itertools.pairwise(times))
