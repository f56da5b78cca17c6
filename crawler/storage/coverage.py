"""Coverage: the time range that each listing was read completely, unproven walks, and gaps between crawls."""

from datetime import datetime, timedelta
from typing import Any

from crawler.content.dates import format_iso
from crawler.items import Coverage, Gap
from crawler.storage.table import Table

# Coverage may end this much later than now: clocks are set wrong.
_MAX_CLOCK_ERROR = timedelta(days=1)


class CoverageTable(Table):
    """Rows of `coverage` and `unproven_walks`, one per listing, and of `gaps`."""

    def for_spider(self, spider: str, now: datetime) -> dict[str, Coverage]:
        """Return the coverage of each of a spider's listings, by column id.

        Coverage that ends in the future, which only another program can have written, is left out: its entries would
        never be read.
        """
        rows = self._fetch_all(
            "SELECT column_id, newest, oldest FROM coverage WHERE spider = ? AND newest <= ?",
            spider,
            format_iso(now + _MAX_CLOCK_ERROR),
        )
        return {
            row["column_id"]: Coverage(
                datetime.fromisoformat(row["newest"]), row["oldest"] and datetime.fromisoformat(row["oldest"])
            )
            for row in rows
        }

    def save(self, run_id: int, spider: str, column: str, coverage: Coverage) -> None:
        """Insert or replace the coverage of a listing."""
        self._execute(
            "INSERT OR REPLACE INTO coverage (spider, column_id, newest, oldest, run_id) VALUES (?, ?, ?, ?, ?)",
            spider,
            column,
            format_iso(coverage.newest),
            coverage.oldest and format_iso(coverage.oldest),
            run_id,
        )

    def add_unproven_walk(self, run_id: int, spider: str, column: str) -> int:
        """Count a walk that did not prove that it read the whole listing; return the number of such walks in a row."""
        with self.transaction():
            self._execute(
                """
                INSERT INTO unproven_walks (spider, column_id, run_id, walks) VALUES (?, ?, ?, 1)
                ON CONFLICT (spider, column_id) DO UPDATE SET run_id = excluded.run_id, walks = walks + 1
                """,
                spider,
                column,
                run_id,
            )
            row = self._fetch_one("SELECT walks FROM unproven_walks WHERE spider = ? AND column_id = ?", spider, column)
        return int(row["walks"]) if row else 0

    def forget_unproven_walks(self, spider: str, column: str) -> None:
        """Reset the count of unproven walks of a listing."""
        self._execute("DELETE FROM unproven_walks WHERE spider = ? AND column_id = ?", spider, column)

    def add_gap(self, run_id: int, column: str, gap: Gap) -> None:
        """Record an interval whose entries were certainly missed."""
        self._execute(
            "INSERT INTO gaps (run_id, column_id, after, before) VALUES (?, ?, ?, ?)",
            run_id,
            column,
            format_iso(gap.after),
            format_iso(gap.before),
        )

    def latest_gaps(self, limit: int) -> list[dict[str, Any]]:
        """Return the last gaps, newest first: `run_id`, `spider`, `column_id`, `after`, `before`, `started_at`."""
        return self._fetch_all(
            """
            SELECT run_id, spider, column_id, after, before, started_at
            FROM gaps JOIN runs ON runs.id = run_id ORDER BY run_id DESC, column_id LIMIT ?
            """,
            limit,
        )
