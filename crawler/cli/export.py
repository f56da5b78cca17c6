"""Command `finews export`: write articles as CSV, JSON Lines or Parquet."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
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
    ExportOptions,
    export_to_file,
    export_to_stream,
    parse_export_options,
)
from crawler.storage import Store


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--query", metavar="TEXT", help="Only what `finews search TEXT` finds.")
@filter_options
@click.option(
    "--format",
    "format_name",
    type=click.Choice([str(name) for name in ExportFormat]),
    help="For `-`, or whatever FILE ends in.",
)
@click.option("--gzip", "compress", is_flag=True, help="Compress what goes to `-`; a file is when it ends in .gz.")
@click.option("--excel", is_flag=True, help="CSV for Excel: codes stay text, and no cell is a formula.")
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
    """Write articles into FILE, newest first, in the form that its name ends in: .csv, .jsonl or .parquet.

    FILE may end in .csv.gz or .jsonl.gz, and `-` is standard output. `stocks` and `columns` are the stocks that an
    article links to and the columns that list it: lists in JSON and Parquet, joined by a semicolon in CSV. Times are
    ISO 8601, and timestamps in Parquet. CSV is UTF-8 and holds what is stored; with --excel it has a byte order mark,
    and an apostrophe before what a spreadsheet would take for a number, a date or a formula.
    """
    export_options = parse_export_options(file, format_name, compress=compress, excel=excel)
    with Store.open_ro(output) as store:
        request = build_search_request(store, query, filter_values)
        total = store.search.count(request)
        with _progress_bar(total) as track, closing(store.search.rows_with_relations(request)) as rows:
            _write(track(rows), file, export_options)


def _write(rows: Iterable[Any], file: str, export_options: ExportOptions) -> None:
    if file == STDOUT:
        export_to_stream(rows, sys.stdout.buffer, export_options)
        sys.stdout.buffer.flush()  # at the end of the process, nothing would report a full disk
    else:
        count = export_to_file(rows, Path(file), export_options)
        print_line(f"{pluralise(count, 'article')} in {file}")


@contextmanager
def _progress_bar(total: int) -> Iterator[Callable[[Iterable[Any]], Iterable[Any]]]:
    """A bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    # What is printed meanwhile is for standard output.
    with Progress(console=console, disable=not console.is_terminal, redirect_stdout=False) as bar:
        yield lambda rows: bar.track(rows, total=total, description="articles")
