"""Other programs read the whole database, search index included, as they read any other."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.storage import Store
from crawler.storage.search.request import SearchRequest
from tests.publish.web.conftest import run_web_server
from tests.support.stored_articles import create_article, save_article

pytestmark = pytest.mark.slow

CODES = [f"2022011022421716{number:02}" for number in range(30)]
QUERY = "央行"


@pytest.fixture(scope="module")
def stored_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Articles with a correction, a mention and a deletion: every table of the search index has rows."""
    output = tmp_path_factory.mktemp("clients")
    with Store.open_rw(output) as store:
        for number, code in enumerate(CODES):
            save_article(store, create_article(f"<p>央行第 {number} 次'降息'</p>", code=code, title=f"题{number}"))
        save_article(store, create_article("<p>央行更正</p>", code=CODES[0], title="题"))
        with store.transaction():
            store.connection.execute("DELETE FROM article_columns WHERE code = ?", [CODES[1]])
            store.connection.execute("DELETE FROM articles WHERE code = ?", [CODES[1]])
    return output


@pytest.fixture
def output(stored_output: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored_output, tmp_path / "output"))


@pytest.fixture
def connection(output: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(output / "news.db", isolation_level=None)
    yield opened
    opened.close()


def run_sqlite_utils(output: Path, command: str, *args: str) -> str:
    words = [sys.executable, "-m", "sqlite_utils", command, str(output / "news.db"), *args]
    completed = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stderr) == (0, "")
    return completed.stdout


def table_names(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]


def assert_index_is_sound(output: Path) -> None:
    with Store.open_rw(output) as store:
        assert store.search_index.find_faults() == []
        expected = [code for code in sorted(CODES, reverse=True) if code != CODES[1]]
        assert [row["code"] for row in store.search.rows(SearchRequest(text=QUERY))] == expected
        assert [row["code"] for row in store.search.rows(SearchRequest(text="更正"))] == CODES[:1]
        article = create_article("<p>央行加息</p>", code="202201112242171600")
        save_article(store, article)
        assert [row["code"] for row in store.search.rows(SearchRequest(text="加息"))] == [article.code]


def test_every_table_can_be_scanned(connection: sqlite3.Connection) -> None:
    for name in table_names(connection):
        rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608  # a name of the schema
        assert connection.execute(f'SELECT count(*) FROM "{name}"').fetchone() == (len(rows),), name  # noqa: S608  # as above
    hits = connection.execute("SELECT * FROM search_pairs WHERE search_pairs MATCH ?", [QUERY]).fetchall()
    assert len(hits) == len(CODES) + 1
    assert connection.execute("SELECT count(*) FROM search").fetchone() == (len(CODES) - 1,)


def test_sqlite_utils_counts_every_table(output: Path, connection: sqlite3.Connection) -> None:
    counts = {row["table"]: row["count"] for row in json.loads(run_sqlite_utils(output, "tables", "--counts"))}
    assert counts["search_pairs"] == len(CODES) + 1
    views = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'")}
    assert counts.keys() == {*table_names(connection)} - views
    assert {row["view"] for row in json.loads(run_sqlite_utils(output, "views", "--counts"))} == views


def test_sqlite_utils_analyses_every_table(output: Path) -> None:
    assert "search_pairs.pairs" in run_sqlite_utils(output, "analyze-tables")


def test_dump_of_sqlite_utils_is_the_dump_of_python(output: Path, connection: sqlite3.Connection) -> None:
    assert run_sqlite_utils(output, "dump").splitlines() == "\n".join(connection.iterdump()).splitlines()


def test_python_dump_loads_without_the_rows_of_the_virtual_table(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    """Python writes the rows of a virtual table next to those of its tables, where no program can read them."""
    statements = list(connection.iterdump())
    loadable = [line for line in statements if not line.startswith('INSERT INTO "search_pairs" VALUES')]
    assert len(statements) - len(loadable) == len(CODES) + 1
    loaded_output = tmp_path / "loaded"
    loaded_output.mkdir()
    loaded = sqlite3.connect(loaded_output / "news.db", isolation_level=None)
    loaded.executescript("\n".join(loadable))
    loaded.close()
    assert_index_is_sound(loaded_output)


def test_dump_of_the_sqlite_shell_loads(output: Path, tmp_path: Path) -> None:
    if (sqlite3_program := shutil.which("sqlite3")) is None:
        pytest.skip("needs the shell of SQLite: apt-get install sqlite3")
    dump = subprocess.run([sqlite3_program, output / "news.db", ".dump"], capture_output=True, check=True).stdout
    loaded_output = tmp_path / "loaded"
    loaded_output.mkdir()
    completed = subprocess.run(
        [sqlite3_program, "-bail", loaded_output / "news.db"], input=dump, capture_output=True, check=False
    )
    assert (completed.returncode, completed.stderr) == (0, b"")
    assert_index_is_sound(loaded_output)


def test_vacuum_and_integrity_check(output: Path, connection: sqlite3.Connection) -> None:
    connection.execute("VACUUM")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.execute("INSERT INTO search_pairs (search_pairs) VALUES ('integrity-check')")
    connection.execute("VACUUM INTO ?", [str(output / "copy.db")])
    connection.close()
    assert_index_is_sound(output)
    (output / "copy.db").replace(output / "news.db")
    assert_index_is_sound(output)


def test_datasette_shows_every_table(output: Path, connection: sqlite3.Connection) -> None:
    with run_web_server(output) as server:
        for name in table_names(connection):
            for suffix in ("", ".json", ".csv"):
                assert server.get(f"/news/{name}{suffix}").status == 200, f"{name}{suffix}"
        page = server.get("/news/search_pairs").text
        assert re.search(rf"{len(CODES) + 1}\s+rows", page)
