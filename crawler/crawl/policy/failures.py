"""Failures of a crawl, classified and grouped: each kind is reported once, with its count. Pure.

When the source renames a field, a hundred entries go to quarantine, but one line names the endpoint and the field.
"""

import re
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from crawler.content.unicode_text import collapse_whitespace
from crawler.errors import (
    EmptyBodyError,
    IncompleteResponseError,
    ItemError,
    MissingArticleError,
    NoArticleError,
    ParseError,
    RequestError,
    SchemaChangedError,
    SourceError,
)
from crawler.items import CODE_PATTERN, Outcome, Reason

_CODE_AND_PAGE = re.compile(rf"{CODE_PATTERN.pattern}(?:_[0-9]{{1,3}}(?![0-9]))?", re.ASCII)
# Kinds of failures that are reported with their texts; the others are only counted.
_MAX_GROUPS = 10


class EntryFailure(NamedTuple):
    """Outcome of an entry whose article could not be fetched, extracted or normalised, and its reason.

    Failures with one `group_key` are reported once. If `can_retry`, the next crawl fetches the entry again, otherwise
    only when its row has changed. `is_missing` says that the source may have withdrawn the article.
    """

    outcome: Outcome
    reason: Reason
    detail: str
    group_key: Hashable
    can_retry: bool
    is_missing: bool = False


@dataclass(slots=True)
class FailureGroup:
    """One kind of failure: its first entry, and the number of entries."""

    code: str
    outcome: Outcome
    reason: Reason
    detail: str
    count: int = 0


class FailureGroups:
    """Failed and quarantined entries of one crawl, by kind, in the order of their first entries."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, FailureGroup] = {}

    def add(self, new_group: FailureGroup, group_key: Hashable) -> bool:
        """Add an entry. Return whether it is the first of its kind."""
        if len(self._groups) >= _MAX_GROUPS and group_key not in self._groups:
            return False
        group = self._groups.setdefault(group_key, new_group)
        group.count += 1
        return group.count == 1

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return the kinds, each with `code`, `outcome`, `reason` and `detail` of its first entry, and `count`."""
        return [asdict(group) for group in self._groups.values()]


def classify_error(error: BaseException | None, url: str) -> EntryFailure:
    """Map an error to the outcome of its entry.

    `url` is the canonical URL of the unusable response, row or file.

    >>> classify_error(SchemaChangedError("field 'title' is missing", "title"), "https://a.cn/list?page=1")[:2]
    (<Outcome.QUARANTINED: 'quarantined'>, <Reason.SCHEMA_CHANGED: 'schema_changed'>)
    """
    if not isinstance(error, ItemError):
        detail = describe_bug(error)
        return EntryFailure(Outcome.FAILED, Reason.BUG, detail, detail, can_retry=True)
    outcome, reason = _classify(error)
    return EntryFailure(
        outcome,
        reason,
        describe_item_error(error, url),
        failure_group_key(error, url),
        can_retry=isinstance(error, SourceError | ParseError),
        is_missing=isinstance(error, MissingArticleError),
    )


def _classify(error: ItemError) -> tuple[Outcome, Reason]:
    match error:
        case RequestError():
            return Outcome.FAILED, Reason(error.reason)
        case IncompleteResponseError():
            return Outcome.FAILED, Reason.RESPONSE_INCOMPLETE
        case SourceError():
            return Outcome.FAILED, Reason.SOURCE_ERROR
        case SchemaChangedError():
            return Outcome.QUARANTINED, Reason.SCHEMA_CHANGED
        case ParseError():
            return Outcome.QUARANTINED, Reason.UNREADABLE
        case NoArticleError():
            return Outcome.FILTERED, Reason.NO_BODY
        case EmptyBodyError():
            return Outcome.QUARANTINED, Reason.NO_BODY
        case _:
            return Outcome.QUARANTINED, Reason.REJECTED


def describe_item_error(error: ItemError, url: str) -> str:
    """Return the message of an error; that of a ParseError names the endpoint.

    >>> describe_item_error(SchemaChangedError("field 'title' is missing", "title"), "https://a.cn/list?page=1")
    "a.cn/list has changed: field 'title' is missing"
    """
    if not isinstance(error, ParseError):
        return str(error)
    return f"{describe_endpoint(url)}{' has changed' if isinstance(error, SchemaChangedError) else ''}: {error}"


def describe_bug(error: BaseException | None) -> str:
    """Return one line about an unexpected exception."""
    return collapse_whitespace(f"internal error: {type(error).__name__}: {error}")[:300]


def failure_group_key(error: ItemError, url: str) -> Hashable:
    """Return the key of an error's kind: endpoint and field of a ParseError, else the message."""
    return (describe_endpoint(url), error.field) if isinstance(error, ParseError) else str(error)


# Cached because a request and its response have the same URL.
@lru_cache(256)
def describe_endpoint(url: str) -> str:
    """Return the part of a URL that all articles and pages share.

    >>> describe_endpoint("https://finance.eastmoney.com/a/202201102242171631.html?x=1")
    'finance.eastmoney.com/a/CODE.html'
    >>> describe_endpoint("https://finance.eastmoney.com/a/202201102242171631_2.html")
    'finance.eastmoney.com/a/CODE.html'
    """
    split_url = urlsplit(url)
    return _CODE_AND_PAGE.sub("CODE", f"{split_url.hostname or ''}{split_url.path}")
