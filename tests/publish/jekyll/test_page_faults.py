"""Missing and outdated pages: `verify` reports them, `--repair` and `site build` write them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import CommandRunner
from tests.support.database import execute_sql
from tests.support.published_site import FIRST_PAGE, SITE_DIR, SiteCommand, read_site_files

pytestmark = pytest.mark.jekyll

FIRST_DAY = "2022/01/10/index.html"
CATEGORY = "category/zhongguonongwang.html"
CONFLICT = "<<<<<<< HEAD\n=======\n>>>>>>> theirs\n"


def delete(path: Path) -> None:
    path.unlink()


def merge(path: Path) -> None:
    path.write_text(CONFLICT + path.read_text())


def truncate(path: Path) -> None:
    path.write_bytes(b"")


def read_pages(output: Path) -> dict[str, bytes]:
    """Return the published files of the output folder by path, without posts."""
    files = (path for path in output.rglob("*") if path.is_file())
    paths = {str(path.relative_to(output)): path for path in files}
    return {
        name: path.read_bytes()
        for name, path in paths.items()
        if not name.startswith(("_posts", "_frozen", ".", f"{SITE_DIR}/", "news.db"))
    }


def reported_paths(finews: CommandRunner, output: Path, *args: str) -> list[str]:
    result = finews("verify", "--output", str(output), "--json", *args)
    key = "repaired" if args else "disagreements"
    assert result.exit_code == (1 if result.json["disagreements"] else 0)
    assert {mismatch["kind"] for mismatch in result.json[key]} <= {"stale"}
    return sorted(mismatch["path"] for mismatch in result.json[key])


LIVE_PAGES = (CATEGORY, "_data/home.json", "_data/reprints.json", "search/2022-01.json", "2022/index.html")


@pytest.mark.parametrize("damage", [delete, merge, truncate])
def test_damaged_page_is_found_and_made_again(
    published_copy: Path, finews: CommandRunner, damage: Callable[[Path], None]
) -> None:
    before, published = read_pages(published_copy), read_site_files(published_copy / SITE_DIR)
    damaged = sorted([*LIVE_PAGES, FIRST_DAY, FIRST_PAGE])
    for page in damaged:
        damage(published_copy / page)
    assert reported_paths(finews, published_copy) == damaged
    copy = published_copy.with_name("copy")
    shutil.copytree(published_copy, copy)
    assert reported_paths(finews, copy, "--repair") == [*damaged]
    assert reported_paths(finews, copy) == []
    for output in (published_copy, copy):  # as it was damaged, and as it was repaired
        result = finews("site", "build", "--output", str(output), "--json")
        assert (result.exit_code, result.stderr, result.json["frozen"]) == (0, "", 1)
        assert read_pages(output) == before
        assert read_site_files(output / SITE_DIR) == published
        assert reported_paths(finews, output) == []


@pytest.mark.parametrize("damage", [delete, truncate])
def test_damaged_page_of_the_built_site_is_made_again(
    published_copy: Path, run_site: SiteCommand, damage: Callable[[Path], None]
) -> None:
    published = read_site_files(published_copy / SITE_DIR)
    live_page = next(path for path in published if path.startswith("20") and "NW" in path and path[:4] > "2022")
    for page in (FIRST_PAGE, FIRST_DAY, CATEGORY, live_page, "index.html", "assets/site.css"):
        damage(published_copy / SITE_DIR / page)
    assert run_site("build").exit_code == 0
    assert read_site_files(published_copy / SITE_DIR) == published


def test_pages_of_a_backup_are_made_again(published_copy: Path, finews: CommandRunner, run_site: SiteCommand) -> None:
    """Restore all files except the database, with their times, as they were before a correction."""
    backup = published_copy.with_name("backup")
    shutil.copytree(published_copy, backup)
    execute_sql(published_copy, "UPDATE articles SET title = '更正后的标题' WHERE code = '202201102242171631'")
    assert finews("verify", "--repair", "--output", str(published_copy)).exit_code == 0
    assert run_site("build").exit_code == 0
    corrected, published = read_pages(published_copy), read_site_files(published_copy / SITE_DIR)
    (backup / "news.db").write_bytes((published_copy / "news.db").read_bytes())
    shutil.rmtree(published_copy)
    shutil.copytree(backup, published_copy)
    result = finews("verify", "--output", str(published_copy), "--json")
    found = {mismatch["path"]: mismatch["kind"] for mismatch in result.json["disagreements"]}
    assert (
        found.items()
        >= {CATEGORY: "stale", FIRST_DAY: "stale", FIRST_PAGE: "stale", "search/2022-01.json": "stale"}.items()
    )
    assert finews("verify", "--repair", "--output", str(published_copy)).exit_code == 0
    assert finews("verify", "--output", str(published_copy)).exit_code == 0
    assert run_site("build").exit_code == 0
    assert read_pages(published_copy) == corrected
    assert read_site_files(published_copy / SITE_DIR) == published


def test_summary_alone_changes_the_feed(published_copy: Path, finews: CommandRunner, run_site: SiteCommand) -> None:
    execute_sql(
        published_copy,
        "UPDATE articles SET summary = '新的摘要' WHERE published_at = (SELECT max(published_at) FROM articles)",
    )
    assert reported_paths(finews, published_copy) == ["_data/home.json"]
    assert run_site("build").exit_code == 0
    assert "新的摘要" in (published_copy / SITE_DIR / "feed.xml").read_text()


def test_missing_theme_page_is_found_and_written(published_copy: Path, finews: CommandRunner) -> None:
    (published_copy / "archive.html").unlink()
    assert reported_paths(finews, published_copy) == ["archive.html"]
    assert reported_paths(finews, published_copy, "--repair") == ["archive.html"]
    assert (published_copy / "archive.html").exists()


def test_all_keeps_archived_months_when_the_build_fails_or_not(
    published_copy: Path, run_site: SiteCommand, tmp_path: Path
) -> None:
    archived = sorted(path for path in (published_copy / "_frozen").rglob("*.md"))
    before = read_pages(published_copy)
    broken_jekyll = tmp_path / "bin" / "jekyll"
    broken_jekyll.parent.mkdir()
    broken_jekyll.write_text("#!/bin/sh\nkill -9 $PPID\n")
    broken_jekyll.chmod(0o755)

    assert run_site("build", "--all", PATH=f"{broken_jekyll.parent}:{os.environ['PATH']}").exit_code == -9
    assert sorted(path for path in (published_copy / "_frozen").rglob("*.md")) == archived
    assert read_pages(published_copy) == before
    for args in (("build",), ("build", "--all")):
        assert run_site(*args).exit_code == 0
        assert sorted(path for path in (published_copy / "_frozen").rglob("*.md")) == archived
        assert read_pages(published_copy) == before
        assert list(published_copy.rglob(".finews-*.part")) == []
