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

# Longer values are cut, so a change fits on one line.
_MAX_VALUE_CHARACTERS = 60


@click.command()
@click.option("--dry-run", is_flag=True, help="Print what would change; write nothing.")
@options.output
@site_address
@options.as_json
def replay(dry_run: bool, output: Path, address: str, as_json: bool) -> None:
    """Parse stored responses again, without network.

    Replays the quarantine, and the responses of saved articles that crawls with --set KEEP_RAW=1 store. Changed fields
    are saved and printed. Exit code 3 if responses cannot be parsed.
    """
    from crawler.jobs.replay import open_replayer  # imports Scrapy, which is slow

    with open_replayer(output, address, dry_run=dry_run) as session:
        rows: list[dict[str, Any]] = [
            {
                "code": replayed.code,
                "kind": replayed.kind,
                "readable": replayed.readable,
                "detail": replayed.detail,
                "changes": {name: {"old": old, "new": new} for name, (old, new) in replayed.changes.items()},
            }
            for replayed in chain(session.replay_quarantine(), session.replay_articles())
        ]
    if as_json:
        print_json(rows)
        sys.exit(EXIT_CODES[session.outcome])
    for row in rows:
        label = row["code"] or row["kind"]
        if row["detail"] or not row["changes"]:
            state = "readable" if row["readable"] else "not readable"
            print_line(f"{label}: {state}{': ' if row['detail'] else ''}{row['detail']}")
        for field, change in row["changes"].items():
            print_line(f"{label}: {field}: {_shorten(change['old'])} -> {_shorten(change['new'])}")
    changed_count = sum(bool(row["changes"]) for row in rows)
    unreadable = pluralise(sum(not row["readable"] for row in rows), "response")
    verb = "would change" if dry_run else "changed"
    print_line(f"{pluralise(changed_count, 'article')} {verb}, {unreadable} cannot be read")
    sys.exit(EXIT_CODES[session.outcome])


def _shorten(text: str) -> str:
    line = collapse_whitespace(text)
    return repr(line if len(line) <= _MAX_VALUE_CHARACTERS else line[: _MAX_VALUE_CHARACTERS - 1] + "…")
