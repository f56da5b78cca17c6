"""Command `finews verify`: compare the posts with the database, and repair them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crawler.cli import options
from crawler.cli.options import site_address
from crawler.cli.output import pluralise, print_json, print_line

if TYPE_CHECKING:
    pass


@click.command()
@click.option("--repair", is_flag=True, help="Repair what can be repaired safely; exit code 75 while a crawl runs.")
@options.output
@site_address
@options.as_json
def verify(repair: bool, output: Path, address: str, as_json: bool) -> None:
    """Compare posts, rows, indexes and pages with one another.

    Reports each post that is missing, different, extra (without a row) or unfinished, each article with a wrong entry
    in the search index (unindexed) or in the reprint index (unlinked), and each page of the site that is missing or
    outdated (stale); exit code 1 if any remains. Without --repair it only reads, also during a crawl. --repair writes
    missing and different posts from their rows, updates pages and indexes, and removes unfinished files; extra files
    are never deleted. After a change of the site address all posts differ: run `finews rebuild posts`.

    Changes of news.db by other programs are reported, too: rows that finews cannot use (invalid), by table, key and
    column, and schema changes. --repair restores a bad value from the post or from other columns, or moves the row to
    the table quarantine, and restores missing triggers, indexes and columns.
    """
    from crawler.jobs import verify  # slow to import

    report = (verify.repair_output if repair else verify.verify_output)(output, address)
    if as_json:
        print_json(
            {
                "agree": report.matching_posts,
                "disagreements": [mismatch.as_dict() for mismatch in report.mismatches],
                "repaired": [mismatch.as_dict() for mismatch in report.repaired],
            }
        )
        sys.exit(1 if report.mismatches else 0)
    prefixed = [("repaired: ", mismatch) for mismatch in report.repaired] + [("", found) for found in report.mismatches]
    for prefix, mismatch in prefixed:
        fields = mismatch.as_dict()
        detail = f" ({fields['detail']})" if fields["detail"] else ""
        named_fields = filter(None, (fields["kind"], fields["path"], fields["code"], fields["title"]))
        print_line(prefix + " ".join(named_fields) + detail)
    totals = [pluralise(report.matching_posts, "post agrees with its row", "posts agree with their rows")]
    if report.post_count:
        totals.append(pluralise(report.post_count, "disagreement"))
    if report.page_count:
        totals.append(f"{pluralise(report.page_count, 'page')} to be written")
    if report.derived_count:
        totals.append(f"{pluralise(report.derived_count, 'article')} to be indexed or linked")
    print_line(", ".join(totals))
    if report.only_address_count:
        posts = pluralise(report.only_address_count, "post links", "posts link")
        site_option = f" --site {address}" if address else ""
        print_line(f"{posts} back to another address than the site's: run `finews rebuild posts{site_option}`")
    sys.exit(1 if report.mismatches else 0)
