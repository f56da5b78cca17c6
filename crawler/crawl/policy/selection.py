"""Selection: the columns, media and times that a user asked to crawl, and whether an entry matches. Pure."""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import parse_bound
from crawler.content.normalise import clean_media_name
from crawler.content.slugs import name_key
from crawler.errors import UsageError
from crawler.items import Category, ListingEntry, Reason

ARGUMENT_NAMES = ("category", "column", "since", "until", "limit", "refresh")


@dataclass(frozen=True, slots=True)
class Selection:
    """No `categories` means all of them; bounds are inclusive; `limit` counts wanted entries, known ones included.

    Known articles published since `refresh` are fetched again.
    """

    columns: tuple[str, ...]
    categories: tuple[Category, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = None
    refresh: datetime | None = None

    @property
    def is_unfiltered(self) -> bool:
        """Whether every listed entry is wanted: only then does reading a listing cover it."""
        return not (self.categories or self.until or self.limit)

    def skip_reason(self, entry: ListingEntry, registry: CategoryRegistry) -> tuple[Reason, str] | None:
        """Return why an entry is not wanted, as code and text; None when it is."""
        if self.categories and not self.find_category(entry, registry):
            return Reason.OTHER_CATEGORY, f"category: {clean_media_name(entry.media) or 'the listing names no media'}"
        if self.since and entry.published < self.since:
            return Reason.BEFORE_SINCE, "before --since"
        if self.until and entry.published > self.until:
            return Reason.AFTER_UNTIL, "after --until"
        return None

    def find_category(self, entry: ListingEntry, registry: CategoryRegistry) -> Category | None:
        """Return which of `categories` an entry is listed under; None if it is none of them.

        A media that is new is not in the registry yet: it is found by its name.
        """
        if not (name := clean_media_name(entry.media)):
            return None
        known, key = registry.find(name), name_key(name)
        slug = known.slug if known else None
        return next(
            (selected for selected in self.categories if selected.slug == slug or name_key(selected.media) == key), None
        )


def parse_selection(
    arguments: Mapping[str, str],
    *,
    columns: Mapping[str, str],
    default_columns: tuple[str, ...],
    registry: CategoryRegistry,
    now: datetime,
) -> Selection:
    """Read a spider's arguments, as `-a name=value` or the command line give them; lists are comma separated.

    Raises UsageError, in one line that says what to type instead.
    """
    for name in arguments:
        if name not in ARGUMENT_NAMES:
            hint = suggest(name, ARGUMENT_NAMES) or f"there are {', '.join(ARGUMENT_NAMES)}"
            raise UsageError(f"unknown argument {name!r}: {hint}")
    since, until, refresh = (_parse_time_bound(arguments, name, now) for name in ("since", "until", "refresh"))
    if since and until and since > until:
        raise UsageError(f"--since {arguments['since']} is after --until {arguments['until']}: swap them")
    return Selection(
        columns=tuple(_resolve_column(text, columns) for text in _split_list(arguments, "column")) or default_columns,
        categories=tuple(registry.resolve_or_create(text) for text in _split_list(arguments, "category")),
        since=since,
        until=until,
        limit=_parse_limit(arguments.get("limit")),
        refresh=refresh,
    )


def _split_list(arguments: Mapping[str, str], name: str) -> list[str]:
    values = [part.strip() for part in arguments.get(name, "").replace("，", ",").split(",")]
    if name in arguments and not any(values):
        raise UsageError(f"--{name} is empty: name one, or leave the option out")
    return list(dict.fromkeys(part for part in values if part))


def _parse_time_bound(arguments: Mapping[str, str], name: str, now: datetime) -> datetime | None:
    if name not in arguments:
        return None
    try:
        return parse_bound(arguments[name], now, end_of_span=name == "until")
    except ValueError as error:
        raise UsageError(f"--{name}: {error}") from error


def _resolve_column(text: str, columns: Mapping[str, str]) -> str:
    if text in columns:
        return text
    for column_id, name in columns.items():
        if text == name:
            return column_id
    raise unknown_column_error(text, [*columns, *columns.values()])


def unknown_column_error(text: str, ids_and_names: Collection[str]) -> UsageError:
    """Return the error for a text that is neither the id nor the name of a column."""
    hint = suggest(text, ids_and_names) or "type an id or a name that `finews columns` lists"
    return UsageError(f"unknown column {text!r}: {hint}")


def _parse_limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text, re.ASCII):
        raise UsageError(f"--limit {text[:40]!r} is not a number: type one from 1 up")
    return int(text)


def suggest(text: str, candidates: Collection[str]) -> str:
    """Return a question with the names that a text may be a slip of; empty where it is near to none."""
    close_matches = difflib.get_close_matches(text, candidates, n=3, cutoff=0.5)
    return f"did you mean {', '.join(close_matches)}?" if close_matches else ""
