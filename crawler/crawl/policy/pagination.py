"""Pagination: how far one listing is read in a crawl, and what that proves. Pure.

A listing is read from its newest entry to older ones, while it changes. How a page is named decides what may be missed:

- A cursor names the last row of a page, and the next page is what is older than that row. What comes or goes above the
  row moves nothing across it, so that insertions and deletions cannot make such a walk miss an entry.
- A `PageWindow` is a range of positions. When entries above it leave, later ones move up, onto positions that were read
  before. Each window therefore overlaps the one before it. Entries that stay keep their order, so where a row of the
  last window is listed again, whatever followed it still does: it is in this window or below. Where no row is listed
  again, the walk goes back until one is.

An entry that is edited moves to the top, which has been read already, in both kinds. A walk of several requests
therefore ends with a look at the top, down to an entry that was there when the walk began and has not moved since. When
that takes several requests, another look follows.

What is proven in this way is covered, and the next crawl may stop once it is past that; where it cannot reach that any
more, entries were missed for certain: a gap. A walk that is not proven covers nothing: the next one reads it again.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from crawler.items import Coverage, Gap, ListingEntry, ListingSize, PageWindow

# The longest listing of the source has some 50 pages; where a cursor leads on and on there is no end to be found.
MAX_PAGES = 1_000
# Requests that one walk may spend on going back, and on looks at the top after the first: a listing that takes more of
# them changes too fast to be read.
MAX_EXTRA_REQUESTS = 10
# Rows; this many entries may leave a listing between two requests at no cost. Small pages overlap by a part of a page.
_MAX_OVERLAP, _PAGES_PER_OVERLAP = 5, 20
# Further sizes of a page that are tried for the window that reaches furthest: more find hardly a better one.
_SIZES_TRIED = 12
# One in this many entries of a page may be much older than its neighbours.
_ENTRIES_PER_OUTLIER = 10
# One in this many entries of a page may be newer than the one above it in a listing that is in the order of time.
_ENTRIES_PER_ASCENT = 3


class StopReason(Enum):
    """Why no further page was fetched. The last two prove nothing."""

    END_OF_LISTING = auto()
    REACHED_SINCE = auto()
    REACHED_COVERED = auto()
    PAGE_LIMIT = auto()
    INTERRUPTED = auto()


class CursorStep(Enum):
    """A page that has no positions: the first one, or the one that the cursor of the last page names."""

    FIRST = auto()
    OLDER = auto()


NextPage = CursorStep | PageWindow
# An entry as the listing has it: one that is edited has another time, and another place.
_Row = tuple[str, datetime]


@dataclass(slots=True)
class ListingPaginator:
    """One listing in one crawl.

    `previous_coverage` is what earlier crawls have; `since` and `refresh_since` are the oldest publication times
    that were asked for. `rows_read` stood on `pages_read`, the last of which reached back to `oldest_seen`;
    `listing_size` is how many there are, if known. `next_page` is what to fetch now. `is_proven` says that no entry was
    missed that stood in the listing from the first request to the last.
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
    next_page: NextPage | None = CursorStep.FIRST
    is_proven: bool = True
    _is_by_time: bool = True
    _walk_ended: StopReason | None = None
    _extra_requests: int = 0
    _max_page_size: int | None = None
    # The top as it was last read, and how many pages were read below it since.
    _top_rows: frozenset[_Row] = frozenset()
    _pages_below_top: int = 0
    # What a look at the top must reach.
    _rows_to_reach: frozenset[_Row] = frozenset()
    # The last page that is known to follow the one before it.
    _last_rows: frozenset[_Row] = frozenset()
    _last_oldest: datetime | None = None
    _last_window: PageWindow | None = None
    _steps_back: int = 0

    def wants_next_page(
        self,
        entries: Sequence[ListingEntry],
        *,
        has_new_entries: bool,
        all_known: bool,
        is_last_page: bool,
        listing_size: ListingSize | None = None,
        window: PageWindow | None = None,
        now: datetime | None = None,
    ) -> bool:
        """Take in a page, whose entries are in the listing's order. Return whether `next_page` is to be fetched.

        `has_new_entries` says that an entry was on no earlier page, `all_known` that none has to be fetched. `window`
        is where the page is in a listing that has positions. Entries dated after `now` are pinned to the top.
        """
        requested, times = self.next_page, [entry.published for entry in entries]
        rows = frozenset((entry.code, entry.published) for entry in entries)
        self._count_page(times, rows, listing_size, window)
        is_top = requested is CursorStep.FIRST or (window is not None and window.start == 1)
        is_repeated = rows == self._last_rows
        follows_last_page = is_top or window is None or not rows.isdisjoint(self._last_rows)
        if not follows_last_page and self.is_proven and self._spend_request():
            self.next_page = self._find_last_page_again(times, window)
        else:
            self._place_page(times, rows, window, pinned_after=now if is_top else None, is_top=is_top)
            if self._walk_ended:
                stop_reason = self._end_of_look(rows, is_last_page=is_last_page)
            elif is_last_page or (not has_new_entries and self._is_stuck(requested, window, is_repeated=is_repeated)):
                stop_reason = StopReason.END_OF_LISTING
            else:
                stop_reason = self._reached_bound(times, all_known=all_known)
            self.next_page = self._next_look(stop_reason) if stop_reason else self._page_below(window)
        if self.next_page and self.pages_read >= MAX_PAGES:
            self.stop_reason, self.next_page = StopReason.PAGE_LIMIT, None
        return self.next_page is not None

    @property
    def has_ended(self) -> bool:
        """Whether the walk came to where it was to end."""
        return self.stop_reason not in {StopReason.PAGE_LIMIT, StopReason.INTERRUPTED}

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

    def new_coverage(self, failed_times: Sequence[datetime], *, accept_unproven: bool = False) -> Coverage | None:
        """What is covered now, given the publication times of entries that failed; None when this crawl proves nothing.

        An entry that failed is not covered, nor is what is newer: the next crawl reads it again. `accept_unproven`
        takes what a walk to its end has read for everything, although `is_proven` says otherwise.
        """
        if not self.has_ended or self.newest_published is None or not (self.is_proven or accept_unproven):
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

    # the steps of a walk

    def _count_page(
        self,
        times: Sequence[datetime],
        rows: frozenset[_Row],
        listing_size: ListingSize | None,
        window: PageWindow | None,
    ) -> None:
        self.pages_read += 1
        self.rows_read += len(times) - len(rows & self._last_rows)
        self.listing_size = listing_size or self.listing_size
        if times:
            self.newest_published = max([*times, *([self.newest_published] if self.newest_published else [])])
            self.oldest_published = min([*times, *([self.oldest_published] if self.oldest_published else [])])
            self.oldest_seen = oldest_without_outliers(times)
        if window is not None:
            self._max_page_size = min(self._max_page_size or window.max_size, window.max_size)
            self._is_by_time = self._is_by_time and _is_by_time(times)

    def _place_page(
        self,
        times: Sequence[datetime],
        rows: frozenset[_Row],
        window: PageWindow | None,
        *,
        is_top: bool,
        pinned_after: datetime | None,
    ) -> None:
        """Take a page as the one that follows the last one, or as the top."""
        self._last_rows, self._last_window, self._steps_back = rows, window, 0
        self._last_oldest = times[-1] if times else self._last_oldest
        if is_top:
            self._pages_below_top = 0
            self._top_rows = frozenset(row for row in rows if pinned_after is None or row[1] <= pinned_after)
        else:
            self._pages_below_top += 1

    def _reached_bound(self, times: Sequence[datetime], *, all_known: bool) -> StopReason | None:
        """Return the bound that a page has gone past. In a listing that is not in order of time there is none."""
        if not self._is_by_time:
            return None
        if self.since and _is_past(self.since, times):
            return StopReason.REACHED_SINCE
        if all_known and (bound := self.covered_below()) and _is_past(bound, times):
            return StopReason.REACHED_COVERED
        return None

    def _is_stuck(self, requested: NextPage | None, window: PageWindow | None, *, is_repeated: bool) -> bool:
        """Return whether a page without a new entry ends the walk.

        A cursor that leads to known entries turns, which proves nothing. A window does so after many insertions; it is
        the same page again where the source does not even answer with the positions that were asked for.
        """
        if self.pages_read == 1:
            return True
        if window is None:
            self.is_proven = False
            return True
        if is_repeated and isinstance(requested, PageWindow) and requested.index > 1 and requested.size != window.size:
            self.is_proven = False
        return not (self.is_proven and self._spend_request())

    def _find_last_page_again(self, times: Sequence[datetime], window: PageWindow | None) -> NextPage:
        """Return the page to read after one that none of the last page's rows is on.

        Either entries came, so that the rows are further below, or too many left.
        """
        assert window is not None, "a cursor always leads to the page that follows"
        assert self._last_window is not None, "the first page is the top"
        if times and self._last_oldest and min(times) > self._last_oldest:
            return self._page_below(window)
        last = self._last_window
        position = last.start >> (self._steps_back - 1) if self._steps_back else (last.start + last.end) // 2
        self._steps_back += 1
        return find_furthest_window(max(1, position), window.max_size)

    def _page_below(self, window: PageWindow | None) -> NextPage:
        if window is None:
            return CursorStep.OLDER
        max_size = self._max_page_size or window.max_size
        overlap = max(1, min(_MAX_OVERLAP, max_size // _PAGES_PER_OVERLAP))
        return find_furthest_window(window.end - overlap + 1, max_size)

    def _end_of_look(self, rows: frozenset[_Row], *, is_last_page: bool) -> StopReason | None:
        """Return why the walk ended, if a look at the top ends here."""
        if is_last_page or not rows.isdisjoint(self._rows_to_reach) or not self._spend_request():
            return self._walk_ended
        return None

    def _next_look(self, stop_reason: StopReason) -> NextPage | None:
        """Return the first page of a look at the top; None when none is needed, or would prove anything.

        A single page shows one moment of the listing. What moved to the top while more were read is above the rows
        that have not moved, and is met on the way down to them.
        """
        self._walk_ended = self._walk_ended or stop_reason
        if self.is_proven and self._pages_below_top:
            is_first_look = not self._rows_to_reach
            if self._is_by_time and self._top_rows and (is_first_look or self._spend_request()):
                self._rows_to_reach = self._top_rows
                return find_furthest_window(1, self._max_page_size) if self._max_page_size else CursorStep.FIRST
            self.is_proven = False
        self.stop_reason = self._walk_ended
        return None

    def _spend_request(self) -> bool:
        """Return whether one more request may be spent on a proof; otherwise there is none."""
        if self._extra_requests >= MAX_EXTRA_REQUESTS:
            self.is_proven = False
            return False
        self._extra_requests += 1
        return True

    # what it covers

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


def find_furthest_window(position: int, max_size: int) -> PageWindow:
    """Return the window that begins at a position or before, and reaches furthest beyond it.

    A source is asked for the page of an index and a size, so that a window begins at a multiple of its size.

    >>> [(w.start, w.end) for w in (find_furthest_window(position, 200) for position in (1, 96, 196, 386))]
    [(1, 200), (1, 200), (196, 390), (385, 576)]
    """
    first_index = -(-(position - 1) // max_size) + 1
    windows = [
        PageWindow(index, min(max_size, (position - 1) // (index - 1) if index > 1 else max_size), max_size)
        for index in range(max(1, first_index - 1), first_index + _SIZES_TRIED)
    ]
    furthest = max(windows, key=lambda window: window.end)
    # Pages of very few rows have no such window far down.
    return furthest if furthest.end > position else PageWindow(position // max_size + 1, max_size, max_size)


def count_pages(rows: int, first_window: PageWindow) -> int:
    """Return how many pages a walk of windows takes that reads this many rows and proves it, if nothing changes."""
    walk, window, pages = ListingPaginator(), first_window, 1
    pages_below_top = 0
    while window.end < rows:
        next_window = walk._page_below(window)
        assert isinstance(next_window, PageWindow)
        window, pages = next_window, pages + 1
        pages_below_top = 0 if window.start == 1 else pages_below_top + 1
    return pages + bool(pages_below_top)


def _is_past(bound: datetime, times: Sequence[datetime]) -> bool:
    """Whether a page with entries of these times, in their order, has gone past a time.

    A page in order is judged by its last entry. The source pins edited entries to the top, so that any other page is
    judged by its newest.
    """
    return bool(times) and (times[-1] if _is_newest_first(times) else max(times)) < bound


def _is_by_time(times: Sequence[datetime]) -> bool:
    """Return whether a page is in the order of time but for some entries. By chance every second entry is newer."""
    ascents = sum(newer < older for newer, older in itertools.pairwise(times))
    return ascents <= max(1, len(times) // _ENTRIES_PER_ASCENT)


def oldest_without_outliers(times: Sequence[datetime]) -> datetime:
    """How far back a page with entries of these times goes, but for a few that stand where they do not belong.

    >>> pages = [9, 8, 7], [7, 7, *range(19, 10, -1)]
    >>> [oldest_without_outliers([datetime(2026, 9, day) for day in days]).day for days in pages]
    [7, 11]
    """
    return times[-1] if _is_newest_first(times) else sorted(times)[math.ceil(len(times) / _ENTRIES_PER_OUTLIER)]


def _is_newest_first(times: Sequence[datetime]) -> bool:
    return all(newer >= older for newer, older in itertools.pairwise(times))
