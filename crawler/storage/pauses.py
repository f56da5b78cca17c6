"""Pauses: until when a site or an endpoint is sent no requests. Their names stand in the column `origin`."""

from datetime import datetime, timedelta

from crawler.content.dates import format_iso
from crawler.storage.table import Table


class Pauses(Table):
    """The rows of `pauses`, one per site or endpoint."""

    def pause(self, name: str, until: datetime) -> None:
        """Ask this site or endpoint for nothing before then."""
        self._execute("INSERT OR REPLACE INTO pauses (origin, until) VALUES (?, ?)", name, format_iso(until))

    def get_active(self, now: datetime, longest: timedelta) -> dict[str, datetime]:
        """What is still to be left alone. What is over is forgotten, and what is too long: the clock was set back."""
        self._execute("DELETE FROM pauses WHERE until <= ? OR until > ?", format_iso(now), format_iso(now + longest))
        return self.get_all()

    def get_all(self) -> dict[str, datetime]:
        """Until when each site or endpoint was to be left alone, what is over included."""
        rows = self._fetch_all("SELECT origin, until FROM pauses")
        return {row["origin"]: datetime.fromisoformat(row["until"]) for row in rows}
