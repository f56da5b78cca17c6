"""Replies as they came, compressed, once per content; and which article each was read for."""

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from crawler.content.dates import iso
from crawler.items import Entry, Reply
from crawler.storage.connection import errors_told


class Raw:
    def __init__(self, db: Database) -> None:
        self._db = db

    def keep(self, spider: str, entry: Entry, reply: Reply, at: datetime) -> None:
        """Keep the reply that an article was read from; an older one of the same article gives way."""
        digest = hashlib.sha256(reply.body).hexdigest()
        with errors_told(), self._db.atomic():
            older = self._db.execute("SELECT sha256 FROM raw_replies WHERE code = ?", [entry.code]).fetchone()
            self._db.execute(
                "INSERT OR IGNORE INTO raw_contents (sha256, content) VALUES (?, ?)",
                [digest, zlib.compress(reply.body)],
            )
            self._db.execute(
                """
                INSERT OR REPLACE INTO raw_replies (code, spider, url, content_type, reader, entry, sha256, seen_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [entry.code, spider, reply.url, reply.content_type, reply.reader, as_json(entry), digest, iso(at)],
            )
            if older:
                self._db.execute(
                    """
                    DELETE FROM raw_contents WHERE sha256 = :older
                        AND NOT EXISTS (SELECT 1 FROM raw_replies WHERE sha256 = :older)
                    """,
                    {"older": older[0]},
                )

    def all(self) -> Iterator[tuple[str, Entry, Reply]]:
        """Spider, listing entry and reply of each article whose reply was kept, one at a time."""
        with errors_told():
            codes = [row["code"] for row in self._db.query("SELECT code FROM raw_replies ORDER BY code")]
        for code in codes:
            row = self._one(code)
            yield row["spider"], entry_from(row["entry"]), reply_from(row, zlib.decompress(row["content"]))

    def _one(self, code: str) -> dict[str, Any]:
        with errors_told():
            sql = "SELECT * FROM raw_replies JOIN raw_contents USING (sha256) WHERE code = ?"
            return next(iter(self._db.query(sql, [code])))


def as_json(entry: Entry) -> str:
    """An entry as text that `entry_from` reads back."""
    return json.dumps({**asdict(entry), "published": iso(entry.published)}, ensure_ascii=False)


def entry_from(text: str) -> Entry:
    """The entry that `as_json` wrote."""
    fields = json.loads(text)
    published, stocks = datetime.fromisoformat(fields["published"]), tuple(fields["stocks"])
    return Entry(**{**fields, "published": published, "stocks": stocks})


def reply_from(row: Mapping[str, Any], body: bytes) -> Reply:
    return Reply(url=row["url"], content_type=row["content_type"], body=body, reader=row["reader"])
