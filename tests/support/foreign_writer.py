"""Another program that writes any value into any column of news.db, with the standard library's SQLite."""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

# As SQL, because a Python string cannot hold invalid UTF-8.
ODD_VALUES: Mapping[str, str] = {
    "NULL": "NULL",
    "empty": "''",
    "blank": "' '",
    "zero": "0",
    "minus one": "-1",
    "largest integer": "9223372036854775807",
    "huge number": "1e300",
    "infinity": "9e999",
    "BLOB": "x'00ff'",
    "empty BLOB": "x''",
    "NUL": "'a' || char(0) || 'b'",
    "control character": "'a' || char(7) || 'b'",
    "line end": "'a' || char(10) || 'b'",
    "not UTF-8": "CAST(x'fffe41' AS TEXT)",
    "half character": "CAST(x'eda080' AS TEXT)",
    "non-character": "char(65535)",
    "far date": "'9999-12-31T23:59:59+08:00'",
    "next century": "'2099-12-31T23:59:59+08:00'",
    "first date": "'0001-01-01T00:00:00+00:00'",
    "no date": "'2022-02-30T00:00:00+08:00'",
    "outside": "'../x.md'",
    "outside below _posts": "'_posts/../../x.md'",
    "database": "'news.db'",
    "own page": "'a/index.html'",
    "far outside": "'../../../x'",
    "own page by its slug": "'mine'",
    "index": "'index'",
    "theme": "'_config.yml'",
    "Liquid": "'{% include x %}'",
    "JSON of something else": "'[1, null]'",
    "no day": "'2022/13/45'",
    "other word": "'article'",
    "long": "replace(hex(zeroblob(50000)), '0', 'a')",
}


class ForeignWrite(NamedTuple):
    """A statement of another program, with a label for messages."""

    label: str
    sql: str


def odd_writes(database: Path, table: str, column: str) -> Iterator[ForeignWrite]:
    """Yield one statement for each odd value, for different rows if the table has enough."""
    keys = row_conditions(database, table)
    for number, (label, value) in enumerate(ODD_VALUES.items()):
        condition = keys[number % len(keys)]
        sql = f'UPDATE "{table}" SET "{column}" = {value} WHERE {condition}'  # noqa: S608  # names of the schema
        yield ForeignWrite(f"{table}.{column}: {label}", sql)


def list_columns(database: Path) -> list[tuple[str, str]]:
    """Return the columns of all tables, without those of SQLite and of the full-text index `search_pairs`."""
    sql = """
        SELECT t.name, c.name FROM pragma_table_list AS t JOIN pragma_table_xinfo(t.name) AS c
        WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1, c.cid
    """
    connection = sqlite3.connect(database)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def write_foreign(database: Path, *statements: str) -> int:
    """Execute the statements that SQLite accepts; return their number."""
    connection = sqlite3.connect(database)
    done = 0
    for statement in statements:
        try:
            with connection:
                done += connection.execute(statement).rowcount > 0
        except sqlite3.IntegrityError:
            continue
    connection.close()
    return done


def row_conditions(database: Path, table: str) -> list[str]:
    """Return an SQL condition for each row of a table, by its key."""
    connection = sqlite3.connect(database)
    connection.text_factory = bytes
    names = [
        name.decode() for (name,) in connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE pk", [table])
    ]
    terms = " || ' AND ' || ".join(f'\'"{name}" IS \' || quote("{name}")' for name in names)
    rows = connection.execute(f'SELECT {terms} FROM "{table}"').fetchall()  # noqa: S608  # names of the schema
    connection.close()
    return [condition.decode() for (condition,) in rows]
