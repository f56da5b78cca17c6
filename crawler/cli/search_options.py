"""Search filters as options of commands: query words, times, media, columns, stocks."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from crawler.cli import options
from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.dates import parse_bound
from crawler.errors import UsageError
from crawler.storage import Store
from crawler.storage.search.query import check_query_has_words
from crawler.storage.search.request import SearchRequest

DEFAULT_LIMIT = 20
_FILTER_NAMES = ("category", "column", "since", "until", "stock", "as_of")


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filter options of a search to a command."""
    for option in reversed(
        (
            click.option(
                "--category", multiple=True, metavar="X", help="Include only this media: slug or name. Repeatable."
            ),
            click.option(
                "--column", multiple=True, metavar="ID", help="Include only this listing: id or name. Repeatable."
            ),
            options.since,
            options.until,
            click.option(
                "--stock", default="", metavar="CODE", help="Stock: 600160, 600160.SH, 0700.HK, NVDA or a name."
            ),
            click.option("--as-of", metavar="DATE", help="Use only what was known at that time."),
            click.option("--distinct", is_flag=True, help="Include only the earliest match of each group of reprints."),
        )
    ):
        command = option(command)
    return command


def build_search_request(store: Store, text: str | None, filter_values: dict[str, Any]) -> SearchRequest:
    """Return the search for a query (None if not given) and the values of the filter options.

    Raises UsageError for a query without words, and for an unknown media or column or an invalid date.
    """
    if text is not None:
        check_query_has_words(text)
    now = clock.now()
    media = CategoryRegistry(store.categories.all())
    since, until = (
        parse_moment("since", filter_values["since"], now),
        parse_moment("until", filter_values["until"], now, end_of_span=True),
    )
    if since and until and since > until:
        raise UsageError(f"--since {filter_values['since']} is after --until {filter_values['until']}: swap them")
    categories = tuple(media.resolve(name).slug for name in filter_values["category"])
    columns = []
    for column in filter_values["column"]:
        if store.articles.has_column(column):
            columns.append(column)
        else:
            from crawler.jobs.list_columns import find_column_ids  # imports Scrapy, which is slow

            columns += find_column_ids(column)
    return SearchRequest(
        text=text or "",
        categories=categories,
        columns=tuple(columns),
        since=since,
        until=until,
        stock=filter_values["stock"].strip(),
        as_of=parse_moment("as-of", filter_values["as_of"], now),
        collapse_reprints=filter_values["distinct"],
    )


def parse_moment(option: str, text: str | None, now: datetime, *, end_of_span: bool = False) -> datetime | None:
    """Return the time for a date or age given to an option. Raises UsageError, naming the option, if it is neither."""
    try:
        return None if text is None else parse_bound(text, now, end_of_span=end_of_span)
    except ValueError as error:
        raise UsageError(f"--{option}: {error}") from error
