"""Conditions: lasting problems of a source, and when each was reported last."""

from collections.abc import Iterable
from datetime import datetime

from crawler.content.dates import format_iso
from crawler.storage.table import Table


class Conditions(Table):
    """Rows of `conditions`, by spider and text."""

    def reported_at(self, spider: str) -> dict[str, datetime]:
        """Return when each condition of a spider was reported last."""
        rows = self._fetch_all("SELECT detail, reported_at FROM conditions WHERE spider = ?", spider)
        return {row["detail"]: datetime.fromisoformat(row["reported_at"]) for row in rows}

    def save(self, spider: str, *, reported: Iterable[str], ended: Iterable[str], now: datetime) -> None:
        """Record the conditions that are reported now, and delete those that have ended."""
        with self.transaction():
            for detail in ended:
                self._execute("DELETE FROM conditions WHERE spider = ? AND detail = ?", spider, detail)
            for detail in reported:
                self._execute(
                    "INSERT OR REPLACE INTO conditions (spider, detail, reported_at) VALUES (?, ?, ?)",
                    spider,
                    detail,
                    format_iso(now),
                )
