"""Runs: the records of crawls and of the outcomes of their listing entries."""

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crawler.content.dates import format_iso
from crawler.errors import StoreError
from crawler.items import Outcome, Reason, RunOutcome
from crawler.storage.table import Table

_UNSUCCESSFUL_OUTCOMES = (RunOutcome.FAILED, RunOutcome.INTERRUPTED)
# Entries per statement, which bounds the memory that SQLite needs for its changes.
_ENTRIES_PER_STATEMENT = 5_000


# Filtered entries are not in the run, because another column may list the article in a way that passes the filter,
# unless they were filtered for their content.
_SELECT_LISTED_CODES = """
    SELECT listed.value AS code,
           EXISTS (
               SELECT 1 FROM entries WHERE entries.code = listed.value AND id > :after
               AND (outcome IS NOT 'filtered' OR reason IN ('no_body', 'rejected_earlier'))
           ) AS in_run,
           EXISTS (
               SELECT 1 FROM entries WHERE entries.code = listed.value AND id > :after AND column_id = :column
           ) AS in_column
    FROM json_each(:codes) AS listed
"""


# SQLite takes no column name as a parameter; the names are those of this module.
_UPDATE_RUN = "UPDATE runs SET {} WHERE id = :id"


class ListedCodes(NamedTuple):
    """Codes that the crawl has listed in any column, and those that it has listed in one column."""

    in_run: set[str]
    in_column: set[str]


