"""Health queries: the state of an output folder's crawls, articles and database, for `finews status`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crawler.storage.table import Table

_RUN_STATES = """
    SELECT spider,
        max(CASE WHEN finished_at IS NOT NULL THEN id END) AS last_id,
        max(CASE WHEN outcome = 'done' OR (outcome = 'partial' AND listed > 0) THEN finished_at END) AS last_good_at
    FROM runs GROUP BY spider ORDER BY spider
"""
_GAPS = """
    SELECT count(*) AS number FROM gaps JOIN runs ON runs.id = gaps.run_id
    WHERE runs.spider = ? AND runs.started_at >= ?
"""


@dataclass(frozen=True, slots=True)
class SourceState:
    """The crawls of one source. A crawl is good that ended with exit code 0, or with 3 and something read."""

    source: str
    last_good_at: datetime | None
    last_finished_at: datetime | None
    last_outcome: str
    """Empty before the first crawl has ended."""
    last_detail: str
    failing_entries: int
    """Entries that failed the last time they were fetched."""
    gaps: int
    """Spans of listings that recent crawls have missed."""
    conditions: tuple[str, ...]
    """Lasting conditions that were reported: closed endpoints and changed fields, among others."""


class Health(Table):
    """The counts and times that say how the crawls of an output folder do."""

    def source_states(self, gaps_since: str) -> list[SourceState]:
        """Return the state of each source that was ever crawled; gaps are those of crawls since a time (ISO 8601)."""
        return [self._source_state(row, gaps_since) for row in self._fetch_all(_RUN_STATES)]

    def _source_state(self, state: dict[str, Any], gaps_since: str) -> SourceState:
        source = state["spider"]
        sql = "SELECT finished_at, outcome, detail FROM runs WHERE id = ?"
        last = self._fetch_one(sql, state["last_id"]) or {"finished_at": None, "outcome": "", "detail": ""}
        failing = "SELECT count(*) AS number FROM sightings WHERE spider = ? AND failures > 0"
        conditions = self._fetch_all("SELECT detail FROM conditions WHERE spider = ? ORDER BY detail", source)
        return SourceState(
            source,
            _parse_time(state["last_good_at"]),
            _parse_time(last["finished_at"]),
            last["outcome"],
            last["detail"],
            self._count(failing, source),
            self._count(_GAPS, source, gaps_since),
            tuple(row["detail"] for row in conditions),
        )

    def count_articles(self) -> int:
        """Return the number of articles."""
        return self._count("SELECT count(*) AS number FROM articles")

    def count_unwritten_posts(self) -> int:
        """Return the number of articles whose post file is missing or of an older revision."""
        return self._count("SELECT count(*) AS number FROM articles WHERE published_revision IS NOT revision")

    def count_quarantined(self) -> int:
        """Return the number of responses and rows in quarantine."""
        return self._count("SELECT count(*) AS number FROM quarantine WHERE resolved_at IS NULL")

    def _count(self, sql: str, *values: object) -> int:
        row = self._fetch_one(sql, *values)
        return int(row["number"]) if row else 0


def _parse_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
