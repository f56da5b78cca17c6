"""Search as SQL functions, on every connection that is opened by us.

SELECT title FROM articles JOIN json_each(finews_search('央行 -降准', 20)) ON value = code
SELECT count(*) FROM articles WHERE finews_match('央行 OR 降准', title, body_text)
"""

import json
import sqlite3

from sqlite_utils import Database

from crawler.storage.search.bigrams import folded_document
from crawler.storage.search.engine import Search
from crawler.storage.search.query import parse
from crawler.storage.search.request import Asked


def register(connection: sqlite3.Connection) -> None:
    """Give a connection `finews_search(query[, limit])` and `finews_match(query, title, text)`."""
    search = Search(Database(connection, execute_plugins=False))

    def codes(query: str | None, limit: int | None = None) -> str:
        """The codes of the articles that answer, newest first, as a JSON array."""
        asked = Asked(text=str(query or ""), limit=None if limit is None else max(0, int(limit)))
        return json.dumps([row["code"] for row in search.articles(asked)])

    for number in (1, 2):
        connection.create_function("finews_search", number, codes)
    connection.create_function("finews_match", 3, _match, deterministic=True)


def _match(query: str | None, title: str | None, text: str | None) -> bool:
    return parse(str(query or "")).is_met(folded_document(str(title or ""), str(text or "")))
