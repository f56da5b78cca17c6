"""Search as SQL functions, registered on every connection that we open.

SELECT title FROM articles JOIN json_each(finews_search('央行 -降准', 20)) ON value = code
SELECT count(*) FROM articles WHERE finews_match('央行 OR 降准', title, body_text)
"""

import json
import sqlite3

from sqlite_utils import Database

from crawler.storage.search.bigrams import SearchDocument
from crawler.storage.search.engine import SearchEngine
from crawler.storage.search.query import parse_query
from crawler.storage.search.request import SearchRequest


def register_search_functions(connection: sqlite3.Connection) -> None:
    """Give a connection `finews_search(query[, limit])` and `finews_match(query, title, text)`."""
    search = SearchEngine(Database(connection, execute_plugins=False))

    def search_codes(query: str | None, limit: int | None = None) -> str:
        """Return the codes of the matching articles, newest first, as a JSON array."""
        search_request = SearchRequest(text=str(query or ""), limit=None if limit is None else max(0, int(limit)))
        return json.dumps([row["code"] for row in search.rows(search_request)])

    def matches(query: str | None, title: str | None, text: str | None) -> bool:
        """Return whether a query matches a title and a text."""
        return parse_query(str(query or "")).matches(SearchDocument(str(title or ""), str(text or "")))

    for argument_count in (1, 2):
        connection.create_function("finews_search", argument_count, search_codes)
    connection.create_function("finews_match", 3, matches, deterministic=True)
