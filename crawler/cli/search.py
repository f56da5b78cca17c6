"""Command `finews search`: full-text search over the articles."""

import csv
import io
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli.output import format_minute, pluralise, print_highlighted_line, print_json, print_line
from crawler.cli.search_hints import NOTE_TEXTS, SUGGESTION_TEXTS
from crawler.cli.search_options import _FILTER_NAMES, DEFAULT_LIMIT, build_search_request, filter_options
from crawler.errors import UsageError
from crawler.publish.export import to_spreadsheet_cells
from crawler.storage import Store
from crawler.storage.search.candidates import MAX_RANKED_ARTICLES
from crawler.storage.search.engine import SearchHit
from crawler.storage.search.query import parse_query
from crawler.storage.search.request import SearchRequest, SortOrder
from crawler.storage.search.suggestions import suggest

_HIGHLIGHT_MARKERS = {True: ("\x1b[1;33m", "\x1b[0m"), False: ("【", "】")}
_EXCLUDED_WORD = re.compile(r'-(?:"|[^\x00-\x7f])')
_CSV_COLUMNS = ("code", "title", "published_at", "media", "category", "url", "withdrawn_at", "passage")


class _QueryCommand(click.Command):
    """Command whose query may contain excluded words, which begin with `-` as options do.

    No option begins with `-涨` or `-"`, so their minus is replaced by a full-width one, which the query parser accepts
    as well. Click's `ignore_unknown_options` would silently search for misspelt options such as `--limti 5`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Raises UsageError."""
        options_with_value = {
            name for option in self.get_params(ctx) if not getattr(option, "is_flag", False) for name in option.opts
        }
        previous_args = ["", *args]
        escaped_args = [
            f"－{arg[1:]}" if _EXCLUDED_WORD.match(arg) and previous_arg not in options_with_value else arg
            for previous_arg, arg in zip(previous_args, args, strict=False)
        ]
        try:
            return super().parse_args(ctx, escaped_args)
        except click.NoSuchOption as error:
            if error.option_name.startswith("--"):
                raise
            hint = "Type an excluded word of Latin letters or digits after `--`."
            raise click.NoSuchOption(error.option_name, f"{error.message} {hint}", ctx=ctx) from error


@click.command(cls=_QueryCommand)
@click.argument("query", nargs=-1)
@filter_options
@click.option(
    "--sort",
    type=click.Choice([str(sort) for sort in SortOrder]),
    default=str(SortOrder.NEWEST),
    show_default=True,
    help="Sort order.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    show_default=True,
    metavar="N",
    help="Print at most N.",
)
@click.option(
    "--offset", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Skip the first N."
)
@click.option("--count", "only_count", is_flag=True, help="Print only the number of matches; --limit does not apply.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for a spreadsheet.")
@options.output
@options.as_json
def search(
    query: tuple[str, ...], only_count: bool, as_csv: bool, output: Path, as_json: bool, **filter_values: Any
) -> None:
    """Search the titles and texts of articles.

    All words must occur, and any part of a word matches; "…" is a phrase, -word excludes (Latin letters or digits only
    after `--`, as in `finews search -- 央行 -ETF`), OR separates alternatives, brackets group, title:word searches only
    titles. Width, case, traditional forms and spaces in names are ignored. A stock's or article's code finds its
    articles. Withdrawn articles are included and marked. Without QUERY, a filter is required.
    """
    if not query and not any(filter_values[name] for name in _FILTER_NAMES):
        raise UsageError("no query and no filter: give one, see `finews search --help`")
    with Store.open_ro(output) as store:
        request = build_search_request(store, " ".join(query) if query else None, filter_values)
        for note in parse_query(request.text).notes:
            print_line(f"note: {NOTE_TEXTS[note]}", err=True)
        if only_count:
            count = store.search.count(request)
            print_json({"count": count}) if as_json else print_line(str(count))
            return
        request = replace(
            request,
            sort=SortOrder(filter_values["sort"]),
            limit=filter_values["limit"],
            offset=filter_values["offset"],
        )
        hits = list(store.search.hits(request))
        hints = _find_hints(store, request, hits)
    if as_json:
        print_json([{**hit.article, "passage": hit.snippet.text, "hits": hit.snippet.highlights} for hit in hits])
    elif as_csv:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(_CSV_COLUMNS)
        writer.writerows(
            to_spreadsheet_cells({**hit.article, "passage": hit.snippet.text}, _CSV_COLUMNS) for hit in hits
        )
        print_line(buffer.getvalue().rstrip("\n"))
    else:
        _print_hits(hits)
    if not (hits and (as_json or as_csv)):
        for hint in hints:
            print_line(hint, err=True)


def _find_hints(store: Store, request: SearchRequest, hits: list[SearchHit]) -> list[str]:
    """Return hints: how to see more hits, or what to try if there are none."""
    if not hits and request.offset and (count := store.search.count(request)):
        return [f"{pluralise(count, 'article')} found, --offset {request.offset} skips all of them"]
    if not hits:
        return ["nothing found", *map(SUGGESTION_TEXTS.describe, suggest(store.search, store.stocks, request))]
    if len(hits) < (request.limit or 0):
        return []
    shown = f"{request.offset + 1} to {request.wanted_rows}" if request.offset else f"the first {len(hits)}"
    ranking_note = f", the best of the newest {MAX_RANKED_ARTICLES}" if request.sort is SortOrder.RELEVANCE else ""
    more = f"--offset {request.wanted_rows} shows the next"
    return [f"{shown}{ranking_note}: {more}, --limit more at once, --count how many there are"]


def _print_hits(hits: list[SearchHit]) -> None:
    """Print title, source and passage of each hit, with matches coloured on a terminal, else in brackets."""
    is_terminal = sys.stdout.isatty()
    for hit in hits:
        row = hit.article
        withdrawn_mark = "  withdrawn" if row["withdrawn_at"] else ""
        print_highlighted_line(hit.title.segments(), _HIGHLIGHT_MARKERS[is_terminal])
        print_line(f"  {format_minute(row['published_at'])}  {row['media']}  {row['code']}{withdrawn_mark}")
        print_highlighted_line(hit.snippet.segments(), _HIGHLIGHT_MARKERS[is_terminal], indent="  ")
