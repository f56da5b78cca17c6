"""Article history: the revisions of one article, and the outcome of each of its listings."""

from typing import Any

from crawler.storage.table import Table

_SELECT_VERSIONS = """
    SELECT revision, seen_at, title, published_at, body_html FROM revisions WHERE code = :code
    UNION ALL
    SELECT revision, coalesce(changed_at, first_seen_at), title, published_at, body_html
    FROM articles WHERE code = :code
    ORDER BY revision
"""
_SELECT_ARTICLE = """
    SELECT code, title, published_at, media, category, source, url, summary, post_path, post_sha256, first_seen_at,
           changed_at, revision, withdrawn_at, published_revision
    FROM articles WHERE code = :code
"""
_SELECT_ENTRIES = """
    SELECT run_id, spider, started_at, column_id, entries.outcome, entries.reason, entries.detail
    FROM entries JOIN runs ON runs.id = run_id WHERE code = :code ORDER BY entries.id
"""
_SELECT_REVISIONS = "SELECT revision, seen_at, title, published_at FROM revisions WHERE code = :code ORDER BY revision"
_SELECT_QUARANTINED = """
    SELECT id, run_id, spider, url, reason, seen_at, resolved_at, sha256, length(raw) AS bytes
    FROM quarantine WHERE code = :code ORDER BY id
"""
_SELECT_REJECTIONS = """
    SELECT spider, title, published_at, refused FROM sightings WHERE code = :code AND refused != '' ORDER BY spider
"""


class ArticleHistory(Table):
    """History of one article code over all crawls."""

    def versions(self, code: str) -> list[dict[str, Any]]:
        """Return all versions of an article, the oldest first, the current one last; empty if there is no article.

        Each has `revision`, `seen_at` (when it was first seen), `title`, `published_at`, `body_html`.
        """
        return self._fetch_all(_SELECT_VERSIONS, code=code)

    def for_code(self, code: str) -> dict[str, Any] | None:
        """Return all records of a code, which need not be of an article; None if it was never listed.

        `article` is its row without bodies, or None; `entries` its listing entries, the oldest first; `revisions` its
        older versions without bodies; `quarantine` its rows in quarantine, without the raw bytes but with their number;
        `refused` the listings by spider for which it is not requested again, with the reason.
        """
        records = {
            "code": code,
            "article": self._fetch_one(_SELECT_ARTICLE, code=code),
            "entries": self._fetch_all(_SELECT_ENTRIES, code=code),
            "revisions": self._fetch_all(_SELECT_REVISIONS, code=code),
            "quarantine": self._fetch_all(_SELECT_QUARANTINED, code=code),
            "refused": self._fetch_all(_SELECT_REJECTIONS, code=code),
        }
        return records if any(records[name] for name in records if name != "code") else None
