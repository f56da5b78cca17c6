"""ETA: the remaining time of a running crawl. Pure.

Its listings are paged through while their articles are fetched, so that what is listed by now is not all that there is:
what remains of a listing is estimated as in a plan, and by what the pages so far brought.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from crawler.crawl.policy.estimate import Precision, estimate_remaining
from crawler.crawl.policy.pagination import ListingPaginator
from crawler.items import Outcome

# Fewer requests than this give no pace.
_MIN_REQUESTS_FOR_ESTIMATE = 10
_SKIPPED_OUTCOMES = {Outcome.DUPLICATE, Outcome.FILTERED}


@dataclass(slots=True)
class _ListingProgress:
    """A listing with pages to come. Of the rows ahead, `known_ahead` are articles that need no request."""

    paginator: ListingPaginator
    known_ahead: int
    rows: int = 0
    entries_to_fetch: int = 0

    def add_page(self, page_outcomes: Counter[Outcome | None]) -> None:
        self.rows += page_outcomes.total()
        self.entries_to_fetch += page_outcomes.total() - sum(page_outcomes[outcome] for outcome in _SKIPPED_OUTCOMES)

    def estimate_requests(self) -> float | None:
        """For pages and articles; None where it cannot be estimated."""
        remaining = estimate_remaining(self.paginator)
        if remaining.precision is Precision.AT_LEAST or not self.rows:
            return None
        return remaining.pages + max(0, remaining.rows - self.known_ahead) * self.entries_to_fetch / self.rows


class EtaEstimator:
    """Counts what a crawl has done in requests, and estimates what it has before it.

    An article that is in a row of its listing takes no time worth counting, and counts all the same.
    """

    def __init__(self, columns: Iterable[str], limit: int | None = None) -> None:
        self._limit = limit
        self._unseen_columns = set(columns)
        self._active_listings: dict[str, _ListingProgress] = {}
        self._finished_columns: set[str] = set()
        self._page_outcomes: Counter[Outcome | None] = Counter()
        self._open_entries = self._requests_done = self._wanted_entries = 0

    def count_entry(self, outcome: Outcome | None, *, newly_listed: bool) -> None:
        """An entry is recorded (`newly_listed`; it is to be fetched if it has no outcome), or gets its outcome."""
        if newly_listed:
            self._page_outcomes[outcome] += 1
            self._wanted_entries += outcome not in _SKIPPED_OUTCOMES
            self._open_entries += outcome is None
        else:
            self._open_entries -= 1
            self._requests_done += 1

    def count_page(self, column: str, paginator: ListingPaginator | None, known_ahead: int | None = None) -> None:
        """All entries of a page are recorded, and `paginator` goes on; None ends it.

        `known_ahead` are the articles on the pages ahead that need no request; by default, those known before.
        """
        self._requests_done += 1
        self._unseen_columns.discard(column)
        if paginator is None:
            self._active_listings.pop(column, None)
            self._finished_columns.add(column)
        else:
            listing = self._active_listings.setdefault(column, _ListingProgress(paginator, 0))
            listing.known_ahead = (
                listing.known_ahead - self._page_outcomes[Outcome.UNCHANGED] if known_ahead is None else known_ahead
            )
            listing.add_page(self._page_outcomes)
        self._page_outcomes.clear()

    def slowest_listing_position(self) -> datetime | None:
        """How far back the listing is that has been read least far; None when all are read."""
        return max(
            (
                listing.paginator.oldest_seen
                for listing in self._active_listings.values()
                if listing.paginator.oldest_seen
            ),
            default=None,
        )

    def estimate_seconds_left(self, elapsed_seconds: float) -> float | None:
        """By the pace of the `elapsed_seconds` so far; None where it cannot be estimated."""
        estimates = [listing.estimate_requests() for listing in self._active_listings.values()]
        if self._requests_done < _MIN_REQUESTS_FOR_ESTIMATE or not self._wanted_entries or None in estimates:
            return None
        estimated_requests = sum(estimate for estimate in estimates if estimate is not None)
        columns_seen = len(self._active_listings) + len(self._finished_columns)
        # Listings that have not come yet are taken to be as long as those that have.
        requests = estimated_requests + len(self._unseen_columns) * (
            1 + estimated_requests / columns_seen if columns_seen else 1
        )
        if self._limit is not None:
            requests = min(requests, 1 + self._limit - self._wanted_entries)
        return elapsed_seconds / self._requests_done * (self._open_entries + max(0.0, requests))
