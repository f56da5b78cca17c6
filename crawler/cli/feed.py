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


@click.command()
@click.option(
    "--format",
    "feed_format",
    type=click.Choice([*feeds.FEED_FORMATS]),
    default="atom",
    show_default=True,
    help="Feed format.",
)
@click.option("--query", metavar="TEXT", help="Include only matches of `finews search TEXT`.")
@filter_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="Include at most N articles.",
)
@click.option("--url", default="", metavar="URL", help="Address of the published feed, for its self link.")
@options.output
@site_address
def feed(
    feed_format: str, query: str | None, limit: int, url: str, output: Path, address: str, **filter_values: Any
) -> None:
    """Print the newest articles as an Atom, RSS 2.0 or JSON Feed.

    Entries have full texts. Withdrawn articles are left out.
    """
    with Store.open_ro(output) as store:
        request = build_search_request(store, query, filter_values)
        rows = feeds.select_newest(store.search.rows(request), limit)
    filters = {**filter_values, "q": query, "distinct": "1" if filter_values["distinct"] else ""}
    info = feeds.FeedInfo(
        load_site_links(output, address).address, {name: value for name, value in filters.items() if value}, url
    )
    print_line(feeds.FEED_FORMATS[feed_format].render(rows, info))
