"""One article through time: what it said, and what became of each listing of it."""

from typing import Any

from sqlite_utils import Database

from crawler.storage.connection import errors_told

_VERSIONS = """
    SELECT revision, seen_at, title, published_at, body_html FROM revisions WHERE code = :code
    UNION ALL
    SELECT revision, coalesce(changed_at, first_seen_at), title, published_at, body_html
    FROM articles WHERE code = :code
    ORDER BY revision
"""
_ARTICLE = """
    SELECT code, title, published_at, media, category, source, url, summary, post_path, post_sha256, first_seen_at,
           changed_at, revision, withdrawn_at, published_revision
    FROM articles WHERE code = :code
"""
_ENTRIES = """
    SELECT run_id, spider, started_at, column_id, entries.outcome, entries.detail
    FROM entries JOIN runs ON runs.id = run_id WHERE code = :code ORDER BY entries.id
"""
_REVISIONS = "SELECT revision, seen_at, title, published_at FROM revisions WHERE code = :code ORDER BY revision"
_QUARANTINE = """
    SELECT id, run_id, spider, url, reason, seen_at, sha256, length(raw) AS bytes
    FROM quarantine WHERE code = :code ORDER BY id
"""
_REFUSED = """
    SELECT spider, title, published_at, refused FROM sightings WHERE code = :code AND refused != '' ORDER BY spider
"""


class History:
    def __init__(self, db: Database) -> None:
        self._db = db

    def versions(self, code: str) -> list[dict[str, Any]]:
        """What an article has said, oldest first, the present one last; empty when there is no article.

        Each is `revision`, `seen_at` (when it was first seen), `title`, `published_at`, `body_html`.
        """
        return self._rows(_VERSIONS, code)

    def of(self, code: str) -> dict[str, Any] | None:
        """Everything the books say of a code, also of one that never became an article; None when it was never met.

        `article` is its row without bodies, or None; `entries` every listing of it, oldest first; `revisions` what it
        said before, without bodies; `quarantine` what is kept of it, without the raw bytes but with their number;
        `refused` how each spider's listing tells it that is not asked for again, with the reason.
        """
        known = {
            "code": code,
            "article": next(iter(self._rows(_ARTICLE, code)), None),
            "entries": self._rows(_ENTRIES, code),
            "revisions": self._rows(_REVISIONS, code),
            "quarantine": self._rows(_QUARANTINE, code),
            "refused": self._rows(_REFUSED, code),
        }
        return known if any(known[name] for name in known if name != "code") else None

    def _rows(self, sql: str, code: str) -> list[dict[str, Any]]:
        with errors_told():
            return list(self._db.query(sql, {"code": code}))
