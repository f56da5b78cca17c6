"""Command `finews demo`: crawl the sample site, and print what to try next."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.output import print_line
from crawler.storage.output_dir import mark_as_demo

_EXAMPLE_QUERY = "select published_at, media, title from articles order by published_at desc limit 3"


@click.command()
@click.option(
    "--articles",
    type=click.IntRange(0, 100_000),
    default=40,
    show_default=True,
    help="Number of made-up articles, in addition to the real ones.",
)
@options.demo_output
def demo(articles: int, output: Path) -> None:
    """Crawl the bundled sample site, without network.

    The site is served on this machine while the crawls run. It holds real articles of 2021 and 2022, responses
    recorded in 2026, and made-up articles; a few appear in several papers. The output goes to a folder of its own,
    whatever FINEWS_OUTPUT says; no other crawl writes to it.
    """
    from crawler.jobs import demo as body  # imports the sample site, which no other command needs

    mark_as_demo(output)
    for command in body.crawl_sample_site(output, articles):
        print_line(f"$ {command}")
    output_option = f" --output {output}"
    finews_command, sqlite_command = _shell_command("finews"), _shell_command("sqlite-utils")
    next_steps = [
        "",
        "Results, and what to try next:",
        f"  {finews_command} categories{output_option}",
        f"  {finews_command} show {body.pick_example_article(output)}{output_option}",
        f"  {finews_command} runs{output_option}",
        *([f"  {finews_command} serve{output_option} --open"] if find_spec("datasette") else []),
        f"  {sqlite_command} query {output}/news.db '{_EXAMPLE_QUERY}' --table",
        f"  ls {output}/_posts/*/*/*",
        "The row in quarantine is a real one of 2022: a blank row, which the first system published as a post.",
        f"The real source: {finews_command} crawl --since 2h --set CONTACT=you@example.org",
    ]
    for next_step in next_steps:
        print_line(next_step)


def _shell_command(program: str) -> str:
    """Return the name of a program if it is on PATH, else the relative path of the copy next to this Python."""
    return program if shutil.which(program) else os.path.relpath(Path(sys.executable).with_name(program))
