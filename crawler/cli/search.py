"""`finews search`, `stocks` and `export`: the articles by their words and by their stocks."""

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from crawler.cli import options, tell
from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.dates import parse_bound
from crawler.errors import FatalError, UsageError
from crawler.publish.export import export_articles as export_rows
from crawler.publish.export import to_spreadsheet_cells
from crawler.storage import Store
from crawler.storage.search.candidates import MAX_RANKED_ARTICLES
from crawler.storage.search.engine import SearchHit
from crawler.storage.search.query import check_query_has_words
from crawler.storage.search.request import SearchRequest, SortOrder

_SHOWN = 20
_HIT = {True: ("\x1b[1;33m", "\x1b[0m"), False: ("【", "】")}
_UNWANTED = re.compile(r'-(?:"|[^\x00-\x7f])')
_FILTERS = ("category", "column", "since", "until", "stock", "as_of")
_COLUMNS = ("code", "title", "published_at", "media", "category", "url", "withdrawn_at", "passage")


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which articles."""
    for option in reversed(
        (
            click.option("--category", multiple=True, metavar="X", help="Only this media: slug or name. Repeatable."),
            click.option("--column", multiple=True, metavar="ID", help="Only this listing. Repeatable."),
            click.option("--since", metavar="DATE", help="2022-01-10, '2022-01-10 16:20', or an age such as 2d."),
            click.option("--until", metavar="DATE", help="Likewise; the day or minute itself is included."),
            click.option("--stock", default="", metavar="CODE", help="Only about it: 600160, 1.600160 or its name."),
            click.option("--as-of", metavar="DATE", help="Answer with what was known then, and nothing later."),
            click.option(
                "--distinct", is_flag=True, help="Of a story in several media, only the earliest that is found."
            ),
        )
    ):
        command = option(command)
    return command


def asked(store: Store, text: str | None, chosen: dict[str, Any]) -> SearchRequest:
    """The question that these options ask; `text` is None where no query was given. Raises UsageError."""
    if text is not None:
        check_query_has_words(text)
    now = clock.now()
    media = CategoryRegistry(store.categories.all())
    since, until = moment("since", chosen["since"], now), moment("until", chosen["until"], now, last=True)
    if since and until and since > until:
        raise UsageError(f"--since {chosen['since']} is after --until {chosen['until']}: swap them")
    return SearchRequest(
        text=text or "",
        categories=tuple(media.resolve(name).slug for name in chosen["category"]),
        columns=chosen["column"],
        since=since,
        until=until,
        stock=chosen["stock"].strip().upper(),
        as_of=moment("as-of", chosen["as_of"], now),
        collapse_reprints=chosen["distinct"],
    )


def moment(name: str, text: str | None, now: datetime, *, last: bool = False) -> datetime | None:
    """What a person typed for a moment. Raises UsageError."""
    try:
        return None if text is None else parse_bound(text, now, end_of_span=last)
    except ValueError as error:
        raise UsageError(f"--{name}: {error}") from error


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
