"""`finews import`."""

import sys
from pathlib import Path

import click

from crawler.cli import options
from crawler.cli import output as tell
from crawler.cli.options import site_option
from crawler.items import Outcome
from crawler.storage.site_links import load_site_links


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
