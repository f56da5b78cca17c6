"""`finews import`: the posts of the old site, whatever their form, become articles like crawled ones."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler.storage.output_dir import OutputDir, create_output_dir
from tests.support.articles import DEFAULT_LEGACY_CODE, LEGACY_POSTS_DIR, SHARE_PAGE_URL, render_legacy_post
from tests.support.commands import PROJECT_ROOT, CommandResult, CommandRunner
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows, post_paths

DUPLICATED_CODE = "202204212352230938"


@pytest.fixture
def run_import(finews: CommandRunner, output: Path) -> Callable[..., CommandResult]:
    def run(folder: Path, *args: str) -> CommandResult:
        return finews("import", str(folder), "--output", str(output), *args)

    return run


def test_legacy_posts_are_imported(run_import: CommandRunner, finews: CommandRunner, output: Path, query: Any) -> None:
    result = run_import(LEGACY_POSTS_DIR)
    assert result.exit_code == 3
    assert result.stdout.startswith("import: 11 files: 8 new, 1 duplicate, 2 quarantined\n")
    assert sorted(result.stderr.splitlines()) == [
        "finews: not imported: -202205262391921712.md: the title is empty",
        "finews: not imported: 2021-12-01-init.md: not an article: its name holds no code",
    ]
    assert query("SELECT spider, outcome, listed, new, duplicate, quarantined FROM runs") == [
        ("import", "partial", 11, 8, 1, 2)
    ]
    assert_outcomes_add_up(query)
    assert_posts_match_rows(output)
    assert finews("verify", "--output", str(output)).exit_code == 0
    for name in ("2022-01-10-NW202201102242171631.md", f"2022-04-21-NW{DUPLICATED_CODE}.md"):
        assert next(output.rglob(name)).read_bytes() == (LEGACY_POSTS_DIR / name).read_bytes()


def test_each_legacy_format_gives_its_fields(run_import: CommandRunner, query: Any) -> None:
    run_import(LEGACY_POSTS_DIR)
    articles = query("SELECT code, media, category, source, url, published_at FROM articles")
    rows = {code: row for code, *row in articles}
    assert rows["202202112274017262"][:3] == ["每日经济新闻", "meirijingjixinwen", "choice"]
    assert rows["202205302396671291"] == [
        "财联社", "cailianshe", "eastmoney", "https://finance.eastmoney.com/a/202205302396671291.html",
        "2022-05-30T21:59:45+08:00",
    ]  # fmt: skip
    assert rows["202112082206672930"] == [
        "东方财富", "dongfangcaifu", "eastmoney", "https://finance.eastmoney.com/a/202112082206672930.html",
        "2021-12-08T10:46:18+08:00",
    ]  # fmt: skip
    assert rows[DUPLICATED_CODE][0] == "财联社"
    assert rows[DUPLICATED_CODE][2:4] == ["choice", SHARE_PAGE_URL + DUPLICATED_CODE]
    columns = query("SELECT column_id FROM article_columns WHERE code = '202112082206672930' ORDER BY 1")
    assert columns == ["1060", "import"]
    bodies = query("SELECT count(*) FROM articles WHERE body_html LIKE '%GetPic%' OR body_html LIKE '%<!--%'")
    assert bodies == [0]


def test_second_import_changes_nothing(run_import: CommandRunner, output: Path, query: Any) -> None:
    run_import(LEGACY_POSTS_DIR)
    before = {path: path.stat().st_mtime_ns for path in post_paths(output)}
    second_import = run_import(LEGACY_POSTS_DIR, "--json")
    assert (second_import.json["new"], second_import.json["unchanged"], second_import.json["quarantined"]) == (0, 9, 2)
    assert len(second_import.json["reported"]) == 2
    assert {path: path.stat().st_mtime_ns for path in post_paths(output)} == before
    assert query("SELECT max(revision) FROM articles") == [1]
    assert_outcomes_add_up(query)


def test_import_leaves_crawled_articles_unchanged(
    crawl: CommandRunner, run_import: CommandRunner, output: Path, query: Any
) -> None:
    crawl("choice")
    crawled_rows = query("SELECT * FROM articles ORDER BY code")
    result = run_import(LEGACY_POSTS_DIR, "--json")
    assert result.json["unchanged"] > 0
    assert (
        query("SELECT * FROM articles WHERE code IN (SELECT code FROM entries WHERE run_id = 1) ORDER BY code")
        == crawled_rows
    )
    assert_posts_match_rows(output)


def test_crawl_after_import_updates_nothing(crawl: CommandRunner, run_import: CommandRunner, query: Any) -> None:
    run_import(LEGACY_POSTS_DIR)
    assert crawl("choice").json["updated"] == 0
    assert query("SELECT count(*) FROM articles WHERE code = ?", DUPLICATED_CODE) == [1]
    assert_outcomes_add_up(query)


def test_imported_post_is_reproduced(run_import: CommandRunner, tmp_path: Path, output: Path) -> None:
    """Also of an article that has a host of its own."""
    recorded = PROJECT_ROOT / "tests/sites/eastmoney/caifuhao/post.md"
    code = re.search(r"https://caifuhao.eastmoney.com/news/(\d+)", recorded.read_text())
    assert code
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copy(recorded, folder / f"2026-07-02-NW{code[1]}.md")
    assert run_import(folder).exit_code == 0
    assert [post.read_bytes() for post in post_paths(output)] == [recorded.read_bytes()]


@pytest.mark.parametrize("media_first", [True, False])
def test_duplicate_legacy_posts_become_one_article(
    run_import: CommandRunner, tmp_path: Path, query: Any, media_first: bool
) -> None:
    """In whatever folders the two stand, whichever comes first."""
    folder = tmp_path / "old"
    for name, subfolder in (
        (f"2022-04-21-{DUPLICATED_CODE}.md", media_first),
        (f"2022-04-21-NW{DUPLICATED_CODE}.md", not media_first),
    ):
        (folder / str(int(subfolder))).mkdir(parents=True)
        shutil.copy(LEGACY_POSTS_DIR / name, folder / str(int(subfolder)))
    result = run_import(folder, "--json")
    assert (result.exit_code, result.json["new"], result.json["duplicate"]) == (0, 1, 1)
    assert query("SELECT source FROM articles") == ["choice"]


def test_rolling_news_post_replaces_a_broken_media_post(run_import: CommandRunner, tmp_path: Path, query: Any) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copy(LEGACY_POSTS_DIR / f"2022-04-21-{DUPLICATED_CODE}.md", folder)
    (folder / f"2022-04-21-NW{DUPLICATED_CODE}.md").write_text("half")
    result = run_import(folder, "--json")
    assert (result.exit_code, result.json["new"], result.json["quarantined"]) == (3, 1, 1)
    assert query("SELECT source FROM articles") == ["eastmoney"]


def test_other_files_are_reported_and_hidden_files_skipped(run_import: CommandRunner, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / f"2022-03-04-NW{DEFAULT_LEGACY_CODE}.md").write_bytes(b"\xff\xff")
    (folder / "README.md").write_text("# read me")
    (folder / os.fsdecode("简介.md".encode("gbk"))).write_text("# read me")
    (folder / f"2022-03-04-{DEFAULT_LEGACY_CODE}.md").symlink_to("nowhere")
    result = run_import(folder, "--json")
    assert result.exit_code == 3
    assert {reported_file["path"]: reported_file["reason"] for reported_file in result.json["reported"]} == {
        f"2022-03-04-NW{DEFAULT_LEGACY_CODE}.md": "not UTF-8, and not GB 18030",
        "README.md": "not an article: its name holds no code",
        "���.md": "not an article: its name holds no code",
        f"2022-03-04-{DEFAULT_LEGACY_CODE}.md": "a link that leads nowhere",
    }


def test_names_that_are_no_text_are_imported_and_named(run_import: CommandRunner, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode("旧".encode("gbk"))
    folder.mkdir()
    (folder / f"2022-03-04-NW{DEFAULT_LEGACY_CODE}.md").write_text(render_legacy_post())
    (folder / f"2022-03-04-NW{DEFAULT_LEGACY_CODE[:-1]}5.md").symlink_to("/proc/self/mem")
    result = run_import(folder, "--json")
    assert (result.exit_code, result.json["new"], result.json["quarantined"]) == (3, 1, 1)


# What is in a foreign folder; the last is a file that refuses to be read, whichever user asks.
LINK_TARGETS = {"1": "..", "2": "/dev/zero", "3": "loop", "4": "fifo", "5": "/proc/self/mem"}


def test_unreadable_and_special_files_fail_one_by_one(run_import: CommandRunner, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for number, target in LINK_TARGETS.items():
        (folder / f"NW{DEFAULT_LEGACY_CODE[:-1]}{number}.md").symlink_to(tmp_path / target)
    os.mkfifo(folder / f"NW{DEFAULT_LEGACY_CODE[:-1]}6.md")
    (folder / "picture").symlink_to("/dev/zero")
    (folder / f"NW{DEFAULT_LEGACY_CODE}.md").write_text(render_legacy_post())
    result = run_import(folder, "--json")
    assert (result.exit_code, result.json["new"], result.json["quarantined"]) == (3, 1, 7)
    reasons = {
        reported_file["path"].removesuffix(".md")[-1]: reported_file["reason"]
        for reported_file in result.json["reported"]
    }
    assert reasons.pop("5").startswith("cannot read ")
    assert reasons == {
        **dict.fromkeys("1246", "no file, but a folder or a device"),
        "3": "a link that leads nowhere",
        "e": "not an article: its name holds no code",
    }


def test_import_during_a_crawl_exits_75(run_import: CommandRunner, output: Path) -> None:
    create_output_dir(output)
    with OutputDir.lock(output):
        result = run_import(LEGACY_POSTS_DIR)
    assert (result.exit_code, len(result.stderr.splitlines())) == (75, 1)


def test_missing_folder_is_a_usage_error(run_import: CommandRunner, tmp_path: Path, output: Path) -> None:
    assert run_import(tmp_path / "nowhere").exit_code == 2
    assert not output.exists()