class Runs(Table):
    """Rows of `runs`, one per crawl, and of `entries`, one per listing entry of each crawl."""

    def start(self, spider: str, arguments: Mapping[str, str], started_at: datetime) -> int:
        """Insert a run, and return its id."""
        cursor = self._execute(
            "INSERT INTO runs (spider, arguments, started_at) VALUES (?, ?, ?)",
            spider,
            # Bytes of a folder's name that are not UTF-8 are escaped in JSON.
            json.dumps(arguments, ensure_ascii=False).encode("utf-8", "backslashreplace").decode(),
            format_iso(started_at),
        )
        return int(cursor.lastrowid or 0)

    def add_entries(
        self, run_id: int, entries: Iterable[tuple[str, str, Outcome | None, Reason | None, str]]
    ) -> list[int]:
        """Insert the entries of a listing page before their articles are fetched; return their ids in order.

        An entry is code, column id, outcome and reason (None until they are decided), and detail.
        """
        sql = "INSERT INTO entries (run_id, code, column_id, outcome, reason, detail) VALUES (?, ?, ?, ?, ?, ?)"
        with self.transaction():
            return [int(self._execute(sql, run_id, *entry).lastrowid or 0) for entry in entries]

    def last_entry_id(self) -> int:
        """Return the id of the last entry; 0 without entries."""
        row = self._fetch_one("SELECT coalesce(max(id), 0) AS last_id FROM entries")
        return int(row["last_id"]) if row else 0

    def find_listed(self, after_entry_id: int, column: str, codes: Sequence[str]) -> ListedCodes:
        """Return the codes that are among the entries after `after_entry_id`: those of the current crawl.

        The index on `code` holds the ids in order, so a code that many crawls have listed takes no longer.
        """
        rows = self._fetch_all(_SELECT_LISTED_CODES, after=after_entry_id, column=column, codes=json.dumps(codes))
        return ListedCodes(
            in_run={row["code"] for row in rows if row["in_run"]},
            in_column={row["code"] for row in rows if row["in_column"]},
        )

    def set_outcome(self, entry_id: int, outcome: Outcome, reason: Reason, detail: str = "") -> None:
        """Record the outcome of an entry that has none yet."""
        self._execute(
            "UPDATE entries SET outcome = ?, reason = ?, detail = ? WHERE id = ? AND outcome IS NULL",
            outcome,
            reason,
            _as_stored(detail),
            entry_id,
        )

    def fail_open_entries(self, run_id: int, detail: str) -> None:
        """Record the entries of a run that have no outcome as failed: they were interrupted."""
        self._execute(
            "UPDATE entries SET outcome = ?, reason = ?, detail = ? WHERE run_id = ? AND outcome IS NULL",
            Outcome.FAILED,
            Reason.INTERRUPTED,
            detail,
            run_id,
        )

    def finish(self, run_id: int, outcome: RunOutcome, finished_at: datetime, detail: str = "") -> None:
        """Close a run whose entries all have an outcome, and store the counts of its outcomes."""
        with self.transaction():
            self._add_article_columns(run_id)
            values: dict[str, object] = {"finished_at": format_iso(finished_at), "outcome": outcome}
            values |= {"detail": _as_stored(detail), **self.entry_counts(run_id)}
            changes = ", ".join(f'"{name}" = :{name}' for name in values)
            self._execute(_UPDATE_RUN.format(changes), id=run_id, **values)

    def _add_article_columns(self, run_id: int) -> None:
        """Insert the columns that list a run's articles, in batches: SQLite keeps a statement's changes in memory.

        The `+` makes SQLite look the entries up by their ids, which are contiguous.
        """
        # All ids, not only the first and the last: another program may have added one that is far from the others.
        rows = self._iter_rows("SELECT id FROM entries WHERE run_id = ? ORDER BY id", run_id)
        ids = array("q", (row["id"] for row in rows))
        for start in range(0, len(ids), _ENTRIES_PER_STATEMENT):
            self._execute(
                """
                INSERT OR IGNORE INTO article_columns (code, column_id)
                SELECT code, column_id FROM entries JOIN articles USING (code)
                WHERE +run_id = ? AND entries.id BETWEEN ? AND ? AND column_id != ''
                """,
                run_id,
                ids[start],
                ids[min(start + _ENTRIES_PER_STATEMENT, len(ids)) - 1],
            )

    def failing_since(self, spider: str) -> datetime | None:
        """Return the start of the first crawl after the spider's last successful one, the open crawl included.

        None where another program has changed the runs.
        """
        row = self._fetch_one(
            """
            SELECT started_at FROM runs WHERE spider = :spider AND id >
            (SELECT coalesce(max(id), 0) FROM runs
             WHERE spider = :spider AND outcome NOT IN (SELECT value FROM json_each(:nowhere)))
            ORDER BY started_at LIMIT 1
            """,
            spider=spider,
            nowhere=json.dumps(_UNSUCCESSFUL_OUTCOMES),
        )
        return datetime.fromisoformat(row["started_at"]) if row else None

    def open_run_ids(self) -> list[int]:
        """Return the ids of open runs. Before the lock's holder starts its own, they are of killed crawls."""
        return [row["id"] for row in self._fetch_all("SELECT id FROM runs WHERE finished_at IS NULL")]

    def finish_interrupted_runs(self, finished_at: datetime) -> None:
        """Close the runs of killed crawls. Requires the lock of the output folder."""
        for run_id in self.open_run_ids():
            self.fail_open_entries(run_id, "the crawl was killed before its outcome was recorded")
            self.finish(run_id, RunOutcome.INTERRUPTED, finished_at, "killed; closed by the next crawl")

    def entry_counts(self, run_id: int) -> dict[str, int]:
        """Return the number of `listed` entries of a run, and of entries by outcome."""
        rows = self._fetch_all(
            "SELECT outcome, count(*) AS times FROM entries WHERE run_id = ? GROUP BY outcome", run_id
        )
        count_by_outcome = {row["outcome"]: row["times"] for row in rows}
        return {
            "listed": sum(count_by_outcome.values()),
            **{outcome.value: count_by_outcome.get(outcome, 0) for outcome in Outcome},
        }

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """Return the last runs, newest first; an open run has the counts of its entries so far."""
        rows = self._fetch_all("SELECT * FROM runs ORDER BY id DESC LIMIT ?", limit)
        return [row if row["finished_at"] else {**row, **self.entry_counts(row["id"])} for row in rows]

    def get(self, run_id: int) -> dict[str, Any]:
        """Return the row of a run. Raises StoreError if another program has changed it."""
        row = self._fetch_one("SELECT * FROM runs WHERE id = ?", run_id)
        if row is None:
            raise StoreError(f"another program has changed the run {run_id} in the table runs: end it, and crawl again")
        return row


def _as_stored(detail: str) -> str:
    """Return a text that may hold a file name as valid UTF-8."""
    return detail.encode("utf-8", "replace").decode()
