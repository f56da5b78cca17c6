"""A listing that changes between two requests, read by a paginator without network and time."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.pagination import CursorStep, ListingPaginator
from crawler.items import ListingEntry, ListingSize, PageWindow

_START = datetime(2026, 9, 18, tzinfo=CHINA_TZ)


@dataclass
class ListingModel:
    """Entries by number, newest first, with times in seconds. `always_there` are the entries of every state so far."""

    entries: list[tuple[int, float]]
    always_there: set[int] = field(init=False)
    _numbers_used: int = field(init=False)
    _now: float = field(init=False)

    def __post_init__(self) -> None:
        self.always_there = {number for number, _ in self.entries}
        self._numbers_used, self._now = len(self.entries), float(len(self.entries))

    @classmethod
    def of_length(cls, length: int) -> "ListingModel":
        return cls([(number, float(number)) for number in range(length, 0, -1)])

    def insert_at_top(self, _random: random.Random) -> None:
        self.entries.insert(0, (self._new_number(), self._tick()))

    def insert_anywhere(self, rng: random.Random) -> None:
        index = rng.randint(0, len(self.entries))
        newer = self.entries[index - 1][1] if index else self._tick()
        older = self.entries[index][1] if index < len(self.entries) else newer - 1
        self.entries.insert(index, (self._new_number(), (newer + older) / 2))

    def delete(self, rng: random.Random) -> None:
        if self.entries:
            number, _ = self.entries.pop(rng.randrange(len(self.entries)))
            self.always_there.discard(number)

    def delete_near_top(self, rng: random.Random) -> None:
        if self.entries:
            number, _ = self.entries.pop(rng.randrange(min(5, len(self.entries))))
            self.always_there.discard(number)

    def move_to_top(self, rng: random.Random) -> None:
        if self.entries:
            number, _ = self.entries.pop(rng.randrange(len(self.entries)))
            self.entries.insert(0, (number, self._tick()))

    def swap(self, rng: random.Random) -> None:
        """Swap two entries, which keep their times: the listing is no longer ordered by time."""
        if self.entries:
            first, second = rng.randrange(len(self.entries)), rng.randrange(len(self.entries))
            self.entries[first], self.entries[second] = self.entries[second], self.entries[first]

    def _new_number(self) -> int:
        self._numbers_used += 1
        return self._numbers_used

    def _tick(self) -> float:
        self._now += 1
        return self._now


Change = Callable[[random.Random], None]


@dataclass
class FinishedWalk:
    """The entries that a paginator has read, its number of requests, and its claim to be complete."""

    paginator: ListingPaginator
    codes: set[int]
    requests: int

    @property
    def is_complete(self) -> bool:
        return self.paginator.has_ended and self.paginator.is_proven


def walk_listing(
    listing: ListingModel,
    paginator: ListingPaginator,
    change: Callable[[], object],
    *,
    known_codes: frozenset[int] = frozenset(),
    by_cursor: bool = False,
    first_size: int = 10,
    max_size: int = 20,
    counts_rows: bool = True,
) -> FinishedWalk:
    """Read a listing as a crawl does; `change` is called between two requests."""
    listing.always_there = {number for number, _ in listing.entries}
    read: set[int] = set()
    cursor, requests = float("inf"), 0
    while (page := paginator.next_page) is not None:
        if requests:
            change()
        requests += 1
        window = None
        if by_cursor:
            cursor = float("inf") if page is CursorStep.FIRST else cursor
            rows = [row for row in listing.entries if row[1] < cursor][:max_size]
            cursor = rows[-1][1] if rows else cursor
            is_last_page = not rows
        else:
            window = page if isinstance(page, PageWindow) else PageWindow(1, first_size, max_size)
            rows = listing.entries[window.start - 1 : window.end]
            is_last_page = window.end >= len(listing.entries) if counts_rows else len(rows) < window.size
        entries = [
            ListingEntry(f"{number:018}", "题", _START + timedelta(seconds=time), "345", "http://x")
            for number, time in rows
        ]
        numbers = {number for number, _ in rows}
        paginator.wants_next_page(
            entries,
            has_new_entries=not numbers <= read,
            all_known=numbers <= read | known_codes,
            is_last_page=is_last_page,
            listing_size=ListingSize(len(listing.entries), 1) if counts_rows and not by_cursor else None,
            window=window,
        )
        read |= numbers
    return FinishedWalk(paginator, read, requests)
