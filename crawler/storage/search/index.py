"""The index of words: what follows from the versions of articles, and is kept in step with them.

Triggers (storage/migrations.py) delete the document of a version that has changed and write its article's code down as
pending; here the versions without a document get one. A document's pairs are never changed: a version that is indexed
anew is a new document, and the pairs of an id without a document mean nothing.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from crawler.content.html_cleaner import plain
from crawler.storage.connection import errors_told, rows_of
from crawler.storage.migrations import numbered
from crawler.storage.search.bigrams import checksum, indexed_document, tokens

# Documents that share a row of `search_blocks`: id >> BLOCK_BITS.
BLOCK_BITS = 6
# The number of a document, and its pairs.
Pairs = tuple[int, str]
# A time, seconds since 1970, and ranges of ids, whose documents are not newer.
Span = tuple[int, Iterable[tuple[int, int]]]
_BATCH = 500

_MISSING = numbered("""
    SELECT code, revision, current, title, published_at, body_html, body_text FROM versions
    WHERE code = ? AND NOT EXISTS (
        SELECT 1 FROM search_documents AS known
        WHERE known.code = {versions.code} AND known.revision = versions.revision AND known.current = versions.current
    )
    ORDER BY revision
""")
_DOCUMENTS = "SELECT id, CAST(code AS TEXT) AS code, revision, current FROM search_documents ORDER BY id"
_VERSION = """
    SELECT title, body_html, body_text FROM versions
    WHERE code = :code AND revision = :revision AND current = :current
"""
# Versions that have neither a document nor the mark that they are to get one.
_FORGOTTEN = numbered("""
    SELECT DISTINCT code FROM versions
    WHERE code NOT IN (SELECT code FROM search_pending) AND NOT EXISTS (
        SELECT 1 FROM search_documents AS known
        WHERE known.code = {versions.code} AND known.revision = versions.revision AND known.current = versions.current
    )
""")
_ADDED = numbered("""
    INSERT INTO search_documents (code, revision, current, published)
    VALUES ({:code}, :revision, :current, :published)
""")
_EMPTIED = ("DELETE FROM search_documents", "DELETE FROM search_blocks", "DELETE FROM search_pending")
# As `checksum` (storage/search/bigrams.py) has it.
_CHECKSUMS = """
    SELECT doc, sum(
        (unicode(term) * 1009 + unicode(substr(term, 2))) * (unicode(substr(term, 2)) % 8191 + 7) % 2147483647
    ) AS total
    FROM held GROUP BY doc ORDER BY doc
"""
_PAIRED = "INSERT INTO search_pairs (rowid, pairs) VALUES (?, ?)"
_BLOCKED = """
    INSERT INTO search_blocks (block, newest, oldest) VALUES (:block, :published, :published)
    ON CONFLICT (block) DO UPDATE SET newest = max(newest, :published), oldest = min(oldest, :published)
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """An article that the index does not hold as it is."""

    code: str
    detail: str


