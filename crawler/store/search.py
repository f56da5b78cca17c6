"""Questions to the articles: words, filters, order; answered as of now, or with what was known at a moment.

The index gives candidates, newest first and no more than are asked for; each is then compared with its folded text. So
an answer is exact whatever the index holds, and articles that are not indexed yet are compared, too.
"""

import heapq
import itertools
import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlite_utils import Database

from crawler.store.connection import errors_told
from crawler.store.index import seconds, spans_of, text_of
from crawler.store.reprints import Reprints
from crawler.text.dates import iso
from crawler.text.passage import Passage, passage, scores, whole
from crawler.text.query import Clause, Query, parse
from crawler.text.stocks import mentions
from crawler.text.tokens import Document, fold, prefix_of, tokens_of_term

# Relevance is decided among so many of the newest that match.
RANKED = 1_000
# A query of single characters alone is first tried on so many of the newest articles.
_TRIED = 300
# So few hits are read at once, whenever they were published.
_FEW = 256
_EVERYTHING = (2**63, [(0, 2**62)])
# What is asked of the index of one clause; the rest is found by comparing.
_MOST_PAIRS, _MOST_CLAUSES = 40, 20

_MATCHING = """
    SELECT code, revision, current, published FROM search_documents
    WHERE id IN (SELECT rowid FROM search_pairs WHERE search_pairs MATCH :match AND rowid BETWEEN :first AND :last)
"""
_NUMBERED = """
    SELECT code, revision, current, published FROM search_documents WHERE id IN (SELECT value FROM json_each(:ids))
"""
_KEYED = """
    SELECT code FROM articles WHERE code = :key
    UNION SELECT code FROM mentions WHERE secid = :key
    UNION SELECT code FROM mentions WHERE substr(secid, instr(secid, '.') + 1) = :key
"""
_OF_CODES = """
    SELECT code, revision, current, published_at FROM versions WHERE code IN (SELECT value FROM json_each(:codes))
"""
_NEWEST_NOW = """
    SELECT code, revision, current, published_at FROM (SELECT *, 1 AS current FROM articles) AS found
    WHERE {conditions}
    ORDER BY published_at DESC, code DESC
"""
_NEWEST_THEN = """
    SELECT code, revision, current, published_at FROM versions AS found WHERE {conditions}
    ORDER BY published_at DESC, code DESC
"""
_STOCK = """
    EXISTS (SELECT 1 FROM mentions AS m WHERE m.code = found.code
            AND (m.secid = :stock OR substr(m.secid, instr(m.secid, '.') + 1) = :stock OR m.name = :stock))
"""


_COLUMNS_THEN = """
    SELECT DISTINCT column_id FROM entries JOIN runs ON runs.id = run_id
    WHERE code = :code AND column_id != '' AND finished_at <= :as_of ORDER BY column_id
"""
_REVISIONS_THEN = "SELECT * FROM revisions WHERE code = :code AND revision < :revision ORDER BY revision"


# The SQL that gives the documents of a range of ids that may answer, and its values.
_Hits = Callable[[int, int], tuple[str, dict[str, object]]]


class Sort(StrEnum):
    NEWEST = "newest"
    RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. An empty text and empty filters ask for everything; `since` and `until` are inclusive.

    `categories` are slugs; `stock` is `600160`, `1.600160` or a name; `as_of` answers with what was known then. Of a
    story that several media have, `distinct` gives the earliest article that answers.
    """

    text: str = ""
    categories: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    stock: str = ""
    as_of: datetime | None = None
    distinct: bool = False
    sort: Sort = Sort.NEWEST
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An article that answers, with the columns of `articles`, and where its title and its text do."""

    article: dict[str, Any]
    title: Passage
    passage: Passage


class _Version(NamedTuple):
    """A candidate; in order, the newest is the least."""

    before: int
    tie: int
    revision: int
    current: int
    code: str


