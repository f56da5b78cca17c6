"""Search parameters of a page's URL, parsed as the options of the command line are."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import parse_bound
from crawler.errors import UsageError
from crawler.storage import Store
from crawler.storage.search.query import check_query_has_words
from crawler.storage.search.request import SearchRequest, SortOrder

# The filters of `finews search`, as parameters of an address.
PARAM_NAMES = ("q", "category", "column", "since", "until", "stock", "as_of", "sort", "offset")
MAX_PARAM_CHARS = 500
RESULTS_PER_PAGE = 20
# Facets and pages are made of at most this many hits, after the `offset` that an address may have.
MAX_RESULTS = 500
_DEFAULT_FEED_ENTRIES = 50


@dataclass(frozen=True, slots=True)
class SearchParams:
    """The parameters that were given, trimmed."""

    values: dict[str, str]
    page: int = 1

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def offset(self) -> int:
        return _parse_number(self.get("offset"), 0)

    @property
    def filter_names(self) -> list[str]:
        """What was given in addition to the words."""
        return [name for name in self.values if name not in ("q", "offset")]

    def query_string_without(self, *removed: str, **changed: str) -> str:
        """The query string of the same address with these changes."""
        values = {name: value for name, value in {**self.values, **changed}.items() if name not in removed}
        return urlencode({name: value for name, value in values.items() if value})


def parse_params(arguments: Any) -> SearchParams:
    """Datasette's `request.args`, of which only the first of each name counts."""
    trimmed_params = {name: (arguments.get(name) or "").strip()[:MAX_PARAM_CHARS] for name in PARAM_NAMES}
    page_number = _parse_number((arguments.get("page") or "").strip(), 1)
    last_page = math.ceil(MAX_RESULTS / RESULTS_PER_PAGE)
    return SearchParams(
        {name: value for name, value in trimmed_params.items() if value}, min(max(page_number, 1), last_page)
    )


def _parse_number(text: str, default: int) -> int:
    """Return a number of at most seven digits; anything else is the default."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else default


def parse_limit(arguments: Any) -> int:
    """Return the `limit` of an address, at most `MAX_RESULTS`. Raises UsageError."""
    text = (arguments.get("limit") or str(_DEFAULT_FEED_ENTRIES)).strip()
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_RESULTS:
        return int(text)
    raise UsageError(f"limit={text[:20]!r}: use a number from 1 to {MAX_RESULTS}")


def build_search_request(store: Store, params: SearchParams, now: datetime) -> SearchRequest:
    """The question of an address. Raises UsageError."""
    category_text, query_text = params.get("category"), params.get("q")
    if query_text:
        check_query_has_words(query_text)
    return SearchRequest(
        text=query_text,
        categories=(CategoryRegistry(store.categories.all()).resolve(category_text).slug,) if category_text else (),
        columns=(params.get("column"),) if params.get("column") else (),
        since=parse_date_param(params.get("since"), now),
        until=parse_date_param(params.get("until"), now, end_of_span=True),
        stock=params.get("stock"),
        as_of=parse_date_param(params.get("as_of"), now),
        sort=SortOrder(params.get("sort")) if params.get("sort") in list(SortOrder) else SortOrder.NEWEST,
        offset=params.offset,
    )


def parse_date_param(text: str, now: datetime, *, end_of_span: bool = False) -> datetime | None:
    """What was typed for a moment, as `--since` reads it; None for an empty text. Raises UsageError."""
    try:
        return parse_bound(text, now, end_of_span=end_of_span) if text else None
    except ValueError as error:
        raise UsageError(str(error)) from error
