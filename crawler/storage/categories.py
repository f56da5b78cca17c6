"""Categories: media and their slugs, as the database has met them."""

import json
from typing import Any

from crawler.items import Category
from crawler.storage.table import Table


class Categories(Table):
    """The rows of `categories`, one per slug."""

    def all(self) -> list[Category]:
        """Every category that an article has been filed under."""
        rows = self._fetch_all("SELECT slug, media, aliases FROM categories ORDER BY slug")
        return [Category(row["slug"], row["media"], tuple(json.loads(row["aliases"]))) for row in rows]

    def with_article_counts(self) -> list[dict[str, Any]]:
        """Each category with `articles` (how many) and `latest` (publication time), most articles first."""
        return self._fetch_all(
            """
            SELECT slug, categories.media, aliases, count(published_at) AS articles, max(published_at) AS latest
            FROM categories LEFT JOIN articles ON articles.category = categories.slug
            GROUP BY slug ORDER BY articles DESC, slug
            """
        )
