"""Command `finews export`: write articles as CSV, JSON Lines or Parquet."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from crawler.cli import options
from crawler.cli.output import pluralise, print_line
from crawler.cli.search_options import build_search_request, filter_options
from crawler.publish.export import (
    STDOUT,
    ExportFormat,
    export_to_file,
    export_to_stream,
    parse_export_options,
)
from crawler.storage import Store


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--query", metavar="TEXT", help="Export only matches of `finews search TEXT`.")
@filter_options
@click.option(
    "--format",
    "format_name",
    type=click.Choice([str(name) for name in ExportFormat]),
    help="File type of `-`, or instead of the one that the name of FILE ends in.",
)
@click.option(
    "--gzip",
    "compress",
    is_flag=True,
    help="Compress the output to `-`; files are compressed if their name ends in .gz.",
)
@click.option("--excel", is_flag=True, help="Write CSV for Excel: codes stay text, no cell is a formula.")
@options.output
def export(
    file: str,
    query: str | None,
    format_name: str | None,
    compress: bool,
    excel: bool,
    output: Path,
    **filter_values: Any,
) -> None:
    """Write articles to a file, newest first.

    The name of FILE ends in .csv, .jsonl, .parquet, .csv.gz or .jsonl.gz; `-` is standard output. `stocks` and
    `columns` are the stocks that an article links to and the columns that list it: lists in JSON and Parquet, joined by
    a semicolon in CSV. Times are ISO 8601, and timestamps in Parquet. CSV is UTF-8 with the stored values; --excel adds
    a byte order mark, and an apostrophe before each value that a spreadsheet would read as a number, a date or a
    formula.
    """
    export_options = parse_export_options(file, format_name, compress=compress, excel=excel)
    with Store.open_ro(output) as store:
        request = build_search_request(store, query, filter_values)
        total = store.search.count(request)
        console = Console(stderr=True)
        with (
            # The bar must not redirect stdout, which may receive the export.
            Progress(console=console, disable=not console.is_terminal, redirect_stdout=False) as bar,
            closing(store.search.rows_with_relations(request)) as stored_rows,
        ):
            rows = bar.track(stored_rows, total=total, description="articles")
            if file == STDOUT:
                export_to_stream(rows, sys.stdout.buffer, export_options)
                sys.stdout.buffer.flush()  # a full disk at the exit of the process would not be reported
            else:
                count = export_to_file(rows, Path(file), export_options)
                print_line(f"{pluralise(count, 'article')} in {file}")
