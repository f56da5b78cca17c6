"""Command `finews diff`: show what changed between two revisions of an article."""

import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from crawler.cli import options
from crawler.cli.options import code_argument
from crawler.cli.output import format_minute, format_published_at, pluralise, print_json, print_line, strip_fragment
from crawler.content.diff import DiffOp, DiffPart, ParagraphDiff, diff_paragraphs, merge_parts
from crawler.content.html_text import html_to_text
from crawler.errors import FatalError
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME

RevisionRow = dict[str, Any]

_STYLE_BY_OP = {DiffOp.EQUAL: "", DiffOp.DELETE: "red strike", DiffOp.INSERT: "green"}
_MARKUP_BY_OP = {DiffOp.EQUAL: "{}", DiffOp.DELETE: "[-{}-]", DiffOp.INSERT: "{{+{}+}}"}


# finews diff


@click.command()
@code_argument
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
    before, after = _select_revisions(versions, older, newer, code)
    if as_json:
        print_json(_diff_as_dict(code, before, after))
    elif len(versions) == 1:
        seen_at = format_minute(after["seen_at"])
        print_line(f"{code} has one revision, first seen {seen_at}: nothing in it has changed since")
    else:
        _print_changes(code, before, after)


def _select_revisions(
    versions: list[RevisionRow], older: int | None, newer: int | None, code: str
) -> tuple[RevisionRow, RevisionRow]:
    """The versions of these numbers; by default the present one, and the one before it. Raises FatalError."""
    by_number = {version["revision"]: version for version in versions}
    newer_number = versions[-1]["revision"] if newer is None else newer
    older_number = max(newer_number - 1, min(by_number)) if older is None else older
    for number in (older_number, newer_number):
        if number not in by_number:
            raise FatalError(f"no revision {number} of {code}: there are {', '.join(map(str, by_number))}")
    return by_number[older_number], by_number[newer_number]


def _diff_as_dict(code: str, before: RevisionRow, after: RevisionRow) -> dict[str, Any]:
    field_diffs = [
        (name, diff_paragraphs(_field_text(before, name), _field_text(after, name))) for name in _COMPARED_FIELDS
    ]
    return {
        "code": code,
        "from": {name: before[name] for name in ("revision", "seen_at", "title", "published_at")},
        "to": {name: after[name] for name in ("revision", "seen_at", "title", "published_at")},
        "changes": [
            {"field": name, "parts": [part._asdict() for part in merge_parts(rows)]}
            for name, rows in field_diffs
            if not all(row.is_unchanged for row in rows)
        ],
    }


_COMPARED_FIELDS = ("title", "published_at", "body_text")


def _field_text(version: RevisionRow, name: str) -> str:
    """A version's field; its text follows from its body, as the article's own does."""
    return html_to_text(version["body_html"]) if name == "body_text" else str(version[name])


def _print_changes(code: str, before: RevisionRow, after: RevisionRow) -> None:
    print_parts = _make_parts_printer()
    before_label, after_label = (
        f"{version['revision']}, first seen {format_minute(version['seen_at'])}" for version in (before, after)
    )
    print_line(f"{code}: revision {before_label}, compared with {after_label}")
    print_line()
    for label, read_field in (("title", lambda version: version["title"]), ("time ", format_published_at)):
        print_parts(
            [DiffPart(DiffOp.EQUAL, f"{label}  "), *merge_parts(diff_paragraphs(read_field(before), read_field(after)))]
        )
    print_line()
    _print_text_changes(diff_paragraphs(_field_text(before, "body_text"), _field_text(after, "body_text")), print_parts)


def _print_text_changes(rows: Iterable[ParagraphDiff], print_parts: Callable[[Sequence[DiffPart]], None]) -> None:
    for unchanged, paragraphs in itertools.groupby(rows, key=lambda row: row.is_unchanged):
        if unchanged:
            print_line(f"… {pluralise(len(list(paragraphs)), 'paragraph')} unchanged …")
        else:
            for row in paragraphs:
                print_parts(row.parts)


def _make_parts_printer() -> Callable[[Sequence[DiffPart]], None]:
    """Prints one line of parts: in colour where that can be seen and is wanted, else with marks."""
    console = Console(markup=False, highlight=False)
    if sys.stdout.isatty() and console.color_system and not console.no_color:
        return lambda line: console.print(
            Text.assemble(*((strip_fragment(part.text), _STYLE_BY_OP[part.op]) for part in line)), soft_wrap=True
        )
    return lambda line: print_line("".join(_MARKUP_BY_OP[part.op].format(strip_fragment(part.text)) for part in line))


# finews explain


# words
