"""Search filters as options of commands: query words, times, media, columns, stocks."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

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
    """The options that say which articles."""
    for option in reversed(
        (
            click.option("--category", multiple=True, metavar="X", help="Only this media: slug or name. Repeatable."),
            click.option("--column", multiple=True, metavar="ID", help="Only this listing: id or name. Repeatable."),
            click.option("--since", metavar="DATE", help="2022-01-10, '2022-01-10 16:20', or an age such as 2d."),
            click.option("--until", metavar="DATE", help="Likewise; the day or minute itself is included."),
            click.option(
                "--stock", default="", metavar="CODE", help="Only about it: 600160, 600160.SH, 0700.HK, NVDA or a name."
            ),
            click.option("--as-of", metavar="DATE", help="Answer with what was known then, and nothing later."),
            click.option(
                "--distinct", is_flag=True, help="Of a story in several media, only the earliest that is found."
            ),
        )
    ):
        command = option(command)
    return command


def build_search_request(store: Store, text: str | None, filter_values: dict[str, Any]) -> SearchRequest:
    """The question that these options ask; `text` is None where no query was given. Raises UsageError."""
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
    return SearchRequest(
        text=text or "",
        categories=tuple(media.resolve(name).slug for name in filter_values["category"]),
        columns=tuple(column for text in filter_values["column"] for column in _find_column_ids(store, text)),
        since=since,
        until=until,
        stock=filter_values["stock"].strip(),
        as_of=parse_moment("as-of", filter_values["as_of"], now),
        collapse_reprints=filter_values["distinct"],
    )


def _find_column_ids(store: Store, text: str) -> list[str]:
    """What a person typed for a column: an id that articles have, or the id or name of one that a spider has."""
    if store.articles.has_column(text):
        return [text]
    from crawler.jobs.list_columns import find_column_ids  # Scrapy takes a third of a second to import

    return find_column_ids(text)


def parse_moment(option: str, text: str | None, now: datetime, *, end_of_span: bool = False) -> datetime | None:
    """What a person typed for a moment. Raises UsageError."""
    try:
        return None if text is None else parse_bound(text, now, end_of_span=end_of_span)
    except ValueError as error:
        raise UsageError(f"--{option}: {error}") from error
