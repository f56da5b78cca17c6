"""Command `finews export`: write articles as CSV, JSON Lines or Parquet."""

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
from crawler.publish.export import export_articles as export_rows
from crawler.storage import Store


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--query", metavar="TEXT", help="Only what `finews search TEXT` finds.")
@filter_options
@options.output
def export(file: Path, query: str | None, output: Path, **filter_values: Any) -> None:
    """Write articles into FILE, newest first, in the form that its name ends in: .csv, .jsonl or .parquet.

    In CSV, a cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    with Store.open_ro(output) as store:
        request = build_search_request(store, query, filter_values)
        with _progress_bar(store.search.count(request)) as track, closing(store.search.rows(request)) as rows:
            count = export_rows(track(rows), file)
    print_line(f"{pluralise(count, 'article')} in {file}")


@contextmanager
def _progress_bar(total: int) -> Iterator[Callable[[Iterable[Any]], Iterable[Any]]]:
    """A bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        yield lambda rows: bar.track(rows, total=total, description="articles")
