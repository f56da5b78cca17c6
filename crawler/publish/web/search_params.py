"""Search parameters in the URL of a page, parsed like the options of `finews search`."""

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

# The filters of `finews search`, as parameters of a URL.
PARAM_NAMES = ("q", "category", "column", "since", "until", "stock", "as_of", "sort", "offset")
MAX_PARAM_CHARS = 500
RESULTS_PER_PAGE = 20
# Hits after `offset` from which facets and pages are made.
MAX_RESULTS = 500
_DEFAULT_FEED_ENTRIES = 50


@dataclass(frozen=True, slots=True)
class SearchParams:
    """Parameters that are present in a URL, trimmed, and the number of its page."""

    values: dict[str, str]
    page: int = 1

    def get(self, name: str) -> str:
        """Return the value of a parameter, empty if it is missing."""
        return self.values.get(name, "")

    @property
    def offset(self) -> int:
        """Return the number of hits to skip."""
        return _parse_number(self.get("offset"), 0)

    @property
    def filter_names(self) -> list[str]:
        """Return the names of all parameters except the words and the offset."""
        return [name for name in self.values if name not in ("q", "offset")]

    def query_string_without(self, *removed: str, **changed: str) -> str:
        """Return the query string of the same URL with these changes."""
        values = {name: value for name, value in {**self.values, **changed}.items() if name not in removed}
        return urlencode({name: value for name, value in values.items() if value})


def parse_params(arguments: Any) -> SearchParams:
    """Return the parameters in Datasette's `request.args`, the first value of each name."""
    trimmed_params = {name: (arguments.get(name) or "").strip()[:MAX_PARAM_CHARS] for name in PARAM_NAMES}
    page_number = _parse_number((arguments.get("page") or "").strip(), 1)
    last_page = math.ceil(MAX_RESULTS / RESULTS_PER_PAGE)
    return SearchParams(
        {name: value for name, value in trimmed_params.items() if value}, min(max(page_number, 1), last_page)
    )


def _parse_number(text: str, default: int) -> int:
    """Return the number in a text of at most seven digits, else the default."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else default


def parse_limit(arguments: Any) -> int:
    """Return the `limit` of a URL, from 1 to `MAX_RESULTS`. Raises UsageError."""
    text = (arguments.get("limit") or str(_DEFAULT_FEED_ENTRIES)).strip()
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_RESULTS:
        return int(text)
    raise UsageError(f"limit={text[:20]!r}: use a number from 1 to {MAX_RESULTS}")


def build_search_request(store: Store, params: SearchParams, now: datetime) -> SearchRequest:
    """Return the search for these parameters. Raises UsageError."""
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
    """Return the time of a text as `--since` parses it; None for an empty text. Raises UsageError."""
    try:
        return parse_bound(text, now, end_of_span=end_of_span) if text else None
    except ValueError as error:
        raise UsageError(str(error)) from error
