"""Output of commands: tables and text for people, JSON for programs."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from crawler.content.unicode_text import collapse_whitespace, strip_invisible

# Columns; narrower terminals wrap the lines themselves, so a title stays whole in a pipe.
_MIN_TABLE_WIDTH = 160
# Characters that JSON allows, and terminals may interpret or no stream can encode: DEL, C1, bidi controls, surrogates.
_UNSAFE_CHARACTERS = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:]{8}[+\d:]*")


def print_json(value: Any) -> None:
    """Print one JSON value, with control characters for terminals escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    _write_line(_UNSAFE_CHARACTERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as a table with these columns, integers right-aligned; lines are not cut to the terminal's width."""
    from rich.console import Console  # slow to import, and most commands print no table
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
    """Write a line in the encoding of the stream, where click would use UTF-8 for an ASCII stream."""
    click.echo(text, file=sys.stderr if err else sys.stdout)


def print_line(text: str = "", *, err: bool = False) -> None:
    """Print a line without control characters, so text from a source cannot move the cursor or set colours."""
    _write_line("\n".join(strip_invisible(text).splitlines()), err=err)


def print_highlighted_line(
    fragments: Iterable[tuple[str, bool]], markers: tuple[str, str], *, indent: str = ""
) -> None:
    """Print fragments as one line, with markers, which may be terminal codes, around each hit."""
    before, after = markers
    visible_fragments = ((strip_fragment(text), hit) for text, hit in fragments)
    _write_line(indent + "".join(f"{before}{text}{after}" if hit else text for text, hit in visible_fragments))


def strip_fragment(text: str) -> str:
    """Return a part of a line without control characters and line breaks, other white space unchanged."""
    return " ".join(strip_invisible(text).splitlines())


def pluralise(count: int, singular: str, plural: str = "") -> str:
    """Return a count with its noun; `plural` is needed where it is not the singular with an s."""
    return f"{count} {singular if count == 1 else plural or f'{singular}s'}"


def format_minute(timestamp: str) -> str:
    """Return an ISO 8601 time as `YYYY-MM-DD HH:MM`."""
    return timestamp[:16].replace("T", " ")


def format_withdrawal(article: Mapping[str, Any]) -> str:
    """Return the note for a withdrawn article."""
    return f"withdrawn: missing at the source since {format_minute(article['withdrawn_at'])}; its text is kept"


def _format_cell(value: Any) -> str:
    """Return a value as one line: `-` for None, lists joined by commas, times without seconds."""
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return collapse_whitespace(", ".join(str(part) for part in value))
    if isinstance(value, str) and _TIMESTAMP.fullmatch(value):
        return format_minute(value)
    return collapse_whitespace(str(value))


def print_rows(rows: list[dict[str, Any]], column_names: tuple[str, ...], as_json: bool) -> None:
    """Print rows as JSON, or as a table with these columns."""
    if as_json:
        print_json(rows)
    else:
        print_table(rows, column_names)


def format_published_at(version: dict[str, Any]) -> str:
    """Return the publication time of an article or revision as `YYYY-MM-DD HH:MM:SS`."""
    return str(version["published_at"])[:19].replace("T", " ")
