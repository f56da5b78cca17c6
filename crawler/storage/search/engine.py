"""Search engine: query, filters, order; in the database as it is, or as it was at a moment.

Candidates (candidates.py) come newest first and lazily; each is compared with its text.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from crawler.content.dates import format_iso
from crawler.content.stocks import extract_mentions
from crawler.storage.reprints.queries import ReprintQueries
from crawler.storage.search.bigrams import SearchDocument
from crawler.storage.search.candidates import MAX_RANKED_ARTICLES, Candidate, CandidateFinder
from crawler.storage.search.folding import normalise_for_search
from crawler.storage.search.index import version_text
from crawler.storage.search.query import Query, parse_query
from crawler.storage.search.request import SearchRequest, SortOrder
from crawler.storage.search.snippets import Snippet, best_snippet, bm25_scores, highlight_all
from crawler.storage.stocks import Stocks
from crawler.storage.table import Table

# By code, as `Articles.mentions` and `Articles.column_ids` have them of one.
_SELECT_STOCKS_OF_ARTICLES = """
    SELECT code, secid, name FROM mentions WHERE code IN (SELECT value FROM json_each(?))
    ORDER BY code, count DESC, secid
"""
_SELECT_COLUMNS_OF_ARTICLES = """
    SELECT code, column_id FROM article_columns WHERE code IN (SELECT value FROM json_each(?)) ORDER BY code, column_id
"""
_SELECT_COLUMNS_OF_ARTICLES_AS_OF = """
    SELECT DISTINCT code, column_id FROM entries JOIN runs ON runs.id = run_id
    WHERE code IN (SELECT value FROM json_each(?)) AND column_id != '' AND finished_at <= ? ORDER BY code, column_id
