"""Command `finews runs`: list the recorded crawls and their outcomes."""

import json
from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.output import print_rows
from crawler.items import Outcome
from crawler.storage import Store


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="List at most N.")
@click.option("--gaps", is_flag=True, help="List gaps instead: spans with entries certainly missed.")
@options.output
@options.as_json
def runs(limit: int, gaps: bool, output: Path, as_json: bool) -> None:
    """List the crawls so far, newest first, with their outcomes."""
    with Store.open_ro(output) as store:
        if gaps:
            print_rows(store.coverage.latest_gaps(limit), ("run_id", "spider", "column_id", "after", "before"), as_json)
            return
        rows = [{**row, "arguments": json.loads(row["arguments"])} for row in store.runs.latest(limit)]
    print_rows(rows, ("id", "spider", "started_at", "outcome", "listed", *Outcome), as_json)
