"""`finews verify`, `rebuild` and `import`: what keeps posts and rows in agreement, and takes posts in."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crawler.cli import options, tell
from crawler.items import Outcome
from crawler.storage.site_links import load_site_links

if TYPE_CHECKING:
    from crawler.jobs.verify import Mismatch, VerifyReport

site_option = click.option(
    "--site",
    "address",
    default="",
    metavar="ADDRESS",
    help="The site that the posts link back to, e.g. //news.example.org.  [default: the output folder's own]",
)


@click.command()
@click.option("--repair", "mend", is_flag=True, help="Mend what is certain; exit code 75 while a crawl runs.")
@options.output
@site_option
@options.as_json
def verify(mend: bool, output: Path, address: str, as_json: bool) -> None:
    """Do posts and rows agree?

    Names each post that is missing, different, extra (no row is for it) or unfinished, and each article that the index
    of words (unindexed) or its story of reprints (unlinked) does not hold as it is; exit code 1 when any remains. It
    only reads, and works beside a crawl. --repair writes missing and different posts from their rows, indexes, links,
    and removes unfinished files; an extra file is told and never deleted.
    """
    from crawler.jobs import verify  # it shares the ledger with crawls, and Scrapy takes a third of a second to import

    report = (verify.repair_output if mend else verify.verify_output)(output, load_site_links(output, address))
    if as_json:
        tell.as_value(_as_value(report))
    else:
        _tell_report(report)
    sys.exit(1 if report.mismatches else 0)


@click.group()
def rebuild() -> None:
    """Make posts anew from the rows, the database from the posts, or what is found out of the articles."""


@rebuild.command(name="posts")
@click.option("--into", metavar="DIR", type=click.Path(path_type=Path), help="An empty folder to write them into.")
@options.output
@site_option
def rebuild_posts(into: Path | None, output: Path, address: str) -> None:
    """Write every post from its row: the same bytes that the crawls wrote.

    They go where they belong, or into an empty folder. Posts that are right already are not touched.
    """
    from crawler.jobs import rebuild as body

    written = body.rewrite_posts(output, load_site_links(output, address), into)
    tell.line(f"{tell.counted(written, 'post')} written into {into or output}/_posts")


@rebuild.command(name="db")
@click.option(
    "--from",
    "source",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder that holds _posts.  [default: the output folder]",
)
@options.output
@site_option
def rebuild_db(source: Path | None, output: Path, address: str) -> None:
    """Make news.db anew from the posts.

    Articles, categories and mentions follow from the posts alone. The old database is kept beside the new one as
    news.db.before-rebuild-TIME.

    
    What posts do not say is copied from the old database where that can be read:
      runs, entries, quarantine, and every table not named here else: none
      columns and revisions of an article, raw replies          else: none
      summary                                                   else: empty
      source     else: choice where the post links to a share page, eastmoney elsewhere
      first_seen_at                                             else: the publication time
      revision, changed_at, withdrawn_at                        else: 1, none, none

    A category's name is the one that its first post is tagged with, where neither the old database nor the package
    knows it. Exit code 3 when posts could not be read: each is named, and has no row then.
    """
    from crawler.jobs import rebuild as body

    rebuilt = body.rebuild_database(output, load_site_links(output, address), source)
    for path, reason in rebuilt.unreadable_posts.items():
        tell.line(f"finews: {path}: {reason}", err=True)
    beside = "with what the old database knew beside them" if rebuilt.carried_over else "from posts alone"
    tell.line(f"{tell.counted(rebuilt.article_count, 'article')} in {output}/news.db, {beside}")
    sys.exit(3 if rebuilt.unreadable_posts else 0)


@rebuild.command(name="search")
@options.output
def rebuild_search(output: Path) -> None:
    """Make the index of words anew from the articles.

    It follows every change by itself: this is for a database that was damaged, or to make it small again.
    """
    from crawler.jobs import rebuild as body

    tell.line(f"{tell.counted(body.rebuild_search_index(output), 'article')} in the index of words")


@rebuild.command(name="reprints")
@options.output
def rebuild_reprints(output: Path) -> None:
    """Look anew for the articles that are reprints of one another.

    Every crawl does so for what has changed: this is for a database that was damaged.
    """
    from crawler.jobs import rebuild as body

    tell.line(f"{tell.counted(body.rebuild_reprint_clusters(output), 'article')} compared")


@click.command(name="import")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@options.output
@site_option
@options.as_json
def import_posts(folder: Path, output: Path, address: str, as_json: bool) -> None:
    """Take in the posts of an old site, below DIR.

    They are cleaned and filed like crawled articles, under our paths. What the database has already is not touched,
    and an article that DIR holds twice is taken once. A file that is no article is named with the reason: exit code 3.
    """
    from crawler.jobs import import_posts

    imported = import_posts.import_folder(folder, output, load_site_links(output, address))
    if as_json:
        reported = [{"path": path, "reason": reason} for path, reason in imported.rejected_files.items()]
        arguments = {"folder": str(folder)}
        tell.as_value({**imported.run, "arguments": arguments, "output": str(output), "reported": reported})
    else:
        counts = ", ".join(f"{imported.run[name]} {name}" for name in Outcome if imported.run[name])
        tell.line(f"import: {tell.counted(imported.run['listed'], 'file')}: {counts or 'nothing'}")
        tell.line(f"posts in {output}/_posts, rows in {output}/news.db")
    for path, reason in imported.rejected_files.items():
        tell.line(f"finews: not imported: {path}: {reason}", err=True)
    sys.exit(3 if imported.rejected_files else 0)


def _as_value(report: "VerifyReport") -> dict[str, object]:
    return {
        "agree": report.matching_posts,
        "disagreements": [each.as_dict() for each in report.mismatches],
        "mended": [each.as_dict() for each in report.repaired],
    }


def _tell_report(report: "VerifyReport") -> None:
    for each in report.repaired:
        tell.line(f"mended: {_in_a_line(each)}")
    for each in report.mismatches:
        tell.line(_in_a_line(each))
    told = [tell.counted(report.matching_posts, "post agrees with its row", "posts agree with their rows")]
    if of_posts := len(report.mismatches) - report.derived_count:
        told.append(tell.counted(of_posts, "disagreement"))
    if report.derived_count:
        told.append(f"{tell.counted(report.derived_count, 'article')} to be indexed or linked")
    tell.line(", ".join(told))


def _in_a_line(each: "Mismatch") -> str:
    shown = each.as_dict()
    detail = f" ({shown['detail']})" if shown["detail"] else ""
    return " ".join(filter(None, (shown["kind"], shown["path"], shown["code"], shown["title"]))) + detail
