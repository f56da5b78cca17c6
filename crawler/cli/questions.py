"""`finews categories`, `columns`, `show` and `runs`: questions to the database."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from crawler.cli import options, tell
from crawler.cli.search import moment
from crawler.content import clock
from crawler.content.categories import bundled_categories
from crawler.content.dates import format_duration
from crawler.errors import FatalError
from crawler.items import Outcome
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME
from crawler.storage.post_files import locate_post


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also the media that are known and have no article yet.")
@options.output
@options.as_json
def categories(everything: bool, output: Path, as_json: bool) -> None:
    """The media, with their articles counted."""
    rows = _met_categories(output) if not everything or (output / DATABASE_FILE_NAME).exists() else []
    if everything:
        met = {row["slug"] for row in rows}
        unmet = (known for known in bundled_categories() if known.slug not in met)
        rows += [
            {"slug": known.slug, "media": known.media, "aliases": list(known.aliases), "articles": 0, "latest": None}
            for known in unmet
        ]
    _tell(rows, ("slug", "media", "articles", "latest"), as_json)


@click.command()
@options.output
@options.as_json
def columns(output: Path, as_json: bool) -> None:
    """The listings of each spider, counted."""
    from crawler.jobs.list_columns import load_columns  # Scrapy takes a third of a second to import

    counts: dict[str, dict[str, Any]] = {}
    if (output / DATABASE_FILE_NAME).exists():
        with Store.open_ro(output) as store:
            counts = store.articles.counts_by_column()
    rows = [
        {**column, "articles": 0, "latest": None, **counts.get(column["column_id"], {})} for column in load_columns()
    ]
    _tell(rows, ("spider", "column_id", "name", "by_default", "articles", "latest"), as_json)


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


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="The last N.")
@click.option("--gaps", is_flag=True, help="What was missed for certain between two crawls instead.")
@options.output
@options.as_json
def runs(limit: int, gaps: bool, output: Path, as_json: bool) -> None:
    """The crawls so far, newest first."""
    with Store.open_ro(output) as store:
        if gaps:
            _tell(store.coverage.latest_gaps(limit), ("run_id", "spider", "column_id", "after", "before"), as_json)
            return
        rows = [{**row, "arguments": json.loads(row["arguments"])} for row in store.runs.latest(limit)]
    _tell(rows, ("id", "spider", "started_at", "outcome", "listed", *Outcome), as_json)


def _whole(store: Store, code: str, at: datetime | None) -> dict[str, Any] | None:
    return store.articles.get_full(code) if at is None else store.search.get_full_as_of(code, at)


def _met_categories(output: Path) -> list[dict[str, Any]]:
    with Store.open_ro(output) as store:
        return [{**row, "aliases": json.loads(row["aliases"])} for row in store.categories.with_article_counts()]


def _tell(rows: list[dict[str, Any]], names: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        tell.as_value(rows)
    else:
        tell.as_table(rows, names)


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
