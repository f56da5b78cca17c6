"""Archived pages: hashes of the source and the HTML of archived articles and days, which detect changes."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from crawler.storage.table import Table


class PageHashes(NamedTuple):
    """SHA-256 of the source that a page was rendered from, and of the page."""

    source: str
    page: str

    @classmethod
    def of(cls, source: bytes, page: bytes) -> "PageHashes":
        """Hash a source and the page rendered from it."""
        return cls(sha256(source).hexdigest(), sha256(page).hexdigest())


class ArchivedPages(Table):
    """Archived pages of the published site, by their paths in the site, such as `2022/01/10/index.html`."""

    def of_month(self, month: str) -> dict[str, PageHashes]:
        """Return the pages of a month such as `2022/01`, without the pages that an earlier version archived."""
        rows = self._fetch_all("SELECT * FROM archived_pages WHERE path >= ? AND path < ?", f"{month}/", f"{month}0")
        return {row["path"]: PageHashes(row["source_sha256"], row["page_sha256"]) for row in rows}

    def record(self, pages: Mapping[str, PageHashes]) -> None:
        """Insert or replace the hashes of archived pages."""
        self._execute(
            """
            INSERT OR REPLACE INTO archived_pages (path, source_sha256, page_sha256)
                SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
                FROM json_each(?)
            """,
            json.dumps([[path, *hashes] for path, hashes in pages.items()]),
        )
