"""Command `finews stocks`: list stocks and boards, or print one with its articles."""

from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.output import print_json, print_line, print_table
from crawler.cli.search_options import DEFAULT_LIMIT
from crawler.errors import FatalError
from crawler.storage import Store


@click.command()
@click.argument("stock", required=False)
@click.option(
    "--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, metavar="N", help="List at most N."
)
@options.output
@options.as_json
def stocks(stock: str | None, limit: int, output: Path, as_json: bool) -> None:
    """List the linked stocks, or show one with its articles.

    Boards that articles link to are listed, too.

    STOCK is a code (600160, 1.600160, 600160.SH, 0700.HK, NVDA) or a name.
    """
    with Store.open_ro(output) as store:
        if stock is None:
            rows = store.stocks.with_article_counts(limit)
            columns = ("secid", "kind", "name", "articles", "times", "first", "latest")
            print_json(rows) if as_json else print_table(rows, columns)
            return
        details = store.stocks.get_details(stock, limit)
    if not details["stocks"]:
        raise FatalError(f"no article links to {stock!r}: `finews stocks` lists what there is")
    if as_json:
        print_json(details)
        return
    print_table(details["stocks"], ("secid", "kind", "name", "articles", "times", "first", "latest"))
    print_line()
    print_table(details["days"], ("day", "articles", "times"))
    print_line()
    print_table(details["articles"], ("published_at", "media", "code", "title", "count"))
