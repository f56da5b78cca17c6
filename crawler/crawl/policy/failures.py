"""What went wrong in a crawl, told once a kind however often it happened. Pure.

When the source renames a field, a hundred entries go to quarantine for one reason: that is one alert, with the endpoint
and the field, not a hundred lines.
"""

import re
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from crawler.errors import (
    EmptyBodyError,
    IncompleteResponseError,
    ItemError,
    ParseError,
    SchemaChangedError,
    SourceError,
)
from crawler.items import Outcome, Reason

_ARTICLE_CODE = re.compile(r"[0-9]{18,24}", re.ASCII)
# So many kinds are told one by one.
_MAX_GROUPS = 10
_REASONS: dict[type, Reason] = {
    ItemError: Reason.REJECTED,
    ParseError: Reason.UNREADABLE,
    SchemaChangedError: Reason.SCHEMA_CHANGED,
    EmptyBodyError: Reason.NO_BODY,
    SourceError: Reason.SOURCE_ERROR,
    IncompleteResponseError: Reason.RESPONSE_INCOMPLETE,
}


@dataclass(slots=True)
class FailureGroup:
    """One kind: its first entry, and how many there were."""

    code: str
    outcome: Outcome
    reason: Reason
    detail: str
    count: int = 0


class FailureGroups:
    """The entries of one crawl that failed or went to quarantine, by kind, in the order in which they turned up."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, FailureGroup] = {}

    def add(self, new_group: FailureGroup, group_key: Hashable) -> bool:
        """Whether it is the first of its kind."""
        if len(self._groups) >= _MAX_GROUPS and group_key not in self._groups:
            return False
        group = self._groups.setdefault(group_key, new_group)
        group.count += 1
        return group.count == 1

    def as_dicts(self) -> list[dict[str, Any]]:
        """Each kind with its first `code`, `outcome`, `reason`, `detail` and `count`."""
        return [asdict(group) for group in self._groups.values()]


def reason_of(error: ItemError) -> Reason:
    """Return the code of an error: that of the most specific of its classes.

    >>> reason_of(SchemaChangedError("field 'title' is missing", "title")).value
    'schema_changed'
    """
    return next(_REASONS[kind] for kind in type(error).__mro__ if kind in _REASONS)


def describe_item_error(error: ItemError, url: str) -> str:
    """An error as it is kept and told: of what cannot be read it names the endpoint.

    >>> describe_item_error(SchemaChangedError("field 'title' is missing", "title"), "https://a.cn/list?page=1")
    "a.cn/list has changed: field 'title' is missing"
    """
    if not isinstance(error, ParseError):
        return str(error)
    return f"{describe_endpoint(url)}{' has changed' if isinstance(error, SchemaChangedError) else ''}: {error}"


def failure_group_key(error: ItemError, url: str) -> Hashable:
    """What makes two errors one trouble: the same field of the same endpoint, else the same words."""
    return (describe_endpoint(url), error.field) if isinstance(error, ParseError) else str(error)


def describe_endpoint(url: str) -> str:
    """The part of an address that is the same for all articles and pages.

    >>> describe_endpoint("https://finance.eastmoney.com/a/202201102242171631.html?x=1")
    'finance.eastmoney.com/a/CODE.html'
    """
    split_url = urlsplit(url)
    return _ARTICLE_CODE.sub("CODE", f"{split_url.hostname or ''}{split_url.path}")
