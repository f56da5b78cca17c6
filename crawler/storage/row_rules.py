"""Row rules: the valid values of each column.

Other programs write to the database too, and SQLite accepts any value in any column. A row that breaks a rule is left
out of query results and reported by table, key and column (storage/table.py), and repaired or set aside
(storage/row_repair.py).
"""

import json
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from crawler.content.post_format import parse_post_path
from crawler.content.slugs import SLUG_PATTERN
from crawler.content.stocks import SECID_PATTERN
from crawler.items import CODE_PATTERN, Outcome, RunOutcome

# Returns the problem of a value; empty for a valid value.
Rule = Callable[[object], str]
Row = Mapping[str, Any]

# Characters that XML cannot hold: control characters and surrogates, with which invalid UTF-8 is read.
_UNSAFE_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SPACE_OR_ANGLE = re.compile(r"[\s<>]")
_TEMPLATE_MARK = re.compile(r"\{[{%:]")
# As `format_iso` writes it.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00", re.ASCII)
_DAY = re.compile(r"\d{4}/\d\d/\d\d", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
# Years of valid times. Not compared with the clock: all rows would be bad after the clock was set back.
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
_EARLIEST_PUBLICATION_YEAR = 1990
# Editors date articles up to 24 hours ahead (content/normalise.py); a publication time twice as far ahead is wrong.
_MAX_AHEAD = timedelta(hours=48)
# Larger integers lose digits in JSON readers that use doubles.
_MAX_INTEGER = 2**53
_DIGEST_BYTES, _SKETCH_BYTES = 16, 104
# Contents of quarantine: a whole listing, a row of a listing, the response for an article, an imported file, or a bad
# row of another table.
QUARANTINE_KINDS = ("listing", "row", "article", "file", "stored")


class BadValue(NamedTuple):
    """Value that breaks a row rule, by table, key of the row and column, and its problem."""

    table: str
    key: str
    column: str
    problem: str

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.table, self.key)))
        return f"{place}: {self.column}: {self.problem}" if self.column else f"{place}: {self.problem}"


class Column(NamedTuple):
    """Rule of a column, and the `default` that replaces a bad value; without a default, the row is set aside."""

    rule: Rule
    default: object = None
    has_default: bool = False


class Table(NamedTuple):
    """Rules of a table: its key, its columns, and rules on several columns.

    `parents`: the columns that refer to another table, with that table and its key. `may_be_bad`: an SQL condition that
    is false for most valid rows, which saves checking them in a table with many small rows.
    """

    key: tuple[str, ...]
    columns: Mapping[str, Column]
    row_rules: tuple[tuple[str, Callable[[Row], str]], ...] = ()
    parents: Mapping[str, tuple[str, str]] = {}
    may_be_bad: str = "1"


def shorten(value: object) -> str:
    """Return a value for a message.

    >>> shorten(b"abc"), shorten("a" * 50)
    ('a BLOB of 3 bytes', "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…'")
    """
    if isinstance(value, bytes):
        return f"a BLOB of {len(value)} byte{'' if len(value) == 1 else 's'}"
    if isinstance(value, str):
        return ascii(value[:40] + "…") if _UNSAFE_CHARACTERS.search(value[:40]) else repr(_cut(value))
    return "NULL" if value is None else repr(value)


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _not_text(value: object) -> str:
    return "" if isinstance(value, str) else f"not text but {shorten(value)}"


def any_text(value: object) -> str:
    """Accept text that UTF-8 can encode, for columns that only messages show."""
    if isinstance(value, str):
        return "" if value.isascii() or not _SURROGATES.search(value) else f"not UTF-8: {shorten(value)}"
    return _not_text(value)


def safe_text(value: object) -> str:
    """Accept text that pages, feeds and posts can hold."""
    if not isinstance(value, str):
        return _not_text(value)
    # Printable text is safe, and most texts are printable except for indents and line ends.
    if value.isprintable() or value.replace("\u3000", "").replace("\n", "").isprintable():
        return ""
    return f"characters that no page can show: {shorten(value)}" if _UNSAFE_CHARACTERS.search(value) else ""


def filled_text(value: object) -> str:
    """Accept safe text that is not empty."""
    return safe_text(value) or ("" if str(value).strip() else "empty")


def line(value: object) -> str:
    """Accept safe text on one line that is not empty."""
    if problem := filled_text(value):
        return problem
    return "more than one line" if "\n" in str(value) or "\r" in str(value) else ""


