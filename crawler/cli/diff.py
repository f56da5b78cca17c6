"""Command `finews diff`: show what changed between two revisions of an article."""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from crawler.cli import options
from crawler.cli.options import code_argument
from crawler.cli.output import format_minute, format_published_at, pluralise, print_json, print_line, strip_fragment
from crawler.content.diff import DiffOp, DiffPart, diff_paragraphs, merge_parts
from crawler.content.html_text import html_to_text
from crawler.errors import FatalError
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME

RevisionRow = dict[str, Any]

_STYLE_BY_OP = {DiffOp.EQUAL: "", DiffOp.DELETE: "red strike", DiffOp.INSERT: "green"}
_MARKUP_BY_OP = {DiffOp.EQUAL: "{}", DiffOp.DELETE: "[-{}-]", DiffOp.INSERT: "{{+{}+}}"}
_COMPARED_FIELDS = ("title", "published_at", "body_text")


@click.command()
@code_argument
@click.option("--from", "older", type=int, metavar="N", help="Older revision.  [default: the one before --to]")
@click.option("--to", "newer", type=int, metavar="N", help="Newer revision.  [default: the current one]")
@options.output
@options.as_json
def diff(code: str, older: int | None, newer: int | None, output: Path, as_json: bool) -> None:
    """Show what changed in an article between two revisions.

    CODE is the digits of the article, with or without NW. On a terminal, deleted text is red and struck through,
    inserted text green; elsewhere they are marked [-deleted-] and {+inserted+}.
    """
    with Store.open_ro(output) as store:
        versions = store.history.versions(code)
    if not versions:
        raise FatalError(f"no article {code} in {output / DATABASE_FILE_NAME}")
    by_number = {version["revision"]: version for version in versions}
    newer_number = versions[-1]["revision"] if newer is None else newer
    older_number = max(newer_number - 1, min(by_number)) if older is None else older
    for number in (older_number, newer_number):
        if number not in by_number:
            raise FatalError(f"no revision {number} of {code}: there are {', '.join(map(str, by_number))}")
    before, after = by_number[older_number], by_number[newer_number]
    if as_json:
        diffs = {
            name: diff_paragraphs(_field_text(before, name), _field_text(after, name)) for name in _COMPARED_FIELDS
        }
        print_json(
            {
                "code": code,
                "from": {name: before[name] for name in ("revision", "seen_at", "title", "published_at")},
                "to": {name: after[name] for name in ("revision", "seen_at", "title", "published_at")},
                "changes": [
                    {"field": name, "parts": [part._asdict() for part in merge_parts(rows)]}
                    for name, rows in diffs.items()
                    if not all(row.is_unchanged for row in rows)
                ],
            }
        )
    elif len(versions) == 1:
        seen_at = format_minute(after["seen_at"])
        print_line(f"{code} has one revision, first seen {seen_at}: nothing in it has changed since")
    else:
        _print_changes(code, before, after)


def _field_text(version: RevisionRow, name: str) -> str:
    """Return a field of a revision as text; `body_text` is derived from the stored HTML, as for articles."""
    return html_to_text(version["body_html"]) if name == "body_text" else str(version[name])


def _print_changes(code: str, before: RevisionRow, after: RevisionRow) -> None:
    """Print title, time and text with their changes: in colour on a terminal that has colours, else with marks."""
    console = Console(markup=False, highlight=False)
    has_colours = sys.stdout.isatty() and console.color_system and not console.no_color

    def print_parts(parts: Sequence[DiffPart]) -> None:
        if has_colours:
            styled_parts = ((strip_fragment(part.text), _STYLE_BY_OP[part.op]) for part in parts)
            console.print(Text.assemble(*styled_parts), soft_wrap=True)
        else:
            print_line("".join(_MARKUP_BY_OP[part.op].format(strip_fragment(part.text)) for part in parts))

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
    rows = diff_paragraphs(_field_text(before, "body_text"), _field_text(after, "body_text"))
    for unchanged, paragraphs in itertools.groupby(rows, key=lambda row: row.is_unchanged):
        if unchanged:
            print_line(f"… {pluralise(len(list(paragraphs)), 'paragraph')} unchanged …")
        else:
            for row in paragraphs:
                print_parts(row.parts)
