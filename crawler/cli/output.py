"""How answers are shown: a table or a text for a person, one JSON value for a program."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from crawler.cli import output as tell
from crawler.content.unicode_text import collapse_whitespace, strip_invisible

_WIDEST = 160
# What JSON lets through and a terminal may obey, or no stream can hold: DEL, C1, bidi controls, half characters.
_UNSAFE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:]{8}[+\d:]*")


def as_value(value: Any) -> None:
    """Print one JSON value; the characters that a terminal could obey are escaped, as JSON can."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    click.echo(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def as_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows under these column names, numbers to the right; a line too long for the terminal is the terminal's."""
    from rich.console import Console  # most commands print no table, and a crawl by schedule never does
    from rich.table import Table

    console = Console(markup=False, highlight=False)
    console.width = max(console.width, _WIDEST)
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = list(rows)
    for name in columns:
        numeric = any(isinstance(row[name], int) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    console.print(table)


def line(text: str = "", *, err: bool = False) -> None:
    """Print a line; what came from outside cannot move the cursor or colour the terminal."""
    click.echo("\n".join(strip_invisible(text).splitlines()), err=err)


def marked_line(parts: Iterable[tuple[str, bool]], marks: tuple[str, str], *, indent: str = "") -> None:
    """Print parts as one line, with our marks, which a terminal may obey, around those that are hits."""
    before, after = marks
    shown = ((part_of_line(text), hit) for text, hit in parts)
    click.echo(indent + "".join(f"{before}{text}{after}" if hit else text for text, hit in shown))


def part_of_line(text: str) -> str:
    """What can be shown of a part of a line, its white space as it is."""
    return " ".join(strip_invisible(text).splitlines())


def counted(number: int, thing: str, things: str = "") -> str:
    """A number of things; `things` where they are not the thing and an s."""
    return f"{number} {thing if number == 1 else things or f'{thing}s'}"


def minute(moment: str) -> str:
    """A moment as a person reads it."""
    return moment[:16].replace("T", " ")


def withdrawn(article: Mapping[str, Any]) -> str:
    """What is told of an article that the source no longer has."""
    return f"withdrawn: gone from the source since {minute(article['withdrawn_at'])}; its text is kept"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return collapse_whitespace(", ".join(str(part) for part in value))
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return minute(value)
    return collapse_whitespace(str(value))


def as_value_or_table(rows: list[dict[str, Any]], names: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        tell.as_value(rows)
    else:
        tell.as_table(rows, names)


def published(version: dict[str, Any]) -> str:
    return str(version["published_at"])[:19].replace("T", " ")
