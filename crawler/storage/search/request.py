"""Search request: query text, filters, order and limit."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SortOrder(StrEnum):
    """The order of search results."""

    NEWEST = "newest"
    OLDEST = "oldest"
    RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Search request. An empty text and empty filters match everything; `since` and `until` are inclusive.

    `categories` are slugs; `stock` is what a person types for one: a code, with or without its market, or a name. The
    engine fills in `stock_keys`, what it may be in a row of `mentions`. `as_of` answers with what was known then. With
    `collapse_reprints`, only the earliest match of each cluster of reprints is found. `offset` are left out first.
    """

    text: str = ""
    categories: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    stock: str = ""
    stock_keys: tuple[str, ...] = ()
    as_of: datetime | None = None
    collapse_reprints: bool = False
    sort: SortOrder = SortOrder.NEWEST
    limit: int | None = None
    offset: int = 0

    @property
    def wanted_rows(self) -> int | None:
        """Return how many matching rows are read; None for all."""
        return None if self.limit is None else self.offset + self.limit
