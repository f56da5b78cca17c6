"""The filters of a question as SQL: conditions on rows that may answer it, and where few articles meet one, these."""

import json
from typing import NamedTuple

from sqlite_utils import Database

from crawler.content.dates import iso
from crawler.storage.search.index import seconds
from crawler.storage.search.request import Asked


class Source(NamedTuple):
    """Rows of versions, `found` in conditions, and how these name their time and their article's category."""

    rows: str
    published: str
    category: str


_CATEGORY = "EXISTS (SELECT 1 FROM articles AS a WHERE a.code = found.code AND a.category IN {})"
ARTICLES = Source("(SELECT *, 1 AS current FROM articles) AS found", "found.published_at", "found.category IN {}")
VERSIONS = Source("versions AS found", "found.published_at", _CATEGORY)
DOCUMENTS = Source("", "found.published", _CATEGORY)

# Of one category, the index gives its articles in the order of their times.
_ONE, _SEVERAL = "(:category)", "(SELECT value FROM json_each(:categories))"
_STOCK = """
    EXISTS (SELECT 1 FROM mentions AS m WHERE m.code = found.code
            AND (m.secid = :stock OR substr(m.secid, instr(m.secid, '.') + 1) = :stock OR m.name = :stock))
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
# The articles that meet one filter, from its own index, and how many of them may be read before the words are asked
# for: those of a category lie in the order of their times, others are sorted first.
_OF_STOCK = """
    SELECT code FROM mentions WHERE secid = :stock
    UNION ALL SELECT code FROM mentions WHERE substr(secid, instr(secid, '.') + 1) = :stock
    UNION ALL SELECT code FROM mentions WHERE name = :stock
"""
_OF_COLUMNS = "SELECT code FROM article_columns WHERE column_id IN (SELECT value FROM json_each(:columns))"
_OF_CATEGORIES = "SELECT 1 FROM articles WHERE category IN (SELECT value FROM json_each(:categories))"
_MEETING = {"stock": (_OF_STOCK, 4_000), "columns": (_OF_COLUMNS, 4_000), "categories": (_OF_CATEGORIES, 20_000)}
_FEWER = "SELECT count(*) < :most FROM (SELECT 1 FROM ({}) LIMIT :most)"


def conditions(asked: Asked, source: Source) -> tuple[str, dict[str, object]]:
    """The filters as SQL on rows of a source, and their values."""
    parts = ["found.current = 1"]
    if asked.as_of:
        parts = [_THEN]
    if asked.categories:
        parts.append(source.category.format(_ONE if len(asked.categories) == 1 else _SEVERAL))
    if asked.columns:
        parts.append(_LISTED_THEN if asked.as_of else _LISTED)
    if asked.stock:
        parts.append(f"(found.current = 0 OR {_STOCK})" if asked.as_of else _STOCK)
    if asked.since:
        parts.append(f"{source.published} >= :since")
    if asked.until:
        parts.append(f"{source.published} <= :until")
    return " AND ".join(parts), _values(asked, source)


def narrow(db: Database, asked: Asked, most: int) -> str:
    """A further condition on `ARTICLES`, by which SQLite reads those that meet one filter and no others.

    Empty where as many as `most` meet each filter, where none but a time is asked for, and as of a moment, when old
    versions count.
    """
    for name, (sql, limit) in _MEETING.items():
        if getattr(asked, name) and not asked.as_of:
            values = {**_values(asked, ARTICLES), "most": min(most, limit)}
            if db.execute(_FEWER.format(sql), values).fetchone()[0]:
                return "found.category IS NOT NULL" if sql is _OF_CATEGORIES else f"found.code IN ({sql})"
    return ""


def _values(asked: Asked, source: Source) -> dict[str, object]:
    moments = {"since": asked.since, "until": asked.until, "as_of": asked.as_of}
    values: dict[str, object] = {name: moment and iso(moment) for name, moment in moments.items()}
    if source is DOCUMENTS:
        values |= {name: values[name] and seconds(str(values[name])) for name in ("since", "until")}
    values |= {"stock": asked.stock, "columns": json.dumps(asked.columns), "categories": json.dumps(asked.categories)}
    return {**values, "category": next(iter(asked.categories), "")}
