"""What a page's address asks for, read as the command line's options are."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from crawler.content.categories import Media
from crawler.content.dates import parse_bound
from crawler.errors import UsageError
from crawler.storage import Store
from crawler.storage.search.query import check_words
from crawler.storage.search.request import Asked, Sort

# The filters of `finews search`, as parameters of an address.
NAMES = ("q", "category", "column", "since", "until", "stock", "as_of", "sort")
LONGEST = 500
ON_A_PAGE = 20
# Facets and pages are made of so many of the newest that answer.
MOST = 500


@dataclass(frozen=True, slots=True)
class Address:
    """The parameters that were given, trimmed."""

    values: dict[str, str]
    page: int = 1

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def filters(self) -> list[str]:
        """What was given beside the words."""
        return [name for name in self.values if name != "q"]

    def without(self, *names: str, **changes: str) -> str:
        """The query string of the same address with these changes."""
        values = {name: value for name, value in {**self.values, **changes}.items() if name not in names}
        return urlencode({name: value for name, value in values.items() if value})


def read(arguments: Any) -> Address:
    """Datasette's `request.args`, of which only the first of each name counts."""
    given = {name: (arguments.get(name) or "").strip()[:LONGEST] for name in NAMES}
    page = (arguments.get("page") or "1").strip()
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
    last = math.ceil(MOST / ON_A_PAGE)
    return Address({name: value for name, value in given.items() if value}, min(max(number, 1), last))


def asked(store: Store, address: Address, now: datetime) -> Asked:
    """The question of an address. Raises UsageError."""
    category, text = address.get("category"), address.get("q")
    if text:
        check_words(text)
    return Asked(
        text=text,
        categories=(Media(store.categories.all()).wanted(category).slug,) if category else (),
        columns=(address.get("column"),) if address.get("column") else (),
        since=moment(address.get("since"), now),
        until=moment(address.get("until"), now, last=True),
        stock=address.get("stock").upper(),
        as_of=moment(address.get("as_of"), now),
        sort=Sort.RELEVANCE if address.get("sort") == Sort.RELEVANCE else Sort.NEWEST,
    )


def moment(text: str, now: datetime, *, last: bool = False) -> datetime | None:
    """What was typed for a moment, as `--since` reads it; None for an empty text. Raises UsageError."""
    try:
        return parse_bound(text, now, last=last) if text else None
    except ValueError as error:
        raise UsageError(str(error)) from error
