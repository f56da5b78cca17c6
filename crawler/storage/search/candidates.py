"""What may answer a question, newest first, and no more of it than is taken: by the index of words, or by a filter.

Whoever takes them compares each with its text; so an answer is exact whatever the index holds, and articles that are
not indexed yet are among them.
"""

import heapq
import itertools
import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlite_utils import Database

from crawler.content.dates import iso
from crawler.storage.migrations import numbered
from crawler.storage.search.bigrams import Document, prefix_of, tokens_of_term
from crawler.storage.search.filters import ARTICLES, DOCUMENTS, VERSIONS, conditions, narrow
from crawler.storage.search.index import Span, block_of, seconds, spans_of, start_of_block
from crawler.storage.search.query import Clause, Query
from crawler.storage.search.request import Asked, Sort

# Relevance is decided among so many of the newest that match.
RANKED = 1_000
# A query of single characters alone is first tried on so many of the newest articles.
_TRIED = 1_000
# So few hits are read at once, whenever they were published; of more, so many of the newest tell how apart they are.
_FEW, _NEWEST_HITS = 64, 256
_ANY_TIME, _LAST = 2**63 - 1, 2**62
# So many articles of a filter are looked for in the index of words at a time, at most.
_CHUNK = 4_096
# Comparing an article costs as much as reading so many hits.
_DEAR = 32
# What is asked of the index of one clause; the rest is found by comparing.
_MOST_PAIRS, _MOST_CLAUSES = 40, 20

_VERSION = "CAST(d.code AS TEXT) AS code, d.revision AS revision, d.current AS current, d.published AS published"
_MATCHING = """
    SELECT {version} FROM search_pairs CROSS JOIN search_documents AS d ON d.id = search_pairs.rowid
    WHERE search_pairs MATCH :match AND search_pairs.rowid BETWEEN :first AND :last
""".replace("{version}", _VERSION)
_NUMBERED = """
    SELECT {version} FROM json_each(:ids) CROSS JOIN search_documents AS d ON d.id = json_each.value
""".replace("{version}", _VERSION)
_SELECTED = "SELECT code, revision, current, published FROM ({}) AS found WHERE {}"
_OF_CODES = """
    SELECT code, revision, current, published_at FROM {} WHERE {} AND code IN (SELECT value FROM json_each(:codes))
"""
_NEWEST = """
    SELECT code, revision, current, published_at, title, body_text FROM {} WHERE {}
    ORDER BY published_at DESC, code DESC
"""
_NEWEST_INDEXED = numbered("""
    SELECT found.code, found.revision, found.current, found.published_at, d.id
    FROM (SELECT *, 1 AS current FROM articles) AS found
    LEFT JOIN search_documents AS d ON d.code = {found.code} AND d.revision = found.revision AND d.current = 1
    WHERE {} ORDER BY found.published_at DESC, found.code DESC
""")
_AMONG = """
    SELECT rowid FROM search_pairs
    WHERE search_pairs MATCH :match AND rowid BETWEEN :first AND :last AND +rowid IN (SELECT value FROM json_each(:ids))
"""
_KEYED = """
    SELECT code FROM articles WHERE code = :key
    UNION SELECT code FROM mentions WHERE secid = :key
    UNION SELECT code FROM mentions WHERE substr(secid, instr(secid, '.') + 1) = :key
"""
_BLOCKS = """
    SELECT block, newest FROM search_blocks WHERE newest >= ? AND oldest <= ? AND +block < ? ORDER BY newest DESC
"""
_COUNTED = """
    SELECT count(*) FROM search_pairs CROSS JOIN search_documents AS d ON d.id = search_pairs.rowid
    WHERE search_pairs MATCH ? AND d.current = 1
"""


class Version(NamedTuple):
    """A candidate; in order, the newest is the least."""

    before: int
    tie: int
    revision: int
    current: int
    code: str


class _Hits(NamedTuple):
    """What the index has found: all of it, or no more than the newest documents' ids."""

    match: str
    ids: "array[int]"
    are_all: bool

    def within(self, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[str, dict[str, object]]]:
        """The SQL, and its values, that gives the documents of ranges of ids that may answer."""
        known: list[int] = []
        for first, last in ranges:
            if self.are_all or first >= self.ids[0]:
                known += self.ids[bisect_left(self.ids, first) : bisect_right(self.ids, last)]
            else:
                yield _MATCHING, {"match": self.match, "first": first, "last": last}
        if known:
            yield _NUMBERED, {"ids": json.dumps(known)}

    def documents_of(self, number: int) -> int:
        """How many documents there are to so many of the newest hits."""
        newest = self.ids[-_NEWEST_HITS:]
        return number * (newest[-1] - newest[0] + 1) // len(newest)

    def number(self) -> int:
        """How many hits there are, about."""
        return len(self.ids) if self.are_all else self.ids[-1] // self.documents_of(1)


