"""Sightings: title and time of each article in each spider's last listing, which deduplicate entries across crawls."""

from crawler.content.dates import format_iso
from crawler.items import NO_COLUMN, ListingEntry
from crawler.storage.table import Table

_UPSERT_SIGHTING = (
    "INSERT OR REPLACE INTO sightings (code, spider, title, published_at, refused) VALUES (?, ?, ?, ?, ?)"
)
_UPSERT_COLUMN_SIGHTING = """
    INSERT OR REPLACE INTO column_sightings (code, spider, column_id, title, published_at) VALUES (?, ?, ?, ?, ?)
"""


class Sightings(Table):
    """Rows of `sightings`, one per code and spider, and of `column_sightings`.

    An entry is known if title and time are those of the column's own sighting, made when the article was fetched for
    this column, or else of the last sighting in any column: columns may permanently disagree about an article.
    """

    def record(self, entry: ListingEntry, spider: str, rejection_reason: str = "", *, has_changed: bool) -> None:
        """Record the listing entry of an article that was fetched, and the reason if the article was rejected.

        Unless the article `has_changed`, the sightings of other columns stay valid.
        """
        statement = (entry.title, format_iso(entry.published))
        earlier = self._fetch_one(
            "SELECT title, published_at FROM sightings WHERE code = ? AND spider = ? AND published_at != ''",
            entry.code,
            spider,
        )
        differs = earlier is not None and (earlier["title"], earlier["published_at"]) != statement
        if differs and entry.column != NO_COLUMN:
            self._execute(_UPSERT_COLUMN_SIGHTING, entry.code, spider, entry.column, *statement)
        if differs and not has_changed:
            self._execute(
                "UPDATE sightings SET refused = ?, failures = 0 WHERE code = ? AND spider = ?",
                rejection_reason,
                entry.code,
                spider,
            )
        else:
            self._execute(_UPSERT_SIGHTING, entry.code, spider, *statement, rejection_reason)

    def mark_rejected(self, entry: ListingEntry, spider: str, reason: str) -> None:
        """Record that this entry, as listed, gave no article that can be published."""
        with self.transaction():
            row = self._fetch_one("SELECT refused FROM sightings WHERE code = ? AND spider = ?", entry.code, spider)
            self.record(entry, spider, reason, has_changed=row is None or not row["refused"])

    def record_failure(self, entry: ListingEntry, spider: str) -> int:
        """Count a failure to fetch an entry, and return the number of failures in a row.

        Title and time are not stored: for the next crawl, the entry must not be known.
        """
        with self.transaction():
            self._execute(
                """
                INSERT INTO sightings (code, spider, title, published_at, failures) VALUES (?, ?, '', '', 1)
                ON CONFLICT (code, spider) DO UPDATE SET failures = failures + 1
                """,
                entry.code,
                spider,
            )
            row = self._fetch_one("SELECT failures FROM sightings WHERE code = ? AND spider = ?", entry.code, spider)
        return int(row["failures"]) if row else 0
