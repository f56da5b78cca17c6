"""Command `finews serve`: the web view of the articles."""

from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.output import print_line
from crawler.errors import missing_extra_error


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8001, show_default=True, metavar="N", help="0: any.")
@click.option("--open", "open_browser", is_flag=True, help="Show it in a web browser.")
@click.option("--sql", "allow_sql", is_flag=True, help="Let readers type SQL of their own.")
@options.output
def serve(host: str, port: int, open_browser: bool, allow_sql: bool, output: Path) -> None:
    """Browse and search the database in a web browser, also while a crawl runs.

    Nothing can be changed through it. Only this machine can reach it, unless --host says otherwise. A reader's SQL
    reads tables and views, and is stopped when it takes over a second or too much memory. Ctrl-C ends it.
    """
    try:
        from crawler.publish.web import server
    except ModuleNotFoundError as error:
        raise missing_extra_error(f"serve needs {error.name}", "serve") from error
    server.serve(output, host, port, print_line, open_browser=open_browser, allow_sql=allow_sql)