class Search:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._reprints = Reprints(db)

    def find(self, asked: Asked) -> Iterator[Found]:
        """The articles that answer, in the order that was asked for, one at a time."""
        return self.told(self.articles(asked), asked)

    def told(self, rows: Iterable[dict[str, Any]], asked: Asked) -> Iterator[Found]:
        """Rows that answer, with the places where they do."""
        words = parse(asked.text).words
        for row in rows:
            yield Found(row, whole(row["title"], words), passage(row["body_text"], words))

    def articles(self, asked: Asked) -> Iterator[dict[str, Any]]:
        """The same as rows with the columns of `articles`."""
        with errors_told(), self._db.atomic():
            rows = self._newest(asked)
            if asked.sort is Sort.RELEVANCE:
                rows = iter(_ranked(list(itertools.islice(rows, RANKED)), parse(asked.text)))
            yield from itertools.islice(rows, asked.limit)

    def count(self, asked: Asked) -> int:
        """How many articles answer, `limit` or not."""
        with errors_told(), self._db.atomic():
            exact = self._counted_by_index(asked)
            return sum(1 for _ in self._newest(asked)) if exact is None else exact

    def as_of(self, code: str, at: datetime) -> dict[str, Any] | None:
        """One article as it was known then, with the columns of `articles`; None when it was not."""
        with errors_told():
            conditions, values = _conditions(Asked(as_of=at))
            sql = _NEWEST_THEN.format(conditions=f"code = :code AND {conditions}")
            row = self._db.execute(sql, {**values, "code": code}).fetchone()
            return self._row(_version(*row), at) if row else None

    def whole_as_of(self, code: str, at: datetime) -> dict[str, Any] | None:
        """The same with `revisions`, `mentions`, `columns` and `story` of then; `Articles.whole` gives them of now."""
        row = self.as_of(code, at)
        if row is None:
            return None
        values = {"code": code, "revision": row["revision"], "as_of": iso(at)}
        with errors_told():
            columns = [each["column_id"] for each in self._db.query(_COLUMNS_THEN, values)]
            revisions = list(self._db.query(_REVISIONS_THEN, values))
        found = sorted(mentions(row["body_html"]), key=lambda each: (-each.count, each.secid))
        parts = {"revisions": revisions, "mentions": [asdict(each) for each in found], "columns": columns}
        return {**row, **parts, "story": self._story_as_of(code, at)}

    def _story_as_of(self, code: str, at: datetime) -> list[dict[str, Any]]:
        """The story without what was not known then: who had not printed it yet, or said something else."""
        codes = self._reprints.codes(code)
        known = [each.code for each in self._of_codes(codes, Asked(as_of=at)) if each.current]
        return self._reprints.among(known) if code in known else []

    def _newest(self, asked: Asked) -> Iterator[dict[str, Any]]:
        query = parse(asked.text)
        folded: set[str] = set()
        last = None
        for version in self._candidates(query, asked):
            # A version that several sources give comes several times in a row.
            if version != last and (row := self._answering(version, query, asked)):
                if asked.distinct and version.current and version.code not in folded:
                    folded.update(self._folded_by(version.code, query, asked))
                if version.code not in folded:
                    yield row
            last = version

    def _folded_by(self, code: str, query: Query, asked: Asked) -> list[str]:
        """The story of an article that answers, but for the one that stands for it: the earliest that answers.

        One that is withdrawn only stands for others of its kind; one that said something else then is of no story.
        """
        codes = self._reprints.codes(code)
        if len(codes) == 1:
            return []
        known = {each.code: each for each in self._of_codes(codes, asked) if each.current}
        rows = (self._answering(known[each], query, asked) for each in codes if each in known)
        told = min((row for row in rows if row), key=lambda row: row["withdrawn_at"] is not None)
        return [each for each in known if each != told["code"]]

    def _answering(self, version: _Version, query: Query, asked: Asked) -> dict[str, Any] | None:
        row = self._row(version, asked.as_of)
        if row is None:
            return None
        keys = self._keys(row, version) if query.keys or asked.stock else {row["code"]}
        if asked.stock and not version.current and asked.stock not in keys:
            return None
        return row if query.is_met(Document(row["title"], row["body_text"]), keys) else None

    def _candidates(self, query: Query, asked: Asked) -> Iterator[_Version]:
        """Everything that may answer, newest first; the filters are met but for the stock of an old version."""
        match, at_once = _expression(query)
        if not match:
            yield from self._scanned(asked)
        elif at_once:
            tried = list(itertools.islice(self._scanned(asked), _TRIED))
            yield from tried
            if len(tried) == _TRIED:
                known = set(tried)
                yield from (each for each in self._indexed(query, asked, match, at_once) if each not in known)
        else:
            yield from self._indexed(query, asked, match, at_once)

    def _scanned(self, asked: Asked) -> Iterator[_Version]:
        conditions, values = _conditions(asked)
        sql = (_NEWEST_THEN if asked.as_of else _NEWEST_NOW).format(conditions=conditions)
        return itertools.starmap(_version, self._db.execute(sql, values))

    def _indexed(self, query: Query, asked: Asked, match: str, at_once: bool) -> Iterator[_Version]:
        """The blocks that may hold the newest come first; what they give waits until no other may hold a newer one."""
        # All pairs that begin with a character are read for each question, so there is one question only.
        ids = self._ids(match, -1 if at_once else _FEW + 1)
        hits = _numbered(ids) if at_once or len(ids) <= _FEW else _matching(match)
        oldest = seconds(iso(asked.since)) if asked.since else -(2**63)
        spans = spans_of(self._blocks(oldest)) if len(ids) > _FEW else iter([_EVERYTHING])
        waiting = [*self._unindexed(asked), *self._by_keys(query, asked)]
        heapq.heapify(waiting)
        for newest, ranges in spans:
            while waiting and -waiting[0].before > newest:
                yield heapq.heappop(waiting)
            for first, last in ranges:
                source, values = hits(first, last)
                for version in self._asked_for(source, asked, **values):
                    heapq.heappush(waiting, version)
        while waiting:
            yield heapq.heappop(waiting)

    def _blocks(self, oldest: int) -> Iterator[tuple[int, int]]:
        """Blocks and the time of their newest, newest first, but for those that hold only what is older."""
        sql = "SELECT block, newest FROM search_blocks WHERE newest >= ? ORDER BY newest DESC"
        return iter(self._db.execute(sql, [oldest]))

    def _ids(self, match: str, limit: int) -> "array[int]":
        sql = "SELECT rowid FROM search_pairs WHERE search_pairs MATCH ? LIMIT ?"
        return array("q", (number for (number,) in self._db.execute(sql, [match, limit])))

    def _unindexed(self, asked: Asked) -> Iterator[_Version]:
        codes = [row["code"] for row in self._db.query("SELECT code FROM search_pending")]
        return self._of_codes(codes, asked) if codes else iter(())

    def _by_keys(self, query: Query, asked: Asked) -> Iterator[_Version]:
        for key in query.keys:
            codes = [row["code"] for row in self._db.query(_KEYED, {"key": key})]
            yield from self._of_codes(codes, asked)

    def _of_codes(self, codes: list[str], asked: Asked) -> Iterator[_Version]:
        return self._asked_for(_OF_CODES, asked, codes=json.dumps(codes))

    def _asked_for(self, source: str, asked: Asked, **values: object) -> Iterator[_Version]:
        conditions, filters = _conditions(asked)
        sql = f"SELECT * FROM ({source}) AS found WHERE {conditions}"  # noqa: S608  # our own words
        return itertools.starmap(_version, self._db.execute(sql, {**filters, **values}))

    def _counted_by_index(self, asked: Asked) -> int | None:
        """The count, where the index alone can tell: one pair of characters, no filter, everything indexed."""
        terms = [(clause.wanted, clause.unwanted) for clause in parse(asked.text).clauses]
        if asked != Asked(text=asked.text, sort=asked.sort, limit=asked.limit) or len(terms) > 1:
            return None
        wanted, unwanted = terms[0]
        if not wanted or unwanted or any(len(term.text) != 2 or term.key for term in wanted):
            return None
        if next(iter(self._db.query("SELECT 1 FROM search_pending LIMIT 1")), None):
            return None
        match, _ = _expression(parse(asked.text))
        sql = "SELECT count(*) AS number FROM search_documents WHERE current = 1 AND id IN " \
            "(SELECT rowid FROM search_pairs WHERE search_pairs MATCH ?)"  # fmt: skip
        return int(next(iter(self._db.query(sql, [match])))["number"])

    def _row(self, version: _Version, as_of: datetime | None) -> dict[str, Any] | None:
        # Not by `query`, which sets a savepoint around each: this is asked for each article that is found.
        cursor = self._db.execute("SELECT * FROM articles WHERE code = ?", [version.code])
        values = cursor.fetchone()
        if values is None:
            return None
        row: dict[str, Any] = dict(zip((column[0] for column in cursor.description), values, strict=True))
        if as_of and row["withdrawn_at"] and row["withdrawn_at"] > iso(as_of):
            row["withdrawn_at"] = None
        if version.current:
            return row if row["revision"] == version.revision else None
        return self._then(row, version)

    def _then(self, row: dict[str, Any], version: _Version) -> dict[str, Any] | None:
        """The row as it was; what is not kept of a version, its summary and its post, is not told."""
        sql = "SELECT * FROM revisions WHERE code = ? AND revision = ?"
        old = next(iter(self._db.query(sql, [version.code, version.revision])), None)
        if old is None:
            return None
        seen_at = old.pop("seen_at")
        changed_at = None if seen_at == row["first_seen_at"] else seen_at
        unknown = {"summary": "", "post_sha256": None, "published_revision": None, "changed_at": changed_at}
        return {**row, **old, **unknown, "body_text": text_of({**old, "body_text": None})}

    def _keys(self, row: dict[str, Any], version: _Version) -> set[str]:
        """The codes and names that stand for the article: its own, and those of its stocks."""
        if version.current:
            sql = "SELECT secid, name FROM mentions WHERE code = ?"
            pairs = [(each["secid"], each["name"]) for each in self._db.query(sql, [version.code])]
        else:
            pairs = [(each.secid, each.name) for each in mentions(row["body_html"])]
        return {row["code"], *(part for secid, name in pairs for part in (secid, secid.partition(".")[2], name))}


