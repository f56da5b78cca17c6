"""Until when the source asked not to be asked again, by origin."""

from datetime import datetime

from sqlite_utils import Database

from crawler.content.dates import format_iso
from crawler.storage.connection import as_store_error


class PausedOrigins:
    def __init__(self, db: Database) -> None:
        self._db = db

    def pause(self, origin: str, until: datetime) -> None:
        """Ask this origin for nothing before then."""
        with as_store_error():
            self._db.table("pauses").insert({"origin": origin, "until": format_iso(until)}, replace=True)

    def get_active(self, now: datetime) -> dict[str, datetime]:
        """What is still to be left alone; what is over is forgotten."""
        with as_store_error():
            self._db.table("pauses").delete_where("until <= ?", [format_iso(now)])
        return self.get_all()

    def get_all(self) -> dict[str, datetime]:
        """Until when each origin was to be left alone, what is over included."""
        with as_store_error():
            return {row["origin"]: datetime.fromisoformat(row["until"]) for row in self._db.table("pauses").rows}
