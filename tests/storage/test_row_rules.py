"""Row rules: valid values of columns, and the checks of query rows."""

from typing import Any

import pytest

from crawler.storage import Store
from crawler.storage.migrations import migrations
from crawler.storage.row_rules import TABLES, checks_of_query, find_bad_values
from tests.support.stored_articles import DEFAULT_CODE, PUBLISHED, create_article, save_article

TIME = "2022-01-10T16:20:36+08:00"
GOOD_AND_BAD_VALUES: dict[tuple[str, str], tuple[list[Any], list[Any]]] = {
    ("articles", "code"): ([DEFAULT_CODE, "1" * 24], ["1", "", "../x", DEFAULT_CODE + "\n", 1, b"1", None]),
    ("articles", "title"): (["题", "a b", "👨‍👩‍👧", "\u3000题"], ["", " ", "a\nb", "a\0", "\ud800", "\uffff", b"x", 1]),
    ("articles", "published_at"): (
        [TIME, "1990-01-01T00:00:00+08:00"],
        ["", "2022-01-10", "2022-02-30T00:00:00+08:00", "9999-12-31T23:59:59+08:00", "1970-01-01T00:00:00+08:00", 1.5],
    ),
    ("articles", "category"): (["zhongguonongwang"], ["../x", "X", "a/b", "", "a.b", None]),
    ("articles", "url"): (["https://a.cn/1"], ["", "a b", "<x>", "a\n", b""]),
    ("articles", "body_html"): (["<p>{正文}</p>\n<p>x</p>"], ["", "{% x %}", "{{ x }}", "{:x}", "\x07"]),
    ("articles", "post_path"): (
        [f"_posts/2022/01/10/2022-01-10-NW{DEFAULT_CODE}.md"],
        [
            "news.db", "../x.md", "a/index.html", f"_posts/2022/01/11/2022-01-10-NW{DEFAULT_CODE}.md",
            f"_posts/2022/01/10/../10/2022-01-10-NW{DEFAULT_CODE}.md", "_posts/2022/01/10/2022-01-10-NW1.md",
        ],
    ),
    ("articles", "changed_at"): ([None, TIME], ["", 0]),
    ("articles", "revision"): ([1, 2], [0, -1, 2**63 - 1, "1", 1.0, None]),
    ("categories", "aliases"): (["[]", '["农网"]'], ["", "{}", "[1]", '["a\\u0000"]', "[" * 9999]),
    ("mentions", "secid"): (["1.600160", "90.BK0493"], ["../../x", "1.", "", "1.a/b"]),
    ("mentions", "kind"): (["stock"], ["", "x", None, b"stock"]),
    ("entries", "outcome"): ([None, "new"], ["", "other"]),
    ("robots", "content"): ([b""], ["", None, 0]),
    ("raw_contents", "content"): ([b"x\x9c\x03\x00\x00\x00\x00\x01"], [b"", b"x", "x"]),
    ("story_texts", "digest"): ([b"x" * 16], [b"", "x" * 16]),
}  # fmt: skip


@pytest.mark.parametrize(("table", "column"), GOOD_AND_BAD_VALUES)
def test_rule_of_column(table: str, column: str) -> None:
    rule, (good, bad) = TABLES[table].columns[column].rule, GOOD_AND_BAD_VALUES[table, column]
    assert [value for value in good if rule(value)] == []
    assert [value for value in bad if not rule(value)] == []
    assert all("\x07" not in rule(value) for value in bad)


def test_every_column_of_every_table_has_a_rule(store: Store) -> None:
    """Require a rule for each finews column; users' tables and columns have none."""
    sql = """
        SELECT t.name, c.name FROM pragma_table_list AS t JOIN pragma_table_xinfo(t.name) AS c
        WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
            AND t.name != ?
    """
    columns = store.connection.execute(sql, [migrations.migrations_table]).fetchall()
    ruled = {(table, name) for table, rules in TABLES.items() for name in rules.columns}
    remedy = "bring TABLES in crawler/storage/row_rules.py in line with the migrations"
    assert set(columns) - ruled == {("story_articles", "id")}, remedy  # any number
    assert ruled <= set(columns), remedy


def test_what_finews_writes_keeps_the_rules(store: Store) -> None:
    save_article(store, create_article("<p>正文</p>"))
    row = store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert find_bad_values("articles", row) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"post_path": "_posts/2022/01/10/2022-01-10-NW202201102242171632.md"}, "post_path: the path of another"),
        ({"published_at": "2022-01-13T17:00:01+08:00"}, "published_at: more than two days after it was seen"),
        ({"title": b"abc"}, "title: not text but a BLOB of 3 bytes"),
    ],
)
def test_bad_value_is_named_by_table_key_and_column(store: Store, changes: dict[str, Any], problem: str) -> None:
    save_article(store, create_article("<p>正文</p>", published_at=PUBLISHED))
    row = store.articles.get(DEFAULT_CODE)
    assert row is not None
    (bad_value,) = find_bad_values("articles", {**row, **changes})
    assert str(bad_value).startswith(f"articles code {DEFAULT_CODE}: {problem}")


def test_columns_of_a_query_are_checked_by_their_tables() -> None:
    sql = "SELECT title, published_at, count(*) AS times FROM sightings LEFT JOIN articles USING (code)"
    title, published_at, times = checks_of_query(sql, ("title", "published_at", "times"))
    assert title.tables == "sightings or articles"
    assert (title.rule(""), published_at.rule(""), published_at.rule(None)) == ("", "", "")
    assert title.rule(b"x") == "not text but a BLOB of 1 byte"
    assert times.rule(b"") == "not text but a BLOB of 0 bytes"
    assert times.rule(float("inf")) == "not a number: inf"
