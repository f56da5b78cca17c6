"""Command `finews serve`: the web view of the articles."""

from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.configuration import get_config
from crawler.cli.output import print_line
from crawler.errors import missing_extra_error


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8001, show_default=True, metavar="N", help="Port; 0: any free."
)
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a web browser.")
@click.option("--sql", "allow_sql", is_flag=True, help="Allow readers to run their own SQL.")
@options.output
def serve(host: str, port: int, open_browser: bool, allow_sql: bool, output: Path) -> None:
    """Browse and search the articles in a web browser.

    The web view also works while a crawl runs. It is read-only and can be reached only from this machine, unless --host
    names another address. SQL of readers is stopped after a second, or if it takes too much memory. Stop the server
    with Ctrl-C.
    """
    try:
        from crawler.publish.web import server
        from crawler.publish.web.health_views import health_config
    except ModuleNotFoundError as error:
        raise missing_extra_error(f"serve needs {error.name}", "serve") from error
    config = get_config(click.get_current_context())
    plugins = health_config(config["max_age"], config["crawl"] if config.is_set("crawl") else None)
    server.serve(output, host, port, print_line, open_browser=open_browser, allow_sql=allow_sql, plugins=plugins)
