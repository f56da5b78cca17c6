"""`finews rebuild`: posts from rows, byte for byte, and rows from posts."""

import shutil
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crawler.content.categories import CategoryRegistry
from crawler.content.normalise import normalise_article
from crawler.errors import FatalError, ItemError
from crawler.jobs.rebuild import rebuild_database, rewrite_posts
from crawler.sample_site import Corpus, SampleSite
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from crawler.storage.article_writer import save_article
from crawler.storage.output_dir import OutputDir
from tests.support.articles import (
    BODIES,
    MEDIA_NAMES_WITH_SUFFIX,
    SITE_LINKS,
    TITLES,
    URL_TEMPLATES,
    create_raw_article,
)
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows, post_paths

SELECT_POST_DATA = (
    "SELECT code, title, published_at, media, category, url, body_html, body_text, post_path, post_sha256 "
    "FROM articles ORDER BY code",
    "SELECT * FROM categories ORDER BY slug",
    "SELECT * FROM mentions ORDER BY code, secid",
)


@pytest.fixture(scope="module")
def crawled_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What crawls of all three sources have left; tests take a copy."""
    output = tmp_path_factory.mktemp("crawled") / "output"
    with SampleSite(Corpus.sample(12)) as sample_site:
        for spider in ("flash", "choice", "eastmoney"):
            args = ("crawl", spider, "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS, "--quiet")
            run_finews(*args)
    return output


@pytest.fixture
def rebuild(crawled_output: Path, finews: CommandRunner, output: Path) -> CommandRunner:
    """Runs `finews rebuild` on what the crawls have left."""
    shutil.copytree(crawled_output, output)

    def run(*args: str) -> CommandResult:
        return finews("rebuild", *args, "--output", str(output))

    return run


def query_all(database: Path, *statements: str) -> list[list[Any]]:
    connection = sqlite3.connect(database)
    try:
        return [connection.execute(sql).fetchall() for sql in statements]
    finally:
        connection.close()


def dump_database(database: Path) -> dict[str, list[Any]]:
    """All rows of all tables but the index of words and the list of pages to be written, which follow from the rest."""
    select_tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%migrations'"
    ((*names,),) = query_all(
        database, f"{select_tables} AND name NOT LIKE 'search%' AND name NOT IN ('sqlite_sequence', 'stale_pages')"
    )
    return {name: sorted(map(repr, query_all(database, f'SELECT * FROM "{name}"')[0])) for (name,) in names}  # noqa: S608  # our own names


def read_posts(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in post_paths(folder)}


def kept_databases(output: Path) -> list[Path]:
    return sorted(output.glob("news.db.before-rebuild-*"))


# Posts from rows


def test_posts_are_rebuilt_byte_for_byte(rebuild: CommandRunner, output: Path, tmp_path: Path) -> None:
    before = read_posts(output)
    assert rebuild("posts", "--into", str(tmp_path / "again")).exit_code == 0
    assert read_posts(tmp_path / "again") == before
    shutil.rmtree(output / "_posts")
    result = rebuild("posts")
    assert result.stdout.startswith(f"{len(before)} posts written")
    assert read_posts(output) == before
    assert_posts_match_rows(output)


def test_correct_posts_are_not_rewritten(rebuild: CommandRunner, output: Path) -> None:
    missing_post, *others = post_paths(output)
    before = {path: path.stat().st_mtime_ns for path in others}
    missing_post.unlink()
    assert rebuild("posts").stdout.startswith("1 post written")
    assert {path: path.stat().st_mtime_ns for path in others} == before
    assert missing_post.exists()


def test_rebuild_into_non_empty_folder_is_a_usage_error(rebuild: CommandRunner, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    result = rebuild("posts", "--into", str(tmp_path / "full"))
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]


# The database from posts


def test_rebuild_with_old_database_loses_nothing(rebuild: CommandRunner, output: Path, query: Any) -> None:
    before, posts = dump_database(output / "news.db"), read_posts(output)
    assert query("SELECT count(*) FROM revisions")[0] > 0
    assert rebuild("db").exit_code == 0
    assert dump_database(output / "news.db") == before
    assert [dump_database(kept_database) for kept_database in kept_databases(output)] == [before]
    assert read_posts(output) == posts
    assert_outcomes_add_up(query)
    assert_posts_match_rows(output)


def test_rebuild_from_posts_alone(rebuild: CommandRunner, output: Path, query: Any) -> None:
    before = query_all(output / "news.db", *SELECT_POST_DATA)
    (output / "news.db").unlink()
    assert rebuild("db").exit_code == 0
    assert query_all(output / "news.db", *SELECT_POST_DATA) == before
    assert kept_databases(output) == []
    assert query("SELECT count(*) FROM runs") == [0]
    assert query("SELECT DISTINCT revision, changed_at, withdrawn_at, summary FROM articles") == [(1, None, None, "")]
    assert query("SELECT code FROM articles WHERE first_seen_at != published_at") == []
    is_share_page = "url LIKE '%NewsShare%'"
    sources = query(f"SELECT DISTINCT source, {is_share_page} FROM articles ORDER BY 1")  # noqa: S608  # our own words
    assert sources == [("choice", 1), ("eastmoney", 0)]
    assert query("SELECT code FROM articles WHERE published_revision IS NOT revision") == []
    assert_posts_match_rows(output)


@pytest.mark.parametrize(("sound", "damage"), [(0, b"no database at all"), (8192, b"\x00" * 20_000)])
def test_damaged_database_is_kept_and_replaced(rebuild: CommandRunner, output: Path, sound: int, damage: bytes) -> None:
    before, damaged_bytes = (
        query_all(output / "news.db", *SELECT_POST_DATA),
        (output / "news.db").read_bytes()[:sound] + damage,
    )
    (output / "news.db").write_bytes(damaged_bytes)
    (output / "news.db-wal").write_bytes(b"of the broken one")
    result = rebuild("db")
    assert result.exit_code == 0
    assert "from posts alone" in result.stdout
    assert query_all(output / "news.db", *SELECT_POST_DATA) == before
    kept_files = [path for path in kept_databases(output) if not path.name.endswith("-wal")]
    assert [path.read_bytes() for path in kept_files] == [damaged_bytes]
    assert not (output / "news.db-wal").exists() or not (output / "news.db-wal").stat().st_size


def test_unreadable_post_is_reported(rebuild: CommandRunner, output: Path, query: Any) -> None:
    broken, misplaced, *_ = post_paths(output)
    broken.write_text("half")
    copy = output / "_posts" / "2022" / misplaced.name
    copy.write_bytes(misplaced.read_bytes())
    (output / "_posts" / "README").write_bytes(b"\xff")
    total = query("SELECT count(*) FROM articles")[0]
    result = rebuild("db")
    assert result.exit_code == 3
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [
        str(path.relative_to(output)) for path in (broken, copy, output / "_posts" / "README")
    ]
    assert query("SELECT count(*) FROM articles") == [total - 1]
    assert query("SELECT count(*) FROM revisions WHERE code NOT IN (SELECT code FROM articles)") == [0]


def test_unwritten_post_of_old_database_is_written_first(rebuild: CommandRunner, output: Path) -> None:
    before = read_posts(output)
    missing_post = post_paths(output)[0]
    missing_post.unlink()
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("UPDATE articles SET published_revision = NULL WHERE code = ?", [missing_post.name[13:-3]])
    connection.close()
    assert rebuild("db").exit_code == 0
    assert read_posts(output) == before
    assert_posts_match_rows(output)


def test_rebuild_without_posts_fails(rebuild: CommandRunner, output: Path) -> None:
    before = dump_database(output / "news.db")
    for path in post_paths(output):
        path.unlink()
    result = rebuild("db")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert dump_database(output / "news.db") == before
    assert kept_databases(output) == []
    assert list(output.glob(".rebuild-*")) == []


def test_database_of_newer_finews_is_left_alone(rebuild: CommandRunner, output: Path) -> None:
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("UPDATE _sqlite_migrations SET name = 'm999_later' WHERE name = 'm001_first_tables'")
    connection.close()
    result = rebuild("db")
    assert result.exit_code == 1
    assert "newer finews" in result.stderr
    assert kept_databases(output) == []


def test_rebuild_from_another_folder(
    rebuild: CommandRunner, finews: CommandRunner, output: Path, tmp_path: Path
) -> None:
    other_output = tmp_path / "there"
    shutil.move(output, other_output)
    assert rebuild("db", "--from", str(other_output)).exit_code == 0
    assert query_all(output / "news.db", *SELECT_POST_DATA) == query_all(other_output / "news.db", *SELECT_POST_DATA)
    assert finews("verify", "--output", str(output)).exit_code == 1
    assert rebuild("posts").exit_code == 0
    assert read_posts(output) == read_posts(other_output)
    assert finews("verify", "--output", str(output)).exit_code == 0


@pytest.mark.parametrize("side", ["posts", "db"])
def test_rebuild_during_a_crawl_exits_75(rebuild: CommandRunner, output: Path, side: str) -> None:
    with OutputDir.lock(output):
        result = rebuild(side)
    assert (result.exit_code, len(result.stderr.splitlines())) == (75, 1)
    assert kept_databases(output) == []


def test_leftovers_of_killed_rebuild_are_removed(rebuild: CommandRunner, output: Path) -> None:
    leftover = output / ".rebuild-abc"
    leftover.mkdir()
    (leftover / "news.db").write_text("half")
    assert rebuild("db").exit_code == 0
    assert not leftover.exists()


# Any articles


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(MEDIA_NAMES_WITH_SUFFIX, TITLES, BODIES, st.sampled_from(URL_TEMPLATES), st.integers(0, 10_000_000)),
        min_size=1,
        max_size=5,
    )
)
def test_row_post_row_round_trip(articles: list[tuple[str, str, str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        output, rebuilt_posts = Path(folder) / "output", Path(folder) / "again"
        output.mkdir()
        assume(save_articles(output, articles))
        before = query_all(output / "news.db", *SELECT_POST_DATA)
        rewrite_posts(output, "", rebuilt_posts)
        assert read_posts(rebuilt_posts) == read_posts(output)
        assert not rebuild_database(output, "").unreadable_posts
        assert query_all(output / "news.db", *SELECT_POST_DATA) == before


def save_articles(output: Path, articles: list[tuple[str, str, str, str, int]]) -> int:
    """Take in what can be published of these, as a crawl does; how many that were."""
    with OutputDir.open_for_writing(output, address=SITE_LINKS.address) as out:
        registry = CategoryRegistry()
        for number, (name, title, body, url, minutes) in enumerate(articles):
            code = f"{202201102242171631 + number}"
            raw_article = create_raw_article(name, title, body, url, minutes, code)
            try:
                article = normalise_article(raw_article, registry.get_or_create, EASTMONEY_MARKUP)
            except ItemError:
                continue
            entry = replace(article.entry, title=article.title)  # a parser lets no half of a character pass
            save_article(out, replace(article, entry=entry))
        return out.db.articles.count()


def test_folder_without_posts_is_a_fatal_error(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="no posts in"):
        rebuild_database(tmp_path / "none", "")
    assert not (tmp_path / "none").exists()


def test_special_files_among_posts_are_reported(rebuild: CommandRunner, finews: CommandRunner, output: Path) -> None:
    folder = post_paths(output)[0].parent
    (folder / "folder.md").symlink_to("..")
    (folder / "endless.md").symlink_to("/dev/zero")
    extra = [mismatch["path"] for mismatch in finews("verify", "--output", str(output), "--json").json["disagreements"]]
    assert {Path(path).name for path in extra} == {"folder.md", "endless.md"}
    result = rebuild("db")
    assert result.exit_code == 3
    assert [line.rpartition(": ")[2] for line in result.stderr.splitlines()] == [
        "no file, but a folder or a device"
    ] * 2
