"""Stocks and boards, as the articles link to them."""

import json
from collections.abc import Sequence
from typing import Any

from crawler.storage.table import Table

# What a code or a name stands for.
_SELECT_SECIDS = """
    SELECT DISTINCT secid FROM mentions
    WHERE secid = :stock OR substr(secid, instr(secid, '.') + 1) = :stock OR name = :stock
"""
_COUNT_BY_DAY = """
    SELECT substr(published_at, 1, 10) AS day, count(DISTINCT code) AS articles, sum(count) AS times
    FROM mentions JOIN articles USING (code) WHERE secid IN (SELECT value FROM json_each(:secids))
    GROUP BY day ORDER BY day DESC
"""
_SELECT_ARTICLES = """
    SELECT code, title, published_at, media, category, sum(count) AS count
    FROM mentions JOIN articles USING (code) WHERE secid IN (SELECT value FROM json_each(:secids))
    GROUP BY code ORDER BY published_at DESC, code DESC LIMIT :limit
"""
# The name that most articles give it.
_SELECT_STOCKS_WITH_COUNTS = """
    SELECT secid, kind,
           (SELECT name FROM mentions AS m WHERE m.secid = mentions.secid
            GROUP BY name ORDER BY count(*) DESC, name LIMIT 1) AS name,
           count(*) AS articles, sum(count) AS times, min(published_at) AS first, max(published_at) AS latest
    FROM mentions JOIN articles USING (code)
"""


class Stocks(Table):
    """Stocks and boards with their articles, from the rows of `mentions`."""

    def with_article_counts(self, limit: int) -> list[dict[str, Any]]:
        """Each with `articles`, `times` (links), `first` and `latest`; those of most articles first."""
        return self._fetch_all(
            f"{_SELECT_STOCKS_WITH_COUNTS} GROUP BY secid ORDER BY articles DESC, times DESC, secid LIMIT :limit",
            limit=limit,
        )

    def get_details(self, stock: str, limit: int) -> dict[str, Any]:
        """The `stocks` that a code or a name stands for, their `days`, and their last `articles`."""
        secids = json.dumps([row["secid"] for row in self._fetch_all(_SELECT_SECIDS, stock=stock)])
        where = "WHERE secid IN (SELECT value FROM json_each(:secids))"
        return {
            "stocks": self._fetch_all(
                f"{_SELECT_STOCKS_WITH_COUNTS} {where} GROUP BY secid ORDER BY secid", secids=secids
            ),
            "days": self._fetch_all(_COUNT_BY_DAY, secids=secids),
            "articles": self._fetch_all(_SELECT_ARTICLES, secids=secids, limit=limit),
        }

    def most_linked_in(self, codes: Sequence[str], limit: int) -> list[tuple[str, str, int]]:
        """The stocks that most of these articles link to: name, secid, how many of them."""
        rows = self._fetch_all(
            """
            SELECT max(name) AS name, secid, count(*) AS articles FROM mentions
            WHERE code IN (SELECT value FROM json_each(:codes)) AND kind = 'stock'
            GROUP BY secid ORDER BY articles DESC, secid LIMIT :limit
            """,
            codes=json.dumps(codes),
            limit=limit,
        )
        return [(row["name"], row["secid"], row["articles"]) for row in rows]
