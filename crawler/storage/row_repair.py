"""Row repair: find the rows that break a row rule, and repair them or set them aside.

A bad value is derived from other columns, read from the post file, or, if only messages show it, replaced by its
default. If that is not possible, the row is removed from its table. In both cases the original row is kept in
`quarantine` as JSON.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlite_utils import Database

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import format_iso
from crawler.content.html_text import html_to_text
from crawler.content.markup import PLAIN_MARKUP
from crawler.content.post_format import SiteLinks, decode_post, make_post_path, parse_post, parse_post_path
from crawler.content.stocks import extract_mentions
from crawler.errors import FinewsError
from crawler.items import Category, Outcome, Post
from crawler.storage import post_files
from crawler.storage.connection import as_store_error
from crawler.storage.quarantine import KIND_STORED
from crawler.storage.row_rules import TABLES, BadValue, find_bad_values, format_key
from crawler.storage.schema_check import SELECT_IS_WITHOUT_ROWID, find_lost_keys

# Checked completely at the beginning of each crawl.
_SMALL_TABLES = (
    "categories", "stale_pages", "coverage", "gaps", "unproven_walks", "pauses", "robots", "conditions",
    "search_pending", "story_pending",
)  # fmt: skip
_NUMBERED_TABLES = ("runs", "entries", "search_documents")
_ROWS_OF_ARTICLES = ("articles", "article_columns", "revisions", "mentions")
# Filled by triggers when other tables are repaired.
_LAST_TABLES = ("stale_pages", "search_pending", "story_pending")
_REPAIRED, _REBUILT = "repaired", "removed, and made again from the articles"
_SET_ASIDE = "set aside in the table quarantine"

Row = Mapping[str, Any]


class RepairedRow(NamedTuple):
    """Bad value with the action that was taken on its row."""

    bad_value: BadValue
    action: str

    def __str__(self) -> str:
        return f"{self.bad_value}: {self.action}"


class _Place(NamedTuple):
    """Row of a table, given by an SQL condition that also works for a bad key."""

    table: str
    condition: str


class RowRepair:
    """Finds and repairs bad rows of one database; posts are read from the output folder."""

    def __init__(self, db: Database, output: Path, site_links: SiteLinks) -> None:
        self._db, self._output, self._links = db, output, site_links

    def find_bad_values(self) -> Iterator[BadValue]:
        """Yield the bad values of all tables, then their orphans. Reads all rows, one at a time. Raises StoreError."""
        with as_store_error():
            for table in self._tables():
                for _, bad_values in self._bad_rows(table):
                    yield from bad_values
            for table in self._tables():
                yield from (bad_value for *_, bad_value in self._orphans(table))

    def has_bad_values(self, codes: Iterable[str]) -> bool:
        """Return whether a row of one of these articles or of a small table is bad, or the largest id of a table is.

        After the largest possible id, SQLite gives new rows random ids.
        """
        tables = self._tables()
        for table in (table for table in _NUMBERED_TABLES if table in tables):
            (largest,) = self._db.execute(f'SELECT coalesce(max(id), 1) FROM "{table}"').fetchone()
            if TABLES[table].columns["id"].rule(largest):
                return True
        deleted = "SELECT 1 FROM story_pending WHERE code NOT IN (SELECT code FROM articles) LIMIT 1"
        if self._db.execute(deleted).fetchone():
            return True  # the article was deleted, and its mentions or revisions may still be there
        small = (table for table in _SMALL_TABLES if table in tables)
        if any(True for table in small for _ in self._bad_rows(table)):
            return True
        condition = '"code" IN (SELECT value FROM json_each(?))'
        code_list = json.dumps([*codes])
        return any(True for table in _ROWS_OF_ARTICLES for _ in self._bad_rows(table, condition, code_list))

    def repair_all(self, now: datetime, *, keep_orphans: bool = False) -> list[RepairedRow]:
        """Repair every bad row or set it aside, in one transaction.

        `keep_orphans` skips rows that refer to a missing row of another table, which may be added later.

        Raises:
            StoreError: SQLite reports an error; then nothing is changed.
        """
        with as_store_error():
            self._db.execute("PRAGMA foreign_keys = OFF")  # tables are repaired one after the other
            try:
                with self._db.atomic():
                    return list(self._repair_tables(format_iso(now), keep_orphans=keep_orphans))
            finally:
                self._db.execute("PRAGMA foreign_keys = ON")

    # finding

    def _tables(self) -> list[str]:
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL %'"
        names = {name for (name,) in self._db.execute(sql)}
        return sorted((name for name in TABLES if name in names), key=lambda name: name in _LAST_TABLES)

    def _bad_rows(self, table: str, condition: str = "1", *values: object) -> Iterator[tuple[_Place, list[BadValue]]]:
        """Yield the bad rows of a table that meet an SQL condition."""
        rules = TABLES[table]
        names = [name for (name,) in self._db.execute("SELECT name FROM pragma_table_xinfo(?)", [table])]
        columns = [name for name in names if name in {*rules.columns, *rules.key}]
        (is_without_rowid,) = self._db.execute(SELECT_IS_WITHOUT_ROWID, [table]).fetchone()
        selected = ", ".join(["0" if is_without_rowid else "rowid", *(f'"{name}"' for name in columns)])
        cursor = self._db.execute(
            f'SELECT {selected} FROM "{table}" WHERE {condition} AND ({rules.may_be_bad})', values
        )
        for number, *cells in cursor:
            row = dict(zip(columns, cells, strict=True))
            if bad_values := find_bad_values(table, row):
                yield _Place(table, _key_condition(table, row) if is_without_rowid else f"rowid = {number}"), bad_values

    def _orphans(self, table: str) -> Iterator[tuple[str, str, Row, BadValue]]:
        """Yield the rows that refer to a missing row: the column, the other table, the key and column, the problem."""
        for column, (parent, parent_key) in TABLES[table].parents.items():
            key = ", ".join(f't."{name}"' for name in dict.fromkeys([*TABLES[table].key, column]))
            sql = f"""
                SELECT {key} FROM "{table}" AS t WHERE t."{column}" IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM "{parent}" AS p WHERE p."{parent_key}" = t."{column}")
            """
            for row in self._select(sql):
                bad_value = BadValue(table, format_key(TABLES[table], row), column, f"no such row in {parent}")
                yield column, parent, row, bad_value

    def _select(self, sql: str, *values: object) -> list[Row]:
        cursor = self._db.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    # repairing

    def _repair_tables(self, now: str, *, keep_orphans: bool) -> Iterator[RepairedRow]:
        for table in self._tables():
            for place, bad_values in list(self._bad_rows(table)):
                action = self._repair_row(place, bad_values, now)
                yield from (RepairedRow(bad_value, action) for bad_value in bad_values)
            if table not in _LAST_TABLES and not keep_orphans:
                yield from self._repair_orphans(table, now)
        for table, columns in find_lost_keys(self._db):
            yield from self._restore_key(table, columns, now)

    def _repair_row(self, place: _Place, bad_values: list[BadValue], now: str) -> str:
        found = self._select(f'SELECT * FROM "{place.table}" WHERE {place.condition}')
        if not found:
            return _SET_ASIDE
        row = found[0]
        self._keep(place.table, [row], bad_values, now)
        values = self._right_values(place.table, row, {bad_value.column for bad_value in bad_values})
        own = {name: row[name] for name in TABLES[place.table].columns if name in row}
        if values is not None and not find_bad_values(place.table, {**own, **values}):
            try:
                with self._db.atomic():
                    self._update(place, values)
                return _REPAIRED
            except sqlite3.IntegrityError:  # another row has the key that this one should have
                pass
        self._delete(place)
        return _REBUILT if _is_derived(place.table) else _SET_ASIDE

    def _right_values(self, table: str, row: Row, bad_columns: set[str]) -> dict[str, object] | None:
        """Return the correct values of the bad columns; None where one cannot be derived."""
        columns = TABLES[table].columns
        values = {name: columns[name].default for name in bad_columns if columns[name].has_default}
        if table == "articles" and bad_columns - values.keys():
            known = self._article_values(row, bad_columns)
            values |= {name: known[name] for name in bad_columns - values.keys() if name in known}
        elif table == "runs" and bad_columns & {"listed", *Outcome}:
            values |= self._count_entries(row["id"])
        elif table == "categories" and "media" in bad_columns:
            category = CategoryRegistry().find(str(row["slug"]))
            values |= {"media": category.media} if category else {}
        return values if values.keys() >= bad_columns else None

    def _article_values(self, row: Row, bad_columns: set[str]) -> dict[str, object]:
        """Return the good columns of an article, and those that its post and the good columns determine."""
        good = {name: value for name, value in row.items() if name not in bad_columns}
        path, post = self._find_post(good)
        if post is not None:
            good = {**asdict(post), "published_at": format_iso(post.published_at), "post_path": path, **good}
        registry = CategoryRegistry(self._good_categories())
        if "media" in good and "category" not in good:
            good["category"] = registry.get_or_create(good["media"]).slug
        if "category" in good and "media" not in good and (category := registry.find(good["category"])) is not None:
            good["media"] = category.media
        if "body_html" in good:
            good.setdefault("body_text", html_to_text(good["body_html"]))
        if "published_at" in good:
            good.setdefault("first_seen_at", good["published_at"])
            if "code" in good:
                moment = datetime.fromisoformat(good["published_at"])
                good.setdefault("post_path", make_post_path(Post(good["code"], "", moment, "", "", "", "")))
        if "code" in good and "source" not in good:
            spiders = self._select("SELECT spider FROM sightings WHERE code = ? ORDER BY title = ''", good["code"])
            good |= {"source": spiders[0]["spider"]} if spiders else {}
        return good

    def _find_post(self, good: Row) -> tuple[str, Post | None]:
        """Return path and post of the article with these good columns; None for the post where it is missing."""
        paths: list[str] = []
        if "post_path" in good:
            paths = [good["post_path"]]
        elif "code" in good:
            paths = [path for path in post_files.iter_post_paths(self._output) if _code_of(path) == good["code"]]
        for path in paths:
            try:
                text = decode_post(post_files.read_file(post_files.locate_post(self._output, path)))
                registry = CategoryRegistry(self._good_categories())
                post = parse_post(text, self._links, lambda _: PLAIN_MARKUP, registry)
            except FinewsError:
                continue
            if post.code == _code_of(path):
                return path, post
        return "", None

    def _good_categories(self) -> list[Category]:
        rows = self._select("SELECT slug, media, aliases FROM categories ORDER BY slug")
        return [
            Category(row["slug"], row["media"], tuple(json.loads(row["aliases"])))
            for row in rows
            if not find_bad_values("categories", row)
        ]

    def _count_entries(self, run_id: object) -> dict[str, object]:
        rows = self._select("SELECT outcome, count(*) AS times FROM entries WHERE run_id = ? GROUP BY outcome", run_id)
        counts = {row["outcome"]: row["times"] for row in rows}
        known = {outcome.value: counts.get(outcome.value, 0) for outcome in Outcome}
        return {"listed": sum(known.values()), **known}

    def _repair_orphans(self, table: str, now: str) -> Iterator[RepairedRow]:
        """Insert the missing category or run that a row refers to; set aside rows that refer to a missing article."""
        for column, parent, row, bad_value in list(self._orphans(table)):
            condition = _key_condition(table, row)
            if parent == "categories":
                self._db.execute(f"""
                    INSERT OR IGNORE INTO categories (slug, media, aliases)
                    SELECT category, media, '[]' FROM articles WHERE {condition}
                """)
            elif parent == "runs":
                run_columns = TABLES["runs"].columns.items()
                defaults = {name: run_column.default for name, run_column in run_columns if run_column.has_default}
                values = {**defaults, "id": row[column], **self._count_entries(row[column])}
                names, marks = ", ".join(f'"{name}"' for name in values), ", ".join("?" * len(values))
                self._db.execute(f"INSERT OR IGNORE INTO runs ({names}) VALUES ({marks})", [*values.values()])
            else:
                self._keep(table, self._select(f'SELECT * FROM "{table}" WHERE {condition}'), [bad_value], now)
                self._delete(_Place(table, condition))
            action = f"{parent} has it again" if parent in {"categories", "runs"} else _SET_ASIDE
            yield RepairedRow(bad_value, action)

    def _restore_key(self, table: str, columns: tuple[str, ...], now: str) -> Iterator[RepairedRow]:
        """Make a key of a table unique again; of several rows with the same key, the first stays."""
        names = ", ".join(f'"{name}"' for name in columns)
        later = f'rowid NOT IN (SELECT min(rowid) FROM "{table}" GROUP BY {names})'
        for row in self._select(f'SELECT rowid AS finews_rowid, * FROM "{table}" WHERE {later}'):
            place = _Place(table, f"rowid = {row['finews_rowid']}")
            rules = TABLES.get(table)
            bad_value = BadValue(table, format_key(rules, row) if rules else "", ", ".join(columns), "there twice")
            self._keep(table, [row], [bad_value], now)
            self._delete(place)
            yield RepairedRow(bad_value, _SET_ASIDE)
        index = f"{table}_{'_'.join(columns)}_key"
        self._db.execute(f'CREATE UNIQUE INDEX IF NOT EXISTS "{index}" ON "{table}" ({names})')
        yield RepairedRow(BadValue(table, "", ", ".join(columns), "two rows could have the same"), _REPAIRED)

    def _update(self, place: _Place, values: Mapping[str, object]) -> None:
        """Set columns of a row, and replace the mentions of an article whose body is set."""
        changes = ", ".join(f'"{name}" = ?' for name in values)
        self._db.execute(f'UPDATE "{place.table}" SET {changes} WHERE {place.condition}', [*values.values()])
        if place.table == "articles" and "body_html" in values:
            (code,) = self._db.execute(f"SELECT code FROM articles WHERE {place.condition}").fetchone()
            self._db.execute("DELETE FROM mentions WHERE code = ?", [code])
            for mention in extract_mentions(str(values["body_html"])):
                self._db.execute(
                    "INSERT INTO mentions (code, secid, kind, name, count) VALUES (?, ?, ?, ?, ?)",
                    [code, mention.secid, mention.kind, mention.name, mention.count],
                )

    def _delete(self, place: _Place) -> None:
        self._db.execute(f'DELETE FROM "{place.table}" WHERE {place.condition}')

    def _keep(self, table: str, rows: Iterable[Row], bad_values: list[BadValue], now: str) -> None:
        """Keep rows as they were in quarantine, except those of derived tables."""
        if _is_derived(table):
            return
        for row in rows:
            code = row.get("code")
            raw = json.dumps(
                {"table": table, "row": row},
                default=lambda value: {"hex": value.hex()} if isinstance(value, bytes) else str(value),
            ).encode()
            self._db.execute(
                """
                INSERT OR IGNORE INTO quarantine (spider, kind, code, url, reason, seen_at, sha256, raw, resolved_at)
                VALUES ('', ?, ?, '', ?, ?, ?, ?, ?)
                """,
                [
                    KIND_STORED,
                    code if isinstance(code, str) and not TABLES["entries"].columns["code"].rule(code) else "",
                    str(bad_values[0]) if bad_values else "",
                    now,
                    hashlib.sha256(raw).hexdigest(),
                    raw,
                    now,
                ],
            )


def _is_derived(table: str) -> bool:
    """Return whether a table is derived from the articles."""
    return table == "stale_pages" or table.startswith(("search_", "story_"))


def _code_of(path: str) -> str:
    parsed = parse_post_path(path)
    return parsed.code if parsed else ""


def _key_condition(table: str, row: Row) -> str:
    """Return the SQL condition that finds a row by its key, which may be bad."""
    return " AND ".join(f'"{name}" IS {_literal(row[name])}' for name in TABLES[table].key)


def _literal(value: object) -> str:
    """Return a value of a row as an SQL literal, invalid UTF-8 included."""
    if isinstance(value, str):
        return f"CAST(x'{value.encode('utf-8', 'surrogateescape').hex()}' AS TEXT)"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        return "9e999" if value > 0 else "-9e999"
    return "NULL" if value is None else repr(value)
