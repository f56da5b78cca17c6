"""Canned queries: frequent queries as SQL, for the web view."""

from typing import NamedTuple


class CannedQuery(NamedTuple):
    """SQL query with a name for URLs and a title for pages."""

    name: str
    title: str
    sql: str


CANNED_QUERIES = (
    CannedQuery(
        "search_articles",
        "搜索（与 finews search 相同）",
        """SELECT code, published_at, media, title, url
FROM json_each(finews_search(:q, 50)) JOIN articles ON code = value
ORDER BY published_at DESC""",
    ),
    CannedQuery(
        "media_of_a_day",
        "某一天各媒体的文章数",
        """SELECT media, category, articles FROM articles_per_day WHERE day = :day ORDER BY articles DESC""",
    ),
    CannedQuery("stocks_of_7_days", "七天内提到最多的股票", "SELECT * FROM stocks_last_7_days LIMIT 100"),
    CannedQuery(
        "latest_of_each_media", "每家媒体最新的文章", "SELECT * FROM latest_per_category ORDER BY published_at DESC"
    ),
    CannedQuery(
        "corrected",
        "最近更正过的文章",
        """SELECT code, changed_at, revision, media, title FROM articles
WHERE changed_at IS NOT NULL ORDER BY changed_at DESC LIMIT 100""",
    ),
    CannedQuery(
        "withdrawn",
        "来源撤下的文章",
        """SELECT code, withdrawn_at, media, title FROM articles
WHERE withdrawn_at IS NOT NULL ORDER BY withdrawn_at DESC LIMIT 100""",
    ),
    CannedQuery("crawls", "最近的抓取", "SELECT * FROM runs ORDER BY id DESC LIMIT 50"),
)
# Internal tables, which an overview need not show.
HIDDEN_TABLES = (
    "_sqlite_migrations", "archived_pages", "column_sightings", "conditions", "coverage", "pauses", "raw_contents",
    "raw_replies", "robots", "search_blocks", "search_documents", "search_pairs", "search_pending", "sightings",
    "sqlite_sequence", "stale_pages", "story_articles", "story_keys", "story_pending", "story_texts", "unproven_walks",
)  # fmt: skip
