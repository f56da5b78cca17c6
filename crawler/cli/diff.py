"""`finews diff` and `explain`: one article through time."""

import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from crawler.cli import options
from crawler.cli import output as tell
from crawler.cli.options import code
from crawler.cli.output import published
from crawler.content.diff import DiffOp, DiffPart, ParagraphDiff, diff_paragraphs, merge_parts
from crawler.content.html_cleaner import html_to_text
from crawler.errors import FatalError
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME

Version = dict[str, Any]

_STYLES = {DiffOp.EQUAL: "", DiffOp.DELETE: "red strike", DiffOp.INSERT: "green"}
_MARKS = {DiffOp.EQUAL: "{}", DiffOp.DELETE: "[-{}-]", DiffOp.INSERT: "{{+{}+}}"}


# finews diff


@click.command()
@code
@click.option("--from", "older", type=int, metavar="N", help="The revision to compare.  [default: the one before --to]")
@click.option("--to", "newer", type=int, metavar="N", help="The revision to compare it with.  [default: the present]")
@options.output
@options.as_json
def diff(code: str, older: int | None, newer: int | None, output: Path, as_json: bool) -> None:
    """What changed in an article between two revisions.

    CODE is its digits, with or without NW. Deleted text is red and struck, inserted text green on a terminal, else
    they are marked [-so-] and {+so+}.
    """
    with Store.open_ro(output) as store:
        versions = store.history.versions(code)
    if not versions:
        raise FatalError(f"no article {code} in {output / DATABASE_FILE_NAME}")
    before, after = _two_of(versions, older, newer, code)
    if as_json:
        tell.as_value(_as_value(code, before, after))
    elif len(versions) == 1:
        seen = tell.minute(after["seen_at"])
        tell.line(f"{code} has one revision, first seen {seen}: nothing in it has changed since")
    else:
        _tell_changes(code, before, after)


def _two_of(versions: list[Version], older: int | None, newer: int | None, code: str) -> tuple[Version, Version]:
    """The versions of these numbers; by default the present one, and the one before it. Raises FatalError."""
    by_number = {version["revision"]: version for version in versions}
    to = versions[-1]["revision"] if newer is None else newer
    start = max(to - 1, min(by_number)) if older is None else older
    for number in (start, to):
        if number not in by_number:
            raise FatalError(f"no revision {number} of {code}: there are {', '.join(map(str, by_number))}")
    return by_number[start], by_number[to]


def _as_value(code: str, before: Version, after: Version) -> dict[str, Any]:
    changed = [(name, diff_paragraphs(_field(before, name), _field(after, name))) for name in _FIELDS]
    return {
        "code": code,
        "from": {name: before[name] for name in ("revision", "seen_at", "title", "published_at")},
        "to": {name: after[name] for name in ("revision", "seen_at", "title", "published_at")},
        "changes": [
            {"field": name, "parts": [part._asdict() for part in merge_parts(rows)]}
            for name, rows in changed
            if not all(row.is_unchanged for row in rows)
        ],
    }


_FIELDS = ("title", "published_at", "body_text")


def _field(version: Version, name: str) -> str:
    """A version's field; its text follows from its body, as the article's own does."""
    return html_to_text(version["body_html"]) if name == "body_text" else str(version[name])


def _tell_changes(code: str, before: Version, after: Version) -> None:
    mark = _marker()
    old, new = (f"{version['revision']}, first seen {tell.minute(version['seen_at'])}" for version in (before, after))
    tell.line(f"{code}: revision {old}, compared with {new}")
    tell.line()
    for label, read in (("title", lambda version: version["title"]), ("time ", published)):
        mark([DiffPart(DiffOp.EQUAL, f"{label}  "), *merge_parts(diff_paragraphs(read(before), read(after)))])
    tell.line()
    _tell_text(diff_paragraphs(_field(before, "body_text"), _field(after, "body_text")), mark)


def _tell_text(rows: Iterable[ParagraphDiff], mark: Callable[[Sequence[DiffPart]], None]) -> None:
    for unchanged, run in itertools.groupby(rows, key=lambda row: row.is_unchanged):
        if unchanged:
            tell.line(f"… {tell.counted(len(list(run)), 'paragraph')} unchanged …")
        else:
            for row in run:
                mark(row.parts)


def _marker() -> Callable[[Sequence[DiffPart]], None]:
    """Prints one line of parts: in colour where that can be seen and is wanted, else with marks."""
    console = Console(markup=False, highlight=False)
    if sys.stdout.isatty() and console.color_system and not console.no_color:
        return lambda line: console.print(
            Text.assemble(*((tell.part_of_line(part.text), _STYLES[part.op]) for part in line)), soft_wrap=True
        )
    return lambda line: tell.line("".join(_MARKS[part.op].format(tell.part_of_line(part.text)) for part in line))


# finews explain


# words
