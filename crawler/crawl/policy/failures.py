"""What went wrong in a crawl, told once a kind however often it happened. Pure.

When the source renames a field, a hundred entries go to quarantine for one reason: that is one alert, with the endpoint
and the field, not a hundred lines.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from crawler.errors import ShapeChanged, Unreadable, Unusable
from crawler.items import Outcome

_CODE = re.compile(r"[0-9]{18,24}", re.ASCII)
# So many kinds are told one by one.
_MOST_KINDS = 10


@dataclass(slots=True)
class Trouble:
    """One kind: its first entry, and how many there were."""

    code: str
    outcome: Outcome
    detail: str
    count: int = 0


class Troubles:
    """The entries of one crawl that failed or went to quarantine, by kind, in the order in which they turned up."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, Trouble] = {}

    def add(self, trouble: Trouble, kind: Hashable) -> bool:
        """Whether it is the first of its kind."""
        if len(self._kinds) >= _MOST_KINDS and kind not in self._kinds:
            return False
        known = self._kinds.setdefault(kind, trouble)
        known.count += 1
        return known.count == 1

    def told(self) -> list[dict[str, Any]]:
        """Each kind with its first `code`, `outcome`, `detail` and `count`."""
        return [
            {"code": kind.code, "outcome": kind.outcome, "detail": kind.detail, "count": kind.count}
            for kind in self._kinds.values()
        ]


def explained(error: Unusable, url: str) -> str:
    """An error as it is kept and told: of what cannot be read it names the endpoint.

    >>> explained(ShapeChanged("field 'title' is missing", "title"), "https://a.cn/list?page=1")
    "a.cn/list has changed: field 'title' is missing"
    """
    if not isinstance(error, Unreadable):
        return str(error)
    return f"{endpoint_of(url)}{' has changed' if isinstance(error, ShapeChanged) else ''}: {error}"


def kind_of(error: Unusable, url: str) -> Hashable:
    """What makes two errors one trouble: the same field of the same endpoint, else the same words."""
    return (endpoint_of(url), error.field) if isinstance(error, Unreadable) else str(error)


def endpoint_of(url: str) -> str:
    """The part of an address that is the same for all articles and pages.

    >>> endpoint_of("https://finance.eastmoney.com/a/202201102242171631.html?x=1")
    'finance.eastmoney.com/a/CODE.html'
    """
    parts = urlsplit(url)
    return _CODE.sub("CODE", f"{parts.hostname or ''}{parts.path}")