class Candidates:
    def __init__(self, db: Database) -> None:
        self._db = db

    def newest(self, query: Query, asked: Asked) -> Iterator[Version]:
        """Everything that may answer, newest first; the filters are met but for the stock of an old version.

        A version that several sources give comes several times in a row.
        """
        if not any(clause.can_be_met for clause in query.clauses):
            return
        match, at_once = _expression(query)
        if not match:
            yield from self._scanned(asked)
        elif at_once:
            yield from self._tried(query, asked, match)
        else:
            yield from self._indexed(query, asked, self._hits(match, _NEWEST_HITS))

    def of_codes(self, codes: list[str], asked: Asked) -> Iterator[Version]:
        """The versions of these articles that meet the filters."""
        where, values = conditions(asked, VERSIONS)
        return itertools.starmap(
            version, self._db.execute(_OF_CODES.format(VERSIONS.rows, where), {**values, "codes": json.dumps(codes)})
        )

    def counted(self, query: Query, asked: Asked) -> int | None:
        """The number of answers, where the index alone can tell: one pair of characters, no filter, all indexed."""
        if asked != Asked(text=asked.text, sort=asked.sort, limit=asked.limit) or len(query.clauses) > 1:
            return None
        clause = query.clauses[0]
        if not clause.wanted or clause.unwanted or any(len(term.text) != 2 or term.key for term in clause.wanted):
            return None
        if self._pending():
            return None
        match, _ = _expression(query)
        return int(self._db.execute(_COUNTED, [match]).fetchone()[0])

    def _scanned(self, asked: Asked) -> Iterator[Version]:
        return (version(*row[:4]) for row in self._rows(asked))

    def _rows(self, asked: Asked) -> Iterator[tuple[str, int, int, str, str, str | None]]:
        """All versions that meet the filters, newest first, with title and text."""
        source = VERSIONS if asked.as_of else ARTICLES
        where, values = conditions(asked, source)
        return self._db.execute(_NEWEST.format(source.rows, where), values)

    def _tried(self, query: Query, asked: Asked, match: str) -> Iterator[Version]:
        """All pairs that begin with a character are dear to read: it may be a common one, which the newest hold."""
        tried: set[Version] = set()
        for code, revision, current, published, title, body_text in itertools.islice(self._rows(asked), _TRIED):
            found = version(code, revision, current, published)
            tried.add(found)
            if body_text is None or _may_answer(query, Document(title, body_text)):
                yield found
        if len(tried) == _TRIED:
            hits = self._hits(match, -1)
            yield from (each for each in self._indexed(query, asked, hits) if each not in tried)

    def _indexed(self, query: Query, asked: Asked, hits: _Hits) -> Iterator[Version]:
        """By the words, or by a filter that fewer articles meet than hold the words."""
        wanted = RANKED if asked.sort is Sort.RELEVANCE else asked.limit or RANKED
        if hits.are_all and len(hits.ids) <= max(_FEW, wanted):
            return self._by_words(query, asked, hits, iter([(_ANY_TIME, [(0, _LAST)])]))
        # A few more, so that the first look is most often the last.
        documents = hits.documents_of(wanted + wanted // 4)
        if condition := narrow(self._db, asked, hits.number()):
            return self._by_filter(query, asked, hits, condition, documents)
        return self._by_words(query, asked, hits, self._spans(asked, hits, documents))

    def _spans(self, asked: Asked, hits: _Hits, documents: int) -> Iterator[Span]:
        """First the documents that were indexed last, which are the newest most often; then the others that may be."""
        start = max(0, start_of_block(hits.ids[-1] - documents))
        yield _ANY_TIME, [(start, _LAST)]
        blocks = self._blocks(asked, start)
        if hits.are_all and len(hits.ids) < _NEWEST_HITS:
            yield from ((newest, [(0, start - 1)]) for _, newest in itertools.islice(blocks, 1))
        else:
            yield from spans_of(blocks, documents)

    def _by_words(self, query: Query, asked: Asked, hits: _Hits, spans: Iterator[Span]) -> Iterator[Version]:
        """What a span gives waits until no other may hold a newer one."""
        waiting = [*self._unindexed(asked), *self._by_keys(query, asked)]
        heapq.heapify(waiting)
        where, values = conditions(asked, DOCUMENTS)
        for newest, ranges in spans:
            while waiting and -waiting[0].before > newest:
                yield heapq.heappop(waiting)
            for source, more in hits.within(ranges):
                for row in self._db.execute(_SELECTED.format(source, where), {**values, **more}):
                    heapq.heappush(waiting, version(*row))
        while waiting:
            yield heapq.heappop(waiting)

    def _by_filter(self, query: Query, asked: Asked, hits: _Hits, condition: str, number: int) -> Iterator[Version]:
        """The articles that meet a filter, but for those of which the index tells that they do not hold the words.

        The index is asked of so many at a time, and of twice as many the next.
        """
        where, values = conditions(asked, ARTICLES)
        keyed = {each.code for each in self._by_keys(query, asked)}
        rows = iter(self._db.execute(_NEWEST_INDEXED.format(f"{where} AND {condition}"), values))
        while chunk := list(itertools.islice(rows, min(number, _CHUNK))):
            held = self._among(hits, [document for *_, document in chunk if document])
            for code, revision, current, published, document in chunk:
                if not document or document in held or code in keyed:
                    yield version(code, revision, current, published)
            number *= 2

    def _among(self, hits: _Hits, ids: list[int]) -> set[int]:
        """Those of these documents that the index may have found."""
        if not ids or (max(ids) - min(ids)) // hits.documents_of(1) > _DEAR * len(ids):
            return set(ids)
        values = {"match": hits.match, "first": min(ids), "last": max(ids), "ids": json.dumps(ids)}
        return {number for (number,) in self._db.execute(_AMONG, values)}

    def _hits(self, match: str, limit: int) -> _Hits:
        sql = "SELECT rowid FROM search_pairs WHERE search_pairs MATCH ? ORDER BY rowid DESC LIMIT ?"
        ids = array("q", (number for (number,) in self._db.execute(sql, [match, limit])))
        ids.reverse()
        return _Hits(match, ids, len(ids) != limit)

    def _blocks(self, asked: Asked, end: int) -> Iterator[tuple[int, int]]:
        """Blocks before this id and the time of their newest, newest first, but for those of other times only."""
        oldest = seconds(iso(asked.since)) if asked.since else -(2**63)
        newest = seconds(iso(asked.until)) if asked.until else 2**63 - 1
        return iter(self._db.execute(_BLOCKS, [oldest, newest, block_of(end)]))

    def _unindexed(self, asked: Asked) -> Iterator[Version]:
        codes = self._pending()
        return self.of_codes(codes, asked) if codes else iter(())

    def _pending(self) -> list[str]:
        # Not by `query`, which sets a savepoint: each question asks this.
        return [code for (code,) in self._db.execute("SELECT code FROM search_pending")]

    def _by_keys(self, query: Query, asked: Asked) -> Iterator[Version]:
        for key in query.keys:
            codes = [code for (code,) in self._db.execute(_KEYED, {"key": key})]
            yield from self.of_codes(codes, asked)


def version(code: str, revision: int, current: int, published: int | str) -> Version:
    """A candidate from the columns of a row."""
    digits = int(code) if code.isascii() and code.isdigit() else 0
    moment = published if isinstance(published, int) else seconds(published)
    return Version(-moment, -digits, revision, current, code)


def _may_answer(query: Query, document: Document) -> bool:
    return any(all(term.key or term.text in document for term in clause.wanted) for clause in query.clauses)


def _expression(query: Query) -> tuple[str, bool]:
    """What the index is asked, and whether all at once since single characters are dear; empty: it cannot help."""
    clauses = [clause for clause in query.clauses if clause.can_be_met]
    parts = [_clause_expression(clause) for clause in clauses[:_MOST_CLAUSES]]
    if not all(parts) or len(clauses) > _MOST_CLAUSES:
        return "", False
    return " OR ".join(f"({part})" for part, _ in filter(None, parts)), any(single for _, single in filter(None, parts))


def _clause_expression(clause: Clause) -> tuple[str, bool] | None:
    named = [term for term in clause.wanted if not term.key] or clause.wanted
    pairs = list(dict.fromkeys(pair for term in named for pair in tokens_of_term(term.text)))[:_MOST_PAIRS]
    if pairs:
        # A word of two characters is in a text where its pair is.
        unwanted = [tokens_of_term(term.text)[0] for term in clause.unwanted[:_MOST_PAIRS] if len(term.text) == 2]
        return _joined(" AND ", pairs) + (f" NOT ({_joined(' OR ', unwanted)})" if unwanted else ""), False
    if named:
        return " AND ".join(f'"{prefix_of(term.text)}" *' for term in named[:_MOST_CLAUSES]), True
    return None


def _joined(between: str, pairs: list[str]) -> str:
    return between.join(f'"{pair}"' for pair in pairs)
