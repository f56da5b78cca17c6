"""`finews demo`."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from crawler.cli import options
from crawler.cli import output as tell
from crawler.storage.output_dir import DEFAULT_OUTPUT_DIR

_QUERY = "select published_at, media, title from articles order by published_at desc limit 3"


@click.command()
@click.option(
    "--articles",
    type=click.IntRange(0, 100_000),
    default=40,
    show_default=True,
    help="Made-up articles, beside the real ones.",
)
@options.output
def demo(articles: int, output: Path) -> None:
    """Crawl the bundled sample site, without network.

    The site is served on this machine while the crawls run. It holds real articles of 2021 and 2022, recorded replies
    of 2026, and made-up articles; a few stand in several papers.
    """
    from crawler.jobs import demo as body  # it loads the sample site, which no other command needs

    body.mark_as_demo(output)
    for command in body.crawl_sample_site(output, articles):
        tell.line(f"$ {command}")
    tell.line()
    for words in _next_steps(output, body.pick_example_article(output)):
        tell.line(words)


def _next_steps(output: Path, code: str) -> list[str]:
    folder = "" if output == DEFAULT_OUTPUT_DIR else f" --output {output}"
    finews = _typed("finews")
    return [
        "What came of it, and what to try next:",
        f"  {finews} categories{folder}",
        f"  {finews} show {code}{folder}",
        f"  {finews} runs{folder}",
        *([f"  {finews} serve{folder} --open"] if find_spec("datasette") else []),
        f"  {_typed('sqlite-utils')} query {output}/news.db '{_QUERY}' --table",
        f"  ls {output}/_posts/*/*/*",
        "The row in quarantine is a real one of 2022: a blank row, which the first system published as a post.",
        f"The real source: {finews} crawl --since 2h --set CONTACT=you@example.org --output news",
    ]


def _typed(program: str) -> str:
    """What to type for a program: its name where the shell finds it, else where it lies beside this one."""
    return program if shutil.which(program) else os.path.relpath(Path(sys.executable).with_name(program))
