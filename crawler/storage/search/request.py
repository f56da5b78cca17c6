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
    """A question. An empty text and empty filters ask for everything; `since` and `until` are inclusive.

    `categories` are slugs; `stock` is `600160`, `1.600160` or a name; `as_of` answers with what was known then. Of a
    story that several media have, `collapse_reprints` gives the earliest article that answers.
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
