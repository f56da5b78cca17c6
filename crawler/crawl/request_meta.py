"""Typed access to what a request of a spider's carries: its canonical URL, and the column or entry that it is for."""

from scrapy import Request

from crawler.items import ListingEntry

_CANONICAL_URL = "canonical"


def set_canonical_url(url: str) -> dict[str, str]:
    """Return the `meta` of a request whose canonical URL is this one, wherever it is sent."""
    return {_CANONICAL_URL: url}


def get_canonical_url(request: Request) -> str:
    """Return the source's own URL of a request, also where it is sent to a mirror."""
    url: str = request.meta.get(_CANONICAL_URL, request.url)
    return url


def get_column(request: Request) -> str:
    """Return the column whose listing a request is for; an empty text for any other request."""
    column: str = request.cb_kwargs.get("column", "")
    return column


def get_entry(request: Request) -> ListingEntry | None:
    """Return the entry whose article a request is for; None for any other request."""
    entry: ListingEntry | None = request.cb_kwargs.get("entry")
    return entry
