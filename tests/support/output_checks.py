"""Invariants of the output of every finished crawl."""

import hashlib
from pathlib import Path

from crawler.content.post_format import SiteLinks, render_post
from crawler.items import Outcome, Post
from crawler.storage import Store
from tests.support.database import Query


def post_paths(output: Path) -> list[Path]:
    return sorted((output / "_posts").rglob("*.md"))


def assert_outcomes_add_up(query: Query) -> None:
    """Assert that every entry has one outcome and that the outcomes of each run add up."""
    sum_of_outcomes = " + ".join(f'"{outcome}"' for outcome in Outcome)
    assert query(f"SELECT id FROM runs WHERE listed != {sum_of_outcomes}") == []  # noqa: S608  # our own words
    assert query("SELECT id FROM entries WHERE outcome IS NULL OR reason IS NULL") == []
    assert query("SELECT id FROM runs WHERE listed != (SELECT count(*) FROM entries WHERE run_id = runs.id)") == []


def assert_posts_match_rows(output: Path) -> None:
    """Assert that each row has its post with the bytes that follow from the row, and that there is no other post."""
    with Store.open_ro(output) as store:
        rows = [store.articles.get(path.name[13:-3]) for path in post_paths(output)]
        assert store.articles.count() == len(rows)
    for path, row in zip(post_paths(output), rows, strict=True):
        assert row is not None
        assert path == output / row["post_path"]
        assert path.read_text() == render_post(Post.from_row(row), SiteLinks("//finews.withounder.com"))
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["post_sha256"]


def modification_times(folder: Path) -> dict[Path, int]:
    bookkeeping = ("news.db", ".crawl.lock")
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(bookkeeping))
    return {path: path.stat().st_mtime_ns for path in files}
