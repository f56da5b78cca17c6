"""Quarantine: raw responses, rows and files that could not be parsed, the reason, and what a retry needs."""

import hashlib
from datetime import datetime
from typing import Any

from crawler.content.dates import format_iso
from crawler.errors import ParseError
from crawler.items import ListingEntry, RawResponse
from crawler.storage.raw_responses import entry_to_json
from crawler.storage.row_rules import QUARANTINE_KINDS
from crawler.storage.table import Table

KIND_LISTING, KIND_ROW, KIND_ARTICLE, KIND_FILE, KIND_STORED = QUARANTINE_KINDS
# Of a larger response, which is none of the source's, only the beginning is kept: it must not fill the disk.
_MAX_RAW_BYTES = 1 << 20

_INSERT_QUARANTINED = """
    INSERT OR IGNORE INTO quarantine (
        run_id, spider, kind, code, column_id, url, content_type, reader, entry, reason, seen_at, sha256, raw,
        resolved_at
    ) VALUES (
        :run_id, :spider, :kind, :code, :column_id, :url, :content_type, :reader, :entry, :reason, :seen_at, :sha256,
        :raw, CASE WHEN :kind = 'row' AND EXISTS (SELECT 1 FROM articles WHERE code = :code) THEN :seen_at END
    )
"""
_REOPEN_ARTICLE = """
    UPDATE quarantine SET resolved_at = NULL
    WHERE sha256 = :sha256 AND kind = :kind AND spider = :spider AND code = :code AND kind = 'article'
"""
_SELECT_SAME_CONTENT = "SELECT 1 FROM quarantine WHERE sha256 = :sha256 AND kind = :kind AND spider = :spider"


class Quarantine(Table):
    """The rows of `quarantine`."""

    def add(
        self,
        response: RawResponse,
        *,
        run_id: int,
        spider: str,
        kind: str,
        reason: str,
        seen_at: datetime,
        code: str = "",
        column: str = "",
        entry: ListingEntry | None = None,
    ) -> bool:
        """Keep a raw response or row; the same content for the same reason is kept once. Whether it is new here.

        A reason is a text, and may be another in the next version: content of the same kind is not new for that.
        A row of an article that is stored already, as another column lists it, is kept, and needs no one's attention.
        """
        row = {
            "run_id": run_id,
            "spider": spider,
            "kind": kind,
            "code": entry.code if entry else code,
            "column_id": entry.column if entry else column,
            "url": response.url,
            "content_type": response.content_type,
            "reader": response.extractor_index,
            "entry": entry_to_json(entry) if entry else None,
            "reason": reason,
            "seen_at": format_iso(seen_at),
            "sha256": hashlib.sha256(response.body).hexdigest(),
            "raw": response.body[:_MAX_RAW_BYTES],
        }
        with self.transaction():
            is_new = self._fetch_one(_SELECT_SAME_CONTENT, **row) is None
            self._execute(_INSERT_QUARANTINED, **row)
            self._execute(_REOPEN_ARTICLE, **row)
        return is_new

    def unresolved(self) -> list[dict[str, Any]]:
        """The rows that are in quarantine now, oldest first, without the raw bytes."""
        return self._fetch_all(
            """
            SELECT id, spider, kind, code, column_id, url, content_type, reader, entry, reason
            FROM quarantine WHERE resolved_at IS NULL AND kind != ? ORDER BY id
            """,
            KIND_STORED,
        )

    def get_raw(self, quarantine_id: int) -> bytes:
        """The bytes that are kept. Raises ParseError where that is only the beginning of what came."""
        row = self._fetch_one("SELECT raw, sha256 FROM quarantine WHERE id = ?", quarantine_id)
        if row is None:
            raise ParseError("another program has changed what was kept")
        raw = bytes(row["raw"])
        if len(raw) == _MAX_RAW_BYTES and hashlib.sha256(raw).hexdigest() != row["sha256"]:
            raise ParseError("only its beginning was kept")
        return raw

    def resolve_article(self, code: str, resolved_at: datetime) -> None:
        """Let an article out of quarantine that is stored now. It is part of the caller's transaction."""
        self._execute(
            "UPDATE quarantine SET resolved_at = ? WHERE code = ? AND resolved_at IS NULL",
            format_iso(resolved_at),
            code,
        )

    def mark_resolved(self, quarantine_id: int, resolved_at: datetime) -> None:
        """It could be read after all."""
        self._execute("UPDATE quarantine SET resolved_at = ? WHERE id = ?", format_iso(resolved_at), quarantine_id)
