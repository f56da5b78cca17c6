"""Search request: query text, filters, order and limit."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SortOrder(StrEnum):
    """The order of search results."""

    NEWEST = "newest"
    RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search. An empty text and empty filters match everything; `since` and `until` are inclusive.

    `categories` are slugs; `stock` is `600160`, `1.600160` or a name; `as_of` answers with what was known then. With
    `collapse_reprints`, only the earliest match of each cluster of reprints is found.
    """

    text: str = ""
    categories: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    stock: str = ""
    as_of: datetime | None = None
    collapse_reprints: bool = False
    sort: SortOrder = SortOrder.NEWEST
    limit: int | None = None
