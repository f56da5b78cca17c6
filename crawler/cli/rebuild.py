"""Commands `finews rebuild posts`, `db`, `search` and `reprints`."""

import sys
from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.options import site_address
from crawler.cli.output import pluralise, print_line


@click.group()
def rebuild() -> None:
    """Make posts anew from the rows, the database from the posts, or what is found out of the articles."""


@rebuild.command(name="posts")
@click.option("--into", metavar="DIR", type=click.Path(path_type=Path), help="An empty folder to write them into.")
@options.output
@site_address
def rebuild_posts(into: Path | None, output: Path, address: str) -> None:
    """Write every post from its row: the same bytes that the crawls wrote.

    They go where they belong, or into an empty folder. Posts that are right already are not touched.
    """
    from crawler.jobs import rebuild as body

    written = body.rewrite_posts(output, address, into)
    print_line(f"{pluralise(written, 'post')} written into {into or output}/_posts")


@rebuild.command(name="db")
@click.option(
    "--from",
    "source",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder that holds _posts.  [default: the output folder]",
)
@options.output
@site_address
def rebuild_db(source: Path | None, output: Path, address: str) -> None:
    """Make news.db again, of the posts and of what can be read of the old one.

    Articles, categories and mentions are as the posts say. The old database is kept next to the new one as
    news.db.before-rebuild-TIME, also where it is damaged.

    \b
    What posts do not say is copied from the old database:
      runs, entries, quarantine, and every table not named here else: none
      columns and revisions of an article, raw replies          else: none
      your own tables, columns, indexes, views and triggers     else: none
      summary                                                   else: empty
      source     else: choice where the post links to a share page, eastmoney elsewhere
      first_seen_at                                             else: the publication time
      revision, changed_at, withdrawn_at                        else: 1, none, none

    A category's name is the one that its first post is tagged with, where neither the old database nor the package
    knows it. An article that has no post is left out, unless a crawl was stopped before it wrote the post. Exit code 3
    when posts, or parts of a damaged database, could not be read: each is named.
    """
    from crawler.jobs import rebuild as body

    result = body.rebuild_database(output, address, source)
    for path, reason in result.unreadable_posts.items():
        print_line(f"finews: {path}: {reason}", err=True)
    for fault in result.faults:
        print_line(f"finews: not carried over: {fault}", err=True)
    origin_note = "with what the old database held" if result.carried_over else "from posts alone"
    print_line(f"{pluralise(result.article_count, 'article')} in {output}/news.db, {origin_note}")
    sys.exit(3 if result.unreadable_posts or result.faults else 0)


@rebuild.command(name="search")
@options.output
def rebuild_search(output: Path) -> None:
    """Make the index of words anew from the articles.

    It follows every change by itself: this is for a database that was damaged, or to make it small again.
    """
    from crawler.jobs import rebuild as body

    print_line(f"{pluralise(body.rebuild_search_index(output), 'article')} in the index of words")


@rebuild.command(name="reprints")
@options.output
def rebuild_reprints(output: Path) -> None:
    """Look anew for the articles that are reprints of one another.

    Every crawl does so for what has changed: this is for a database that was damaged.
    """
    from crawler.jobs import rebuild as body

    print_line(f"{pluralise(body.rebuild_reprint_clusters(output), 'article')} compared")
