"""Paused origins: until when a source asked not to be sent requests."""

from datetime import datetime

from crawler.content.dates import format_iso
from crawler.storage.table import Table


class PausedOrigins(Table):
    """The rows of `pauses`, one per origin."""

    def pause(self, origin: str, until: datetime) -> None:
        """Ask this origin for nothing before then."""
        self._execute("INSERT OR REPLACE INTO pauses (origin, until) VALUES (?, ?)", origin, format_iso(until))

    def get_active(self, now: datetime) -> dict[str, datetime]:
        """What is still to be left alone; what is over is forgotten."""
        self._execute("DELETE FROM pauses WHERE until <= ?", format_iso(now))
        return self.get_all()

    def get_all(self) -> dict[str, datetime]:
        """Until when each origin was to be left alone, what is over included."""
        rows = self._fetch_all("SELECT origin, until FROM pauses")
        return {row["origin"]: datetime.fromisoformat(row["until"]) for row in rows}
