"""Command `finews feed`: print a feed of the newest articles."""

from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli.options import site_address
from crawler.cli.output import print_line
from crawler.cli.search_options import build_search_request, filter_options
from crawler.publish import feeds
from crawler.storage import Store
from crawler.storage.site_links import load_site_links

_RENDERERS = {"atom": feeds.render_atom, "json": feeds.render_json_feed}


@click.command()
@click.option(
    "--format", "feed_format", type=click.Choice([*_RENDERERS]), default="atom", show_default=True, help="Which one."
)
@click.option("--query", metavar="TEXT", help="Only what `finews search TEXT` finds.")
@filter_options
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="At most N.")
@click.option("--url", default="", metavar="URL", help="Where you publish it, for its link to itself.")
@options.output
@site_address
def feed(
    feed_format: str, query: str | None, limit: int, url: str, output: Path, address: str, **filter_values: Any
) -> None:
    """The newest articles as an Atom or JSON Feed, on stdout.

    All of them, of one category, or of a search; with their full texts. What the source has withdrawn is left out.
    """
    with Store.open_ro(output) as store:
        request = build_search_request(store, query, filter_values)
        rows = feeds.select_newest(store.search.rows(request), limit)
    name = ",".join(filter(None, (*request.categories, *request.columns, request.stock, query)))
    title = " ".join(
        filter(None, ("finews", *filter_values["category"], *filter_values["column"], filter_values["stock"], query))
    )
    print_line(
        _RENDERERS[feed_format](
            rows, feeds.FeedInfo(title, load_site_links(output, address).address, name or "all", url)
        )
    )
