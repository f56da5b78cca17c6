"""Sightings: what each spider's listings last said of an article, which deduplicates entries across crawls."""

from crawler.content.dates import format_iso
from crawler.items import ListingEntry
from crawler.storage.table import Table

# Code, spider, title and time as listed, and why the entry was rejected (empty: it was not). Failures are forgotten.
UPSERT_SIGHTING = "INSERT OR REPLACE INTO sightings (code, spider, title, published_at, refused) VALUES (?, ?, ?, ?, ?)"


class Sightings(Table):
    """The rows of `sightings`: one per code and spider. The known-check of a listing page compares with them."""

    def mark_rejected(self, entry: ListingEntry, spider: str, reason: str) -> None:
        """Remember that this entry, as listed, led to nothing that can be published."""
        self._execute(UPSERT_SIGHTING, entry.code, spider, entry.title, format_iso(entry.published), reason)

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
