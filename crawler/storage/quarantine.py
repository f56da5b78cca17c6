"""Quarantine: raw responses, rows and files that could not be parsed, with the reason and the data for a retry."""

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
# Bytes kept of a response; larger than any of the sources' responses, and small enough not to fill the disk.
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
    """Rows of `quarantine`."""

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
        """Keep a raw response or row, once per content and reason; return whether the content is new.

        Content of the same kind is not new if only the reason differs, whose wording may change between versions.
        A row of an article that is stored already, because another column lists it, is kept as resolved.
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
        """Return the unresolved rows, oldest first, without the raw bytes."""
        return self._fetch_all(
            """
            SELECT id, spider, kind, code, column_id, url, content_type, reader, entry, reason
            FROM quarantine WHERE resolved_at IS NULL AND kind != ? ORDER BY id
            """,
            KIND_STORED,
        )

    def get_raw(self, quarantine_id: int) -> bytes:
        """Return the raw bytes of a row. Raises ParseError if the response was longer than the bytes kept."""
        row = self._fetch_one("SELECT raw, sha256 FROM quarantine WHERE id = ?", quarantine_id)
        if row is None:
            raise ParseError("another program has changed the kept response")
        raw = bytes(row["raw"])
        if len(raw) == _MAX_RAW_BYTES and hashlib.sha256(raw).hexdigest() != row["sha256"]:
            raise ParseError("only its beginning was kept")
        return raw

    def resolve_article(self, code: str, resolved_at: datetime) -> None:
        """Mark the rows of an article that is stored now as resolved, in the caller's transaction."""
        self._execute(
            "UPDATE quarantine SET resolved_at = ? WHERE code = ? AND resolved_at IS NULL",
            format_iso(resolved_at),
            code,
        )

    def mark_resolved(self, quarantine_id: int, resolved_at: datetime) -> None:
        """Mark a row as resolved: it could be parsed."""
        self._execute("UPDATE quarantine SET resolved_at = ? WHERE id = ?", format_iso(resolved_at), quarantine_id)
