"""Command `finews import`: import the posts of an old site."""

import sys
from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.options import site_address
from crawler.cli.output import pluralise, print_json, print_line
from crawler.items import Outcome


@click.command(name="import")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@options.output
@site_address
@options.as_json
def import_posts(folder: Path, output: Path, address: str, as_json: bool) -> None:
    """Import the posts of an old site from the folder DIR.

    DIR is searched with its subfolders. Posts are cleaned and saved like crawled articles. Articles that are already in
    the database are not changed, and an article that occurs twice in DIR is imported once. Files that are no articles
    are reported: exit code 3.
    """
    from crawler.jobs import import_posts

    result = import_posts.import_folder(folder, output, address)
    if as_json:
        failures = [{"path": path, "reason": reason} for path, reason in result.rejected_files.items()]
        arguments = {"folder": str(folder)}
        print_json({**result.run, "arguments": arguments, "output": str(output), "reported": failures})
    else:
        counts = ", ".join(f"{result.run[name]} {name}" for name in Outcome if result.run[name])
        print_line(f"import: {pluralise(result.run['listed'], 'file')}: {counts or 'nothing'}")
        print_line(f"posts in {output}/_posts, rows in {output}/news.db")
    for path, reason in result.rejected_files.items():
        print_line(f"finews: not imported: {path}: {reason}", err=True)
    sys.exit(3 if result.rejected_files else 0)
