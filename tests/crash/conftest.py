"""What the crash tests share: a crawl as a process of its own, and what must be true of its output at any moment."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crawler.sample_site import SampleSite
from tests.conftest import NO_MANNERS, Answer
from tests.test_crawl import assert_books_balance, assert_posts_are_rows, posts_in

Posts = dict[str, bytes]
Query = Callable[..., list[Any]]

# The pages of a site are made anew from the rows: what is tried here is how the rows and their posts are written.
NO_PAGES = ("--set", 'EXTENSIONS={"crawler.crawl.session.CrawlSession": 0}')
# Only what the crawl itself writes shall count, not what Python keeps of its modules.
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def command(site: SampleSite, output: Path, *words: str) -> list[str]:
    """A crawl that says nothing unless something is wrong."""
    where = ("--mirror", site.url, "--output", str(output))
    return [sys.executable, "-m", "crawler", "crawl", "eastmoney", *where, *NO_MANNERS, *NO_PAGES, "--quiet", *words]


def start(words: list[str]) -> subprocess.Popen[str]:
    """A process group of its own, to be killed as a whole."""
    return subprocess.Popen(
        words,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> Answer:
    out, err = process.communicate(timeout=240)
    return Answer(process.returncode, out, err)


def crawl_once(site: SampleSite, output: Path, *words: str) -> None:
    answer = ended(start(command(site, output, *words)))
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def visible(output: Path) -> Posts:
    """The posts that a site would publish."""
    return {path.name: path.read_bytes() for path in posts_in(output)}


def hidden(output: Path) -> list[Path]:
    """What is among the posts and is none."""
    return [path for path in (output / "_posts").rglob("*") if path.is_file() and path not in posts_in(output)]


def asker(database: Path) -> Query:
    def query(sql: str, *values: object) -> list[Any]:
        connection = sqlite3.connect(database)
        try:
            rows = connection.execute(sql, values).fetchall()
        finally:
            connection.close()
        return [row[0] if len(row) == 1 else row for row in rows]

    return query


def recorded(output: Path) -> int:
    """How many articles a crawl that runs has recorded so far; before it has made the database, none."""
    return len(asker(output / "news.db")("SELECT code FROM articles")) if list(posts_in(output)) else 0


def look(output: Path, sql: str) -> list[Any]:
    """Ask a copy: whoever opens the database that a killed crawl left recovers it, which the next crawl shall do.

    A table that the crawl did not come to make is an empty one.
    """
    with tempfile.TemporaryDirectory() as folder:
        for path in output.glob("news.db*"):
            shutil.copy(path, folder)
        query = asker(Path(folder) / "news.db")
        assert query("PRAGMA integrity_check") == ["ok"]
        assert query("PRAGMA foreign_key_check") == []
        tables = query("SELECT name FROM sqlite_master")
        return query(sql) if {"articles", "sightings"} <= set(tables) else []


def assert_sound(output: Path, *allowed: Posts) -> None:
    """At any moment: the database is intact, each visible post is whole, and none is without a row."""
    rows = {Path(path).name for path in look(output, "SELECT post_path FROM articles")}
    for name, content in visible(output).items():
        assert content in [posts.get(name) for posts in allowed], f"{name} is torn"
        assert name in rows, f"{name} has no row"


def assert_healed(output: Path, right: Posts) -> None:
    """After one more crawl: nothing is lost, doubled, left over or unaccounted for."""
    assert visible(output) == right
    assert hidden(output) == []
    assert_posts_are_rows(output)
    query = asker(output / "news.db")
    assert query("PRAGMA integrity_check") == ["ok"]
    assert query("SELECT code FROM articles WHERE published_revision IS NOT revision") == []
    assert query("SELECT id FROM runs WHERE finished_at IS NULL OR outcome IS NULL") == []
    assert_books_balance(query)
