"""Stocks and boards, as the articles link to them."""

import json
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from crawler.store.connection import errors_told

_WHERE = """
    WHERE secid IN (SELECT secid FROM mentions
                    WHERE secid = :stock OR substr(secid, instr(secid, '.') + 1) = :stock OR name = :stock)
"""
# The name that most articles give it.
_COUNTED = """
    SELECT secid, kind,
           (SELECT name FROM mentions AS m WHERE m.secid = mentions.secid
            GROUP BY name ORDER BY count(*) DESC, name LIMIT 1) AS name,
           count(*) AS articles, sum(count) AS times, min(published_at) AS first, max(published_at) AS latest
    FROM mentions JOIN articles USING (code)
"""


class Stocks:
    def __init__(self, db: Database) -> None:
        self._db = db

    def counted(self, limit: int) -> list[dict[str, Any]]:
        """Each with `articles`, `times` (links), `first` and `latest`; those of most articles first."""
        return self._rows(
            f"{_COUNTED} GROUP BY secid ORDER BY articles DESC, times DESC, secid LIMIT :limit", limit=limit
        )

    def of(self, stock: str, limit: int) -> dict[str, Any]:
        """The `stocks` that a code or a name stands for, their `days`, and their last `articles`."""
        days = f"""
            SELECT substr(published_at, 1, 10) AS day, count(DISTINCT code) AS articles, sum(count) AS times
            FROM mentions JOIN articles USING (code) {_WHERE} GROUP BY day ORDER BY day DESC
        """  # noqa: S608  # our own words
        articles = f"""
            SELECT code, title, published_at, media, category, sum(count) AS count
            FROM mentions JOIN articles USING (code) {_WHERE}
            GROUP BY code ORDER BY published_at DESC, code DESC LIMIT :limit
        """  # noqa: S608  # our own words
        return {
            "stocks": self._rows(f"{_COUNTED} {_WHERE} GROUP BY secid ORDER BY secid", stock=stock),
            "days": self._rows(days, stock=stock),
            "articles": self._rows(articles, stock=stock, limit=limit),
        }

    def among(self, codes: Sequence[str], limit: int) -> list[tuple[str, str, int]]:
        """The stocks that most of these articles link to: name, secid, how many of them."""
        rows = self._rows(
            """
            SELECT max(name) AS name, secid, count(*) AS articles FROM mentions
            WHERE code IN (SELECT value FROM json_each(:codes)) AND kind = 'stock'
            GROUP BY secid ORDER BY articles DESC, secid LIMIT :limit
            """,
            codes=json.dumps(codes),
            limit=limit,
        )
        return [(row["name"], row["secid"], row["articles"]) for row in rows]

    def _rows(self, sql: str, **values: object) -> list[dict[str, Any]]:
        with errors_told():
            return list(self._db.query(sql, values))
