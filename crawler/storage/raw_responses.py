"""Raw responses: compressed contents, each stored once, and the article that each was fetched for."""

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from crawler.content.dates import format_iso
from crawler.items import ListingEntry, RawResponse
from crawler.storage.table import Table


class RawResponses(Table):
    """Rows of `raw_replies`, one per article, and of `raw_contents`, one per content."""

    def save(self, spider: str, entry: ListingEntry, response: RawResponse, seen_at: datetime) -> None:
        """Keep the response that an article was extracted from, and delete the article's older response."""
        sha256 = hashlib.sha256(response.body).hexdigest()
        with self.transaction():
            old_row = self._fetch_one("SELECT sha256 FROM raw_replies WHERE code = ?", entry.code)
            self._execute(
                "INSERT OR IGNORE INTO raw_contents (sha256, content) VALUES (?, ?)",
                sha256,
                zlib.compress(response.body),
            )
            self._execute(
                """
                INSERT OR REPLACE INTO raw_replies (code, spider, url, content_type, reader, entry, sha256, seen_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                entry.code,
                spider,
                response.url,
                response.content_type,
                response.extractor_index,
                entry_to_json(entry),
                sha256,
                format_iso(seen_at),
            )
            if old_row:
                self._execute(
                    """
                    DELETE FROM raw_contents WHERE sha256 = :older
                        AND NOT EXISTS (SELECT 1 FROM raw_replies WHERE sha256 = :older)
                    """,
                    older=old_row["sha256"],
                )

    def all(self) -> Iterator[tuple[str, ListingEntry, RawResponse]]:
        """Yield spider, listing entry and response of each article whose response was kept."""
        for code in [row["code"] for row in self._fetch_all("SELECT code FROM raw_replies ORDER BY code")]:
            row = self._fetch_one("SELECT * FROM raw_replies JOIN raw_contents USING (sha256) WHERE code = ?", code)
            if row is None:  # another program has changed the row
                continue
            yield row["spider"], entry_from_json(row["entry"]), response_from_row(row, zlib.decompress(row["content"]))


def entry_to_json(entry: ListingEntry) -> str:
    """Return an entry as JSON for `entry_from_json`."""
    row = {**asdict(entry), "published": format_iso(entry.published)}
    for name in ("entry_id", "has_article"):  # valid in one crawl only
        del row[name]
    return json.dumps(row, ensure_ascii=False)


def entry_from_json(entry_json: str) -> ListingEntry:
    """Return the entry that `entry_to_json` encoded."""
    fields = json.loads(entry_json)
    published, stocks = datetime.fromisoformat(fields["published"]), tuple(fields["stocks"])
    return ListingEntry(**{**fields, "published": published, "stocks": stocks})


def response_from_row(row: Mapping[str, Any], body: bytes) -> RawResponse:
    """Return the response of a row of `raw_replies` or `quarantine`."""
    return RawResponse(url=row["url"], content_type=row["content_type"], body=body, extractor_index=row["reader"])
