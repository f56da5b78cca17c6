"""Questions to the articles: words, filters, order; answered as of now, or with what was known at a moment.

Candidates (candidates.py) come newest first and no more than are asked for; each is compared with its text.
"""

import itertools
import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from crawler.content.dates import iso
from crawler.content.stocks import mentions
from crawler.storage.connection import errors_told
from crawler.storage.reprints.queries import Reprints
from crawler.storage.search.bigrams import Document, fold
from crawler.storage.search.candidates import RANKED, Candidates, Version
from crawler.storage.search.index import text_of
from crawler.storage.search.query import Query, parse
from crawler.storage.search.request import Asked, Sort
from crawler.storage.search.snippets import Passage, passage, scores, whole

_COLUMNS_THEN = """
    SELECT DISTINCT column_id FROM entries JOIN runs ON runs.id = run_id
    WHERE code = :code AND column_id != '' AND finished_at <= :as_of ORDER BY column_id
"""
# So many articles are read at once, at most.
_READ = 256
_ROWS = "SELECT articles.* FROM json_each(?) CROSS JOIN articles ON articles.code = json_each.value"
_REVISIONS_THEN = "SELECT * FROM revisions WHERE code = :code AND revision < :revision ORDER BY revision"


@dataclass(frozen=True, slots=True)
class Found:
    """An article that answers, with the columns of `articles`, and where its title and its text do."""

    article: dict[str, Any]
    title: Passage
    passage: Passage


class Search:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._candidates = Candidates(db)
        self._reprints = Reprints(db)

    def find(self, asked: Asked) -> Iterator[Found]:
        """The articles that answer, in the order that was asked for, one at a time."""
        return self.told(self.articles(asked), asked)

    def told(self, rows: Iterable[dict[str, Any]], asked: Asked) -> Iterator[Found]:
        """Rows that answer, with the places where they do."""
        words = parse(asked.text).words
        for row in rows:
            yield Found(row, whole(row["title"], words), passage(row["body_text"], words))

    def articles(self, asked: Asked) -> Generator[dict[str, Any], None, None]:
        """The same as rows with the columns of `articles`. Who leaves off half way closes it before the store."""
        with errors_told(), self._db.atomic():
            rows = self._newest(asked)
            if asked.sort is Sort.RELEVANCE:
                rows = iter(_ranked(list(itertools.islice(rows, RANKED)), parse(asked.text)))
            yield from itertools.islice(rows, asked.limit)

    def count(self, asked: Asked) -> int:
        """How many articles answer, `limit` or not."""
        with errors_told(), self._db.atomic():
            exact = self._candidates.counted(parse(asked.text), asked)
            return sum(1 for _ in self._newest(asked)) if exact is None else exact

    def as_of(self, code: str, at: datetime) -> dict[str, Any] | None:
        """One article as it was known then, with the columns of `articles`; None when it was not."""
        with errors_told():
            found = min(self._candidates.of_codes([code], Asked(as_of=at)), default=None)
            return self._as_known(self._rows([code]).get(code), found, at) if found else None

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
        known = [each.code for each in self._candidates.of_codes(codes, Asked(as_of=at)) if each.current]
        return self._reprints.among(known) if code in known else []

    def _newest(self, asked: Asked) -> Iterator[dict[str, Any]]:
        query = parse(asked.text)
        folded: set[str] = set()
        # A version that several sources give comes several times in a row.
        versions = (version for version, _ in itertools.groupby(self._candidates.newest(query, asked)))
        for version, row in self._answering(versions, query, asked):
            if asked.distinct and version.current and version.code not in folded:
                folded.update(self._folded_by(version.code, query, asked))
            if version.code not in folded:
                yield row

    def _folded_by(self, code: str, query: Query, asked: Asked) -> list[str]:
        """The story of an article that answers, but for the one that stands for it: the earliest that answers.

        One that is withdrawn only stands for others of its kind; one that said something else then is of no story.
        """
        codes = self._reprints.codes(code)
        if len(codes) == 1:
            return []
        known = {each.code: each for each in self._candidates.of_codes(codes, asked) if each.current}
        rows = self._answering((known[each] for each in codes if each in known), query, asked)
        _, told = min(rows, key=lambda found: found[1]["withdrawn_at"] is not None)
        return [each for each in known if each != told["code"]]

    def _answering(
        self, versions: Iterator[Version], query: Query, asked: Asked
    ) -> Iterator[tuple[Version, dict[str, Any]]]:
        """Those of the candidates that answer, with their rows, of which many are read at once."""
        has_keys = bool(query.keys)
        size = max(1, min(asked.limit or _READ, _READ))
        while chunk := list(itertools.islice(versions, size)):
            rows = self._rows([version.code for version in chunk])
            for version in chunk:
                row = self._as_known(rows.get(version.code), version, asked.as_of)
                if row and self._answers(row, version, query, asked, has_keys=has_keys):
                    yield version, row
            size = min(2 * size, _READ)

    def _answers(self, row: dict[str, Any], version: Version, query: Query, asked: Asked, *, has_keys: bool) -> bool:
        is_of_stock = not asked.stock or bool(version.current)
        keys = {row["code"]} if is_of_stock and not has_keys else self._keys(row, version)
        return (is_of_stock or asked.stock in keys) and query.is_met(Document(row["title"], row["body_text"]), keys)

    def _rows(self, codes: list[str]) -> dict[str, dict[str, Any]]:
        cursor = self._db.execute(_ROWS, [json.dumps(codes)])
        names = [column[0] for column in cursor.description]
        rows = (dict(zip(names, values, strict=True)) for values in cursor)
        return {row["code"]: row for row in rows}

    def _as_known(self, row: dict[str, Any] | None, version: Version, as_of: datetime | None) -> dict[str, Any] | None:
        """An article's row as this version of it, and as far as was known then; None where there is no such version."""
        if row is None:
            return None
        if as_of and row["withdrawn_at"] and row["withdrawn_at"] > iso(as_of):
            row = {**row, "withdrawn_at": None}
        if version.current:
            return row if row["revision"] == version.revision else None
        return self._then(row, version)

    def _then(self, row: dict[str, Any], version: Version) -> dict[str, Any] | None:
        """The row as it was; what is not kept of a version, its summary and its post, is not told."""
        sql = "SELECT * FROM revisions WHERE code = ? AND revision = ?"
        old = next(iter(self._db.query(sql, [version.code, version.revision])), None)
        if old is None:
            return None
        seen_at = old.pop("seen_at")
        changed_at = None if seen_at == row["first_seen_at"] else seen_at
        unknown = {"summary": "", "post_sha256": None, "published_revision": None, "changed_at": changed_at}
        return {**row, **old, **unknown, "body_text": text_of({**old, "body_text": None})}

    def _keys(self, row: dict[str, Any], version: Version) -> set[str]:
        """The codes and names that stand for the article: its own, and those of its stocks."""
        if version.current:
            sql = "SELECT secid, name FROM mentions WHERE code = ?"
            pairs = [(each["secid"], each["name"]) for each in self._db.query(sql, [version.code])]
        else:
            pairs = [(each.secid, each.name) for each in mentions(row["body_html"])]
        return {row["code"], *(part for secid, name in pairs for part in (secid, secid.partition(".")[2], name))}


def _ranked(rows: list[dict[str, Any]], query: Query) -> list[dict[str, Any]]:
    """Best first; what answers equally well stays newest first."""
    found = scores(((fold(row["title"]), fold(row["body_text"])) for row in rows), query.words)
    order = sorted(range(len(rows)), key=lambda place: -found[place])
    return [rows[place] for place in order]
