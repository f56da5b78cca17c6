"""Command `finews replay`: extract stored responses again, without network."""

import sys
from itertools import chain
from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli.options import site_address
from crawler.cli.output import pluralise, print_json, print_line
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.policy.result import EXIT_CODES

_MAX_VALUE_CHARACTERS = 60


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@options.output
@site_address
@options.as_json
def replay(dry_run: bool, output: Path, address: str, as_json: bool) -> None:
    """Read kept replies again, without network.

    What stands in quarantine is tried again; so are the replies of stored articles, which crawls with --set KEEP_RAW=1
    keep. Says field by field what changes, and changes it. Exit code 3 when some cannot be read.
    """
    from crawler.jobs.replay import open_replayer  # Scrapy takes a third of a second to import

    with open_replayer(output, address, dry_run=dry_run) as session:
        rows = [
            _replayed_as_dict(replayed) for replayed in chain(session.replay_quarantine(), session.replay_articles())
        ]
    if as_json:
        print_json(rows)
    else:
        _print_replayed(rows, dry_run=dry_run)
    sys.exit(EXIT_CODES[session.outcome])


def _replayed_as_dict(replayed: Any) -> dict[str, Any]:
    changes = {name: {"old": old, "new": new} for name, (old, new) in replayed.changes.items()}
    return {
        "code": replayed.code,
        "kind": replayed.kind,
        "readable": replayed.readable,
        "detail": replayed.detail,
        "changes": changes,
    }


def _print_replayed(rows: list[dict[str, Any]], *, dry_run: bool) -> None:
    for row in rows:
        _print_replayed_article(row)
    changed_count = sum(bool(row["changes"]) for row in rows)
    unreadable = pluralise(sum(not row["readable"] for row in rows), "reply", "replies")
    verb = "would change" if dry_run else "changed"
    print_line(f"{pluralise(changed_count, 'article')} {verb}, {unreadable} cannot be read")


def _print_replayed_article(row: dict[str, Any]) -> None:
    label = row["code"] or row["kind"]
    if row["detail"] or not row["changes"]:
        state = "readable" if row["readable"] else "not readable"
        print_line(f"{label}: {state}{': ' if row['detail'] else ''}{row['detail']}")
    for field, change in row["changes"].items():
        print_line(f"{label}: {field}: {_shorten(change['old'])} -> {_shorten(change['new'])}")


def _shorten(text: str) -> str:
    line = collapse_whitespace(text)
    return repr(line if len(line) <= _MAX_VALUE_CHARACTERS else line[: _MAX_VALUE_CHARACTERS - 1] + "…")