def _conditions(asked: Asked) -> tuple[str, dict[str, object]]:
    """The filters as SQL on a candidate `found`, and their values."""
    parts: list[str] = []
    values: dict[str, object] = {}
    if asked.categories:
        parts.append("EXISTS (SELECT 1 FROM articles AS a WHERE a.code = found.code AND a.category IN "
                     "(SELECT value FROM json_each(:categories)))")  # fmt: skip
        values["categories"] = json.dumps(asked.categories)
    if asked.columns:
        parts.append(_LISTED_THEN if asked.as_of else _LISTED)
        values["columns"] = json.dumps(asked.columns)
    if asked.stock:
        parts.append(f"(found.current = 0 OR {_STOCK})" if asked.as_of else _STOCK)
        values["stock"] = asked.stock
    for name, sign, moment in (("since", ">=", asked.since), ("until", "<=", asked.until)):
        if moment:
            parts.append(_PUBLISHED.format(sign=sign, name=name))
            values[name] = iso(moment)
    parts.append(_THEN if asked.as_of else "found.current = 1")
    if asked.as_of:
        values["as_of"] = iso(asked.as_of)
    return " AND ".join(parts), values


_PUBLISHED = """
    EXISTS (SELECT 1 FROM versions AS v WHERE v.code = found.code AND v.revision = found.revision
            AND v.current = found.current AND v.published_at {sign} :{name})
"""
_LISTED = """
    EXISTS (SELECT 1 FROM article_columns AS c WHERE c.code = found.code
            AND c.column_id IN (SELECT value FROM json_each(:columns)))
"""
# That an article stood in a listing was known when the crawl that listed it had ended.
_LISTED_THEN = """
    EXISTS (SELECT 1 FROM entries AS e JOIN runs ON runs.id = e.run_id WHERE e.code = found.code
            AND e.column_id IN (SELECT value FROM json_each(:columns)) AND runs.finished_at <= :as_of)
"""
_THEN = """
    EXISTS (SELECT 1 FROM versions AS v WHERE v.code = found.code AND v.revision = found.revision
            AND v.current = found.current AND v.seen_at <= :as_of)
    AND NOT EXISTS (SELECT 1 FROM versions AS v WHERE v.code = found.code AND v.revision > found.revision
                    AND v.seen_at <= :as_of)
"""