"""
# Articles per SQL statement, at most.
_MAX_ROWS_PER_READ = 256
_SELECT_ARTICLES = "SELECT articles.* FROM json_each(?) CROSS JOIN articles ON articles.code = json_each.value"
_SELECT_EARLIER_REVISIONS = "SELECT * FROM revisions WHERE code = ? AND revision < ? ORDER BY revision"


@dataclass(frozen=True, slots=True)
class SearchHit:
    """Article that matches, with the columns of `rows`, and the highlights of title and text."""

    article: dict[str, Any]
    title: Snippet
    snippet: Snippet


class SearchEngine(Table):
    """Search of the articles, in the database as it is or as it was at a moment."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._candidates = CandidateFinder(db)
        self._reprints = ReprintQueries(db)
        self._stocks = Stocks(db)

    def hits(self, search_request: SearchRequest) -> Iterator[SearchHit]:
        """Return the matching articles with snippets, lazily, in the requested order."""
        return self.with_snippets(self.rows(search_request), search_request)

    def with_snippets(self, rows: Iterable[dict[str, Any]], search_request: SearchRequest) -> Iterator[SearchHit]:
        """Yield matching rows with their snippets."""
        words = parse_query(search_request.text).words
        for row in rows:
            yield SearchHit(row, highlight_all(row["title"], words), best_snippet(row["body_text"], words))

    def rows(self, search_request: SearchRequest) -> Generator[dict[str, Any], None, None]:
        """Yield the matching rows of the table `articles`, in the requested order.

        With `as_of` they are as they were then. A caller that stops half way closes the generator before the store.
        """
        with self.transaction():
            query, search_request = self._resolve(search_request)
            rows = self._matching_rows(query, search_request)
            if search_request.sort is SortOrder.RELEVANCE:
                newest = list(itertools.islice(rows, MAX_RANKED_ARTICLES))
                documents = (
                    (normalise_for_search(row["title"]), normalise_for_search(row["body_text"])) for row in newest
                )
                relevance = bm25_scores(documents, query.words)
                # The sort is stable: equally relevant rows stay newest first.
                order = sorted(range(len(newest)), key=lambda position: -relevance[position])
                rows = (newest[position] for position in order)
            yield from itertools.islice(rows, search_request.offset, search_request.wanted_rows)

    def rows_with_relations(self, search_request: SearchRequest) -> Generator[dict[str, Any], None, None]:
        """Yield the rows of `rows`, each with its `stocks` and `columns` (ids), of that moment with `as_of`.

        A stock has `secid` and `name`; the most often named comes first.
        """
        with closing(self.rows(search_request)) as rows:
            while chunk := list(itertools.islice(rows, _MAX_ROWS_PER_READ)):
                stocks, columns = self._relations(chunk, search_request.as_of)
                for row in chunk:
                    yield {**row, "stocks": stocks.get(row["code"], []), "columns": columns.get(row["code"], [])}

    def _relations(
        self, rows: list[dict[str, Any]], as_of: datetime | None
    ) -> tuple[dict[str, list[dict[str, str]]], dict[str, list[str]]]:
        """Return the stocks and the columns of articles, by code."""
        codes = json.dumps([row["code"] for row in rows])
        if as_of is None:
            mentions = self._fetch_all(_SELECT_STOCKS_OF_ARTICLES, codes)
            columns = self._fetch_all(_SELECT_COLUMNS_OF_ARTICLES, codes)
        else:
            mentions = [{"code": row["code"], **mention} for row in rows for mention in _mentions_in_body(row)]
            columns = self._fetch_all(_SELECT_COLUMNS_OF_ARTICLES_AS_OF, codes, format_iso(as_of))
        stocks_by_code, columns_by_code = defaultdict(list), defaultdict(list)
        for row in mentions:
            stocks_by_code[row["code"]].append({"secid": row["secid"], "name": row["name"]})
        for row in columns:
            columns_by_code[row["code"]].append(row["column_id"])
        return stocks_by_code, columns_by_code

    def count(self, search_request: SearchRequest) -> int:
        """Return how many articles match; `limit` and `offset` do not apply."""
        with self.transaction():
            query, search_request = self._resolve(search_request)
            exact_count = self._candidates.count_from_index(query, search_request)
            if exact_count is not None:
                return exact_count
            return sum(1 for _ in self._matching_rows(query, replace(search_request, sort=SortOrder.NEWEST)))

    def _resolve(self, search_request: SearchRequest) -> tuple[Query, SearchRequest]:
        """Return the parsed query, and the request with its `stock_keys`, by this database."""
        query = parse_query(search_request.text)
        # An old version may be the last that mentions a stock.
        if not search_request.as_of:
            query = query.with_keys_among(self._candidates.find_known_keys(query))
        if search_request.stock:
            search_request = replace(search_request, stock_keys=self._stocks.find_keys(search_request.stock))
        return query, search_request

    def get_as_of(self, code: str, as_of: datetime) -> dict[str, Any] | None:
        """Return an article as known at a moment, with the columns of `rows`; None for an unknown one."""
        with self.transaction():
            candidate = min(self._candidates.find_by_codes([code], SearchRequest(as_of=as_of)), default=None)
            return (
                self._build_candidate_row(self._rows_by_code([code]).get(code), candidate, as_of) if candidate else None
            )

    def get_full_as_of(self, code: str, as_of: datetime) -> dict[str, Any] | None:
        """Return the article of `get_as_of` with its `revisions`, `mentions`, `columns` and `story` of that moment.

        `Articles.get_full` returns those of now.
        """
        row = self.get_as_of(code, as_of)
        if row is None:
            return None
        _, columns = self._relations([row], as_of)
        relations = {
            "revisions": self._fetch_all(_SELECT_EARLIER_REVISIONS, code, row["revision"]),
            "mentions": _mentions_in_body(row),
            "columns": columns.get(code, []),
        }
        # The cluster without articles that were unknown at that moment, or had another text.
        codes = self._reprints.cluster_codes(code)
        known_codes = [
            candidate.code
            for candidate in self._candidates.find_by_codes(codes, SearchRequest(as_of=as_of))
            if candidate.current
        ]
        story = self._reprints.cluster_articles_among(known_codes) if code in known_codes else []
        return {**row, **relations, "story": story}

    def _matching_rows(self, query: Query, search_request: SearchRequest) -> Iterator[dict[str, Any]]:
        hidden_codes: set[str] = set()
        # A version may come several times in a row.
        candidates = (candidate for candidate, _ in itertools.groupby(self._candidates.find(query, search_request)))
        for version, row in self._matching(candidates, query, search_request):
            if search_request.collapse_reprints and version.current and version.code not in hidden_codes:
                hidden_codes.update(self._find_hidden_reprints(version.code, query, search_request))
            if version.code not in hidden_codes:
                yield row

    def _find_hidden_reprints(self, code: str, query: Query, search_request: SearchRequest) -> list[str]:
        """Return the matching articles of a cluster, except the earliest, which represents it.

        A withdrawn article represents only withdrawn ones; an old version belongs to no cluster.
        """
        codes = self._reprints.cluster_codes(code)
        if len(codes) == 1:
            return []
        candidate_by_code = {
            candidate.code: candidate
            for candidate in self._candidates.find_by_codes(codes, search_request)
            if candidate.current
        }
        rows = self._matching(
            (candidate_by_code[reprint] for reprint in codes if reprint in candidate_by_code), query, search_request
        )
        _, shown_row = min(rows, key=lambda result: result[1]["withdrawn_at"] is not None)
        return [reprint for reprint in candidate_by_code if reprint != shown_row["code"]]

    def _matching(
        self, candidates: Iterator[Candidate], query: Query, search_request: SearchRequest
    ) -> Iterator[tuple[Candidate, dict[str, Any]]]:
        """Yield the matching candidates with their rows, which are read in chunks."""
        has_keys = bool(query.keys)
        chunk_size = max(1, min(search_request.wanted_rows or _MAX_ROWS_PER_READ, _MAX_ROWS_PER_READ))
        while chunk := list(itertools.islice(candidates, chunk_size)):
            rows = self._rows_by_code([candidate.code for candidate in chunk])
            for version in chunk:
                row = self._build_candidate_row(rows.get(version.code), version, search_request.as_of)
                if row is None:
                    continue
                # SQL has applied the stock filter to current versions only.
                meets_stock_filter = not search_request.stock or bool(version.current)
                keys = {row["code"]} if meets_stock_filter and not has_keys else self._search_keys(row, version)
                if (meets_stock_filter or not keys.isdisjoint(search_request.stock_keys)) and query.matches(
                    SearchDocument(row["title"], row["body_text"]), keys
                ):
                    yield version, row
            chunk_size = min(2 * chunk_size, _MAX_ROWS_PER_READ)

    def _rows_by_code(self, codes: list[str]) -> dict[str, dict[str, Any]]:
        return {row["code"]: row for row in self._iter_rows(_SELECT_ARTICLES, json.dumps(codes))}

    def _build_candidate_row(
        self, row: dict[str, Any] | None, candidate: Candidate, as_of: datetime | None
    ) -> dict[str, Any] | None:
        """Return an article's row in this version, as known at `as_of`; None where the version is missing."""
        if row is None:
            return None
        if as_of and row["withdrawn_at"] and row["withdrawn_at"] > format_iso(as_of):
            row = {**row, "withdrawn_at": None}
        if candidate.current:
            return row if row["revision"] == candidate.revision else None
        # Summary and post of an old version are not stored: they are empty.
        sql = "SELECT * FROM revisions WHERE code = ? AND revision = ?"
        revision = self._fetch_one(sql, candidate.code, candidate.revision)
        if revision is None:
            return None
        seen_at = revision.pop("seen_at")
        changed_at = None if seen_at == row["first_seen_at"] else seen_at
        not_kept = {"summary": "", "post_sha256": None, "published_revision": None, "changed_at": changed_at}
        return {**row, **revision, **not_kept, "body_text": version_text({**revision, "body_text": None})}

    def _search_keys(self, row: dict[str, Any], candidate: Candidate) -> set[str]:
        """Return the keys of an article: its code, and codes and names of its stocks."""
        if candidate.current:
            sql = "SELECT secid, name FROM mentions WHERE code = ?"
            secids_and_names = [
                (mention_row["secid"], mention_row["name"]) for mention_row in self._fetch_all(sql, candidate.code)
            ]
        else:
            secids_and_names = [(mention.secid, mention.name) for mention in extract_mentions(row["body_html"])]
        return {
            row["code"],
            *(key for secid, name in secids_and_names for key in (secid, secid.partition(".")[2], name)),
        }


def _mentions_in_body(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the stocks and boards that a text links to, most often named first: tables have only those of now."""
    mentions = sorted(extract_mentions(row["body_html"]), key=lambda mention: (-mention.count, mention.secid))
    return [asdict(mention) for mention in mentions]
