"""Reprint queries: the articles of a cluster, the original first."""

import json
from collections.abc import Sequence
from typing import Any

from crawler.storage.table import Table

_SELECT_CLUSTER_CODES = """
    SELECT code FROM story_articles WHERE story = (SELECT story FROM story_articles WHERE code = ?)
    ORDER BY published, code
"""


class ReprintQueries(Table):
    """The groups of reprints (`story_articles`), for readers."""

    def cluster_codes(self, code: str) -> list[str]:
        """Return the codes of an article's cluster, the original first; at least its own."""
        return [row["code"] for row in self._fetch_all(_SELECT_CLUSTER_CODES, code)] or [code]

    def cluster_articles(self, code: str) -> list[dict[str, Any]]:
        """Return the articles of a cluster, the original first, the given one included; none for a single article.

        Each has `code`, `title`, `published_at`, `media`, `category`, `url`, `post_path`, `withdrawn_at`, and
        `seconds_later` than the original.
        """
        return self.cluster_articles_among(self.cluster_codes(code))

    def cluster_articles_among(self, codes: Sequence[str]) -> list[dict[str, Any]]:
        """Return `cluster_articles` for these articles of a cluster alone."""
        articles = self._fetch_all(
            """
            SELECT code, title, published_at, articles.media, category, url, post_path, withdrawn_at,
                   published - min(published) OVER () AS seconds_later
            FROM story_articles JOIN articles USING (code)
            WHERE code IN (SELECT value FROM json_each(?)) ORDER BY published, code
            """,
            json.dumps(codes),
        )
        return articles if len(articles) > 1 else []
