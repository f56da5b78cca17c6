"""`finews show`."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli import output as tell
from crawler.cli.search_options import moment
from crawler.content import clock
from crawler.content.dates import format_duration
from crawler.errors import FatalError
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME
from crawler.storage.post_files import locate_post


@click.command()
@click.argument("code")
@click.option("--html", "as_html", is_flag=True, help="Only the body, as the post has it.")
@click.option("--as-of", metavar="DATE", help="The article as it was known then.")
@options.output
@options.as_json
def show(code: str, as_html: bool, as_of: str | None, output: Path, as_json: bool) -> None:
    """One article, with its revisions and stocks, and who else printed it, and when.

    CODE is its digits, with or without NW.
    """
    with Store.open_ro(output) as store:
        article = _whole(store, code.strip().upper().removeprefix("NW"), moment("as-of", as_of, clock.now()))
    if article is None:
        raise FatalError(f"no article {code} in {output / DATABASE_FILE_NAME}{f' as of {as_of}' if as_of else ''}")
    if as_json:
        tell.as_value(article)
    elif as_html:
        tell.line(article["body_html"])
    else:
        _tell_article(article, output)


def _whole(store: Store, code: str, at: datetime | None) -> dict[str, Any] | None:
    return store.articles.get_full(code) if at is None else store.search.get_full_as_of(code, at)


def _tell_article(article: dict[str, Any], output: Path) -> None:
    tell.line(article["title"])
    tell.line(f"{article['published_at']}  {article['media']} ({article['category']})  {article['code']}")
    tell.line(article["url"])
    if article["withdrawn_at"]:
        tell.line(tell.withdrawn(article))
    tell.line()
    tell.line(article["body_text"])
    tell.line()
    if article["mentions"]:
        tell.line("stocks: " + ", ".join(f"{found['name']} {found['secid']}" for found in article["mentions"]))
    tell.line(f"columns: {', '.join(article['columns'])}")
    tell.line(f"post: {locate_post(output, article['post_path'])}")
    tell.line(f"revision {article['revision']}, first seen {article['first_seen_at']}")
    for old in article["revisions"]:
        tell.line(f"  {old['revision']}  seen {old['seen_at']}  {old['title']}")
    for line in _story(article):
        tell.line(line)


def _story(article: dict[str, Any]) -> Iterator[str]:
    """Who printed it first, where that is another, and who else did, how much later."""
    first, *reprints = article["story"] or [article]
    if first["code"] != article["code"]:
        later = next(each for each in reprints if each["code"] == article["code"])["seconds_later"]
        yield f"reprint, {format_duration(later)} later, of {first['code']}  {first['media']}  {first['title']}"
        if len(reprints) > 1:
            yield "also reprinted by:"
    elif reprints:
        yield "reprinted by:"
    for each in reprints:
        if each["code"] != article["code"]:
            yield f"  {each['media']}, {format_duration(each['seconds_later'])} later  {each['code']}  {each['title']}"
