"""ETA: the remaining time of a running crawl. Pure.

A crawl fetches articles while it reads its listings, so the rest of each listing is estimated as in a plan, and of its
rows as many are expected to be fetched as of the rows so far.
"""

from collections.abc import Collection
from datetime import datetime

from crawler.crawl.policy.estimate import Precision, estimate_remaining
from crawler.crawl.policy.pagination import ListingPaginator
from crawler.items import Outcome

# Fewer requests than this give no rate.
_MIN_REQUESTS_FOR_ESTIMATE = 10
_SKIPPED_OUTCOMES = {Outcome.DUPLICATE, Outcome.FILTERED}


class EtaEstimator:
    """Counts the requests that a crawl has sent, and estimates those that it has still to send.

    An article that its listing row holds counts as a request, although it takes almost no time.
    """

    def __init__(self, columns: Collection[str], limit: int | None = None) -> None:
        self._limit = limit
        self._column_count = len(columns)
        self._unseen_columns = set(columns)
        self._active_listings: dict[str, ListingPaginator] = {}
        self._listed = self._wanted = self._to_fetch = self._open = self._requests_done = 0

    def count_entry(self, outcome: Outcome | None, *, newly_listed: bool) -> None:
        """Count an entry that was listed, to be fetched if it has no outcome, or one that was fetched."""
        if newly_listed:
            self._listed += 1
            self._wanted += outcome not in _SKIPPED_OUTCOMES
            self._to_fetch += outcome is None
            self._open += outcome is None
        else:
            self._open -= 1
            self._requests_done += 1

    def count_page(self, column: str, paginator: ListingPaginator | None) -> None:
        """Count a listing page whose entries are counted; `paginator` is None for the last page."""
        self._requests_done += 1
        self._unseen_columns.discard(column)
        self._active_listings.pop(column, None)
        if paginator:
            self._active_listings[column] = paginator

    def slowest_listing_position(self) -> datetime | None:
        """Return the publication time that the slowest listing has been read back to; None when all are read."""
        positions = (paginator.oldest_seen for paginator in self._active_listings.values())
        return max((position for position in positions if position), default=None)

    def estimate_seconds_left(self, elapsed_seconds: float) -> float | None:
        """Estimate the seconds left by the rate of the `elapsed_seconds` so far; None where there is no estimate."""
        if self._requests_done < _MIN_REQUESTS_FOR_ESTIMATE or not self._wanted:
            return None
        remaining = [estimate_remaining(paginator) for paginator in self._active_listings.values()]
        if any(work.precision is Precision.AT_LEAST for work in remaining):
            return None
        requests = sum(work.pages + work.rows * self._to_fetch / self._listed for work in remaining)
        # Listings without a first page are assumed to be as long as the others.
        unseen_count = len(self._unseen_columns)
        requests += unseen_count * (1 + requests / max(1, self._column_count - unseen_count))
        if self._limit is not None:
            requests = min(requests, 1 + self._limit - self._wanted)
        return elapsed_seconds / self._requests_done * (self._open + max(0.0, requests))
