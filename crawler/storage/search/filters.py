"""Search filters as SQL: conditions on candidate rows, and where few articles meet one, those articles."""

import json
from typing import NamedTuple

from sqlite_utils import Database

from crawler.content.dates import format_iso
from crawler.storage.search.index import unix_seconds
from crawler.storage.search.request import SearchRequest


class RowSource(NamedTuple):
    """Rows of versions, `found` in conditions, and how these name their time and their article's category."""

    from_clause: str
    published_column: str
    category_condition: str


_CATEGORY_CONDITION = "EXISTS (SELECT 1 FROM articles AS a WHERE a.code = found.code AND a.category IN {})"
ARTICLE_ROWS = RowSource(
    "(SELECT *, 1 AS current FROM articles) AS found", "found.published_at", "found.category IN {}"
)
VERSION_ROWS = RowSource("versions AS found", "found.published_at", _CATEGORY_CONDITION)
DOCUMENT_ROWS = RowSource("", "found.published", _CATEGORY_CONDITION)

# Of one category, the index gives its articles in the order of their times.
_SINGLE_CATEGORY_SQL, _CATEGORY_LIST_SQL = "(:category)", "(SELECT value FROM json_each(:categories))"
_STOCK_CONDITION = """
    EXISTS (SELECT 1 FROM mentions AS m WHERE m.code = found.code
            AND m.secid IN (SELECT value FROM json_each(:stock_keys)))
"""
_COLUMN_CONDITION = """
    EXISTS (SELECT 1 FROM article_columns AS c WHERE c.code = found.code
            AND c.column_id IN (SELECT value FROM json_each(:columns)))
"""
# The columns of an article are known when the crawl that listed the article has ended.
_COLUMN_CONDITION_AS_OF = """
    EXISTS (SELECT 1 FROM entries AS e JOIN runs ON runs.id = e.run_id WHERE e.code = found.code
            AND e.column_id IN (SELECT value FROM json_each(:columns)) AND runs.finished_at <= :as_of)
"""
_VERSION_CONDITION_AS_OF = """
    EXISTS (SELECT 1 FROM versions AS v WHERE v.code = found.code AND v.revision = found.revision
            AND v.current = found.current AND v.seen_at <= :as_of)
    AND NOT EXISTS (SELECT 1 FROM versions AS v WHERE v.code = found.code AND v.revision > found.revision
                    AND v.seen_at <= :as_of)
"""
# The articles that meet one filter, from its own index, and how many of them may be read before the words are looked
# up: a category is stored in the order of its times, the others are sorted first.
_SELECT_CODES_OF_STOCK = "SELECT code FROM mentions WHERE secid IN (SELECT value FROM json_each(:stock_keys))"
_SELECT_CODES_IN_COLUMNS = "SELECT code FROM article_columns WHERE column_id IN (SELECT value FROM json_each(:columns))"
_SELECT_ROWS_IN_CATEGORIES = "SELECT 1 FROM articles WHERE category IN (SELECT value FROM json_each(:categories))"
_QUERY_AND_LIMIT_BY_FILTER = {
    "stock": (_SELECT_CODES_OF_STOCK, 4_000),
    "columns": (_SELECT_CODES_IN_COLUMNS, 4_000),
    "categories": (_SELECT_ROWS_IN_CATEGORIES, 20_000),
}
_SELECT_IS_COUNT_BELOW = "SELECT count(*) < :most FROM (SELECT 1 FROM ({}) LIMIT :most)"


def build_conditions(search_request: SearchRequest, source: RowSource) -> tuple[str, dict[str, object]]:
    """Return the filters as SQL conditions on rows of a source, and the parameters."""
    sql_conditions = ["found.current = 1"]
    if search_request.as_of:
        sql_conditions = [_VERSION_CONDITION_AS_OF]
    if search_request.categories:
        sql_conditions.append(
            source.category_condition.format(
                _SINGLE_CATEGORY_SQL if len(search_request.categories) == 1 else _CATEGORY_LIST_SQL
            )
        )
    if search_request.columns:
        sql_conditions.append(_COLUMN_CONDITION_AS_OF if search_request.as_of else _COLUMN_CONDITION)
    if search_request.stock:
        sql_conditions.append(
            f"(found.current = 0 OR {_STOCK_CONDITION})" if search_request.as_of else _STOCK_CONDITION
        )
    if search_request.since:
        sql_conditions.append(f"{source.published_column} >= :since")
    if search_request.until:
        sql_conditions.append(f"{source.published_column} <= :until")
    return " AND ".join(sql_conditions), _sql_parameters(search_request, source)


def find_selective_condition(db: Database, search_request: SearchRequest, max_articles: int) -> str:
    """Return a condition on `ARTICLE_ROWS` that makes SQLite read only the articles of one filter.

    It is empty when no filter has fewer than `max_articles`, without a filter but times, and with `as_of`, where old
    versions count.
    """
    for filter_name, (sql, max_rows) in _QUERY_AND_LIMIT_BY_FILTER.items():
        if getattr(search_request, filter_name) and not search_request.as_of:
            parameters = {**_sql_parameters(search_request, ARTICLE_ROWS), "most": min(max_articles, max_rows)}
            if db.execute(_SELECT_IS_COUNT_BELOW.format(sql), parameters).fetchone()[0]:
                return "found.category IS NOT NULL" if sql is _SELECT_ROWS_IN_CATEGORIES else f"found.code IN ({sql})"
    return ""


def _sql_parameters(search_request: SearchRequest, source: RowSource) -> dict[str, object]:
    times = {"since": search_request.since, "until": search_request.until, "as_of": search_request.as_of}
    parameters: dict[str, object] = {name: time and format_iso(time) for name, time in times.items()}
    if source is DOCUMENT_ROWS:
        parameters |= {name: parameters[name] and unix_seconds(str(parameters[name])) for name in ("since", "until")}
    parameters |= {
        "stock_keys": json.dumps(search_request.stock_keys),
        "columns": json.dumps(search_request.columns),
        "categories": json.dumps(search_request.categories),
    }
    return {**parameters, "category": next(iter(search_request.categories), "")}
