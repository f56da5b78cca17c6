"""Rows of other programs: a crawl continues, and reports, repairs or sets aside each row without loss.

By default a sample of all odd values; with `FINEWS_FOREIGN=1` each value in each column by itself.
"""

import json
import os
import random
import sqlite3
from pathlib import Path

import pytest
from lxml import etree
from sqlite_utils import Database

from crawler.errors import StoreError
from crawler.jobs.rebuild import rebuild_database
from crawler.jobs.verify import MismatchKind, repair_output, verify_output
from crawler.storage import Store
from crawler.storage.notices import take_notices
from crawler.storage.row_rules import TABLES
from tests.support.commands import CommandRunner
from tests.support.database import execute_sql
from tests.support.foreign_output import (
    NOW,
    copy_parent,
    crawl_again,
    find_faults,
    find_written_outside,
    make_parent,
    sample_articles,
)
from tests.support.foreign_writer import ForeignWrite, list_columns, odd_writes, row_conditions, write_foreign
from tests.support.output_checks import post_paths

CODES = [article.code for article in sample_articles()]
# A copy of the output folder takes half a second: a sample of values in a few copies, or a copy for each value.
WRITES_PER_COPY, COPIES = (1, None) if os.environ.get("FINEWS_FOREIGN") else (14, 8)


@pytest.fixture(scope="module")
def made_parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parent = tmp_path_factory.mktemp("foreign") / "made"
    make_parent(parent)
    return parent


@pytest.fixture(autouse=True)
def no_notices() -> None:
    """Drop the notices of an earlier test."""
    take_notices()


@pytest.fixture
def parent(made_parent: Path, tmp_path: Path) -> Path:
    return copy_parent(made_parent, tmp_path / "copy")


@pytest.fixture
def output(parent: Path) -> Path:
    return parent / "output"


def all_writes(parent: Path) -> list[ForeignWrite]:
    database = parent / "output/news.db"
    return [write for table, column in list_columns(database) for write in odd_writes(database, table, column)]


def test_any_value_in_any_column(made_parent: Path, tmp_path: Path) -> None:
    writes = all_writes(made_parent)
    random.Random(18).shuffle(writes)
    chunks = [writes[start : start + WRITES_PER_COPY] for start in range(0, len(writes), WRITES_PER_COPY)]
    faults = []
    for number, chunk in enumerate(chunks[:COPIES]):
        parent = copy_parent(made_parent, tmp_path / str(number))
        write_foreign(parent / "output/news.db", *(write.sql for write in chunk))
        faults += [(fault, [write.label for write in chunk]) for fault in find_faults(parent)]
    assert faults == []


def test_any_row_deleted(parent: Path) -> None:
    """Delete rows with foreign keys off, as most programs do: other rows refer to missing ones."""
    database = parent / "output/news.db"
    tables = dict(list_columns(database))
    first_rows = {table: rows[0] for table in tables if (rows := row_conditions(database, table))}
    statements = [f'DELETE FROM "{table}" WHERE {condition}' for table, condition in first_rows.items()]  # noqa: S608
    assert write_foreign(database, *statements) > 20
    assert find_faults(parent) == []


BAD_POST_PATHS = ("../x.md", "_posts/../../x.md", "news.db", "a/index.html", "about.md", "_posts/2022/01/10/x.md")


@pytest.mark.parametrize("path", BAD_POST_PATHS)
def test_post_is_written_nowhere_else(parent: Path, output: Path, path: str) -> None:
    """Repair a row with a wrong path, which follows from its code and its time."""
    execute_sql(output, "UPDATE articles SET post_path = ?, published_revision = NULL WHERE code = ?", path, CODES[0])
    expected_path = f"_posts/2022/01/10/2022-01-10-NW{CODES[0]}.md"
    (output / expected_path).unlink()
    crawl_again(output)
    assert take_notices()[0].startswith(f"articles code {CODES[0]}: post_path: not the path of a post: ")
    assert (output / expected_path).is_file()
    assert find_written_outside(parent) == []


@pytest.mark.parametrize("slug", ["../mine", "../../x", "mine", "index"])
def test_page_is_written_nowhere_else(parent: Path, output: Path, slug: str) -> None:
    index_page = (output / "category/index.html").read_bytes()
    execute_sql(output, "UPDATE categories SET slug = ?", slug)
    execute_sql(output, "UPDATE articles SET category = ?", slug)
    execute_sql(
        output, "INSERT OR IGNORE INTO stale_pages VALUES ('category', ?), ('day', ?), ('stock', ?)", slug, slug, slug
    )
    crawl_again(output)
    assert find_written_outside(parent) == []
    assert (output / "category/index.html").read_bytes() == index_page


