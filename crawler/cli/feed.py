"""`finews feed`."""

from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli import output as tell
from crawler.cli.options import site_option
from crawler.cli.search_options import asked, filters
from crawler.publish import feeds
from crawler.storage import Store
from crawler.storage.site_links import load_site_links

_FORMS = {"atom": feeds.render_atom, "json": feeds.render_json_feed}


@click.command()
@click.option("--format", "form", type=click.Choice([*_FORMS]), default="atom", show_default=True, help="Which one.")
@click.option("--query", metavar="TEXT", help="Only what `finews search TEXT` finds.")
@filters
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="At most N.")
@click.option("--url", default="", metavar="URL", help="Where you publish it, for its link to itself.")
@options.output
@site_option
def feed(form: str, query: str | None, limit: int, url: str, output: Path, address: str, **chosen: Any) -> None:
    """The newest articles as an Atom or JSON Feed, on stdout.

    All of them, of one category, or of a search; with their full texts. What the source has withdrawn is left out.
    """
    with Store.open_ro(output) as store:
        question = asked(store, query, chosen)
        rows = feeds.select_newest(store.search.rows(question), limit)
    name = ",".join(filter(None, (*question.categories, *question.columns, question.stock, query)))
    title = " ".join(filter(None, ("finews", *chosen["category"], *chosen["column"], chosen["stock"], query)))
    tell.line(_FORMS[form](rows, feeds.FeedInfo(title, load_site_links(output, address).address, name or "all", url)))
