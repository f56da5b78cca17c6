"""Search index of bigrams: a document for each version of an article, kept in step with the articles.

Triggers (storage/migrations.py) delete the document of a version that has changed, and list its article's code as
pending; the versions without a document get one here. A document's bigrams are never changed: a version that is indexed
again is a new document, and the bigrams of an id without a document mean nothing.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crawler.content.html_text import html_to_text
from crawler.storage.migrations import with_integer_codes
from crawler.storage.search.bigrams import bigram_checksum, build_index_text, spaced_ngrams
from crawler.storage.table import Table

# Given how many articles are indexed by now, and how many still have to be.
ProgressReporter = Callable[[int, int], object]

# Documents that share a row of `search_blocks`: id >> BLOCK_BITS.
BLOCK_BITS = 6
# A time, seconds since 1970, and ranges of ids, whose documents are not newer.
BlockGroup = tuple[int, Iterable[tuple[int, int]]]
_ARTICLES_PER_BATCH = 500
# Progress is reported every this many articles, which take about ten seconds; a multiple of the batch.
_ARTICLES_PER_REPORT = 20_000
_MAX_DOCUMENT_ID = 2**53  # far more than there can be documents

_SELECT_UNINDEXED_VERSIONS = with_integer_codes("""
    SELECT code, revision, current, title, published_at, body_html, body_text FROM versions
    WHERE code = ? AND NOT EXISTS (
        SELECT 1 FROM search_documents AS known
        WHERE known.code = {versions.code} AND known.revision = versions.revision AND known.current = versions.current
    )
    ORDER BY revision
""")
_SELECT_DOCUMENTS = "SELECT id, CAST(code AS TEXT) AS code, revision, current FROM search_documents ORDER BY id"
_SELECT_VERSION = """
    SELECT title, body_html, body_text FROM versions
    WHERE code = :code AND revision = :revision AND current = :current
"""
# Versions without a document whose articles are not marked as pending.
_SELECT_FORGOTTEN_CODES = with_integer_codes("""
    SELECT DISTINCT code FROM versions
    WHERE code NOT IN (SELECT code FROM search_pending) AND NOT EXISTS (
        SELECT 1 FROM search_documents AS known
        WHERE known.code = {versions.code} AND known.revision = versions.revision AND known.current = versions.current
    )
""")
_INSERT_DOCUMENT = with_integer_codes("""
    INSERT INTO search_documents (code, revision, current, published)
    VALUES ({:code}, :revision, :current, :published)
""")
_CLEAR_TABLES = ("DELETE FROM search_documents", "DELETE FROM search_blocks", "DELETE FROM search_pending")
# The same formula as `bigram_checksum` (storage/search/bigrams.py); `finews verify` compares both.
_SELECT_CHECKSUMS = """
    SELECT doc, sum(
        (unicode(term) * 1009 + unicode(substr(term, 2))) * (unicode(substr(term, 2)) % 8191 + 7) % 2147483647
    ) AS total
    FROM held GROUP BY doc ORDER BY doc
"""
_INSERT_PAIRS = "INSERT INTO search_pairs (rowid, pairs) VALUES (?, ?)"
_UPSERT_BLOCK = """
    INSERT INTO search_blocks (block, newest, oldest) VALUES (:block, :published, :published)
    ON CONFLICT (block) DO UPDATE SET newest = max(newest, :published), oldest = min(oldest, :published)
