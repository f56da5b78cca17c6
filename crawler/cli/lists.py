"""Commands `finews categories` and `finews columns`: list the media and the listings."""

import json
from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli.output import print_rows
from crawler.content.categories import bundled_categories
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME


@click.command()
@click.option("--all", "everything", is_flag=True, help="Include known media without articles.")
@options.output
@options.as_json
def categories(everything: bool, output: Path, as_json: bool) -> None:
    """List the media with their article counts and latest dates."""
    rows: list[dict[str, Any]] = []
    if not everything or (output / DATABASE_FILE_NAME).exists():
        with Store.open_ro(output) as store:
            rows = [{**row, "aliases": json.loads(row["aliases"])} for row in store.categories.with_article_counts()]
    if everything:
        known_slugs = {row["slug"] for row in rows}
        unused_categories = (category for category in bundled_categories() if category.slug not in known_slugs)
        rows += [
            {
                "slug": category.slug,
                "media": category.media,
                "aliases": list(category.aliases),
                "articles": 0,
                "latest": None,
            }
            for category in unused_categories
        ]
    print_rows(rows, ("slug", "media", "articles", "latest"), as_json)


@click.command()
@options.output
@options.as_json
def columns(output: Path, as_json: bool) -> None:
    """List the columns of each spider with their article counts."""
    from crawler.jobs.list_columns import load_columns  # imports Scrapy, which is slow

    counts: dict[str, dict[str, Any]] = {}
    if (output / DATABASE_FILE_NAME).exists():
        with Store.open_ro(output) as store:
            counts = store.articles.counts_by_column()
    rows = [
        {**column, "articles": 0, "latest": None, **counts.get(column["column_id"], {})} for column in load_columns()
    ]
    print_rows(rows, ("spider", "column_id", "name", "by_default", "articles", "latest"), as_json)
