"""Commands `finews site build` and `finews site check`: build and check the published site."""

import sys
from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.options import site_address
from crawler.cli.output import pluralise, print_json, print_line
from crawler.publish.jekyll.config import MAX_KEEP_DAYS


@click.group()
def site() -> None:
    """Build or check the published site."""


@site.command()
@click.option(
    "--keep-days",
    type=click.IntRange(0, MAX_KEEP_DAYS),
    metavar="N",
    help="Freeze months older than N days.  [default: keep_days of _config.yml, else none]",
)
@click.option("--all", "everything", is_flag=True, help="Render all pages again, frozen ones too.")
@click.option("--quiet", is_flag=True, help="Print only problems.")
@options.output
@site_address
@options.as_json
def build(keep_days: int | None, everything: bool, quiet: bool, output: Path, address: str, as_json: bool) -> None:
    """Bring the site in _site up to date.

    Jekyll renders only what has changed since the last build. Pages of a frozen month are kept as HTML under the same
    addresses and rendered again only if one of their articles changes; its posts move from _posts to _frozen. Exit
    code 75 while a crawl runs.
    """
    from crawler.jobs import build_site

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
        rendered = pluralise(build_result.build.pages_rendered, "page")
        frozen = pluralise(build_result.build.posts_archived, "post")
        print_line(f"{output}/_site: {rendered} rendered, {frozen} frozen")
        for path in build_result.customised_files:
            print_line(f"note: {path} has your changes and was not updated; delete it to restore the default")
        if build_result.build.outdated_theme:
            print_line("note: frozen pages have an outdated theme; run `finews site build --all` to render them again")


@site.command()
@click.option("--quiet", is_flag=True, help="Print only problems.")
@options.output
@site_address
@options.as_json
def check(quiet: bool, output: Path, address: str, as_json: bool) -> None:
    """Check the site in _site against the posts.

    Every post must have its page, at the address of its first publication date and with the content of the post; no
    page may be empty, no internal link broken, and the feed must be valid. Exit code 1 with a line for each fault.
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
