"""`finews verify`, `rebuild` and `import`: what keeps posts and rows in agreement, and takes posts in."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crawler.cli import options
from crawler.cli import output as tell
from crawler.cli.options import site_option
from crawler.storage.site_links import load_site_links

if TYPE_CHECKING:
    from crawler.jobs.verify import Mismatch, VerifyReport


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
