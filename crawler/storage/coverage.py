"""How far each listing has been covered, and what was missed between two crawls."""

from datetime import datetime
from typing import Any

from sqlite_utils import Database

from crawler.content.dates import iso
from crawler.items import Coverage, Gap
from crawler.storage.connection import errors_told


class Covered:
    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, spider: str) -> dict[str, Coverage]:
        """What is covered of each of a spider's listings, by column id."""
        with errors_told():
            rows = self._db.query("SELECT column_id, newest, oldest FROM coverage WHERE spider = ?", [spider])
            return {row["column_id"]: Coverage(_moment(row["newest"]), _maybe(row["oldest"])) for row in rows}

    def reached(self, run_id: int, spider: str, column: str, coverage: Coverage) -> None:
        """What a listing's complete walks have covered by now."""
        with errors_told(), self._db.atomic():
            self._db.execute(
                "INSERT OR REPLACE INTO coverage (spider, column_id, newest, oldest, run_id) VALUES (?, ?, ?, ?, ?)",
                [spider, column, iso(coverage.newest), coverage.oldest and iso(coverage.oldest), run_id],
            )

    def missed(self, run_id: int, column: str, gap: Gap) -> None:
        """Entries of this interval were missed for certain."""
        with errors_told(), self._db.atomic():
            self._db.execute(
                "INSERT INTO gaps (run_id, column_id, after, before) VALUES (?, ?, ?, ?)",
                [run_id, column, iso(gap.after), iso(gap.before)],
            )

    def gaps(self, limit: int) -> list[dict[str, Any]]:
        """The last gaps, newest first: `run_id`, `spider`, `column_id`, `after`, `before`, `started_at` of the run."""
        with errors_told():
            sql = """
                SELECT run_id, spider, column_id, after, before, started_at
                FROM gaps JOIN runs ON runs.id = run_id ORDER BY run_id DESC, column_id LIMIT ?
            """
            return list(self._db.query(sql, [limit]))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _maybe(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)
