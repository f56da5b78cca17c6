"""Search candidates: articles that may match, newest first, lazily, from the search index or a filter.

The caller compares each with its text: results are exact whatever the index holds. Articles that are not indexed yet
are among the candidates.
"""

import heapq
import itertools
import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlite_utils import Database

from crawler.content.dates import format_iso
from crawler.storage.migrations import with_integer_codes
from crawler.storage.search.bigrams import SearchDocument, bigram_prefix, split_into_bigrams
from crawler.storage.search.filters import (
    ARTICLE_ROWS,
    DOCUMENT_ROWS,
    VERSION_ROWS,
    build_conditions,
    find_selective_condition,
)
from crawler.storage.search.index import BlockGroup, block_number, first_id_in_block, group_blocks, unix_seconds
from crawler.storage.search.query import Clause, Query, Term
from crawler.storage.search.request import SearchRequest, SortOrder

# Relevance is ranked among this many of the newest matches.
MAX_RANKED_ARTICLES = 1_000
# A query of single characters alone is first tried on this many of the newest articles.
_RECENT_ARTICLES_TO_TRY = 1_000
# Hits that are read at once, whenever they were published; of more, the newest of a sample show how far apart they are.
_MAX_HITS_READ_AT_ONCE, _HIT_SAMPLE_SIZE = 64, 256
_MAX_UNIX_SECONDS, _MAX_DOCUMENT_ID = 2**63 - 1, 2**62
# Articles of a filter that are looked for in the search index at a time, at most.
_MAX_ROWS_PER_CHUNK = 4_096
# Comparing an article costs as much as reading this many hits.
_HIT_READS_PER_COMPARISON = 32
# Bigrams of one clause that the index is searched for; the rest is found by comparing.
_MAX_BIGRAMS_PER_CLAUSE, _MAX_CLAUSES = 40, 20

_CANDIDATE_COLUMNS = (
    "CAST(d.code AS TEXT) AS code, d.revision AS revision, d.current AS current, d.published AS published"
)
_SELECT_MATCHES_IN_RANGE = """
    SELECT {version} FROM search_pairs CROSS JOIN search_documents AS d ON d.id = search_pairs.rowid
    WHERE search_pairs MATCH :match AND search_pairs.rowid BETWEEN :first AND :last
""".replace("{version}", _CANDIDATE_COLUMNS)
_SELECT_DOCUMENTS_BY_ID = """
    SELECT {version} FROM json_each(:ids) CROSS JOIN search_documents AS d ON d.id = json_each.value
""".replace("{version}", _CANDIDATE_COLUMNS)
_SELECT_FILTERED = "SELECT code, revision, current, published FROM ({}) AS found WHERE {}"
_SELECT_VERSIONS_BY_CODE = """
    SELECT code, revision, current, published_at FROM {} WHERE {} AND code IN (SELECT value FROM json_each(:codes))
"""
_SELECT_BY_TIME = """
    SELECT code, revision, current, published_at, title, body_text FROM {} WHERE {}
    ORDER BY published_at {order}, code {order}
"""
_SELECT_NEWEST_WITH_DOCUMENT_ID = with_integer_codes("""
    SELECT found.code, found.revision, found.current, found.published_at, d.id
    FROM (SELECT *, 1 AS current FROM articles) AS found
    LEFT JOIN search_documents AS d ON d.code = {found.code} AND d.revision = found.revision AND d.current = 1
    WHERE {} ORDER BY found.published_at DESC, found.code DESC
""")
_SELECT_MATCHES_AMONG_IDS = """
    SELECT rowid FROM search_pairs
    WHERE search_pairs MATCH :match AND rowid BETWEEN :first AND :last AND +rowid IN (SELECT value FROM json_each(:ids))
"""
_SELECT_CODES_BY_KEY = """
    SELECT code FROM articles WHERE code = :key
    UNION SELECT code FROM mentions WHERE secid = :key
    UNION SELECT code FROM mentions WHERE substr(secid, instr(secid, '.') + 1) = :key
"""
_SELECT_KNOWN_KEYS = """
    SELECT value FROM json_each(:keys) WHERE EXISTS (SELECT 1 FROM articles WHERE code = value)
        OR EXISTS (SELECT 1 FROM mentions WHERE secid = value)
        OR EXISTS (SELECT 1 FROM mentions WHERE substr(secid, instr(secid, '.') + 1) = value)
"""
_SELECT_BLOCKS = """
    SELECT block, newest FROM search_blocks WHERE newest >= ? AND oldest <= ? AND +block < ? ORDER BY newest DESC
"""
_COUNT_MATCHES = """
    SELECT count(*) FROM search_pairs CROSS JOIN search_documents AS d ON d.id = search_pairs.rowid
    WHERE search_pairs MATCH ? AND d.current = 1
"""