def body(value: object) -> str:
    """Accept the HTML of an article, without template marks, which Liquid and kramdown would expand."""
    if problem := filled_text(value):
        return problem
    text = str(value)
    return "template marks, which Jekyll would expand" if "{" in text and _TEMPLATE_MARK.search(text) else ""


def matches(pattern: re.Pattern[str], description: str) -> Rule:
    """Return the rule that a text matches a pattern."""

    def rule(value: object) -> str:
        if not isinstance(value, str):
            return _not_text(value)
        return "" if pattern.fullmatch(value) else f"not {description}: {shorten(value)}"

    return rule


def one_of(*values: object) -> Rule:
    """Return the rule that a value is one of these."""

    def rule(value: object) -> str:
        return "" if value in values else f"unknown: {shorten(value)}"

    return rule


def or_null(rule: Rule) -> Rule:
    """Return the rule, or NULL."""
    return lambda value: "" if value is None else rule(value)


def or_empty(rule: Rule) -> Rule:
    """Return the rule, or an empty text."""
    return lambda value: "" if value == "" else rule(value)


def integer(first: int = 0, last: int = _MAX_INTEGER) -> Rule:
    """Return the rule that a value is an integer from first to last."""

    def rule(value: object) -> str:
        if isinstance(value, int) and first <= value <= last:
            return ""
        return f"not an integer from {first} to {last}: {shorten(value)}"

    return rule


def blob(value: object) -> str:
    """Accept bytes."""
    return "" if isinstance(value, bytes) else f"not a BLOB but {shorten(value)}"


def blob_of(*sizes: int) -> Rule:
    """Return the rule that a value is bytes of one of these sizes."""
    return lambda value: (
        "" if isinstance(value, bytes) and len(value) in sizes else f"unexpected BLOB: {shorten(value)}"
    )


def zlib_blob(value: object) -> str:
    """Accept bytes that zlib can decompress."""
    if not isinstance(value, bytes):
        return blob(value)
    try:
        zlib.decompress(value)
    except zlib.error:
        return "not compressed by zlib"
    return ""


def time(value: object, first_year: int = _FIRST_YEAR) -> str:
    """Accept a time in ISO 8601 with its zone, from `first_year` to 2099."""
    if not isinstance(value, str):
        return _not_text(value)
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None and first_year <= moment.year < _LAST_YEAR:
            return ""
    except (ValueError, OverflowError):
        pass
    return f"not a time such as 2022-01-10T16:20:36+08:00, {first_year} to {_LAST_YEAR}: {shorten(value)}"


def china_time(value: object, first_year: int = _FIRST_YEAR) -> str:
    """Accept a time as `format_iso` writes it: articles are sorted and selected by the text."""
    if problem := time(value, first_year):
        return problem
    return "" if _TIME.fullmatch(str(value)) else f"not in the form of 2022-01-10T16:20:36+08:00: {shorten(value)}"


def publication_time(value: object) -> str:
    """Accept a publication time of an article."""
    return china_time(value, _EARLIEST_PUBLICATION_YEAR)


def day(value: object) -> str:
    """Accept a day such as `2022-01-10` or `2022/01/10`."""
    if not isinstance(value, str):
        return _not_text(value)
    try:
        if _FIRST_YEAR <= date.fromisoformat(value.replace("/", "-")).year < _LAST_YEAR:
            return ""
    except ValueError:
        pass
    return f"not a day: {shorten(value)}"


def period(value: object) -> str:
    """Accept a day, a month or a year, such as `2022/01/10`, `2022/01` and `2022`."""
    return day(value + "2022-01-01"[len(value) :]) if isinstance(value, str) else _not_text(value)


def post_path(value: object) -> str:
    """Accept the path of a post."""
    if not isinstance(value, str):
        return _not_text(value)
    return "" if parse_post_path(value) else f"not the path of a post: {shorten(value)}"


def url(value: object) -> str:
    """Accept a URL: text without spaces and angle brackets, which enclose it in a post."""
    if problem := line(value):
        return problem
    return f"not an address: {shorten(value)}" if _SPACE_OR_ANGLE.search(str(value)) else ""


def json_of(kind: type) -> Rule:
    """Return the rule that a value is JSON: an object (`dict`) or an array of lines (`list`)."""

    def rule(value: object) -> str:
        if problem := any_text(value):
            return problem
        try:
            parsed = json.loads(str(value))
        except (ValueError, RecursionError):
            return f"not JSON: {shorten(value)}"
        if not isinstance(parsed, kind):
            return f"not a JSON {kind.__name__}: {shorten(value)}"
        texts = parsed if isinstance(parsed, list) else ()
        return next((problem for text in texts if (problem := line(text))), "")

    return rule


