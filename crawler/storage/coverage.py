"""Coverage: the range that each listing has been read over, and the gaps between two crawls."""

from datetime import datetime
from typing import Any

from crawler.content.dates import format_iso
from crawler.items import Coverage, Gap
from crawler.storage.table import Table


class CoverageTable(Table):
    """The rows of `coverage`, one per listing, and of `gaps`."""

    def for_spider(self, spider: str) -> dict[str, Coverage]:
        """What is covered of each of a spider's listings, by column id."""
        rows = self._fetch_all("SELECT column_id, newest, oldest FROM coverage WHERE spider = ?", spider)
        return {
            row["column_id"]: Coverage(
                datetime.fromisoformat(row["newest"]), row["oldest"] and datetime.fromisoformat(row["oldest"])
            )
            for row in rows
        }

    def save(self, run_id: int, spider: str, column: str, coverage: Coverage) -> None:
        """What complete readings of a listing have covered by now."""
        self._execute(
            "INSERT OR REPLACE INTO coverage (spider, column_id, newest, oldest, run_id) VALUES (?, ?, ?, ?, ?)",
            spider,
            column,
            format_iso(coverage.newest),
            coverage.oldest and format_iso(coverage.oldest),
            run_id,
        )

    def add_gap(self, run_id: int, column: str, gap: Gap) -> None:
        """Entries of this interval were missed for certain."""
        self._execute(
            "INSERT INTO gaps (run_id, column_id, after, before) VALUES (?, ?, ?, ?)",
            run_id,
            column,
            format_iso(gap.after),
            format_iso(gap.before),
        )

    def latest_gaps(self, limit: int) -> list[dict[str, Any]]:
        """The last gaps, newest first: `run_id`, `spider`, `column_id`, `after`, `before`, `started_at` of the run."""
        return self._fetch_all(
            """
            SELECT run_id, spider, column_id, after, before, started_at
            FROM gaps JOIN runs ON runs.id = run_id ORDER BY run_id DESC, column_id LIMIT ?
            """,
            limit,
        )