"""


@dataclass(frozen=True, slots=True)
class IndexFault:
    """Article whose entry in an index is wrong or missing."""

    code: str
    detail: str


class SearchIndex(Table):
    """The search index: a document for each version of an article (`search_documents`), and its bigrams (FTS5)."""

    def index_articles(self, codes: Iterable[str]) -> None:
        """Give each version of these articles that has no document one. Part of the caller's transaction, at its end.

        FTS5 gathers what is written in memory, and writes it as a part of the index at each savepoint that follows:
        so the bigrams of all come last.
        """
        bigrams: list[tuple[int, str]] = []
        for code in codes:
            for version in self._fetch_all(_SELECT_UNINDEXED_VERSIONS, code):
                values = {**version, "published": unix_seconds(version["published_at"])}
                document_id = int(self._execute(_INSERT_DOCUMENT, **values).lastrowid or 0)
                self._execute(_UPSERT_BLOCK, **values, block=document_id >> BLOCK_BITS)
                index_text = build_index_text(version["title"], version_text(version))
                bigrams.append((document_id, spaced_ngrams(index_text, 2)))
            self._execute("DELETE FROM search_pending WHERE code = ?", code)
        self._db.conn.executemany(_INSERT_PAIRS, bigrams)

    def index_pending(self, report_progress: ProgressReporter | None = None) -> int:
        """Index articles written by other programs or an older finews; return their number.

        After a kill the next call continues. Progress is reported when it takes longer than some seconds.
        """
        indexed_count = 0
        while codes := self.pending_codes(_ARTICLES_PER_BATCH):
            if report_progress and indexed_count % _ARTICLES_PER_REPORT == 0:
                (pending_count,) = self._execute("SELECT count(*) FROM search_pending").fetchone()
                if indexed_count or pending_count > _ARTICLES_PER_REPORT:
                    report_progress(indexed_count, pending_count)
            with self.transaction():
                self.index_articles(codes)
            indexed_count += len(codes)
        if indexed_count > _ARTICLES_PER_BATCH:
            self._optimize()
        return indexed_count

    def has_ids_left(self) -> bool:
        """Return whether new documents can have ids; another program may have used the last one."""
        sql = "SELECT 1 AS found FROM sqlite_sequence WHERE name = 'search_documents' AND seq NOT BETWEEN 0 AND ?"
        return self._fetch_one(sql, _MAX_DOCUMENT_ID) is None

    def rebuild(self) -> int:
        """Rebuild the index, newest articles last; return how many articles it holds."""
        with self.transaction():
            self._execute("INSERT INTO search_pairs (search_pairs) VALUES ('delete-all')")
            for statement in _CLEAR_TABLES:
                self._execute(statement)
            self._execute("DELETE FROM sqlite_sequence WHERE name = 'search_documents'")
            codes = [row["code"] for row in self._iter_rows("SELECT code FROM articles ORDER BY published_at, code")]
            for start in range(0, len(codes), _ARTICLES_PER_BATCH):
                self.index_articles(codes[start : start + _ARTICLES_PER_BATCH])
            self._optimize()
        return len(codes)

    def find_faults(self) -> list[IndexFault]:
        """Return the articles that the index lacks or holds wrongly; reads all of both, in constant memory."""
        with self.transaction():
            forgotten_codes = [
                IndexFault(row["code"], "not in the search index") for row in self._iter_rows(_SELECT_FORGOTTEN_CODES)
            ]
            pending = [
                IndexFault(code, "written by another program, and not indexed yet") for code in self.pending_codes()
            ]
            return [*pending, *forgotten_codes, *self._find_wrong_documents()]

    def reindex(self, code: str) -> None:
        """Index all versions of an article again."""
        with self.transaction():
            self._execute(with_integer_codes("DELETE FROM search_documents WHERE code = {:code}"), code=code)
            self.index_articles([code])

    def _optimize(self) -> None:
        """Merge the segments of the FTS5 index: after many writes, it is a tenth smaller."""
        with self.transaction():
            self._execute("INSERT INTO search_pairs (search_pairs) VALUES ('optimize')")

    def pending_codes(self, limit: int = -1) -> list[str]:
        """Return the codes to be indexed, written by another program or an older finews."""
        return [row["code"] for row in self._fetch_all("SELECT code FROM search_pending LIMIT ?", limit)]

    def _find_wrong_documents(self) -> Iterator[IndexFault]:
        """Yield documents of missing versions, and documents with other bigrams than their version's text."""
        self._execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.held USING fts5vocab(main, search_pairs, instance)")
        stored_checksums = ((row["doc"], row["total"]) for row in self._iter_rows(_SELECT_CHECKSUMS))
        stored = next(stored_checksums, None)
        for row in self._iter_rows(_SELECT_DOCUMENTS):
            while stored and stored[0] < row["id"]:
                stored = next(stored_checksums, None)
            stored_checksum = stored[1] if stored and stored[0] == row["id"] else 0
            version = self._fetch_one(_SELECT_VERSION, **row)
            if version is None:
                yield IndexFault(row["code"], "the search index holds a version that is missing")
            elif stored_checksum != bigram_checksum(build_index_text(version["title"], version_text(version))):
                yield IndexFault(row["code"], "the search index holds another text")


def version_text(version: dict[str, Any]) -> str:
    """Return the text of a version; for an old one it is extracted from the body."""
    return str(html_to_text(version["body_html"]) if version["body_text"] is None else version["body_text"])


def unix_seconds(published_at: str) -> int:
    """Return the seconds since 1970; 0 for an invalid time, which another program may have written."""
    try:
        return int(datetime.fromisoformat(published_at).timestamp())
    except (ValueError, OverflowError, OSError):
        return 0


def group_blocks(blocks: Iterator[tuple[int, int]], first_group_size: int) -> Iterator[BlockGroup]:
    """Yield blocks, given newest first, in groups of doubling size: the newest time of a group, and its ranges of ids.

    The first group holds `first_group_size` documents. A range covers neighbouring blocks: in a database that was
    crawled day by day, a group has one. Groups are read lazily.
    """
    blocks_in_group = (first_group_size >> BLOCK_BITS) + 1
    for block, newest in blocks:
        other_blocks = (other_block for other_block, _ in itertools.islice(blocks, blocks_in_group - 1))
        yield newest, _id_ranges(itertools.chain([block], other_blocks))
        blocks_in_group *= 2


def first_id_in_block(document_id: int) -> int:
    """Return the least id of the documents in the block of this document."""
    return document_id >> BLOCK_BITS << BLOCK_BITS


def block_number(document_id: int) -> int:
    """Return the block of a document, which shares a row of `search_blocks`."""
    return document_id >> BLOCK_BITS


def _id_ranges(blocks: Iterator[int]) -> Iterator[tuple[int, int]]:
    # Of consecutive numbers, the difference to the position is equal.
    for _, group in itertools.groupby(enumerate(sorted(blocks)), key=lambda pair: pair[1] - pair[0]):
        neighbours = [block for _, block in group]
        yield neighbours[0] << BLOCK_BITS, ((neighbours[-1] + 1) << BLOCK_BITS) - 1
