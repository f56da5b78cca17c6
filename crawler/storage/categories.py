"""Categories: media and their slugs in the database."""

import json
from typing import Any

from crawler.items import Category
from crawler.storage.table import Table


class Categories(Table):
    """Rows of `categories`, one per slug."""

    def all(self) -> list[Category]:
        """Return all categories, by slug."""
        rows = self._fetch_all("SELECT slug, media, aliases FROM categories ORDER BY slug")
        return [Category(row["slug"], row["media"], tuple(json.loads(row["aliases"]))) for row in rows]

    def with_article_counts(self) -> list[dict[str, Any]]:
        """Return all categories with the number of `articles` and the `latest` publication time, the largest first."""
        return self._fetch_all(
            """
            SELECT slug, categories.media, aliases, count(published_at) AS articles, max(published_at) AS latest
            FROM categories LEFT JOIN articles ON articles.category = categories.slug
            GROUP BY slug ORDER BY articles DESC, slug
            """
        )
