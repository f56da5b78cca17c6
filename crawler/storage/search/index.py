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
# Versions that have neither a document nor the mark that they are to get one.
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
# As `bigram_checksum` (storage/search/bigrams.py) has it.
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
    """An article that the index does not hold as it is."""

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
        """Index what other programs have written, or an older finews; how many articles that were.

        After a kill it goes on where it was. Progress is reported where it takes longer than some seconds.
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
        """Whether new documents can have ids; another program may have used the last one up."""
        sql = "SELECT 1 AS found FROM sqlite_sequence WHERE name = 'search_documents' AND seq NOT BETWEEN 0 AND ?"
        return self._fetch_one(sql, _MAX_DOCUMENT_ID) is None

    def rebuild(self) -> int:
        """Rebuild the index, newest articles last; how many articles it holds."""
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
        """Where the index is not what follows from the articles. Reads all of both, in flat memory."""
        with self.transaction():
            forgotten_codes = [
                IndexFault(row["code"], "not in the index of words") for row in self._iter_rows(_SELECT_FORGOTTEN_CODES)
            ]
            return [*self._find_pending(), *forgotten_codes, *self._find_wrong_documents()]

    def reindex(self, code: str) -> None:
        """Index all versions of an article again."""
        with self.transaction():
            self._execute(with_integer_codes("DELETE FROM search_documents WHERE code = {:code}"), code=code)
            self.index_articles([code])

    def _optimize(self) -> None:
        """Merge what was written in many parts: after much of it, the index is a tenth smaller."""
        with self.transaction():
            self._execute("INSERT INTO search_pairs (search_pairs) VALUES ('optimize')")

    def pending_codes(self, limit: int = -1) -> list[str]:
        """The articles that are to be indexed: those that another program wrote, or an older finews."""
        return [row["code"] for row in self._fetch_all("SELECT code FROM search_pending LIMIT ?", limit)]

    def _find_pending(self) -> list[IndexFault]:
        return [IndexFault(code, "written by another program, and not indexed yet") for code in self.pending_codes()]

    def _find_wrong_documents(self) -> Iterator[IndexFault]:
        """Documents that are no version any more, or whose bigrams are not those of their version's text."""
        stored_checksums = self._stored_checksums()
        stored = next(stored_checksums, None)
        for row in self._iter_rows(_SELECT_DOCUMENTS):
            while stored and stored[0] < row["id"]:
                stored = next(stored_checksums, None)
            stored_checksum = stored[1] if stored and stored[0] == row["id"] else 0
            version = self._fetch_one(_SELECT_VERSION, **row)
            if version is None:
                yield IndexFault(row["code"], "the index of words holds a version that is not there")
            elif stored_checksum != bigram_checksum(build_index_text(version["title"], version_text(version))):
                yield IndexFault(row["code"], "the index of words holds another text")

    def _stored_checksums(self) -> Iterator[tuple[int, int]]:
        """By document, in order, the checksum of the bigrams that the index holds."""
        self._execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.held USING fts5vocab(main, search_pairs, instance)")
        return ((row["doc"], row["total"]) for row in self._iter_rows(_SELECT_CHECKSUMS))


def version_text(version: dict[str, Any]) -> str:
    """The text of a version; that of an old one follows from its body."""
    return str(html_to_text(version["body_html"]) if version["body_text"] is None else version["body_text"])


def unix_seconds(published_at: str) -> int:
    """Seconds since 1970; 0 for what another program wrote that is no time."""
    try:
        return int(datetime.fromisoformat(published_at).timestamp())
    except (ValueError, OverflowError, OSError):
        return 0


def group_blocks(blocks: Iterator[tuple[int, int]], first_group_size: int) -> Iterator[BlockGroup]:
    """Blocks, given newest first, in groups that double: no document of a group is newer than this, and its ids.

    The first group holds `first_group_size` of them. The ids are ranges of neighbouring blocks: in a database that was
    crawled day by day, one a group. What is not asked of a group is not read.
    """
    blocks_in_group = (first_group_size >> BLOCK_BITS) + 1
    for block, newest in blocks:
        yield (
            newest,
            _id_ranges(
                itertools.chain(
                    [block], (other_block for other_block, _ in itertools.islice(blocks, blocks_in_group - 1))
                )
            ),
        )
        blocks_in_group *= 2


def first_id_in_block(document_id: int) -> int:
    """The least id of the documents that share their block with this one."""
    return document_id >> BLOCK_BITS << BLOCK_BITS


def block_number(document_id: int) -> int:
    return document_id >> BLOCK_BITS


def _id_ranges(blocks: Iterator[int]) -> Iterator[tuple[int, int]]:
    for neighbours in _group_neighbours(sorted(blocks)):
        yield neighbours[0] << BLOCK_BITS, ((neighbours[-1] + 1) << BLOCK_BITS) - 1


def _group_neighbours(numbers: list[int]) -> Iterator[list[int]]:
    for _, group in itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        yield [number for _, number in group]
