"""Commands `finews rebuild posts`, `db`, `search` and `reprints`."""

import sys
from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.options import site_address
from crawler.cli.output import pluralise, print_line


@click.group()
def rebuild() -> None:
    """Rebuild posts, the database, or an index.

    Posts are rebuilt from the database, the database from the posts, the search and reprint indexes from the articles.
    """


@rebuild.command(name="posts")
@click.option(
    "--into",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write to DIR, an empty folder, instead of the output folder.",
)
@options.output
@site_address
def rebuild_posts(into: Path | None, output: Path, address: str) -> None:
    """Write every post from its row, byte for byte as crawls write it.

    Posts go to the output folder, or to an empty folder with --into. Posts that are up to date are not changed.
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
    help="Folder that contains _posts.  [default: the output folder]",
)
@options.output
@site_address
def rebuild_db(source: Path | None, output: Path, address: str) -> None:
    """Rebuild news.db from the posts and from the readable parts of the old database.

    Articles, categories and mentions come from the posts. The old database is kept next to the new one as
    news.db.before-rebuild-TIME, even if it is damaged.

    \b
    Data that is not in posts is copied from the old database:
      runs, entries, quarantine, and every table not named here else: none
      columns and revisions of an article, raw responses        else: none
      your own tables, columns, indexes, views and triggers     else: none
      summary                                                   else: empty
      source     else: choice where the post links to a share page, eastmoney elsewhere
      first_seen_at                                             else: the publication time
      revision, changed_at, withdrawn_at                        else: 1, none, none

    The name of a category unknown to the old database and to finews is the tag of its first post. Articles without a
    post are left out, except those whose crawl was stopped before writing the post. Exit code 3 if posts or parts of
    a damaged database could not be read: each is reported.
    """  # noqa: D301  # click keeps the line breaks of a paragraph marked by a backspace character
    from crawler.jobs import rebuild as body

    result = body.rebuild_database(output, address, source)
    for path, reason in result.unreadable_posts.items():
        print_line(f"finews: {path}: {reason}", err=True)
    for fault in result.faults:
        print_line(f"finews: not carried over: {fault}", err=True)
    origin_note = "with the data of the old database" if result.carried_over else "from posts alone"
    print_line(f"{pluralise(result.article_count, 'article')} in {output}/news.db, {origin_note}")
    sys.exit(3 if result.unreadable_posts or result.faults else 0)


@rebuild.command(name="search")
@options.output
def rebuild_search(output: Path) -> None:
    """Rebuild the search index from the articles.

    Every change of an article updates the index: this is for a damaged database, or to shrink the index.
    """
    from crawler.jobs import rebuild as body

    print_line(f"{pluralise(body.rebuild_search_index(output), 'article')} in the search index")


@rebuild.command(name="reprints")
@options.output
def rebuild_reprints(output: Path) -> None:
    """Search all articles for reprints of one another.

    Every crawl does this for changed articles: this is for a damaged database.
    """
    from crawler.jobs import rebuild as body

    print_line(f"{pluralise(body.rebuild_reprint_clusters(output), 'article')} compared")
