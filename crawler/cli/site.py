"""Commands `finews site build` and `finews site check`: the published site."""

import sys
from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.options import site_address
from crawler.cli.output import pluralise, print_json, print_line
from crawler.publish.jekyll.config import MAX_KEEP_DAYS


@click.group()
def site() -> None:
    """The published site: build it, check it."""


@site.command()
@click.option(
    "--keep-days",
    type=click.IntRange(0, MAX_KEEP_DAYS),
    metavar="N",
    help="Freeze the months that lie before the last N days.  [default: keep_days of _config.yml, else none]",
)
@click.option("--all", "everything", is_flag=True, help="Render every page anew, frozen ones too.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something went wrong.")
@options.output
@site_address
@options.as_json
def build(keep_days: int | None, everything: bool, quiet: bool, output: Path, address: str, as_json: bool) -> None:
    """Bring the site in _site up to date.

    Jekyll renders what has changed since the last build, and nothing else. A frozen month's pages are HTML of their
    own, under the same addresses, which no build renders again until one of their articles is corrected; its posts
    move from _posts to _frozen. Exit code 75 while a crawl runs.
    """
    from crawler.jobs import (
        build_site,  # it shares the recovery of runs with crawls, and Scrapy takes a third of a second to import
    )

    build_result = build_site.build_site(output, address, keep_days, render_all=everything)
    if as_json:
        summary = build_result.build
        print_json(
            {
                "site": str(output / "_site"),
                "rendered": summary.pages_rendered,
                "frozen": summary.posts_archived,
                "outdated_theme": summary.outdated_theme,
                "kept": build_result.customised_files,
            }
        )
    elif not quiet:
        rendered, frozen = (
            pluralise(build_result.build.pages_rendered, "page"),
            pluralise(build_result.build.posts_archived, "post"),
        )
        print_line(f"{output}/_site: {rendered} rendered, {frozen} frozen")
        for path in build_result.customised_files:
            print_line(f"note: {path} is as you have changed it, and stays so; delete it to get ours")
        if build_result.build.outdated_theme:
            print_line("note: frozen pages have an older look; `finews site build --all` renders them anew")


@site.command()
@click.option("--quiet", is_flag=True, help="Say nothing unless something is wrong.")
@options.output
@site_address
@options.as_json
def check(quiet: bool, output: Path, address: str, as_json: bool) -> None:
    """Is the site in _site what it should be?

    Every post has its page at the address that its first day gives it, which says what the post says; no page is
    empty, no link inside the site leads nowhere, and the feed is valid. Exit code 1 with a line for each fault.
    """
    from crawler.jobs import build_site

    report = build_site.check_site(output, address)
    if as_json:
        faults = [{"kind": fault.kind, "path": fault.path, "detail": fault.detail} for fault in report.faults]
        counts = {"articles": report.articles, "pages": report.pages, "links": report.links}
        print_json({**counts, "faults": faults})
    elif report.faults or not quiet:
        for fault in report.faults:
            print_line(f"{fault.kind}: {fault.path}" + (f": {fault.detail}" if fault.detail else ""))
        counts_text = ", ".join(pluralise(getattr(report, f"{name}s"), name) for name in ("article", "page", "link"))
        fault_count = pluralise(len(report.faults), "fault") if report.faults else "no faults"
        print_line(f"{counts_text} inside the site, {fault_count}")
    sys.exit(1 if report.faults else 0)
