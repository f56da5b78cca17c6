"""Pagination: how far one listing is read in a crawl, and which range that covers. Pure.

A listing is read from its newest entry to older ones. What has been read completely need not be read again: the next
crawl may stop once it is past that, and where it cannot reach that any more, entries were missed for certain: a gap.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from crawler.items import Coverage, Gap, ListingEntry, ListingSize

# The longest listing of the source has some 50 pages; where a cursor leads on and on there is no end to be found.
MAX_PAGES = 1_000
# One in this many entries of a page may be much older than its neighbours.
_ENTRIES_PER_OUTLIER = 10


class StopReason(Enum):
    """Why no further page was fetched. All but the last two prove that nothing was left out on the way."""

    END_OF_LISTING = auto()
    REACHED_SINCE = auto()
    REACHED_COVERED = auto()
    PAGE_LIMIT = auto()
    INTERRUPTED = auto()


@dataclass(slots=True)
class ListingPaginator:
    """One listing in one crawl.

    `previous_coverage` is what earlier crawls have; `since` and `refresh_since` are the oldest publication times
    that were asked for. `rows_read` stood on `pages_read`, the last of which reached back to `oldest_seen`;
    `listing_size` is how many there are, if known.
    """

    previous_coverage: Coverage | None = None
    since: datetime | None = None
    refresh_since: datetime | None = None
    stop_reason: StopReason = StopReason.INTERRUPTED
    newest_published: datetime | None = None
    oldest_published: datetime | None = None
    oldest_seen: datetime | None = None
    pages_read: int = 0
    rows_read: int = 0
    listing_size: ListingSize | None = None

    def wants_next_page(
        self,
        entries: Sequence[ListingEntry],
        *,
        has_new_entries: bool,
        all_known: bool,
        is_last_page: bool,
        listing_size: ListingSize | None = None,
    ) -> bool:
        """Return whether the next page is wanted after this one, whose entries are in the listing's order.

        `has_new_entries` says that an entry was on no earlier page, `all_known` that none has to be fetched.
        """
        self.pages_read += 1
        self.rows_read += len(entries)
        self.listing_size = listing_size
        times = [entry.published for entry in entries]
        if times:
            self.newest_published = max([*times, *([self.newest_published] if self.newest_published else [])])
            self.oldest_published = min([*times, *([self.oldest_published] if self.oldest_published else [])])
            self.oldest_seen = oldest_without_outliers(times)
        if is_last_page or not has_new_entries:
            # A page that holds nothing new is the same page again: the source's count was wrong, or its cursor turns.
            self.stop_reason = StopReason.END_OF_LISTING
        elif self.since and _is_past(self.since, times):
            self.stop_reason = StopReason.REACHED_SINCE
        elif all_known and (bound := self.covered_below()) and _is_past(bound, times):
            self.stop_reason = StopReason.REACHED_COVERED
        elif self.pages_read >= MAX_PAGES:
            self.stop_reason = StopReason.PAGE_LIMIT
        else:
            return True
        return False

    def find_gap(self) -> Gap | None:
        """What was missed: the listing ended before it reached what is covered."""
        if (
            self.stop_reason is StopReason.END_OF_LISTING
            and self.previous_coverage
            and self.oldest_published
            and self.oldest_published > self.previous_coverage.newest
        ):
            return Gap(self.previous_coverage.newest, self.oldest_published)
        return None

    def new_coverage(self, failed_times: Sequence[datetime]) -> Coverage | None:
        """What is covered now, given the publication times of entries that failed; None when this crawl proves nothing.

        An entry that failed is not covered, nor is what is newer: the next crawl reads it again.
        """
        if self.stop_reason in {StopReason.PAGE_LIMIT, StopReason.INTERRUPTED} or self.newest_published is None:
            return None
        newest_covered = (
            max(self.newest_published, self.previous_coverage.newest)
            if self.previous_coverage
            else self.newest_published
        )
        return Coverage(min([newest_covered, *failed_times]), self._oldest_covered())

    def covered_below(self) -> datetime | None:
        """The time below which everything that was asked for is covered; None when it is not."""
        if self.previous_coverage is None:
            return None
        covers_selection = self.previous_coverage.oldest is None or (
            self.since is not None and self.previous_coverage.oldest <= self.since
        )
        return (
            min(self.previous_coverage.newest, self.refresh_since or self.previous_coverage.newest)
            if covers_selection
            else None
        )

    def stops_at(self) -> datetime | None:
        """The time at which it stops, if nothing older is new; None when it goes to the end."""
        return max((bound for bound in (self.since, self.covered_below()) if bound), default=None)

    def _oldest_covered(self) -> datetime | None:
        if self.stop_reason is StopReason.END_OF_LISTING:
            return None
        if self.stop_reason is StopReason.REACHED_COVERED and self.previous_coverage:
            return self.previous_coverage.oldest
        is_contiguous = (
            self.previous_coverage is not None
            and self.since is not None
            and self.since <= self.previous_coverage.newest
        )
        if not is_contiguous or self.previous_coverage is None:
            return self.since
        return (
            None
            if self.previous_coverage.oldest is None
            else min(self.previous_coverage.oldest, self.since or self.previous_coverage.oldest)
        )


def _is_past(bound: datetime, times: Sequence[datetime]) -> bool:
    """Whether a page with entries of these times, in their order, has gone past a time.

    A page in order is judged by its last entry. The source pins edited entries to the top, so that any other page is
    judged by its newest.
    """
    return bool(times) and (times[-1] if _is_newest_first(times) else max(times)) < bound


def oldest_without_outliers(times: Sequence[datetime]) -> datetime:
    """How far back a page with entries of these times goes, but for a few that stand where they do not belong.

    >>> pages = [9, 8, 7], [7, 7, *range(19, 10, -1)]
    >>> [oldest_without_outliers([datetime(2026, 9, day) for day in days]).day for days in pages]
    [7, 11]
    """
    return times[-1] if _is_newest_first(times) else sorted(times)[math.ceil(len(times) / _ENTRIES_PER_OUTLIER)]


def _is_newest_first(times: Sequence[datetime]) -> bool:
    return all(newer >= older for newer, older in itertools.pairwise(times))
