"""What could not be read, raw, with the reason, and what it takes to try again."""

import hashlib
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from crawler.content.dates import iso
from crawler.errors import Unreadable
from crawler.items import Entry, Reply
from crawler.storage.connection import errors_told
from crawler.storage.raw_responses import as_json

# What stands in quarantine: a whole listing, one row of one, the reply for an article, or a file that was imported.
LISTING, ROW, ARTICLE, FILE = "listing", "row", "article", "file"
# Of a larger reply, which is none of the source's, only the beginning is kept: it must not fill the disk.
_LARGEST = 1 << 20

_KEEP = """
    INSERT OR IGNORE INTO quarantine (
        run_id, spider, kind, code, column_id, url, content_type, reader, entry, reason, seen_at, sha256, raw
    ) VALUES (
        :run_id, :spider, :kind, :code, :column_id, :url, :content_type, :reader, :entry, :reason, :seen_at, :sha256,
        :raw
    )
"""


class Quarantine:
    def __init__(self, db: Database) -> None:
        self._db = db

    def keep(
        self,
        reply: Reply,
        *,
        run_id: int,
        spider: str,
        kind: str,
        reason: str,
        at: datetime,
        code: str = "",
        column: str = "",
        entry: Entry | None = None,
    ) -> bool:
        """Keep a raw reply or row; the same content for the same reason is kept once. Whether it is new here."""
        row = {
            "run_id": run_id,
            "spider": spider,
            "kind": kind,
            "code": entry.code if entry else code,
            "column_id": entry.column if entry else column,
            "url": reply.url,
            "content_type": reply.content_type,
            "reader": reply.reader,
            "entry": as_json(entry) if entry else None,
            "reason": reason,
            "seen_at": iso(at),
            "sha256": hashlib.sha256(reply.body).hexdigest(),
            "raw": reply.body[:_LARGEST],
        }
        with errors_told(), self._db.atomic():
            return self._db.execute(_KEEP, row).rowcount == 1

    def unresolved(self) -> list[dict[str, Any]]:
        """What stands in quarantine, oldest first, without the raw bytes."""
        with errors_told():
            sql = """
                SELECT id, spider, kind, code, column_id, url, content_type, reader, entry, reason
                FROM quarantine WHERE resolved_at IS NULL ORDER BY id
            """
            return list(self._db.query(sql))

    def raw(self, quarantine_id: int) -> bytes:
        """The bytes that are kept. Raises Unreadable where that is only the beginning of what came."""
        with errors_told():
            row = self._db.table("quarantine").get(quarantine_id)
        raw = bytes(row["raw"])
        if len(raw) == _LARGEST and hashlib.sha256(raw).hexdigest() != row["sha256"]:
            raise Unreadable("only its beginning was kept")
        return raw

    def resolve(self, quarantine_id: int, at: datetime) -> None:
        """It could be read after all."""
        with errors_told():
            self._db.table("quarantine").update(quarantine_id, {"resolved_at": iso(at)})
