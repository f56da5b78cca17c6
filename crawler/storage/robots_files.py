"""robots.txt files: the last one of each origin."""

from datetime import datetime
from typing import NamedTuple

from crawler.content.dates import format_iso
from crawler.storage.table import Table


class RobotsFile(NamedTuple):
    """robots.txt with the time of its fetch; empty where the source has none."""

    content: bytes
    fetched_at: datetime


class RobotsFiles(Table):
    """Rows of `robots`, one per origin."""

    def get(self, origin: str) -> RobotsFile | None:
        """Return the robots.txt of an origin (scheme, host and port); None if it was never fetched."""
        row = self._fetch_one("SELECT content, fetched_at FROM robots WHERE origin = ?", origin)
        return RobotsFile(row["content"], datetime.fromisoformat(row["fetched_at"])) if row else None

    def save(self, origin: str, robots_file: RobotsFile) -> None:
        """Insert or replace the robots.txt of an origin."""
        self._execute(
            "INSERT OR REPLACE INTO robots (origin, content, fetched_at) VALUES (?, ?, ?)",
            origin,
            robots_file.content,
            format_iso(robots_file.fetched_at),
        )