def entry_json(value: object) -> str:
    """Accept a listing entry as `entry_to_json` writes it."""
    from crawler.storage.raw_responses import entry_from_json

    if problem := any_text(value):
        return problem
    try:
        entry_from_json(str(value))
    except (ValueError, TypeError, KeyError, RecursionError):
        return f"not a listing entry: {shorten(value)}"
    return ""


def search_code(value: object) -> str:
    """Accept a code, or the integer that the search index has for a code of digits (`with_integer_codes`)."""
    return code(str(value) if isinstance(value, int) else value)


code, slug = matches(CODE_PATTERN, "a code"), matches(SLUG_PATTERN, "a slug")
secid = matches(SECID_PATTERN, "a stock such as 1.600160")
sha256 = matches(_SHA256, "a SHA-256")
_PAGE_NAMES = {"category": slug, "day": matches(_DAY, "a day such as 2022/01/10"), "stock": secid}


def _code_of_path(row: Row) -> str:
    parsed = parse_post_path(row["post_path"])
    return "" if parsed is None or parsed.code == row["code"] else f"the path of another article's post: {row['code']}"


def _not_ahead(row: Row) -> str:
    """Accept an article dated at most two days after it was last seen: editors date pinned articles ahead."""
    times = [row["published_at"], row["first_seen_at"], row["changed_at"]]
    if time(times[0]) or time(times[1]) or (times[2] is not None and time(times[2])):
        return ""  # reported by its own column
    published, *seen = [datetime.fromisoformat(text) for text in times if text]
    return f"more than two days after it was seen: {times[0]}" if published - max(seen) > _MAX_AHEAD else ""


def _page_name(row: Row) -> str:
    rule = _PAGE_NAMES.get(row["kind"])
    return rule(row["name"]) if rule else ""


def _with(rule: Rule, default: object) -> Column:
    return Column(rule, default, has_default=True)


_COUNTS = {"listed": _with(integer(), 0), **{outcome.value: _with(integer(), 0) for outcome in Outcome}}
_EPOCH = "1970-01-01T08:00:00+08:00"
_OF_ARTICLE, _OF_RUN = {"code": ("articles", "code")}, {"run_id": ("runs", "id")}

