"""The options that name articles: their words, their time, their stocks."""

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

_SHOWN = 20


_FILTERS = ("category", "column", "since", "until", "stock", "as_of")


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
