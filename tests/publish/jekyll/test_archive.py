"""Articles older than the hot window, which are kept as pages and no longer rendered."""

import sqlite3
from pathlib import Path

import pytest

from tests.support.commands import CommandRunner
from tests.support.database import execute_sql
from tests.support.output_checks import modification_times, post_paths
from tests.support.published_site import FIRST_PAGE, SITE_DIR, SiteCommand, read_site_files, run_jekyll

pytestmark = pytest.mark.jekyll


def test_archiving_changes_no_page_and_no_post(
    crawled_output: Path, published_output: Path, tmp_path: Path, finews: CommandRunner
) -> None:
    assert run_jekyll(crawled_output, tmp_path / "before").returncode == 0
    assert read_site_files(published_output / SITE_DIR) == read_site_files(tmp_path / "before")
    archived_posts = {path.name: path.read_bytes() for path in (published_output / "_frozen").rglob("*.md")}
    assert archived_posts
    assert archived_posts.items() <= {path.name: path.read_bytes() for path in post_paths(crawled_output)}.items()
    result = finews("verify", "--output", str(published_output))
    assert (result.exit_code, result.stdout) == (0, f"{len(post_paths(crawled_output))} posts agree with their rows\n")


def test_database_can_be_rebuilt_from_archived_posts(published_copy: Path, finews: CommandRunner) -> None:
    def all_codes() -> list[str]:
        connection = sqlite3.connect(published_copy / "news.db")
        codes = [row[0] for row in connection.execute("SELECT code FROM articles ORDER BY code")]
        connection.close()
        return codes

    before = all_codes()
    (published_copy / "news.db").unlink()
    assert finews("rebuild", "db", "--output", str(published_copy)).exit_code == 0
    assert all_codes() == before
    assert finews("verify", "--output", str(published_copy)).exit_code == 0


def test_correction_of_archived_article_keeps_its_address(
    published_copy: Path, run_site: SiteCommand, finews: CommandRunner
) -> None:
    before, times_before = read_site_files(published_copy / SITE_DIR), modification_times(published_copy / SITE_DIR)
    execute_sql(published_copy, "UPDATE articles SET title = '更正后的标题' WHERE code = '202201102242171631'")
    assert finews("verify", "--repair", "--output", str(published_copy)).exit_code == 0
    assert (published_copy / "_posts" / FIRST_PAGE).with_suffix(".md").exists()
    assert run_site("build", "--json").json["frozen"] == 1
    after = read_site_files(published_copy / SITE_DIR)
    assert set(after) == set(before)
    assert "更正后的标题</h1>" in after[FIRST_PAGE].decode()
    assert "更正后的标题" in after["2022/01/10/index.html"].decode()
    assert (published_copy / FIRST_PAGE).read_bytes() == after[FIRST_PAGE]
    assert not (published_copy / "_posts" / FIRST_PAGE).with_suffix(".md").exists()
    others = {path for path in times_before if path.match("2021/12/*/*.html") or path.match("2022/04/*/*.html")}
    assert others
    assert all(path.stat().st_mtime_ns == times_before[path] for path in others)
    assert run_site("check").exit_code == 0
    assert finews("verify", "--output", str(published_copy)).exit_code == 0
