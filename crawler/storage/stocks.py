"""Stocks and boards, as the articles link to them."""

import json
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from crawler.storage.connection import errors_told

# What a code or a name stands for.
_MEANT = """
    SELECT DISTINCT secid FROM mentions
    WHERE secid = :stock OR substr(secid, instr(secid, '.') + 1) = :stock OR name = :stock
"""
_DAYS = """
    SELECT substr(published_at, 1, 10) AS day, count(DISTINCT code) AS articles, sum(count) AS times
    FROM mentions JOIN articles USING (code) WHERE secid IN (SELECT value FROM json_each(:secids))
    GROUP BY day ORDER BY day DESC
"""
_ARTICLES = """
    SELECT code, title, published_at, media, category, sum(count) AS count
    FROM mentions JOIN articles USING (code) WHERE secid IN (SELECT value FROM json_each(:secids))
    GROUP BY code ORDER BY published_at DESC, code DESC LIMIT :limit
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
        secids = json.dumps([row["secid"] for row in self._rows(_MEANT, stock=stock)])
        meant = "WHERE secid IN (SELECT value FROM json_each(:secids))"
        return {
            "stocks": self._rows(f"{_COUNTED} {meant} GROUP BY secid ORDER BY secid", secids=secids),
            "days": self._rows(_DAYS, secids=secids),
            "articles": self._rows(_ARTICLES, secids=secids, limit=limit),
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
