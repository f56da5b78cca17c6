"""Stocks and boards that articles link to."""

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from crawler.content.stocks import parse_stock
from crawler.storage.search.folding import normalise_for_search
from crawler.storage.table import Table

# The stocks of codes or names.
_SELECT_SECIDS = """
    SELECT secid FROM mentions WHERE secid IN (SELECT value FROM json_each(:keys))
    UNION SELECT secid FROM mentions
        WHERE substr(secid, instr(secid, '.') + 1) IN (SELECT value FROM json_each(:keys))
    UNION SELECT secid FROM mentions WHERE name IN (SELECT value FROM json_each(:keys))
"""
_SELECT_NAMES = "SELECT DISTINCT name FROM mentions"
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
# With the name that most articles use.
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
        """Return the stocks with most articles: `articles`, `times` (links), `first` and `latest` publication."""
        return self._fetch_all(
            f"{_SELECT_STOCKS_WITH_COUNTS} GROUP BY secid ORDER BY articles DESC, times DESC, secid LIMIT :limit",
            limit=limit,
        )

    def get_details(self, stock: str, limit: int) -> dict[str, Any]:
        """Return the `stocks` of a typed code or name, their articles by `days`, and their last `articles`."""
        secids = json.dumps(self.find_keys(stock))
        where = "WHERE secid IN (SELECT value FROM json_each(:secids))"
        return {
            "stocks": self._fetch_all(
                f"{_SELECT_STOCKS_WITH_COUNTS} {where} GROUP BY secid ORDER BY secid", secids=secids
            ),
            "days": self._fetch_all(_COUNT_BY_DAY, secids=secids),
            "articles": self._fetch_all(_SELECT_ARTICLES, secids=secids, limit=limit),
        }

    def find_keys(self, typed: str) -> tuple[str, ...]:
        """Return the secids of a typed code or name, and the keys that it may be, whether articles link to them or not.

        Names are equal if they fold to the same text: `万  科Ａ` and `萬科A`.
        """
        stock = parse_stock(typed)
        keys = stock.keys if stock else (typed.strip(),)
        secids = self._find_secids(keys)
        if not secids:
            folded = normalise_for_search(typed)
            secids = self._find_secids([name for name in self._names() if normalise_for_search(name) == folded])
        return tuple(dict.fromkeys((*secids, *keys)))

    def is_known(self, typed: str) -> bool:
        """Return whether an article links to a stock of this typed code or name."""
        return bool(self._find_secids(self.find_keys(typed)))

    def find_similar(self, typed: str, limit: int) -> list[str]:
        """Return similar names of stocks, the most similar first."""
        names_by_folded = {normalise_for_search(name): name for name in self._names()}
        matches = difflib.get_close_matches(normalise_for_search(typed), names_by_folded, limit)
        return [names_by_folded[match] for match in matches]

    def _find_secids(self, keys: Sequence[str]) -> list[str]:
        return [row["secid"] for row in self._fetch_all(_SELECT_SECIDS, keys=json.dumps(keys))] if keys else []

    def _names(self) -> Iterator[str]:
        return (row["name"] for row in self._iter_rows(_SELECT_NAMES))

    def most_linked_in(self, codes: Sequence[str], limit: int) -> list[tuple[str, str, int]]:
        """Return the stocks that most of these articles link to: name, secid, number of articles."""
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