def _version(code: str, revision: int, current: int, published: int | str) -> _Version:
    digits = int(code) if code.isascii() and code.isdigit() else 0
    moment = published if isinstance(published, int) else seconds(published)
    return _Version(-moment, -digits, revision, current, code)


def _matching(match: str) -> _Hits:
    return lambda first, last: (_MATCHING, {"match": match, "first": first, "last": last})


def _numbered(ids: "array[int]") -> _Hits:
    def within(first: int, last: int) -> tuple[str, dict[str, object]]:
        return _NUMBERED, {"ids": json.dumps(ids[bisect_left(ids, first) : bisect_right(ids, last)].tolist())}

    return within


def _expression(query: Query) -> tuple[str, bool]:
    """What the index is asked, and whether all at once since single characters are dear; empty: it cannot help."""
    parts = [_clause_expression(clause) for clause in query.clauses[:_MOST_CLAUSES]]
    if not all(parts) or len(query.clauses) > _MOST_CLAUSES:
        return "", False
    return " OR ".join(f"({part})" for part, _ in filter(None, parts)), any(single for _, single in filter(None, parts))


def _clause_expression(clause: Clause) -> tuple[str, bool] | None:
    named = [term for term in clause.wanted if not term.key] or clause.wanted
    pairs = list(dict.fromkeys(pair for term in named for pair in tokens_of_term(term.text)))[:_MOST_PAIRS]
    if pairs:
        return " AND ".join(f'"{pair}"' for pair in pairs), False
    if named:
        return " AND ".join(f'"{prefix_of(term.text)}" *' for term in named[:_MOST_CLAUSES]), True
    return None


def _ranked(rows: list[dict[str, Any]], query: Query) -> list[dict[str, Any]]:
    """Best first; what answers equally well stays newest first."""
    found = scores(((fold(row["title"]), fold(row["body_text"])) for row in rows), query.words)
    order = sorted(range(len(rows)), key=lambda place: -found[place])
    return [rows[place] for place in order]
