"""`finews search`, `stocks` and `export`: the articles by their words and by their stocks."""

import csv
import io
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli import output as tell
from crawler.cli.search_options import _FILTERS, _SHOWN, asked, filters
from crawler.errors import UsageError
from crawler.publish.export import to_spreadsheet_cells
from crawler.storage import Store
from crawler.storage.search.candidates import MAX_RANKED_ARTICLES
from crawler.storage.search.engine import SearchHit
from crawler.storage.search.request import SearchRequest, SortOrder

_HIT = {True: ("\x1b[1;33m", "\x1b[0m"), False: ("【", "】")}
_UNWANTED = re.compile(r'-(?:"|[^\x00-\x7f])')
_COLUMNS = ("code", "title", "published_at", "media", "category", "url", "withdrawn_at", "passage")


class _Words(click.Command):
    """A command whose arguments are words, also unwanted ones, which begin as options do.

    No option begins with `-涨` or `-"`: that is a word, and the query reads a wide minus as it reads a narrow one.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises UsageError."""
        values = {name for each in self.get_params(ctx) if not getattr(each, "is_flag", False) for name in each.opts}
        before = ["", *args]
        words = [
            f"－{arg[1:]}" if _UNWANTED.match(arg) and last not in values else arg
            for last, arg in zip(before, args, strict=False)
        ]
        try:
            return super().parse_args(ctx, words)
        except click.NoSuchOption as error:
            if error.option_name.startswith("--"):
                raise
            hint = "An unwanted word of Latin letters or digits is typed after `--`."
            raise click.NoSuchOption(error.option_name, f"{error.message} {hint}", ctx=ctx) from error


@click.command(cls=_Words)
@click.argument("query", nargs=-1)
@filters
@click.option(
    "--sort",
    type=click.Choice([str(sort) for sort in SortOrder]),
    default=str(SortOrder.NEWEST),
    show_default=True,
    help="What comes first.",
)
@click.option("--limit", type=click.IntRange(min=1), default=_SHOWN, show_default=True, metavar="N", help="At most N.")
@click.option("--count", "only_count", is_flag=True, help="Only how many there are, of any number.")
@click.option("--csv", "as_csv", is_flag=True, help="Lines for a spreadsheet.")
@options.output
@options.as_json
def search(query: tuple[str, ...], only_count: bool, as_csv: bool, output: Path, as_json: bool, **chosen: Any) -> None:
    """Find every part of a title or a text.

    Several words are all wanted, "…" is a phrase, -word is unwanted (one of Latin letters or digits after `--`, as in
    `finews search -- 央行 -ETF`), OR stands between alternatives. Width and case do not count. A stock's or article's
    code finds its articles. Withdrawn articles are found, and marked. Without a QUERY, a filter is wanted.
    """
    if not query and not any(chosen[name] for name in _FILTERS):
        raise UsageError("a query or a filter is wanted: see `finews search --help`")
    with Store.open_ro(output) as store:
        question = asked(store, " ".join(query) if query else None, chosen)
        if only_count:
            number = store.search.count(question)
            tell.as_value({"count": number}) if as_json else tell.line(str(number))
            return
        found = list(store.search.hits(_limited(question, chosen)))
    if as_json:
        tell.as_value(
            [{**each.article, "passage": each.snippet.text, "hits": each.snippet.highlights} for each in found]
        )
    elif as_csv:
        tell.line(_as_csv(found))
    else:
        _tell(found, chosen)


def _limited(question: SearchRequest, chosen: dict[str, Any]) -> SearchRequest:
    return replace(question, sort=SortOrder(chosen["sort"]), limit=chosen["limit"])


def _as_csv(found: list[SearchHit]) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(to_spreadsheet_cells({**each.article, "passage": each.snippet.text}, _COLUMNS) for each in found)
    return lines.getvalue().rstrip("\n")


def _tell(found: list[SearchHit], chosen: dict[str, Any]) -> None:
    coloured = sys.stdout.isatty()
    for each in found:
        row = each.article
        gone = "  withdrawn" if row["withdrawn_at"] else ""
        tell.marked_line(each.title.segments(), _HIT[coloured])
        tell.line(f"  {tell.minute(row['published_at'])}  {row['media']}  {row['code']}{gone}")
        tell.marked_line(each.snippet.segments(), _HIT[coloured], indent="  ")
    if not found:
        tell.line("nothing found", err=True)
    elif len(found) == chosen["limit"]:
        best = f", the best of the newest {MAX_RANKED_ARTICLES}" if chosen["sort"] == SortOrder.RELEVANCE else ""
        tell.line(f"the first {len(found)}{best}: --limit shows more, --count tells how many", err=True)