# Other columns may hold any value: those of later migrations, and those that users add.
TABLES: Mapping[str, Table] = {
    "categories": Table(
        ("slug",), {"slug": Column(slug), "media": Column(line), "aliases": _with(json_of(list), "[]")}
    ),
    "articles": Table(
        ("code",),
        {
            "code": Column(code),
            "title": Column(line),
            "published_at": Column(publication_time),
            "media": Column(line),
            "category": Column(slug),
            "source": Column(line),
            "url": Column(url),
            "summary": _with(safe_text, ""),
            "body_html": Column(body),
            "body_text": Column(safe_text),
            "post_path": Column(post_path),
            "post_sha256": _with(sha256, "0" * 64),
            "first_seen_at": Column(china_time),
            "changed_at": _with(or_null(china_time), None),
            "revision": _with(integer(1), 1),
            "withdrawn_at": _with(or_null(china_time), None),
            "published_revision": _with(or_null(integer(0)), None),
        },
        (("post_path", _code_of_path), ("published_at", _not_ahead)),
        {"category": ("categories", "slug")},
    ),
    "article_columns": Table(
        ("code", "column_id"), {"code": Column(code), "column_id": Column(any_text)}, parents=_OF_ARTICLE
    ),
    "revisions": Table(
        ("code", "revision"),
        {
            "code": Column(code),
            "revision": Column(integer(0)),
            "seen_at": Column(china_time),
            "title": Column(line),
            "published_at": Column(publication_time),
            "body_html": Column(body),
        },
        parents=_OF_ARTICLE,
    ),
    "mentions": Table(
        ("code", "secid"),
        {
            "code": Column(code),
            "secid": Column(secid),
            "kind": Column(one_of("stock", "board", "fund", "index", "other")),
            "name": Column(line),
            "count": Column(integer()),
        },
        parents=_OF_ARTICLE,
    ),
    "runs": Table(
        ("id",),
        {
            "id": Column(integer(1)),
            "spider": _with(any_text, "unknown"),
            "arguments": _with(json_of(dict), "{}"),
            "started_at": _with(time, _EPOCH),
            "finished_at": _with(or_null(time), _EPOCH),
            "outcome": _with(or_null(one_of(*RunOutcome)), RunOutcome.INTERRUPTED.value),
            **_COUNTS,
            "detail": _with(any_text, ""),
        },
    ),
    "entries": Table(
        ("id",),
        {
            "id": Column(integer(1)),
            "run_id": Column(integer(1)),
            "code": _with(any_text, ""),
            "column_id": _with(any_text, ""),
            "outcome": _with(or_null(one_of(*Outcome)), Outcome.FAILED.value),
            "reason": _with(or_null(any_text), "unspecified"),
            "detail": _with(any_text, ""),
        },
        parents=_OF_RUN,
    ),
    "sightings": Table(
        ("code", "spider"),
        {
            "code": Column(any_text),
            "spider": Column(any_text),
            "title": Column(any_text),
            "published_at": Column(or_empty(time)),
            "refused": Column(any_text),
            "failures": _with(integer(), 0),
        },
    ),
    "column_sightings": Table(
        ("code", "spider", "column_id"),
        {
            "code": Column(any_text),
            "spider": Column(any_text),
            "column_id": Column(any_text),
            "title": Column(any_text),
            "published_at": Column(or_empty(time)),
        },
    ),
    "quarantine": Table(
        ("id",),
        {
            "id": Column(integer(1, 2**63 - 1)),
            "run_id": _with(or_null(integer(0)), None),
            "spider": _with(any_text, ""),
            "code": _with(any_text, ""),
            "url": _with(any_text, ""),
            "reason": _with(any_text, "unknown"),
            "seen_at": _with(time, _EPOCH),
            "sha256": Column(sha256),
            "raw": Column(blob),
            "kind": Column(one_of(*QUARANTINE_KINDS)),
            "column_id": _with(any_text, ""),
            "content_type": _with(any_text, ""),
            "reader": Column(integer(-1)),
            "entry": Column(or_null(entry_json)),
            "resolved_at": _with(or_null(time), None),
        },
        parents=_OF_RUN,
    ),
    "coverage": Table(
        ("spider", "column_id"),
        {
            "spider": Column(any_text),
            "column_id": Column(any_text),
            "newest": Column(time),
            "oldest": Column(or_null(time)),
            "run_id": Column(integer(1)),
        },
        parents=_OF_RUN,
    ),
    "gaps": Table(
        ("run_id", "column_id"),
        {"run_id": Column(integer(1)), "column_id": Column(any_text), "after": Column(time), "before": Column(time)},
        parents=_OF_RUN,
    ),
    "unproven_walks": Table(
        ("spider", "column_id"),
        {
            "spider": Column(any_text),
            "column_id": Column(any_text),
            "run_id": Column(integer(1)),
            "walks": Column(integer()),
        },
        parents=_OF_RUN,
    ),
    "raw_contents": Table(("sha256",), {"sha256": Column(sha256), "content": Column(zlib_blob)}),
    "raw_replies": Table(
        ("code",),
        {
            "code": Column(code),
            "spider": Column(any_text),
            "url": Column(any_text),
            "content_type": Column(any_text),
            "reader": Column(integer(-1)),
            "entry": Column(entry_json),
            "sha256": Column(sha256),
            "seen_at": Column(time),
        },
        parents={"sha256": ("raw_contents", "sha256")},
    ),
    "pauses": Table(("origin",), {"origin": Column(any_text), "until": Column(time)}),
    "robots": Table(("origin",), {"origin": Column(any_text), "content": Column(blob), "fetched_at": Column(time)}),
    "conditions": Table(
        ("spider", "detail"),
        {"spider": Column(any_text), "detail": Column(any_text), "reported_at": Column(time)},
    ),
    "stale_pages": Table(
        ("kind", "name"),
        {"kind": Column(one_of(*_PAGE_NAMES)), "name": Column(any_text)},
        (("name", _page_name),),
    ),
    "archived_pages": Table(
        ("path",), {"path": Column(line), "source_sha256": Column(sha256), "page_sha256": Column(sha256)}
    ),
    "search_pending": Table(("code",), {"code": Column(code)}),
    "story_pending": Table(("code",), {"code": Column(code)}),
    "search_documents": Table(
        ("id",),
        {
            "id": Column(integer(1)),
            "code": Column(search_code),
            "revision": Column(integer(0)),
            "current": Column(integer(0, 1)),
            "published": Column(integer(-_MAX_INTEGER)),
        },
    ),
    "search_blocks": Table(
        ("block",),
        {
            "block": Column(integer(0)),
            "newest": Column(integer(-_MAX_INTEGER)),
            "oldest": Column(integer(-_MAX_INTEGER)),
        },
    ),
    "story_texts": Table(
        ("digest",), {"digest": Column(blob_of(_DIGEST_BYTES)), "sketch": Column(blob_of(0, _SKETCH_BYTES))}
    ),
    "story_articles": Table(
        ("id",),
        {
            "code": Column(code),
            "media": Column(any_text),
            "published": Column(integer(-_MAX_INTEGER)),
            "digest": Column(blob_of(_DIGEST_BYTES)),
            "figures": Column(blob),
            "story": Column(integer(-(2**63), 2**63 - 1)),
        },
    ),
    "story_keys": Table(
        ("key", "published", "id"),
        {
            "key": Column(integer(-(2**63), 2**63 - 1)),
            "published": Column(integer(-_MAX_INTEGER)),
            "id": Column(integer(-(2**63), 2**63 - 1)),
        },
        may_be_bad="typeof(key) || typeof(published) || typeof(id) != 'integerintegerinteger'"
        f" OR published < -{_MAX_INTEGER} OR published > {_MAX_INTEGER}",
    ),
}