def test_row_is_repaired_from_its_post(output: Path) -> None:
    execute_sql(output, "UPDATE articles SET title = x'00', body_html = '', media = '' WHERE code = ?", CODES[0])
    expected = next(article for article in sample_articles() if article.code == CODES[0])
    with Store.open_rw(output) as store:
        assert [row.action for row in store.repaired_rows] == ["repaired"] * 3
        row = store.articles.get(CODES[0])
    assert row is not None
    assert (row["title"], row["body_html"], row["media"]) == (expected.title, expected.body_html, expected.media)


def test_row_that_cannot_be_repaired_is_kept_in_quarantine_and_fetched_again(output: Path) -> None:
    execute_sql(output, "UPDATE articles SET title = x'00' WHERE code = ?", CODES[0])
    next(path for path in post_paths(output) if CODES[0] in path.name).unlink()
    with Store.open_rw(output) as store:
        assert {row.action for row in store.repaired_rows} == {"set aside in the table quarantine"}
        assert store.articles.get(CODES[0]) is None
    connection = sqlite3.connect(output / "news.db")
    (raw,) = connection.execute("SELECT raw FROM quarantine WHERE kind = 'stored' AND code = ?", [CODES[0]]).fetchone()
    connection.close()
    assert json.loads(raw)["row"]["title"] == {"hex": "00"}
    crawl_again(output)
    with Store.open_ro(output) as store:
        row = store.articles.get(CODES[0])
    assert row is not None
    assert row["title"] == "题0"


def test_coverage_of_times_to_come_covers_nothing(output: Path) -> None:
    """Check invalid coverage: a crawl that trusts it would never read that listing again."""
    execute_sql(output, "UPDATE coverage SET newest = '2099-01-01T00:00:00+08:00'")
    with Store.open_ro(output) as store:
        assert store.coverage.for_spider("eastmoney", NOW) == {}


# The schema


def test_table_that_another_program_made_again(output: Path) -> None:
    """Restore triggers and constraints that `sqlite-utils transform` dropped; `verify` finds the rows written meanwhile."""
    db = Database(output / "news.db")
    triggers = [trigger.name for trigger in db.triggers]
    sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT wr ORDER BY name"
    for (name,) in db.execute(sql).fetchall():  # the other tables cannot be created
        if name in TABLES:
            db.table(name).transform()
    assert len(db.triggers) < len(triggers) - 9
    db.execute("UPDATE articles SET title = '改过' WHERE code = ?", [CODES[0]])
    db.conn.commit()
    db.close()
    crawl_again(output)
    db = Database(output / "news.db")
    assert sorted(trigger.name for trigger in db.triggers) == sorted(triggers)
    db.close()
    assert any("trigger search_article_inserted: missing; repaired" in notice for notice in take_notices())
    repair_output(output, "")
    assert verify_output(output, "").mismatches == []


def test_table_without_any_constraint(parent: Path, output: Path) -> None:
    """Keep and repair one row of two with the same path, and one of two with the same code."""
    connection = sqlite3.connect(output / "news.db")
    connection.execute("PRAGMA legacy_alter_table = ON")
    for table in ("articles", "revisions", "categories", "sightings"):
        connection.execute(f"CREATE TABLE other AS SELECT * FROM {table}")  # noqa: S608  # our own names
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"ALTER TABLE other RENAME TO {table}")
    connection.execute("INSERT INTO articles SELECT * FROM articles LIMIT 2")
    connection.execute("UPDATE articles SET post_path = (SELECT max(post_path) FROM articles)")
    connection.commit()
    connection.close()
    assert find_faults(parent) == []
    with pytest.raises(sqlite3.IntegrityError):
        execute_sql(output, "UPDATE articles SET post_path = 'x'")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER search_article_deleted",
        "DROP INDEX articles_owed",
        "DROP VIEW reprints",
        "DROP TABLE sightings",
        "DROP TABLE search_pairs",
        "DROP TABLE stale_pages",
        "ALTER TABLE sightings DROP COLUMN failures",
        "ALTER TABLE articles DROP COLUMN source",
        "ALTER TABLE runs DROP COLUMN detail",
        "ALTER TABLE categories DROP COLUMN media",
    ],
)
def test_missing_part_of_the_schema_is_found_and_repaired(output: Path, parent: Path, statement: str) -> None:
    connection = sqlite3.connect(output / "news.db")
    connection.execute(statement)
    connection.close()
    hides_data = "TABLE" in statement
    if hides_data:
        with pytest.raises(StoreError, match="missing: run `finews verify --repair`"):
            verify_output(output, "")
    else:
        assert MismatchKind.SCHEMA in {mismatch.kind for mismatch in verify_output(output, "").mismatches}
    repair_output(output, "")
    assert verify_output(output, "").mismatches == []
    assert find_faults(parent) == []


