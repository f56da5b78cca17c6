"""Command `finews show`: print one article."""

from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli.options import code_argument
from crawler.cli.output import format_withdrawal, print_json, print_line
from crawler.cli.search_options import parse_moment
from crawler.content import clock
from crawler.content.dates import format_duration
from crawler.errors import FatalError
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME
from crawler.storage.post_files import locate_post


@click.command()
@code_argument
@click.option("--html", "as_html", is_flag=True, help="Print only the HTML body, as in the post.")
@click.option("--as-of", metavar="DATE", help="Show the article as it was known then.")
@options.output
@options.as_json
def show(code: str, as_html: bool, as_of: str | None, output: Path, as_json: bool) -> None:
    """Print one article with its revisions and reprints.

    CODE is the digits of the article, with or without NW.
    """
    with Store.open_ro(output) as store:
        moment = parse_moment("as-of", as_of, clock.now())
        article = store.articles.get_full(code) if moment is None else store.search.get_full_as_of(code, moment)
    if article is None:
        raise FatalError(f"no article {code} in {output / DATABASE_FILE_NAME}{f' as of {as_of}' if as_of else ''}")
    if as_json:
        print_json(article)
    elif as_html:
        print_line(article["body_html"])
    else:
        _print_article(article, output)


def _print_article(article: dict[str, Any], output: Path) -> None:
    """Print an article with everything known of it, ending with its reprints and their delays."""
    print_line(article["title"])
    print_line(f"{article['published_at']}  {article['media']} ({article['category']})  {article['code']}")
    print_line(article["url"])
    if article["withdrawn_at"]:
        print_line(format_withdrawal(article))
    print_line()
    print_line(article["body_text"])
    print_line()
    if article["mentions"]:
        print_line("stocks: " + ", ".join(f"{mention['name']} {mention['secid']}" for mention in article["mentions"]))
    print_line(f"columns: {', '.join(article['columns'])}")
    print_line(f"post: {locate_post(output, article['post_path'])}")
    print_line(f"revision {article['revision']}, first seen {article['first_seen_at']}")
    for revision in article["revisions"]:
        print_line(f"  {revision['revision']}  seen {revision['seen_at']}  {revision['title']}")
    original, *reprints = article["story"] or [article]
    if original["code"] != article["code"]:
        seconds_later = next(reprint for reprint in reprints if reprint["code"] == article["code"])["seconds_later"]
        delay = format_duration(seconds_later)
        print_line(f"reprint, {delay} later, of {original['code']}  {original['media']}  {original['title']}")
        if len(reprints) > 1:
            print_line("also reprinted by:")
    elif reprints:
        print_line("reprinted by:")
    for reprint in reprints:
        if reprint["code"] != article["code"]:
            delay = format_duration(reprint["seconds_later"])
            print_line(f"  {reprint['media']}, {delay} later  {reprint['code']}  {reprint['title']}")
