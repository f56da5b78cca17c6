"""Foreign SQL: the authorizer's list, and SQLite's limits."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.storage import Store
from crawler.storage.foreign_sql import ForeignQuery, ForeignSqlConnection, ForeignSqlError, ForeignSqlTimeoutError


def write(output: Path, script: str) -> None:
    """Run SQL on the database as another program does."""
    with closing(sqlite3.connect(output / "news.db")) as connection:
        connection.executescript(script)


@pytest.fixture
def foreign_sql(output: Path) -> Iterator[ForeignSqlConnection]:
    output.mkdir()
    Store.open_rw(output).close()
    write(output, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
    write(output, "INSERT INTO notes (text) VALUES ('one'), ('two'), ('three')")
    write(output, "CREATE VIEW long_notes AS SELECT text FROM notes WHERE length(text) > 3")
    write(output, "CREATE VIEW hostile AS SELECT fts3_tokenizer('simple') AS pointer FROM notes")
    with Store.open_ro(output) as store:
        yield ForeignSqlConnection(store.connection)


def run(foreign_sql: ForeignSqlConnection, sql: str, *values: object, max_rows: int | None = None) -> list[object]:
    return [row[0] for row in foreign_sql.run(ForeignQuery(sql, values, max_rows, max_seconds=20)).rows]


@pytest.mark.parametrize(
    ("sql", "first_column"),
    [
        ("SELECT text FROM NOTES ORDER BY id", ["one", "two", "three"]),
        ("SELECT * FROM long_notes", ["three"]),
        ("SELECT count(*) FROM notes", [3]),
        ("WITH some AS (SELECT 1 AS x UNION SELECT 2) SELECT count(*) FROM some", [2]),
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 5) SELECT sum(x) FROM n", [15]),
        ("SELECT row_number() OVER (ORDER BY text) FROM notes", [1, 2, 3]),
        ("SELECT value FROM json_each('[1, 2]')", [1, 2]),
        ("SELECT count(*) FROM json_tree('[1, 2]')", [3]),
        ("SELECT '{\"a\": 1}' ->> 'a'", [1]),
        ("SELECT group_concat(text, '+') FROM notes", ["one+two+three"]),
        ("SELECT strftime('%Y', '2022-01-10')", ["2022"]),
        ("SELECT text FROM notes WHERE text LIKE 't%' AND text GLOB '*w*'", ["two"]),
        ("SELECT name FROM pragma_table_info('notes')", ["id", "text"]),
        ("PRAGMA table_info(notes)", [0, 1]),
        ("SELECT name FROM sqlite_master WHERE name = 'notes'", ["notes"]),
        ("SELECT count(*) FROM search WHERE words MATCH '公司'", [0]),
        ("SELECT finews_search('公司', 5)", ["[]"]),
        ("SELECT finews_match('公司', '一家公司', '')", [1]),
    ],
)
def test_common_queries_are_answered(foreign_sql: ForeignSqlConnection, sql: str, first_column: list[object]) -> None:
    assert run(foreign_sql, sql) == first_column


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM notes",
        "UPDATE sqlite_master SET sql = ''",
        "CREATE TABLE other (x)",
        "CREATE TEMP TABLE other (x)",
        "CREATE VIRTUAL TABLE other USING fts3tokenize",
        "CREATE VIRTUAL TABLE temp.other USING fts5vocab(main, search_pairs, row)",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'other.db'",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA schema_version = 5",
        "PRAGMA temp_store_directory = '/'",
        "PRAGMA foreign_keys",
        "SELECT * FROM pragma_foreign_keys",
        "SELECT count(*) FROM pragma_foreign_keys",
        "SELECT * FROM fts3tokenize WHERE input = 'a'",
        "SELECT count(*) FROM fts3tokenize",
        "SELECT * FROM dbstat",
        "SELECT count(*) FROM dbstat",
        "SELECT pointer FROM hostile",
        "SELECT 1; SELECT 2",
        "SELECT count(*) FROM notes WHERE (SELECT load_extension('x'))",
    ],
)
def test_everything_else_is_refused(foreign_sql: ForeignSqlConnection, sql: str) -> None:
    with pytest.raises(ForeignSqlError):
        run(foreign_sql, sql)
    assert run(foreign_sql, "SELECT count(*) FROM notes") == [3]
    assert not list(Path().glob("other.db"))


def test_function_that_is_not_listed_is_refused(foreign_sql: ForeignSqlConnection) -> None:
    names = {name for (name,) in sqlite3.connect(":memory:").execute("SELECT name FROM pragma_function_list")}
    refused = set()
    for name in names:
        try:
            run(foreign_sql, f'SELECT "{name}"()')
        except ForeignSqlError as error:
            if "not authorized" in str(error):
                refused.add(name)
    # For these, SQLite reports missing arguments first.
    for name, arguments in (("fts3_tokenizer", "1"), ("fts5", "1"), ("load_extension", "1"), ("randomblob", "1"),
                            ("zeroblob", "1"), ("sqlite_compileoption_get", "1"), ("subtype", "1")):  # fmt: skip
        with pytest.raises(ForeignSqlError, match="not authorized"):
            run(foreign_sql, f"SELECT {name}({arguments})")
    assert {"changes", "last_insert_rowid", "total_changes", "sqlite_source_id"} <= refused
    assert refused.isdisjoint({"random", "pi", "current_date", "count", "row_number"})


def test_table_of_a_later_crawl_can_be_read(foreign_sql: ForeignSqlConnection, output: Path) -> None:
    write(output, "CREATE TABLE later AS SELECT 7 AS x")
    assert run(foreign_sql, "SELECT x FROM later") == [7]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT replace(printf('%.*c', 10000000, 'a'), 'a', 'bb')", "too big"),
        ("SELECT 'a' LIKE printf('%.*c', 2000, '%')", "too complex"),
        ("SELECT " + ", ".join("1" * 201), "too many columns"),
        ("SELECT " + "1" * 200_000, "too large"),
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n", "larger than 32 MB"),
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT printf('%.*c', 9999999, 'a') FROM n", "larger than 32 MB"),
    ],
)  # fmt: skip
def test_limits_are_reported(foreign_sql: ForeignSqlConnection, sql: str, message: str) -> None:
    with pytest.raises(ForeignSqlError, match=message):
        run(foreign_sql, sql)


def test_values_that_sqlite_cannot_take_are_reported(foreign_sql: ForeignSqlConnection) -> None:
    for value in (1 << 70, {"a": 1}, "\ud800"):
        with pytest.raises(ForeignSqlError):
            run(foreign_sql, "SELECT ?", value)
    assert run(foreign_sql, "SELECT ?", "甲") == ["甲"]


def test_rows_are_cut_off_and_time_is_up(foreign_sql: ForeignSqlConnection) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
    result = foreign_sql.run(ForeignQuery(endless, {}, 2, 20))
    assert (result.column_names, result.rows, result.is_truncated) == (["x"], [(1,), (2,)], True)
    assert not foreign_sql.run(ForeignQuery("SELECT text FROM notes", {}, 3, 20)).is_truncated
    with pytest.raises(ForeignSqlTimeoutError):
        foreign_sql.run(ForeignQuery(endless.replace("SELECT x FROM", "SELECT max(x) FROM"), {}, None, 0.05))


def test_transaction_does_not_outlive_its_query(foreign_sql: ForeignSqlConnection, output: Path) -> None:
    run(foreign_sql, "BEGIN")
    assert run(foreign_sql, "SELECT count(*) FROM notes") == [3]
    write(output, "DELETE FROM notes")
    assert run(foreign_sql, "SELECT count(*) FROM notes") == [0]


def test_bytes_that_are_no_text_are_shown(foreign_sql: ForeignSqlConnection, output: Path) -> None:
    write(output, "UPDATE notes SET text = CAST(x'61FF62' AS TEXT)")
    assert run(foreign_sql, "SELECT text FROM notes LIMIT 1") == ["a\ufffdb"]
