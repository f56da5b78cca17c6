"""How far each listing has been covered, and what was missed between two crawls."""

from datetime import datetime
from typing import Any

from sqlite_utils import Database

from crawler.content.dates import format_iso
from crawler.items import Coverage, Gap
from crawler.storage.connection import as_store_error


class CoverageTable:
    def __init__(self, db: Database) -> None:
        self._db = db

    def for_spider(self, spider: str) -> dict[str, Coverage]:
        """What is covered of each of a spider's listings, by column id."""
        with as_store_error():
            rows = self._db.query("SELECT column_id, newest, oldest FROM coverage WHERE spider = ?", [spider])
            return {
                row["column_id"]: Coverage(_parse_time(row["newest"]), _parse_optional_time(row["oldest"]))
                for row in rows
            }

    def save(self, run_id: int, spider: str, column: str, coverage: Coverage) -> None:
        """What a listing's complete walks have covered by now."""
        with as_store_error(), self._db.atomic():
            self._db.execute(
                "INSERT OR REPLACE INTO coverage (spider, column_id, newest, oldest, run_id) VALUES (?, ?, ?, ?, ?)",
                [spider, column, format_iso(coverage.newest), coverage.oldest and format_iso(coverage.oldest), run_id],
            )

    def add_gap(self, run_id: int, column: str, gap: Gap) -> None:
        """Entries of this interval were missed for certain."""
        with as_store_error(), self._db.atomic():
            self._db.execute(
                "INSERT INTO gaps (run_id, column_id, after, before) VALUES (?, ?, ?, ?)",
                [run_id, column, format_iso(gap.after), format_iso(gap.before)],
            )

    def latest_gaps(self, limit: int) -> list[dict[str, Any]]:
        """The last gaps, newest first: `run_id`, `spider`, `column_id`, `after`, `before`, `started_at` of the run."""
        with as_store_error():
            sql = """
                SELECT run_id, spider, column_id, after, before, started_at
                FROM gaps JOIN runs ON runs.id = run_id ORDER BY run_id DESC, column_id LIMIT ?
            """
            return list(self._db.query(sql, [limit]))


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _parse_optional_time(text: str | None) -> datetime | None:
    return None if text is None else _parse_time(text)
