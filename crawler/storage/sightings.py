"""Sightings: what each spider's listings last said of an article, which deduplicates entries across crawls."""

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
    """The rows of `sightings`, one per code and spider, and of `column_sightings`.

    The known-check of a listing page compares with what the column itself said when an article was fetched for it, or
    else with what any column said last: columns may disagree about an article for good.
    """

    def record(self, entry: ListingEntry, spider: str, rejection_reason: str = "", *, has_changed: bool) -> None:
        """Remember what a column said of an article that was fetched, and why the article was rejected, if it was.

        Unless the article `has_changed`, other columns are still right to say what they said.
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
        """Remember that this entry, as listed, led to nothing that can be published."""
        with self.transaction():
            row = self._fetch_one("SELECT refused FROM sightings WHERE code = ? AND spider = ?", entry.code, spider)
            self.record(entry, spider, reason, has_changed=row is None or not row["refused"])

    def record_failure(self, entry: ListingEntry, spider: str) -> int:
        """Count a failure to fetch an entry, and return how many there were in a row.

        Title and time of the listing are not stored: the next crawl must not take the entry for known.
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
