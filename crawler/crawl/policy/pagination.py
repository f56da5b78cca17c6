"""Pagination: the pages that a crawl reads of one listing, and the proof that it missed no entry. Pure.

A crawl reads a listing from the newest entry to older ones while the listing changes. Pages are of two kinds:

- A cursor names the last row of a page; the next page has the rows older than it. Entries that are added or removed
  above that row move no entry across it, so none is missed.
- A `PageWindow` is a range of positions. When entries above it are removed, later ones move up, to positions that were
  read before. Each window therefore overlaps the last one. Entries keep their order, so if a row of the last window is
  listed again, all rows after it are in this window or below. If none is listed again, the walk goes back.

In both kinds an edited entry moves to the top, which was read before. A walk of several requests therefore ends with a
look at the top, down to an entry of the first page that has not moved. If a look takes several requests, another one
follows.

A proven walk covers its range, and the next crawl stops when it is past that range. If a listing ends before reaching
it, entries were certainly missed: a gap. A walk without proof covers nothing, and the next crawl repeats it.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import lru_cache

from crawler.items import Coverage, Gap, ListingEntry, ListingSize, PageWindow

# Pages of one walk; the longest listing has about 50, so a cursor that leads further has no end.
MAX_PAGES = 1_000
# Requests of one walk for going back and for further looks at the top; a listing that needs more changes too fast.
MAX_EXTRA_REQUESTS = 10
# Rows that two windows overlap by, which is how many entries may be removed between two requests: 5, or less (a
# twentieth) for small pages.
_MAX_OVERLAP, _PAGES_PER_OVERLAP = 5, 20
# Page sizes to try for the window that reaches furthest; more sizes hardly find a better one.
_SIZES_TRIED = 12
# One in 10 entries of a page may be much older than its neighbours.
_ENTRIES_PER_OUTLIER = 10
# One in 3 entries of a page may be newer than the one above it in a listing that counts as ordered by time.
_ENTRIES_PER_ASCENT = 3


class StopReason(Enum):
    """Reason why no further page was fetched. The last two prove nothing."""

    END_OF_LISTING = auto()
    REACHED_SINCE = auto()
    REACHED_COVERED = auto()
    PAGE_LIMIT = auto()
    INTERRUPTED = auto()


class CursorStep(Enum):
    """A page without positions: the first one, or the one of the last page's cursor."""

    FIRST = auto()
    OLDER = auto()


NextPage = CursorStep | PageWindow
# An entry as listed: an edited one has another time, and another place.
_Row = tuple[str, datetime]


@dataclass(slots=True)
class ListingPaginator:
    """The walk through one listing in one crawl.

    `previous_coverage` is the range of earlier crawls, `since` and `refresh_since` are the oldest selected publication
    times. `pages_read` had `rows_read`, and the last page goes back to `oldest_seen`. `listing_size` is known for some
    sources. `next_page` is to be fetched next. `is_proven` says that the walk missed no entry that was in the listing
    from the first request to the last.
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
    # The top as last read, and the number of pages read below it since.
    _top_rows: frozenset[_Row] = frozenset()
    _pages_below_top: int = 0
    # A look at the top must reach one of these.
    _rows_to_reach: frozenset[_Row] = frozenset()
    # The last page that was proven to follow the one before it.
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
        """Add a page, with its entries in the listing's order. Return whether `next_page` is to be fetched.

        `has_new_entries` says that an entry was on no earlier page, `all_known` that none is to be fetched. `window`
        is the position of the page in a listing that has positions. Entries dated after `now` are pinned to the top.
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
                is_end_of_look = is_last_page or not rows.isdisjoint(self._rows_to_reach) or not self._spend_request()
                stop_reason = self._walk_ended if is_end_of_look else None
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
        """Return whether the walk reached its end."""
        return self.stop_reason not in {StopReason.PAGE_LIMIT, StopReason.INTERRUPTED}

    def find_gap(self) -> Gap | None:
        """Return the gap of a listing that ended before the covered range; None without one."""
        if (
            self.stop_reason is StopReason.END_OF_LISTING
            and self.previous_coverage
            and self.oldest_published
            and self.oldest_published > self.previous_coverage.newest
        ):
            return Gap(self.previous_coverage.newest, self.oldest_published)
        return None

    def new_coverage(self, failed_times: Sequence[datetime], *, accept_unproven: bool = False) -> Coverage | None:
        """Return the new coverage, below the publication times of failed entries; None if this walk proves nothing.

        The next crawl reads failed entries and all newer ones again. `accept_unproven` accepts a walk that reached its
        end, whatever `is_proven` says.
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
        """Return the time below which all selected entries are covered; None without one."""
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
        """Return the time at which the walk stops, if no older entry is new; None for the end of the listing."""
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
        """Accept a page as the one after the last page, or as the top."""
        self._last_rows, self._last_window, self._steps_back = rows, window, 0
        self._last_oldest = times[-1] if times else self._last_oldest
        if is_top:
            self._pages_below_top = 0
            self._top_rows = frozenset(row for row in rows if pinned_after is None or row[1] <= pinned_after)
        else:
            self._pages_below_top += 1

    def _reached_bound(self, times: Sequence[datetime], *, all_known: bool) -> StopReason | None:
        """Return the bound that a page has passed; a listing that is not ordered by time has none."""
        if not self._is_by_time:
            return None
        if self.since and _is_past(self.since, times):
            return StopReason.REACHED_SINCE
        if all_known and (bound := self.covered_below()) and _is_past(bound, times):
            return StopReason.REACHED_COVERED
        return None

    def _is_stuck(self, requested: NextPage | None, window: PageWindow | None, *, is_repeated: bool) -> bool:
        """Return whether a page without a new entry ends the walk.

        A cursor that leads to such a page is a loop, and proves nothing. A window may do so after many insertions; but
        if its positions differ from the request too, the source repeats one page.
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
        """Return the page to read after one without any row of the last page.

        Those rows are further below if entries were added, or above if too many were removed.
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

    def _next_look(self, stop_reason: StopReason) -> NextPage | None:
        """Return the first page of a look at the top; None if no look is needed, or it could prove nothing.

        A single page needs no look. Entries that moved to the top during a walk are above the rows that have not moved,
        so a look down to these rows finds them.
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
        """Return whether one more request may be spent on the proof; otherwise the walk is not proven."""
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
        oldest = self.previous_coverage.oldest
        return None if oldest is None else min(oldest, self.since or oldest)


