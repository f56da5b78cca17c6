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
    help="Made-up articles, beside the real ones.",
)
@options.demo_output
def demo(articles: int, output: Path) -> None:
    """Crawl the bundled sample site, without network.

    The site is served on this machine while the crawls run. It holds real articles of 2021 and 2022, recorded replies
    of 2026, and made-up articles; a few stand in several papers. They have a folder of their own, which no other crawl
    writes to, whatever FINEWS_OUTPUT says.
    """
    from crawler.jobs import demo as body  # it loads the sample site, which no other command needs

    mark_as_demo(output)
    for command in body.crawl_sample_site(output, articles):
        print_line(f"$ {command}")
    print_line()
    for next_step in _next_steps(output, body.pick_example_article(output)):
        print_line(next_step)


def _next_steps(output: Path, code: str) -> list[str]:
    output_option = f" --output {output}"
    finews_command = _shell_command("finews")
    return [
        "What came of it, and what to try next:",
        f"  {finews_command} categories{output_option}",
        f"  {finews_command} show {code}{output_option}",
        f"  {finews_command} runs{output_option}",
        *([f"  {finews_command} serve{output_option} --open"] if find_spec("datasette") else []),
        f"  {_shell_command('sqlite-utils')} query {output}/news.db '{_EXAMPLE_QUERY}' --table",
        f"  ls {output}/_posts/*/*/*",
        "The row in quarantine is a real one of 2022: a blank row, which the first system published as a post.",
        f"The real source: {finews_command} crawl --since 2h --set CONTACT=you@example.org",
    ]


def _shell_command(program: str) -> str:
    """What to type for a program: its name where the shell finds it, else where it lies beside this one."""
    return program if shutil.which(program) else os.path.relpath(Path(sys.executable).with_name(program))
