"""`finews export`."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from crawler.cli import options
from crawler.cli import output as tell
from crawler.cli.search_options import asked, filters
from crawler.publish.export import export_articles as export_rows
from crawler.storage import Store


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--query", metavar="TEXT", help="Only what `finews search TEXT` finds.")
@filters
@options.output
def export(file: Path, query: str | None, output: Path, **chosen: Any) -> None:
    """Write articles into FILE, newest first, in the form that its name ends in: .csv, .jsonl or .parquet.

    In CSV, a cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    with Store.open_ro(output) as store:
        question = asked(store, query, chosen)
        with _progress(store.search.count(question)) as seen, closing(store.search.rows(question)) as rows:
            written = export_rows(seen(rows), file)
    tell.line(f"{tell.counted(written, 'article')} in {file}")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Iterable[Any]], Iterable[Any]]]:
    """A bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        yield lambda rows: bar.track(rows, total=total, description="articles")
