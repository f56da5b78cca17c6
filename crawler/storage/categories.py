"""Media and their slugs, as the database has met them."""

import json
from typing import Any

from sqlite_utils import Database

from crawler.items import Category
from crawler.storage.connection import as_store_error


class Categories:
    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> list[Category]:
        """Every category that an article has been filed under."""
        with as_store_error():
            rows = self._db.query("SELECT slug, media, aliases FROM categories ORDER BY slug")
            return [Category(row["slug"], row["media"], tuple(json.loads(row["aliases"]))) for row in rows]

    def add_if_missing(self, category: Category) -> None:
        """Make sure that a category exists; one that does stays as it is. Part of the caller's transaction."""
        self._db.execute(
            "INSERT OR IGNORE INTO categories (slug, media, aliases) VALUES (?, ?, ?)",
            [category.slug, category.media, json.dumps(category.aliases, ensure_ascii=False)],
        )

    def with_article_counts(self) -> list[dict[str, Any]]:
        """Each category with `articles` (how many) and `latest` (publication time), most articles first."""
        with as_store_error():
            return list(
                self._db.query(
                    """
                    SELECT slug, categories.media, aliases, count(published_at) AS articles, max(published_at) AS latest
                    FROM categories LEFT JOIN articles ON articles.category = categories.slug
                    GROUP BY slug ORDER BY articles DESC, slug
                    """
                )
            )
