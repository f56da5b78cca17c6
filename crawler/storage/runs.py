"""Runs: the bookkeeping of crawls: each crawl, and the outcome of each of its listing entries."""

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crawler.content.dates import format_iso
from crawler.errors import StoreError
from crawler.items import Outcome, Reason, RunOutcome
from crawler.storage.table import Table

# A crawl that ended so got nowhere.
_UNSUCCESSFUL_OUTCOMES = (RunOutcome.FAILED, RunOutcome.INTERRUPTED)
# Entries that are dealt with by one statement.
_ENTRIES_PER_STATEMENT = 5_000


# What was filtered because of its listing may be wanted as another column lists it; without a text it is met once.
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


# SQLite takes no name of a column as a parameter: these are our own.
_UPDATE_RUN = "UPDATE runs SET {} WHERE id = :id"


class ListedCodes(NamedTuple):
    """The codes that the crawl has met, in any column, and those that it has listed in one column."""

    in_run: set[str]
    in_column: set[str]


class Runs(Table):
    """The rows of `runs`, one per crawl, and of `entries`, one per listing entry of each."""

    def start(self, spider: str, arguments: Mapping[str, str], started_at: datetime) -> int:
        """Open a run; its id."""
        cursor = self._execute(
            "INSERT INTO runs (spider, arguments, started_at) VALUES (?, ?, ?)",
            spider,
            # The name of a folder need not be text, and what is not is an escape in JSON.
            json.dumps(arguments, ensure_ascii=False).encode("utf-8", "backslashreplace").decode(),
            format_iso(started_at),
        )
        return int(cursor.lastrowid or 0)

    def add_entries(
        self, run_id: int, entries: Iterable[tuple[str, str, Outcome | None, Reason | None, str]]
    ) -> list[int]:
        """Write down a listing page before anything is fetched; the id of each entry, in order.

        An entry is code, column id, outcome and reason (None while they are not decided), and detail.
        """
        sql = "INSERT INTO entries (run_id, code, column_id, outcome, reason, detail) VALUES (?, ?, ?, ?, ?, ?)"
        with self.transaction():
            return [int(self._execute(sql, run_id, *entry).lastrowid or 0) for entry in entries]

    def last_entry_id(self) -> int:
        """Return the id of the entry that was added last; 0 without any."""
        row = self._fetch_one("SELECT coalesce(max(id), 0) AS last_id FROM entries")
        return int(row["last_id"]) if row else 0

    def find_listed(self, after_entry_id: int, column: str, codes: Sequence[str]) -> ListedCodes:
        """Return which codes are among the entries that were added after one, that is, in the crawl that runs.

        The index on `code` holds the ids in their order, so a code that many crawls have listed costs no more.
        """
        rows = self._fetch_all(_SELECT_LISTED_CODES, after=after_entry_id, column=column, codes=json.dumps(codes))
        return ListedCodes(
            in_run={row["code"] for row in rows if row["in_run"]},
            in_column={row["code"] for row in rows if row["in_column"]},
        )

    def set_outcome(self, entry_id: int, outcome: Outcome, reason: Reason, detail: str = "") -> None:
        """An entry's one and only outcome: the first one stays."""
        self._execute(
            "UPDATE entries SET outcome = ?, reason = ?, detail = ? WHERE id = ? AND outcome IS NULL",
            outcome,
            reason,
            _as_stored(detail),
            entry_id,
        )

    def fail_open_entries(self, run_id: int, detail: str) -> None:
        """Fail what has no outcome by now: whatever was at work on it was stopped."""
        self._execute(
            "UPDATE entries SET outcome = ?, reason = ?, detail = ? WHERE run_id = ? AND outcome IS NULL",
            Outcome.FAILED,
            Reason.INTERRUPTED,
            detail,
            run_id,
        )

    def finish(self, run_id: int, outcome: RunOutcome, finished_at: datetime, detail: str = "") -> None:
        """Close a run all of whose entries have an outcome: its counts are theirs."""
        with self.transaction():
            self._add_article_columns(run_id)
            values: dict[str, object] = {"finished_at": format_iso(finished_at), "outcome": outcome}
            values |= {"detail": _as_stored(detail), **self.entry_counts(run_id)}
            changes = ", ".join(f'"{name}" = :{name}' for name in values)
            self._execute(_UPDATE_RUN.format(changes), id=run_id, **values)

    def _add_article_columns(self, run_id: int) -> None:
        """Where a run's articles are listed, by some entries at a time: SQLite keeps what a statement changes.

        The `+` makes it look the entries up by their ids, which are neighbours.
        """
        # Each id, and not only the first and the last: another program may have added one that is far from the others.
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
        """When the first crawl began since which none of this spider's got anywhere; the open one counts.

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
        """The runs that a killed crawl left open. Only the holder of the lock may ask, before it begins its own."""
        return [row["id"] for row in self._fetch_all("SELECT id FROM runs WHERE finished_at IS NULL")]

    def finish_interrupted_runs(self, finished_at: datetime) -> None:
        """Close what a killed crawl left open. Only the holder of the lock may ask."""
        for run_id in self.open_run_ids():
            self.fail_open_entries(run_id, "the crawl was killed before its outcome was recorded")
            self.finish(run_id, RunOutcome.INTERRUPTED, finished_at, "killed; closed by the next crawl")

    def entry_counts(self, run_id: int) -> dict[str, int]:
        """`listed`, and one count per outcome."""
        rows = self._fetch_all(
            "SELECT outcome, count(*) AS times FROM entries WHERE run_id = ? GROUP BY outcome", run_id
        )
        count_by_outcome = {row["outcome"]: row["times"] for row in rows}
        return {
            "listed": sum(count_by_outcome.values()),
            **{outcome.value: count_by_outcome.get(outcome, 0) for outcome in Outcome},
        }

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """The last runs, newest first; of one that is not closed, what its entries have come to by now."""
        rows = self._fetch_all("SELECT * FROM runs ORDER BY id DESC LIMIT ?", limit)
        return [row if row["finished_at"] else {**row, **self.entry_counts(row["id"])} for row in rows]

    def get(self, run_id: int) -> dict[str, Any]:
        row = self._fetch_one("SELECT * FROM runs WHERE id = ?", run_id)
        if row is None:
            raise StoreError(f"another program has changed the run {run_id} in the table runs: end it, and crawl again")
        return row


def _as_stored(detail: str) -> str:
    """Return a text as SQLite can hold it: it may name a file whose name is no text."""
    return detail.encode("utf-8", "replace").decode()