class Candidate(NamedTuple):
    """Candidate of a search; sorts newest first."""

    neg_published: int
    neg_code: int
    revision: int
    current: int
    code: str


class _IndexHits(NamedTuple):
    """Document ids that the index found, ascending: all, or only the newest."""

    fts_query: str
    document_ids: "array[int]"
    is_complete: bool

    def queries_for_ranges(self, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield the SQL and parameters that select the hits in ranges of ids."""
        ids_in_ranges: list[int] = []
        for first_id, last_id in ranges:
            if self.is_complete or first_id >= self.document_ids[0]:
                ids_in_ranges += self.document_ids[
                    bisect_left(self.document_ids, first_id) : bisect_right(self.document_ids, last_id)
                ]
            else:
                yield _SELECT_MATCHES_IN_RANGE, {"match": self.fts_query, "first": first_id, "last": last_id}
        if ids_in_ranges:
            yield _SELECT_DOCUMENTS_BY_ID, {"ids": json.dumps(ids_in_ranges)}

    def documents_spanned_by(self, hit_count: int) -> int:
        """Return how many documents hold this many hits, by the spacing of the newest hits."""
        newest_ids = self.document_ids[-_HIT_SAMPLE_SIZE:]
        return hit_count * (newest_ids[-1] - newest_ids[0] + 1) // len(newest_ids)

    def estimated_total(self) -> int:
        """Return the estimated number of hits."""
        # Ids are consecutive: the greatest id divided by the documents per hit.
        return len(self.document_ids) if self.is_complete else self.document_ids[-1] // self.documents_spanned_by(1)


class CandidateFinder:
    """Finds the candidates of a search in the bigram index, by a filter, or by a scan."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def find_known_keys(self, query: Query) -> set[str]:
        """Return the keys of the query that an article or a stock has."""
        if not query.keys:
            return set()
        rows = self._db.execute(_SELECT_KNOWN_KEYS, {"keys": json.dumps(query.keys)})
        return {key for (key,) in rows}

    def find(self, query: Query, search_request: SearchRequest) -> Iterator[Candidate]:
        """Return the candidates of a query, newest first or oldest first.

        They meet the filters, except the stock filter for old versions. A version may come several times in a row.
        """
        if not any(clause.is_satisfiable for clause in query.clauses):
            return iter(())
        fts_query, is_expensive = _build_fts_query(query)
        if not fts_query:
            order = "ASC" if search_request.sort is SortOrder.OLDEST else "DESC"
            return (make_candidate(*row[:4]) for row in self._rows_by_time(search_request, order))
        if is_expensive:
            candidates = self._try_recent(query, search_request, fts_query)
        else:
            candidates = self._from_index(query, search_request, self._find_hits(fts_query, _HIT_SAMPLE_SIZE))
        return reversed(list(candidates)) if search_request.sort is SortOrder.OLDEST else candidates

    def find_by_codes(self, codes: list[str], search_request: SearchRequest) -> Iterator[Candidate]:
        """Return the versions of these articles that meet the filters."""
        where, parameters = build_conditions(search_request, VERSION_ROWS)
        sql = _SELECT_VERSIONS_BY_CODE.format(VERSION_ROWS.from_clause, where)
        rows = self._db.execute(sql, {**parameters, "codes": json.dumps(codes)})
        return (make_candidate(*row) for row in rows if _is_usable(row))

    def count_from_index(self, query: Query, search_request: SearchRequest) -> int | None:
        """Return the number of matches, or None unless the query is one bigram, without filter, and all is indexed."""
        if (
            search_request
            != SearchRequest(
                text=search_request.text,
                sort=search_request.sort,
                limit=search_request.limit,
                offset=search_request.offset,
            )
            or len(query.clauses) > 1
        ):
            return None
        clause = query.clauses[0]
        if not clause.required or clause.excluded or not all(map(_is_one_bigram, clause.required)):
            return None
        if self._pending_codes():
            return None
        fts_query, _ = _build_fts_query(query)
        return int(self._db.execute(_COUNT_MATCHES, [fts_query]).fetchone()[0])

    def _rows_by_time(
        self, search_request: SearchRequest, order: str = "DESC"
    ) -> Iterator[tuple[str, int, int, str, str, str | None]]:
        """Yield all versions that meet the filters, by time, with title and text."""
        source = VERSION_ROWS if search_request.as_of else ARTICLE_ROWS
        where, parameters = build_conditions(search_request, source)
        rows = self._db.execute(_SELECT_BY_TIME.format(source.from_clause, where, order=order), parameters)
        return (row for row in rows if _is_usable(row))

    def _try_recent(self, query: Query, search_request: SearchRequest, fts_query: str) -> Iterator[Candidate]:
        """Yield candidates for single characters, from the newest articles first: prefix queries are slow."""
        tried_candidates: set[Candidate] = set()
        for code, revision, current, published, title, body_text in itertools.islice(
            self._rows_by_time(search_request), _RECENT_ARTICLES_TO_TRY
        ):
            candidate = make_candidate(code, revision, current, published)
            tried_candidates.add(candidate)
            if isinstance(title, str) and isinstance(body_text, str):
                document = SearchDocument(title, body_text)
                if not any(
                    all(term.keys or term.occurs_in(document) for term in clause.required) for clause in query.clauses
                ):
                    continue
            yield candidate
        if len(tried_candidates) == _RECENT_ARTICLES_TO_TRY:
            hits = self._find_hits(fts_query, -1)
            yield from (
                indexed_candidate
                for indexed_candidate in self._from_index(query, search_request, hits)
                if indexed_candidate not in tried_candidates
            )

    def _from_index(self, query: Query, search_request: SearchRequest, hits: _IndexHits) -> Iterator[Candidate]:
        """Return candidates by the words, or by a filter that fewer articles meet."""
        wanted_hits = (
            MAX_RANKED_ARTICLES
            if search_request.sort is SortOrder.RELEVANCE
            else search_request.wanted_rows or MAX_RANKED_ARTICLES
        )
        if hits.is_complete and len(hits.document_ids) <= max(_MAX_HITS_READ_AT_ONCE, wanted_hits):
            return self._merge_index_blocks(
                query, search_request, hits, iter([(_MAX_UNIX_SECONDS, [(0, _MAX_DOCUMENT_ID)])])
            )
        # A quarter more, which makes a second read unlikely.
        document_span = hits.documents_spanned_by(wanted_hits + wanted_hits // 4)
        if condition := find_selective_condition(self._db, search_request, hits.estimated_total()):
            return self._check_filtered_rows(query, search_request, hits, condition, document_span)
        return self._merge_index_blocks(
            query, search_request, hits, self._block_groups(search_request, hits, document_span)
        )

    def _block_groups(
        self, search_request: SearchRequest, hits: _IndexHits, document_span: int
    ) -> Iterator[BlockGroup]:
        """Yield the documents that were indexed last, which mostly are the newest, then all others."""
        first_id = max(0, first_id_in_block(hits.document_ids[-1] - document_span))
        yield _MAX_UNIX_SECONDS, [(first_id, _MAX_DOCUMENT_ID)]
        oldest = unix_seconds(format_iso(search_request.since)) if search_request.since else -(2**63)
        newest_wanted = unix_seconds(format_iso(search_request.until)) if search_request.until else 2**63 - 1
        rows = self._db.execute(_SELECT_BLOCKS, [oldest, newest_wanted, block_number(first_id)])
        blocks = (row for row in rows if isinstance(row[1], int))
        if hits.is_complete and len(hits.document_ids) < _HIT_SAMPLE_SIZE:
            yield from ((newest, [(0, first_id - 1)]) for _, newest in itertools.islice(blocks, 1))
        else:
            yield from group_blocks(blocks, document_span)

    def _merge_index_blocks(
        self, query: Query, search_request: SearchRequest, hits: _IndexHits, block_groups: Iterator[BlockGroup]
    ) -> Iterator[Candidate]:
        """Merge the hits of blocks by time: a hit waits until no other block may hold a newer one."""
        unindexed_codes = self._pending_codes()
        unindexed = self.find_by_codes(unindexed_codes, search_request) if unindexed_codes else ()
        heap = [*unindexed, *self._candidates_by_key(query, search_request)]
        heapq.heapify(heap)
        where, parameters = build_conditions(search_request, DOCUMENT_ROWS)
        for newest, ranges in block_groups:
            while heap and -heap[0].neg_published > newest:
                yield heapq.heappop(heap)
            for source, range_parameters in hits.queries_for_ranges(ranges):
                rows = self._db.execute(_SELECT_FILTERED.format(source, where), {**parameters, **range_parameters})
                for row in rows:
                    if _is_usable(row):
                        heapq.heappush(heap, make_candidate(*row))
        while heap:
            yield heapq.heappop(heap)

    def _check_filtered_rows(
        self, query: Query, search_request: SearchRequest, hits: _IndexHits, condition: str, chunk_size: int
    ) -> Iterator[Candidate]:
        """Yield the articles that meet a filter, except those without the words according to the index.

        The index is read in batches, each twice as large as the one before.
        """
        where, parameters = build_conditions(search_request, ARTICLE_ROWS)
        codes_by_key = {candidate.code for candidate in self._candidates_by_key(query, search_request)}
        sql = _SELECT_NEWEST_WITH_DOCUMENT_ID.format(f"{where} AND {condition}")
        rows = (row for row in self._db.execute(sql, parameters) if _is_usable(row))
        while chunk := list(itertools.islice(rows, min(chunk_size, _MAX_ROWS_PER_CHUNK))):
            matching_ids = self._matching_ids(hits, [document_id for *_, document_id in chunk if document_id])
            for code, revision, current, published, document in chunk:
                if not document or document in matching_ids or code in codes_by_key:
                    yield make_candidate(code, revision, current, published)
            chunk_size *= 2

    def _matching_ids(self, hits: _IndexHits, document_ids: list[int]) -> set[int]:
        """Return the documents that the index may have found."""
        if not document_ids or (max(document_ids) - min(document_ids)) // hits.documents_spanned_by(
            1
        ) > _HIT_READS_PER_COMPARISON * len(document_ids):
            return set(document_ids)
        parameters = {
            "match": hits.fts_query,
            "first": min(document_ids),
            "last": max(document_ids),
            "ids": json.dumps(document_ids),
        }
        return {document_id for (document_id,) in self._db.execute(_SELECT_MATCHES_AMONG_IDS, parameters)}

    def _find_hits(self, fts_query: str, limit: int) -> _IndexHits:
        sql = "SELECT rowid FROM search_pairs WHERE search_pairs MATCH ? ORDER BY rowid DESC LIMIT ?"
        document_ids = array("q", (document_id for (document_id,) in self._db.execute(sql, [fts_query, limit])))
        document_ids.reverse()
        return _IndexHits(fts_query, document_ids, len(document_ids) != limit)

    def _pending_codes(self) -> list[str]:
        # Not by `Table`, which sets a savepoint: every search reads this.
        return [code for (code,) in self._db.execute("SELECT code FROM search_pending") if isinstance(code, str)]

    def _candidates_by_key(self, query: Query, search_request: SearchRequest) -> Iterator[Candidate]:
        for key in query.keys:
            codes = [code for (code,) in self._db.execute(_SELECT_CODES_BY_KEY, {"key": key}) if isinstance(code, str)]
            yield from self.find_by_codes(codes, search_request)


def make_candidate(code: str, revision: int, current: int, published: int | str) -> Candidate:
    """Return a candidate from the columns of a row."""
    numeric_code = int(code) if code.isascii() and code.isdigit() else 0
    published_seconds = published if isinstance(published, int) else unix_seconds(str(published))
    return Candidate(-published_seconds, -numeric_code, revision, current, code)


def _is_usable(row: Sequence[Any]) -> bool:
    """Return whether a row names a version: another program may have written any value.

    The row of the article itself is checked when it is read (storage/table.py).
    """
    code, revision, current = row[:3]
    return isinstance(code, str) and isinstance(revision, int) and isinstance(current, int)


def _is_one_bigram(term: Term) -> bool:
    """Return whether a term matches exactly the documents that hold one bigram."""
    return len(term.texts) == 1 and len(term.texts[0]) == 2 and not term.keys and not term.is_in_title


def _build_fts_query(query: Query) -> tuple[str, bool]:
    """Return the FTS5 query, empty where the index cannot help, and whether it is slow (single characters)."""
    clauses = [clause for clause in query.clauses if clause.is_satisfiable]
    clause_queries = [_build_clause_query(clause) for clause in clauses[:_MAX_CLAUSES]]
    if not all(clause_queries) or len(clauses) > _MAX_CLAUSES:
        return "", False
    return " OR ".join(f"({part})" for part, _ in filter(None, clause_queries)), any(
        is_single_bigram for _, is_single_bigram in filter(None, clause_queries)
    )


def _build_clause_query(clause: Clause) -> tuple[str, bool] | None:
    text_terms = [term for term in clause.required if not term.keys] or clause.required
    words = [term.texts[0] for term in text_terms if len(term.texts) == 1]
    bigrams = list(dict.fromkeys(f'"{pair}"' for word in words for pair in split_into_bigrams(word)))
    bigrams = bigrams[:_MAX_BIGRAMS_PER_CLAUSE]
    # Codes alone are written in several ways, each longer than a bigram.
    alternatives = [
        "(" + " OR ".join('("' + '" AND "'.join(split_into_bigrams(text)) + '")' for text in term.texts) + ")"
        for term in text_terms
        if len(term.texts) > 1
    ][:_MAX_CLAUSES]
    if bigrams or alternatives:
        excluded_bigrams = [
            f'"{split_into_bigrams(term.texts[0])[0]}"'
            for term in clause.excluded[:_MAX_BIGRAMS_PER_CLAUSE]
            if _is_one_bigram(term)
        ]
        return " AND ".join([*bigrams, *alternatives]) + (
            f" NOT ({' OR '.join(excluded_bigrams)})" if excluded_bigrams else ""
        ), False
    if text_terms:
        return " AND ".join(f'"{bigram_prefix(word)}" *' for word in words[:_MAX_CLAUSES]), True
    return None
