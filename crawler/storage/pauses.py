"""Pauses: the time until which a site or an endpoint gets no requests; its name is in the column `origin`."""

from datetime import datetime, timedelta

from crawler.content.dates import format_iso
from crawler.storage.table import Table


class Pauses(Table):
    """Rows of `pauses`, one per site or endpoint."""

    def pause(self, name: str, until: datetime) -> None:
        """Pause requests to a site or endpoint until then."""
        self._execute("INSERT OR REPLACE INTO pauses (origin, until) VALUES (?, ?)", name, format_iso(until))

    def get_active(self, now: datetime, longest: timedelta) -> dict[str, datetime]:
        """Return the current pauses; delete those that are over, or longer than `longest` (the clock was set back)."""
        self._execute("DELETE FROM pauses WHERE until <= ? OR until > ?", format_iso(now), format_iso(now + longest))
        return self.get_all()

    def get_all(self) -> dict[str, datetime]:
        """Return the end of each pause, by site or endpoint, expired pauses included."""
        rows = self._fetch_all("SELECT origin, until FROM pauses")
        return {row["origin"]: datetime.fromisoformat(row["until"]) for row in rows}
