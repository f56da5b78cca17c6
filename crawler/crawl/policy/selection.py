"""Selection: the columns, media and times that a user selected, parsed and matched with entries. Pure."""

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
    """Entries to crawl; no `categories` are all of them, and time bounds are inclusive.

    `limit` counts wanted entries, known ones included. Known articles published since `refresh` are fetched again.
    """

    columns: tuple[str, ...]
    categories: tuple[Category, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = None
    refresh: datetime | None = None

    @property
    def is_unfiltered(self) -> bool:
        """Return whether every listed entry is wanted; otherwise reading a listing does not cover it."""
        return not (self.categories or self.until or self.limit)

    def skip_reason(self, entry: ListingEntry, registry: CategoryRegistry) -> tuple[Reason, str] | None:
        """Return why an entry is not wanted, as code and text; None for a wanted one."""
        if self.categories and not self.find_category(entry, registry):
            return Reason.OTHER_CATEGORY, f"category: {clean_media_name(entry.media) or 'the listing names no media'}"
        if self.since and entry.published < self.since:
            return Reason.BEFORE_SINCE, "before --since"
        if self.until and entry.published > self.until:
            return Reason.AFTER_UNTIL, "after --until"
        return None

    def find_category(self, entry: ListingEntry, registry: CategoryRegistry) -> Category | None:
        """Return the selected category of an entry; None without one.

        A new media is not in the registry yet, and is found by its name.
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
    """Parse a spider's arguments, as of `-a name=value` or the command line; lists are comma-separated.

    Raises UsageError with a message that says what to type instead.
    """
    for name in arguments:
        if name not in ARGUMENT_NAMES:
            hint = suggest(name, ARGUMENT_NAMES) or f"there are {', '.join(ARGUMENT_NAMES)}"
            raise UsageError(f"unknown argument {name!r}: {hint}")
    bounds: dict[str, datetime] = {}
    for name in ("since", "until", "refresh"):
        if name in arguments:
            try:
                bounds[name] = parse_bound(arguments[name], now, end_of_span=name == "until")
            except ValueError as error:
                raise UsageError(f"--{name}: {error}") from error
    since, until = bounds.get("since"), bounds.get("until")
    if since and until and since > until:
        raise UsageError(f"--since {arguments['since']} is after --until {arguments['until']}: swap them")
    ids = {**{name: column_id for column_id, name in columns.items()}, **dict(zip(columns, columns, strict=True))}
    selected_columns = _split_list(arguments, "column")
    for text in selected_columns:
        if text not in ids:
            raise unknown_column_error(text, ids)
    limit = arguments.get("limit")
    if limit is not None and not re.fullmatch(r"0*[1-9][0-9]{0,8}", limit, re.ASCII):
        raise UsageError(f"--limit {limit[:40]!r} is not a positive number: type one such as 100")
    return Selection(
        columns=tuple(ids[text] for text in selected_columns) or default_columns,
        categories=tuple(registry.resolve_or_create(text) for text in _split_list(arguments, "category")),
        since=since,
        until=until,
        limit=None if limit is None else int(limit),
        refresh=bounds.get("refresh"),
    )


def _split_list(arguments: Mapping[str, str], name: str) -> list[str]:
    values = [part.strip() for part in arguments.get(name, "").replace("，", ",").split(",")]
    if name in arguments and not any(values):
        raise UsageError(f"--{name} is empty: name one, or leave the option out")
    return list(dict.fromkeys(part for part in values if part))


def unknown_column_error(text: str, ids_and_names: Collection[str]) -> UsageError:
    """Return the error for an unknown id or name of a column."""
    hint = suggest(text, ids_and_names) or "type an id or a name that `finews columns` lists"
    return UsageError(f"unknown column {text!r}: {hint}")


def suggest(text: str, candidates: Collection[str]) -> str:
    """Return a question with the names that a text may be a typing error of; empty without a similar name."""
    close_matches = difflib.get_close_matches(text, candidates, n=3, cutoff=0.5)
    return f"did you mean {', '.join(close_matches)}?" if close_matches else ""
