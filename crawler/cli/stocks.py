"""`finews stocks`."""

from pathlib import Path

import click

from crawler.cli import options
from crawler.cli import output as tell
from crawler.cli.search_options import _SHOWN
from crawler.errors import FatalError
from crawler.storage import Store


@click.command()
@click.argument("stock", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=_SHOWN, show_default=True, metavar="N", help="At most N.")
@options.output
@options.as_json
def stocks(stock: str | None, limit: int, output: Path, as_json: bool) -> None:
    """The stocks and boards that articles link to; or one of them, with its articles.

    STOCK is 600160, 1.600160 or a name.
    """
    with Store.open_ro(output) as store:
        if stock is None:
            rows = store.stocks.with_article_counts(limit)
            columns = ("secid", "kind", "name", "articles", "times", "first", "latest")
            tell.as_value(rows) if as_json else tell.as_table(rows, columns)
            return
        known = store.stocks.get_details(stock.strip().upper(), limit)
    if not known["stocks"]:
        raise FatalError(f"no article links to {stock!r}: `finews stocks` lists what there is")
    if as_json:
        tell.as_value(known)
        return
    tell.as_table(known["stocks"], ("secid", "kind", "name", "articles", "times", "first", "latest"))
    tell.line()
    tell.as_table(known["days"], ("day", "articles", "times"))
    tell.line()
    tell.as_table(known["articles"], ("published_at", "media", "code", "title", "count"))
