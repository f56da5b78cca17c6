"""Output of commands: tables and text for people, JSON for programs."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from crawler.content.unicode_text import collapse_whitespace, strip_invisible

_MIN_TABLE_WIDTH = 160
# What JSON lets through and a terminal may obey, or no stream can hold: DEL, C1, bidi controls, half characters.
_UNSAFE_CHARACTERS = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:]{8}[+\d:]*")


def print_json(value: Any) -> None:
    """Print one JSON value; the characters that a terminal could obey are escaped, as JSON can."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    _write_line(_UNSAFE_CHARACTERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows under these column names, numbers to the right; a line too long for the terminal is the terminal's."""
    from rich.console import Console  # most commands print no table, and a crawl by schedule never does
    from rich.table import Table

    console = Console(markup=False, highlight=False)
    console.width = max(console.width, _MIN_TABLE_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = list(rows)
    for name in columns:
        is_numeric = any(isinstance(row[name], int) for row in rows)
        table.add_column(name, justify="right" if is_numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_format_cell(row[name]) for name in columns))
    console.print(table)


def _write_line(text: str, *, err: bool = False) -> None:
    """Write a line in the encoding of the stream; click by itself takes UTF-8 for one of ASCII."""
    click.echo(text, file=sys.stderr if err else sys.stdout)


def print_line(text: str = "", *, err: bool = False) -> None:
    """Print a line; what came from outside cannot move the cursor or colour the terminal."""
    _write_line("\n".join(strip_invisible(text).splitlines()), err=err)


def print_highlighted_line(
    fragments: Iterable[tuple[str, bool]], markers: tuple[str, str], *, indent: str = ""
) -> None:
    """Print parts as one line, with our marks, which a terminal may obey, around those that are hits."""
    before, after = markers
    visible_fragments = ((strip_fragment(text), hit) for text, hit in fragments)
    _write_line(indent + "".join(f"{before}{text}{after}" if hit else text for text, hit in visible_fragments))


def strip_fragment(text: str) -> str:
    """What can be shown of a part of a line, its white space as it is."""
    return " ".join(strip_invisible(text).splitlines())


def pluralise(count: int, singular: str, plural: str = "") -> str:
    """A number of things; `plural` where they are not the thing and an s."""
    return f"{count} {singular if count == 1 else plural or f'{singular}s'}"


def format_minute(timestamp: str) -> str:
    """A moment as a person reads it."""
    return timestamp[:16].replace("T", " ")


def format_withdrawal(article: Mapping[str, Any]) -> str:
    """The note for an article that the source no longer has."""
    return f"withdrawn: gone from the source since {format_minute(article['withdrawn_at'])}; its text is kept"


def _format_cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return collapse_whitespace(", ".join(str(part) for part in value))
    if isinstance(value, str) and _TIMESTAMP.fullmatch(value):
        return format_minute(value)
    return collapse_whitespace(str(value))


def print_rows(rows: list[dict[str, Any]], column_names: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json(rows)
    else:
        print_table(rows, column_names)


def format_published_at(version: dict[str, Any]) -> str:
    return str(version["published_at"])[:19].replace("T", " ")