class Index:
    def __init__(self, db: Database) -> None:
        self._db = db

    def file(self, code: str) -> list[Pairs]:
        """Give each new version of an article its document; their pairs, which are to be written in the transaction."""
        pairs = [self._add(version) for version in rows_of(self._db, _MISSING, [code])]
        self._db.execute("DELETE FROM search_pending WHERE code = ?", [code])
        return pairs

    def write(self, pairs: Iterable[Pairs]) -> None:
        """Write the pairs of documents that were filed, at the end of the transaction.

        FTS5 gathers what is written in memory, and puts it down as a part of the index at each savepoint that follows.
        """
        self._db.conn.executemany(_PAIRED, pairs)

    def catch_up_all(self) -> int:
        """Index what other programs have written, or an older finews; how many articles that were."""
        done = 0
        with errors_told():
            while codes := self._pending(_BATCH):
                with self._db.atomic():
                    self._catch_up(codes)
                done += len(codes)
            if done > _BATCH:
                self._optimize()
        return done

    def rebuild(self) -> int:
        """Make the index anew, newest articles last; how many articles it holds."""
        with errors_told(), self._db.atomic():
            self._db.execute("INSERT INTO search_pairs (search_pairs) VALUES ('delete-all')")
            for statement in _EMPTIED:
                self._db.execute(statement)
            self._db.execute("DELETE FROM sqlite_sequence WHERE name = 'search_documents'")
            codes = [row["code"] for row in self._db.query("SELECT code FROM articles ORDER BY published_at, code")]
            self._catch_up(codes)
            self._optimize()
        return len(codes)

    def faults(self) -> list[Fault]:
        """Where the index is not what follows from the articles. Reads all of both, in flat memory."""
        with errors_told(), self._db.atomic():
            forgotten = [Fault(row["code"], "not in the index of words") for row in self._db.query(_FORGOTTEN)]
            return [*self._pending_faults(), *forgotten, *self._wrong()]

    def renew(self, code: str) -> None:
        """Index all versions of an article again."""
        with errors_told(), self._db.atomic():
            self._db.execute(numbered("DELETE FROM search_documents WHERE code = {:code}"), {"code": code})
            self._catch_up([code])

    def _catch_up(self, codes: Iterable[str]) -> None:
        self.write(itertools.chain.from_iterable(map(self.file, codes)))

    def _optimize(self) -> None:
        """Merge what was written in many parts: after much of it, the index is a tenth smaller."""
        with self._db.atomic():
            self._db.execute("INSERT INTO search_pairs (search_pairs) VALUES ('optimize')")

    def _pending(self, limit: int) -> list[str]:
        return [row["code"] for row in self._db.query("SELECT code FROM search_pending LIMIT ?", [limit])]

    def _pending_faults(self) -> list[Fault]:
        return [Fault(code, "written by another program, and not indexed yet") for code in self._pending(-1)]

    def _wrong(self) -> Iterator[Fault]:
        """Documents that are no version any more, or whose pairs are not those of their version's text."""
        held = self._checksums()
        have = next(held, None)
        for row in self._db.query(_DOCUMENTS):
            while have and have[0] < row["id"]:
                have = next(held, None)
            found = have[1] if have and have[0] == row["id"] else 0
            version = next(iter(self._db.query(_VERSION, row)), None)
            if version is None:
                yield Fault(row["code"], "the index of words holds a version that is not there")
            elif found != checksum(_indexed(version)):
                yield Fault(row["code"], "the index of words holds another text")

    def _checksums(self) -> Iterator[tuple[int, int]]:
        """By document, in order, the checksum of the pairs that the index holds."""
        self._db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.held USING fts5vocab(main, search_pairs, instance)")
        return ((row["doc"], row["total"]) for row in self._db.query(_CHECKSUMS))

    def _add(self, version: dict[str, Any]) -> Pairs:
        values = {**version, "published": seconds(version["published_at"])}
        number = int(self._db.execute(_ADDED, values).lastrowid or 0)
        self._db.execute(_BLOCKED, {**values, "block": block_of(number)})
        return number, tokens(_indexed(version))


def text_of(version: dict[str, Any]) -> str:
    """The text of a version; that of an old one follows from its body."""
    return str(plain(version["body_html"]) if version["body_text"] is None else version["body_text"])


def seconds(published_at: str) -> int:
    """Seconds since 1970; 0 for what another program wrote that is no time."""
    try:
        return int(datetime.fromisoformat(published_at).timestamp())
    except (ValueError, OverflowError, OSError):
        return 0


def spans_of(blocks: Iterator[tuple[int, int]], documents: int) -> Iterator[Span]:
    """Blocks, given newest first, in groups that double: no document of a group is newer than this, and its ids.

    The first group holds so many `documents`. The ids are ranges of neighbouring blocks: in a database that was
    crawled day by day, one a group. What is not asked of a group is not read.
    """
    size = (documents >> BLOCK_BITS) + 1
    for block, newest in blocks:
        yield newest, _ranges(itertools.chain([block], (each for each, _ in itertools.islice(blocks, size - 1))))
        size *= 2


def start_of_block(number: int) -> int:
    """The least id of the documents that share their block with this one."""
    return number >> BLOCK_BITS << BLOCK_BITS


def block_of(number: int) -> int:
    return number >> BLOCK_BITS


def _ranges(blocks: Iterator[int]) -> Iterator[tuple[int, int]]:
    for run in _runs(sorted(blocks)):
        yield run[0] << BLOCK_BITS, ((run[-1] + 1) << BLOCK_BITS) - 1


def _runs(numbers: list[int]) -> Iterator[list[int]]:
    for _, run in itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        yield [number for _, number in run]


def _indexed(version: dict[str, Any]) -> str:
    return indexed_document(version["title"], text_of(version))
