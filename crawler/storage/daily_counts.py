"""Daily counts: numbers of articles by day and by media."""

from typing import Any

from crawler.storage.table import Table

_COUNT_BY_DAY_AND_MEDIA = """
    SELECT substr(published_at, 1, 10) AS day, media, count(*) AS articles FROM articles
    WHERE published_at >= (SELECT date(substr(max(published_at), 1, 10), :ago) FROM articles)
    GROUP BY day, media ORDER BY day
"""
_SELECT_LATEST_MEDIA = """
    SELECT slug, media, (SELECT max(published_at) FROM articles WHERE category = slug) AS latest FROM categories
    WHERE latest IS NOT NULL ORDER BY latest DESC LIMIT :limit
"""


class DailyCounts(Table):
    """Counts of articles by day and media, for charts."""

    def by_day_and_media(self, days: int) -> list[dict[str, Any]]:
        """Count `articles` by `day` and `media`, in the `days` days up to the newest article's."""
        return self._fetch_all(_COUNT_BY_DAY_AND_MEDIA, ago=f"-{days - 1} days")

    def latest_media(self, limit: int) -> list[dict[str, Any]]:
        """Return the media with the newest articles, newest first: `slug`, `media`, `latest`."""
        return self._fetch_all(_SELECT_LATEST_MEDIA, limit=limit)

    def newest_day(self) -> str:
        """Return the day of the newest article; empty without articles."""
        row = self._fetch_one("SELECT substr(max(published_at), 1, 10) AS day FROM articles")
        return str(row["day"] or "") if row else ""
