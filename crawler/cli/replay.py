"""`finews replay`."""

import sys
from itertools import chain
from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli import output as tell
from crawler.cli.options import site_option
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.policy.result import EXIT_CODES
from crawler.storage.site_links import load_site_links

_LONGEST_VALUE = 60


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@options.output
@site_option
@options.as_json
def replay(dry_run: bool, output: Path, address: str, as_json: bool) -> None:
    """Read kept replies again, without network.

    What stands in quarantine is tried again; so are the replies of stored articles, which crawls with --set KEEP_RAW=1
    keep. Says field by field what changes, and changes it. Exit code 3 when some cannot be read.
    """
    from crawler.jobs.replay import open_replayer  # Scrapy takes a third of a second to import

    with open_replayer(output, load_site_links(output, address), dry_run=dry_run) as body:
        found = [_as_row(replayed) for replayed in chain(body.replay_quarantine(), body.replay_articles())]
    if as_json:
        tell.as_value(found)
    else:
        _tell_all(found, dry_run=dry_run)
    sys.exit(EXIT_CODES[body.outcome])


def _as_row(replayed: Any) -> dict[str, Any]:
    changes = {name: {"old": old, "new": new} for name, (old, new) in replayed.changes.items()}
    return {
        "code": replayed.code,
        "kind": replayed.kind,
        "readable": replayed.readable,
        "detail": replayed.detail,
        "changes": changes,
    }


def _tell_all(found: list[dict[str, Any]], *, dry_run: bool) -> None:
    for row in found:
        _tell(row)
    changed = sum(bool(row["changes"]) for row in found)
    unreadable = tell.counted(sum(not row["readable"] for row in found), "reply", "replies")
    would = "would change" if dry_run else "changed"
    tell.line(f"{tell.counted(changed, 'article')} {would}, {unreadable} cannot be read")


def _tell(row: dict[str, Any]) -> None:
    name = row["code"] or row["kind"]
    if row["detail"] or not row["changes"]:
        state = "readable" if row["readable"] else "not readable"
        tell.line(f"{name}: {state}{': ' if row['detail'] else ''}{row['detail']}")
    for field, change in row["changes"].items():
        tell.line(f"{name}: {field}: {_short(change['old'])} -> {_short(change['new'])}")


def _short(text: str) -> str:
    line = collapse_whitespace(text)
    return repr(line if len(line) <= _LONGEST_VALUE else line[: _LONGEST_VALUE - 1] + "…")
