"""Command `finews verify`: compare the posts with the database, and repair them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crawler.cli import options
from crawler.cli.options import site_address
from crawler.cli.output import pluralise, print_json, print_line

if TYPE_CHECKING:
    from crawler.jobs.verify import Mismatch, VerifyReport


@click.command()
@click.option("--repair", is_flag=True, help="Mend what is certain; exit code 75 while a crawl runs.")
@options.output
@site_address
@options.as_json
def verify(repair: bool, output: Path, address: str, as_json: bool) -> None:
    """Do posts and rows agree?

    Names each post that is missing, different, extra (no row is for it) or unfinished, each article that the index of
    words (unindexed) or its story of reprints (unlinked) does not hold as it is, and each page of the site that is gone
    or does not show what the rows say (stale); exit code 1 when any remains. It only reads, and works during a crawl.
    --repair writes missing and different posts from their rows, and the pages, indexes, links, and removes unfinished
    files; an extra file is reported and never deleted. After a change of the site's address all posts differ, and
    `finews rebuild posts` brings them in line.

    Also what another program has written into news.db: rows that finews cannot use (invalid), by table, key and column,
    and changes of the schema. --repair makes a bad value again from the post or from other columns, or sets the row
    aside in the table quarantine, and makes triggers, indexes and columns again that are missing.
    """
    from crawler.jobs import verify  # it shares the ledger with crawls, and Scrapy takes a third of a second to import

    report = (verify.repair_output if repair else verify.verify_output)(output, address)
    if as_json:
        print_json(_report_as_dict(report))
    else:
        _print_report(report)
        if report.only_address_count:
            print_line(_format_address_hint(report.only_address_count, address))
    sys.exit(1 if report.mismatches else 0)


def _report_as_dict(report: "VerifyReport") -> dict[str, object]:
    return {
        "agree": report.matching_posts,
        "disagreements": [mismatch.as_dict() for mismatch in report.mismatches],
        "mended": [mismatch.as_dict() for mismatch in report.repaired],
    }


def _print_report(report: "VerifyReport") -> None:
    for mismatch in report.repaired:
        print_line(f"mended: {_format_mismatch(mismatch)}")
    for mismatch in report.mismatches:
        print_line(_format_mismatch(mismatch))
    totals = [pluralise(report.matching_posts, "post agrees with its row", "posts agree with their rows")]
    if report.post_count:
        totals.append(pluralise(report.post_count, "disagreement"))
    if report.page_count:
        totals.append(f"{pluralise(report.page_count, 'page')} to be written")
    if report.derived_count:
        totals.append(f"{pluralise(report.derived_count, 'article')} to be indexed or linked")
    print_line(", ".join(totals))


def _format_address_hint(post_count: int, address: str) -> str:
    posts = pluralise(post_count, "post links", "posts link")
    site_option = f" --site {address}" if address else ""
    return (
        f"{posts} back to another address than the site's: `finews rebuild posts{site_option}` writes the one in force"
    )


def _format_mismatch(mismatch: "Mismatch") -> str:
    fields = mismatch.as_dict()
    detail = f" ({fields['detail']})" if fields["detail"] else ""
    return " ".join(filter(None, (fields["kind"], fields["path"], fields["code"], fields["title"]))) + detail
