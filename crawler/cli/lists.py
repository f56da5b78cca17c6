"""Commands `finews categories` and `finews columns`: lists of the media and of the listings."""

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
@click.option("--all", "everything", is_flag=True, help="Also the media that are known and have no article yet.")
@options.output
@options.as_json
def categories(everything: bool, output: Path, as_json: bool) -> None:
    """The media, with their articles counted."""
    rows = _load_used_categories(output) if not everything or (output / DATABASE_FILE_NAME).exists() else []
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
    """The listings of each spider, counted."""
    from crawler.jobs.list_columns import load_columns  # Scrapy takes a third of a second to import

    counts: dict[str, dict[str, Any]] = {}
    if (output / DATABASE_FILE_NAME).exists():
        with Store.open_ro(output) as store:
            counts = store.articles.counts_by_column()
    rows = [
        {**column, "articles": 0, "latest": None, **counts.get(column["column_id"], {})} for column in load_columns()
    ]
    print_rows(rows, ("spider", "column_id", "name", "by_default", "articles", "latest"), as_json)


def _load_used_categories(output: Path) -> list[dict[str, Any]]:
    with Store.open_ro(output) as store:
        return [{**row, "aliases": json.loads(row["aliases"])} for row in store.categories.with_article_counts()]