def find_furthest_window(position: int, max_size: int) -> PageWindow:
    """Return the window that begins at a position or before it, and reaches furthest beyond it.

    A request names an index and a size, so a window begins at a multiple of its size.

    >>> [(w.start, w.end) for w in (find_furthest_window(position, 200) for position in (1, 96, 196, 386))]
    [(1, 200), (1, 200), (196, 390), (385, 576)]
    """
    first_index = -(-(position - 1) // max_size) + 1
    windows = [
        PageWindow(index, min(max_size, (position - 1) // (index - 1) if index > 1 else max_size), max_size)
        for index in range(max(1, first_index - 1), first_index + _SIZES_TRIED)
    ]
    furthest = max(windows, key=lambda window: window.end)
    # For very small pages far down there is no such window.
    return furthest if furthest.end > position else PageWindow(position // max_size + 1, max_size, max_size)


@lru_cache(64)
def count_pages(rows: int, first_window: PageWindow) -> int:
    """Return the number of pages of a proven walk of windows through a number of rows, if nothing changes.

    Cached, since each page of a listing reports the same number, and counting takes about a millisecond.
    """
    walk, window, pages = ListingPaginator(), first_window, 1
    pages_below_top = 0
    while window.end < rows:
        next_window = walk._page_below(window)
        assert isinstance(next_window, PageWindow)
        window, pages = next_window, pages + 1
        pages_below_top = 0 if window.start == 1 else pages_below_top + 1
    return pages + bool(pages_below_top)


def _is_past(bound: datetime, times: Sequence[datetime]) -> bool:
    """Return whether a page with entries of these times, in its order, has passed a time.

    The last entry of an ordered page decides. The source pins edited entries to the top, so the newest one decides on
    any other page.
    """
    return bool(times) and (times[-1] if _is_newest_first(times) else max(times)) < bound


def _is_by_time(times: Sequence[datetime]) -> bool:
    """Return whether a page is ordered by time except for some entries. In a random order half of them are newer."""
    ascents = sum(newer < older for newer, older in itertools.pairwise(times))
    return ascents <= max(1, len(times) // _ENTRIES_PER_ASCENT)


def oldest_without_outliers(times: Sequence[datetime]) -> datetime:
    """Return the time that a page goes back to, without a few entries that are out of order.

    >>> pages = [9, 8, 7], [7, 7, *range(19, 10, -1)]
    >>> [oldest_without_outliers([datetime(2026, 9, day) for day in days]).day for days in pages]
    [7, 11]
    """
    return times[-1] if _is_newest_first(times) else sorted(times)[math.ceil(len(times) / _ENTRIES_PER_OUTLIER)]


def _is_newest_first(times: Sequence[datetime]) -> bool:
    return all(newer >= older for newer, older in itertools.pairwise(times))