# Rules of expressions in finews' queries, by their names.
_EXPRESSIONS = {"day": day, "period": period, "latest": or_null(time)}
_VIEW_TABLES = {"versions": ("articles", "revisions")}
_TABLE_NAME = re.compile(r"\b(?:FROM|JOIN)\s+(?:old\.|main\.)?\"?(\w+)", re.IGNORECASE)


def find_bad_values(table: str, row: Row) -> list[BadValue]:
    """Return the bad values of a row, which has the columns of the table in this database."""
    rules = TABLES[table]
    problems = {name: rules.columns[name].rule(value) for name, value in row.items() if name in rules.columns}
    for name, row_rule in rules.row_rules:
        if rules.columns.keys() <= row.keys() and not problems[name]:
            problems[name] = row_rule(row)
    key = format_key(rules, row)
    return [BadValue(table, key, name, problem) for name, problem in problems.items() if problem]


def format_key(rules: Table, row: Row) -> str:
    """Return the key of a row for a message: `code 202201102242171631`."""
    return ", ".join(_format_cell(name, row[name]) for name in rules.key if name in row)


def find_key(names: Sequence[str], row: Sequence[object]) -> str:
    """Return a column that identifies a row of a query, for a message; empty if there is none."""
    for key in ("code", "id", "slug", "secid", "origin", "name", "sha256"):
        if key in names:
            return _format_cell(key, row[names.index(key)])
    return ""


def _format_cell(name: str, value: object) -> str:
    return f"{name} {_cut(value if isinstance(value, str) and not any_text(value) else shorten(value))}"


class RowCheck(NamedTuple):
    """Check of a column in the rows of a query: its position, its name, the tables that it may be of, its rule."""

    position: int
    name: str
    tables: str
    rule: Rule


def answer(value: object) -> str:
    """Accept any result of an expression that JSON can hold: no BLOB, no infinity."""
    if isinstance(value, str):
        return any_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f"not a number: {value}"
    return blob(b"") if value is None or isinstance(value, int | float) else f"not text but {shorten(value)}"


@lru_cache(1024)
def checks_of_query(sql: str, names: tuple[str, ...]) -> tuple[RowCheck, ...]:
    """Return the checks for the rows of a query whose columns have these names.

    A column has the rule of its name in the tables that the query reads; a name that none of them has is an expression.
    Columns of outer joins and aggregates may be NULL.
    """
    tables = [
        table
        for name in dict.fromkeys(_TABLE_NAME.findall(sql))
        for table in _VIEW_TABLES.get(name, (name,))
        if table in TABLES
    ]
    may_be_null = "LEFT JOIN" in sql or "versions" in sql or "max(" in sql or "min(" in sql
    checks = []
    for position, name in enumerate(names):
        having = [table for table in tables if name in TABLES[table].columns]
        rules = [TABLES[table].columns[name].rule for table in having]
        rule = any_of(*rules) if rules else _EXPRESSIONS.get(name, answer)
        checks.append(RowCheck(position, name, " or ".join(having), or_null(rule) if may_be_null else rule))
    return tuple(checks)


def any_of(*rules: Rule) -> Rule:
    """Return the rule that a value meets one of these."""
    first, *others = dict.fromkeys(rules)
    if not others:
        return first
    return lambda value: (problem := first(value)) and next(("" for rule in others if not rule(value)), problem)