def test_columns_and_tables_of_the_user_stay(output: Path) -> None:
    connection = sqlite3.connect(output / "news.db")
    for table in ("articles", "categories", "runs", "mentions"):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN mine TEXT DEFAULT 'x'")
    connection.execute("CREATE TABLE notes (code TEXT)")
    connection.execute("CREATE TRIGGER mine AFTER INSERT ON articles BEGIN INSERT INTO notes VALUES (new.code); END")
    connection.close()
    crawl_again(output)
    assert verify_output(output, "").mismatches == []
    connection = sqlite3.connect(output / "news.db")
    assert connection.execute("SELECT DISTINCT mine FROM articles").fetchall() == [("x",)]
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'mine'").fetchall() == [("mine",)]
    connection.close()


def test_key_that_cannot_be_made_again_is_named_with_the_command(output: Path) -> None:
    connection = sqlite3.connect(output / "news.db")
    connection.executescript(
        "CREATE TABLE other AS SELECT * FROM runs; DROP TABLE runs; ALTER TABLE other RENAME TO runs"
    )
    connection.close()
    with pytest.raises(StoreError, match=r"column id of runs: .*`sqlite-utils transform news.db runs --pk id`"):
        crawl_again(output)
    db = Database(output / "news.db")
    db.table("runs").transform(pk="id")
    db.close()
    crawl_again(output)
    assert verify_output(output, "").mismatches == []


def test_column_that_finews_cannot_fill_is_named_with_the_command(output: Path) -> None:
    db = Database(output / "news.db")
    db.table("robots").transform()
    db.execute("ALTER TABLE robots ADD COLUMN mine TEXT")
    db.execute("UPDATE robots SET mine = 'x'")
    db.table("robots").transform(not_null={"mine"})
    db.close()
    with pytest.raises(StoreError, match=r"column mine of robots: .*`sqlite-utils transform news.db robots --default"):
        crawl_again(output)


def test_database_without_articles_is_made_from_the_posts(output: Path) -> None:
    connection = sqlite3.connect(output / "news.db")
    connection.execute("DROP TABLE articles")
    connection.close()
    with pytest.raises(StoreError, match=r"table articles: .* `finews rebuild db` to restore it"):
        crawl_again(output)
    (output / "news.db").rename(output / "news.db.old")
    assert rebuild_database(output, "").article_count == len(CODES)


# A real crawl


def test_crawl_goes_on_and_names_each_row(crawl: CommandRunner, finews: CommandRunner, output: Path) -> None:
    assert crawl().exit_code in {0, 3}
    connection = sqlite3.connect(output / "news.db")
    codes = [code for (code,) in connection.execute("SELECT code FROM articles ORDER BY code LIMIT 5")]
    for code, change in zip(
        codes,
        ("title = x'00'", "post_path = '../x.md'", "published_at = ''", "category = '../x'", "title = 'a' || char(7)"),
        strict=True,
    ):
        connection.execute(f"UPDATE articles SET {change} WHERE code = ?", [code])  # noqa: S608  # our own words
    connection.execute("UPDATE sightings SET published_at = '9999-99-99'")
    connection.execute("UPDATE coverage SET newest = x''")
    connection.execute("INSERT INTO mentions VALUES ('1', '../../x', 'stock', '', -1)")
    connection.commit()
    connection.close()
    feed = finews("feed", "--output", str(output), "--limit", "100")
    assert (feed.exit_code, etree.fromstring(feed.stdout.encode()).tag) == (0, "{http://www.w3.org/2005/Atom}feed")
    assert f"finews: articles code {codes[0]}: title: not text but a BLOB of 1 byte: left out; " in feed.stderr
    crawled = crawl()
    assert crawled.exit_code == 3, crawled.stderr
    for code, column in zip(codes, ("title", "post_path", "published_at", "category", "title"), strict=True):
        assert f"finews: articles code {code}: {column}: " in crawled.stderr
    assert "finews: mentions code 1, secid ../../x: secid: not a stock such as 1.600160: " in crawled.stderr
    assert finews("verify", "--repair", "--output", str(output)).exit_code == 0
    assert finews("verify", "--output", str(output)).exit_code == 0
    assert crawl().exit_code == 0
    assert find_written_outside(output.parent) == []
