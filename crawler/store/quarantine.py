"""What could not be read, raw, with the reason."""

import hashlib
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from crawler.store.connection import errors_told
from crawler.text.dates import iso


class Quarantine:
    def __init__(self, db: Database) -> None:
        self._db = db

    def keep(
        self, *, run_id: int, spider: str, code: str, url: str, reason: str, raw: bytes, seen_at: datetime
    ) -> bool:
        """Keep a raw reply or row; the same content for the same reason is kept once. Whether it is new here."""
        with errors_told(), self._db.atomic():
            inserted = self._db.execute(
                """
                INSERT OR IGNORE INTO quarantine (run_id, spider, code, url, reason, seen_at, sha256, raw)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [run_id, spider, code, url, reason, iso(seen_at), hashlib.sha256(raw).hexdigest(), raw],
            )
            return inserted.rowcount == 1

    def of(self, run_id: int) -> list[dict[str, Any]]:
        """What one run put here, without the raw bytes."""
        with errors_told():
            rows = self._db.query("SELECT code, url, reason FROM quarantine WHERE run_id = ? ORDER BY id", [run_id])
            return list(rows)
