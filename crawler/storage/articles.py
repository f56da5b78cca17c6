"""Articles: look rows up by the codes of a listing page, by code, by post path, by column."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from crawler.content.dates import format_iso
from crawler.items import NO_COLUMN, KnownArticle, ListingEntry
from crawler.storage.reprints.queries import ReprintQueries
from crawler.storage.table import Table


class Articles(Table):
    """Rows of `articles` with their revisions, mentions, columns and the state of their posts."""

    def get_known(self, codes: Iterable[str], spider: str, column: str = NO_COLUMN) -> dict[str, KnownArticle]:
        """Return the known articles among the codes of a column's page, by code, with one query."""
        rows = self._fetch_all(
            """
            SELECT listed.value AS code, source, withdrawn_at IS NOT NULL AS withdrawn,
                   coalesce(column_sightings.title, sightings.title) AS title,
                   coalesce(column_sightings.published_at, sightings.published_at) AS published_at,
                   coalesce(refused, '') AS rejection_reason,
                   coalesce(refused, '') != '' AND EXISTS (
                       SELECT 1 FROM quarantine
                       WHERE quarantine.code = listed.value AND kind = 'article' AND resolved_at IS NULL
                   ) AS in_quarantine
            FROM json_each(?) AS listed
            LEFT JOIN articles ON articles.code = listed.value
            LEFT JOIN sightings ON sightings.code = listed.value AND sightings.spider = ?
            LEFT JOIN column_sightings ON column_sightings.code = sightings.code
                AND column_sightings.spider = sightings.spider AND column_sightings.column_id = ?
            WHERE source IS NOT NULL OR sightings.code IS NOT NULL
            """,
            json.dumps(list(codes)),
            spider,
            column,
        )
        return {row.pop("code"): KnownArticle(**row) for row in rows}

    def count_in_column(
        self, column: str, since: datetime | None, before: datetime, excluded_spiders: Iterable[str] = ()
    ) -> int:
        """Count a column's articles published from `since` to before `before`, except those of `excluded_spiders`."""
        row = self._fetch_one(
            """
            SELECT count(*) AS articles FROM article_columns JOIN articles USING (code)
            WHERE column_id = ? AND published_at >= ? AND published_at < ?
              AND source NOT IN (SELECT value FROM json_each(?))
            """,
            column,
            format_iso(since) if since else "",
            format_iso(before),
            json.dumps(sorted(excluded_spiders)),
        )
        return int(row["articles"]) if row else 0

    def get(self, code: str) -> dict[str, Any] | None:
        """Return the row of an article; None if there is none."""
        return self._fetch_one("SELECT * FROM articles WHERE code = ?", code)

    def revisions(self, code: str) -> list[dict[str, Any]]:
        """Return the older versions of an article, the oldest first."""
        return self._fetch_all("SELECT * FROM revisions WHERE code = ? ORDER BY revision", code)

    def mentions(self, code: str) -> list[dict[str, Any]]:
        """Return the stocks and boards that an article links to, the most often linked first."""
        return self._fetch_all(
            "SELECT secid, kind, name, count FROM mentions WHERE code = ? ORDER BY count DESC, secid", code
        )

    def column_ids(self, code: str) -> list[str]:
        """Return the ids of the columns that list an article."""
        rows = self._fetch_all("SELECT column_id FROM article_columns WHERE code = ? ORDER BY column_id", code)
        return [row["column_id"] for row in rows]

    def has_column(self, column_id: str) -> bool:
        """Return whether a column lists any article."""
        return bool(self._fetch_all("SELECT 1 AS found FROM article_columns WHERE column_id = ? LIMIT 1", column_id))

    def counts_by_column(self) -> dict[str, dict[str, Any]]:
        """Return the number of `articles` and the `latest` publication time of each column, by column id."""
        rows = self._fetch_all(
            """
            SELECT column_id, count(*) AS articles, max(published_at) AS latest
            FROM article_columns JOIN articles USING (code) GROUP BY column_id
            """
        )
        return {row.pop("column_id"): row for row in rows}

    def get_full(self, code: str) -> dict[str, Any] | None:
        """Return an article with its `revisions`, `mentions`, `columns` (ids) and `story`; None when there is none."""
        row = self.get(code)
        if row is None:
            return None
        relations = {
            "revisions": self.revisions(code),
            "mentions": self.mentions(code),
            "columns": self.column_ids(code),
        }
        return {**row, **relations, "story": ReprintQueries(self._db).cluster_articles(code)}

    def code_with_most_mentions(self) -> str:
        """Return the code of the newest article with the most stocks and boards; empty without articles."""
        row = self._fetch_one(
            """
            SELECT code FROM articles LEFT JOIN mentions USING (code)
            GROUP BY code ORDER BY count(secid) DESC, published_at DESC LIMIT 1
            """
        )
        return str(row["code"]) if row else ""

    def iter_rows_by_path(self) -> Iterator[dict[str, Any]]:
        """Yield all rows in the order of their post paths."""
        return self._iter_rows("SELECT * FROM articles ORDER BY post_path")

    def get_by_post_path(self, post_path: str) -> dict[str, Any] | None:
        """Return the row of the post at a path, which may be any file's; None if there is none."""
        return self._fetch_one(
            "SELECT * FROM articles WHERE post_path = ?", post_path.encode("utf-8", "replace").decode()
        )

    def count(self) -> int:
        """Return the number of articles."""
        row = self._fetch_one("SELECT count(*) AS articles FROM articles")
        return int(row["articles"]) if row else 0

    def entries_to_refresh(self, spider: str, since: datetime) -> list[ListingEntry]:
        """Return a spider's articles published since then, withdrawn ones included, as they were last listed."""
        rows = self._fetch_all(
            """
            SELECT code, sightings.title, sightings.published_at, url, media, summary
            FROM articles JOIN sightings USING (code)
            WHERE source = ? AND spider = source AND articles.published_at >= ?
              AND sightings.published_at != ''
            ORDER BY articles.published_at DESC
            """,
            spider,
            format_iso(since),
        )
        return [
            ListingEntry(
                code=row["code"],
                title=row["title"],
                published=datetime.fromisoformat(row["published_at"]),
                column=NO_COLUMN,
                url=row["url"],
                media=row["media"],
                summary=row["summary"],
            )
            for row in rows
        ]

    def unwritten_posts(self, limit: int) -> list[dict[str, Any]]:
        """Return rows whose post file is missing or of an older revision, as after an interrupted crawl."""
        return self._fetch_all("SELECT * FROM articles WHERE published_revision IS NOT revision LIMIT ?", limit)

    def mark_post_written(self, code: str, revision: int, post_sha256: str | None = None) -> None:
        """Record that the post file of this revision is on disk, and its hash if it may differ from the row's."""
        self._execute(
            "UPDATE articles SET published_revision = ?, post_sha256 = coalesce(?, post_sha256) WHERE code = ?",
            revision,
            post_sha256,
            code,
        )

    def mark_withdrawn(self, code: str, withdrawn_at: datetime) -> None:
        """Record that the source has removed the article; its text stays."""
        self._execute("UPDATE articles SET withdrawn_at = ? WHERE code = ?", format_iso(withdrawn_at), code)
