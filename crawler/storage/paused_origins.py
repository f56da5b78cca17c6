"""Until when the source asked not to be asked again, by origin."""

from datetime import datetime

from sqlite_utils import Database

from crawler.content.dates import iso
from crawler.storage.connection import errors_told


class Pauses:
    def __init__(self, db: Database) -> None:
        self._db = db

    def begin(self, origin: str, until: datetime) -> None:
        """Ask this origin for nothing before then."""
        with errors_told():
            self._db.table("pauses").insert({"origin": origin, "until": iso(until)}, replace=True)

    def at(self, now: datetime) -> dict[str, datetime]:
        """What is still to be left alone; what is over is forgotten."""
        with errors_told():
            self._db.table("pauses").delete_where("until <= ?", [iso(now)])
        return self.kept()

    def kept(self) -> dict[str, datetime]:
        """Until when each origin was to be left alone, what is over included."""
        with errors_told():
            return {row["origin"]: datetime.fromisoformat(row["until"]) for row in self._db.table("pauses").rows}
