"""`finews rebuild`: posts from rows, byte for byte, and rows from posts."""

import shutil
import sqlite3
import subprocess
import sys
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
from tests.conftest import NO_MANNERS, Finews
from tests.test_crawl import assert_books_balance, assert_posts_are_rows, posts_in
from tests.test_posts_read import BODIES, NEWS_NAMES, SITE, TITLES, URLS, raw

FROM_POSTS = (
    "SELECT code, title, published_at, media, category, url, body_html, body_text, post_path, post_sha256 "
    "FROM articles ORDER BY code",
    "SELECT * FROM categories ORDER BY slug",
    "SELECT * FROM mentions ORDER BY code, secid",
)


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What crawls of all three sources have left; tests take a copy."""
    output = tmp_path_factory.mktemp("crawled") / "output"
    with SampleSite(Corpus.sample(12)) as site:
        for spider in ("flash", "choice", "eastmoney"):
            words = ("crawl", spider, "--mirror", site.url, "--output", str(output), *NO_MANNERS, "--quiet")
            subprocess.run([sys.executable, "-m", "crawler", *words], check=False, stderr=subprocess.DEVNULL)
    return output


@pytest.fixture
def rebuild(crawled: Path, finews: Finews, output: Path) -> Finews:
    """Runs `finews rebuild` on what the crawls have left."""
    shutil.copytree(crawled, output)

    def run(*words: str) -> Any:
        return finews("rebuild", *words, "--output", str(output))

    return run


def ask(database: Path, *questions: str) -> list[list[Any]]:
    connection = sqlite3.connect(database)
    try:
        return [connection.execute(sql).fetchall() for sql in questions]
    finally:
        connection.close()


def everything(database: Path) -> dict[str, list[Any]]:
    """All rows of all tables but the index of words and the list of pages to be written, which follow from the rest."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%migrations'"
    ((*names,),) = ask(
        database, f"{tables} AND name NOT LIKE 'search%' AND name NOT IN ('sqlite_sequence', 'stale_pages')"
    )
    return {name: sorted(map(repr, ask(database, f'SELECT * FROM "{name}"')[0])) for (name,) in names}  # noqa: S608  # our own names


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in posts_in(folder)}


def kept_in(output: Path) -> list[Path]:
    return sorted(output.glob("news.db.before-rebuild-*"))


# Posts from rows


def test_posts_come_out_of_the_rows_byte_for_byte(rebuild: Finews, output: Path, tmp_path: Path) -> None:
    before = bytes_of(output)
    assert rebuild("posts", "--into", str(tmp_path / "again")).code == 0
    assert bytes_of(tmp_path / "again") == before
    shutil.rmtree(output / "_posts")
    answer = rebuild("posts")
    assert answer.out.startswith(f"{len(before)} posts written")
    assert bytes_of(output) == before
    assert_posts_are_rows(output)


def test_posts_that_are_right_are_not_touched(rebuild: Finews, output: Path) -> None:
    lost, *others = posts_in(output)
    before = {path: path.stat().st_mtime_ns for path in others}
    lost.unlink()
    assert rebuild("posts").out.startswith("1 post written")
    assert {path: path.stat().st_mtime_ns for path in others} == before
    assert lost.exists()


def test_posts_go_into_no_folder_that_holds_something(rebuild: Finews, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    answer = rebuild("posts", "--into", str(tmp_path / "full"))
    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]


# The database from posts


def test_beside_the_old_database_nothing_is_lost(rebuild: Finews, output: Path, query: Any) -> None:
    before, posts = everything(output / "news.db"), bytes_of(output)
    assert query("SELECT count(*) FROM revisions")[0] > 0
    assert rebuild("db").code == 0
    assert everything(output / "news.db") == before
    assert [everything(kept) for kept in kept_in(output)] == [before]
    assert bytes_of(output) == posts
    assert_books_balance(query)
    assert_posts_are_rows(output)


def test_articles_categories_and_mentions_follow_from_posts_alone(rebuild: Finews, output: Path, query: Any) -> None:
    before = ask(output / "news.db", *FROM_POSTS)
    (output / "news.db").unlink()
    assert rebuild("db").code == 0
    assert ask(output / "news.db", *FROM_POSTS) == before
    assert kept_in(output) == []
    assert query("SELECT count(*) FROM runs") == [0]
    assert query("SELECT DISTINCT revision, changed_at, withdrawn_at, summary FROM articles") == [(1, None, None, "")]
    assert query("SELECT code FROM articles WHERE first_seen_at != published_at") == []
    shares = "url LIKE '%NewsShare%'"
    assert query(f"SELECT DISTINCT source, {shares} FROM articles ORDER BY 1") == [("choice", 1), ("eastmoney", 0)]  # noqa: S608  # our own words
    assert query("SELECT code FROM articles WHERE published_revision IS NOT revision") == []
    assert_posts_are_rows(output)


@pytest.mark.parametrize(("sound", "harm"), [(0, b"no database at all"), (8192, b"\x00" * 20_000)])
def test_a_damaged_database_is_kept_and_replaced(rebuild: Finews, output: Path, sound: int, harm: bytes) -> None:
    before, broken = ask(output / "news.db", *FROM_POSTS), (output / "news.db").read_bytes()[:sound] + harm
    (output / "news.db").write_bytes(broken)
    (output / "news.db-wal").write_bytes(b"of the broken one")
    answer = rebuild("db")
    assert answer.code == 0
    assert "from posts alone" in answer.out
    assert ask(output / "news.db", *FROM_POSTS) == before
    kept = [path for path in kept_in(output) if not path.name.endswith("-wal")]
    assert [path.read_bytes() for path in kept] == [broken]
    assert not (output / "news.db-wal").exists() or not (output / "news.db-wal").stat().st_size


def test_a_post_that_cannot_be_read_is_named(rebuild: Finews, output: Path, query: Any) -> None:
    broken, misplaced, *_ = posts_in(output)
    broken.write_text("half")
    copy = output / "_posts" / "2022" / misplaced.name
    copy.write_bytes(misplaced.read_bytes())
    (output / "_posts" / "README").write_bytes(b"\xff")
    total = query("SELECT count(*) FROM articles")[0]
    answer = rebuild("db")
    assert answer.code == 3
    assert [line.split(": ")[1] for line in answer.err.splitlines()] == [
        str(path.relative_to(output)) for path in (broken, copy, output / "_posts" / "README")
    ]
    assert query("SELECT count(*) FROM articles") == [total - 1]
    assert query("SELECT count(*) FROM revisions WHERE code NOT IN (SELECT code FROM articles)") == [0]


def test_a_post_that_the_old_database_owes_is_written_first(rebuild: Finews, output: Path) -> None:
    before = bytes_of(output)
    lost = posts_in(output)[0]
    lost.unlink()
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("UPDATE articles SET published_revision = NULL WHERE code = ?", [lost.name[13:-3]])
    connection.close()
    assert rebuild("db").code == 0
    assert bytes_of(output) == before
    assert_posts_are_rows(output)


def test_no_posts_make_no_database(rebuild: Finews, output: Path) -> None:
    before = everything(output / "news.db")
    for path in posts_in(output):
        path.unlink()
    answer = rebuild("db")
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)
    assert everything(output / "news.db") == before
    assert kept_in(output) == []
    assert list(output.glob(".rebuild-*")) == []


def test_a_database_that_a_newer_finews_wrote_stays(rebuild: Finews, output: Path) -> None:
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("UPDATE _sqlite_migrations SET name = 'm999_later' WHERE name = 'm001_first_tables'")
    connection.close()
    answer = rebuild("db")
    assert answer.code == 1
    assert "newer finews" in answer.err
    assert kept_in(output) == []


def test_posts_of_another_folder_are_owed_here(rebuild: Finews, finews: Finews, output: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    shutil.move(output, there)
    assert rebuild("db", "--from", str(there)).code == 0
    assert ask(output / "news.db", *FROM_POSTS) == ask(there / "news.db", *FROM_POSTS)
    assert finews("verify", "--output", str(output)).code == 1
    assert rebuild("posts").code == 0
    assert bytes_of(output) == bytes_of(there)
    assert finews("verify", "--output", str(output)).code == 0


@pytest.mark.parametrize("side", ["posts", "db"])
def test_nothing_is_rebuilt_while_a_crawl_runs(rebuild: Finews, output: Path, side: str) -> None:
    with OutputDir.lock(output):
        answer = rebuild(side)
    assert (answer.code, len(answer.err.splitlines())) == (75, 1)
    assert kept_in(output) == []


def test_a_rebuild_that_was_killed_leaves_nothing(rebuild: Finews, output: Path) -> None:
    left = output / ".rebuild-abc"
    left.mkdir()
    (left / "news.db").write_text("half")
    assert rebuild("db").code == 0
    assert not left.exists()


# Any articles


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(NEWS_NAMES, TITLES, BODIES, st.sampled_from(URLS), st.integers(0, 10_000_000)), min_size=1, max_size=5
    )
)
def test_row_to_post_to_row_is_the_identity(parts: list[tuple[str, str, str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        output, again = Path(folder) / "output", Path(folder) / "again"
        output.mkdir()
        assume(save_all(output, parts))
        before = ask(output / "news.db", *FROM_POSTS)
        rewrite_posts(output, "", again)
        assert bytes_of(again) == bytes_of(output)
        assert not rebuild_database(output, "").unreadable_posts
        assert ask(output / "news.db", *FROM_POSTS) == before


def save_all(output: Path, parts: list[tuple[str, str, str, str, int]]) -> int:
    """Take in what can be published of these, as a crawl does; how many that were."""
    with OutputDir.open_for_writing(output, address=SITE.address) as out:
        media = CategoryRegistry()
        for number, (name, title, body, url, minutes) in enumerate(parts):
            code = f"{202201102242171631 + number}"
            sent = raw(name, title, body, url, minutes, code)
            try:
                article = normalise_article(sent, media.get_or_create, EASTMONEY_MARKUP)
            except ItemError:
                continue
            entry = replace(article.entry, title=article.title)  # a parser lets no half of a character pass
            save_article(out, replace(article, entry=entry))
        return out.db.articles.count()


def test_a_folder_without_posts_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="no posts in"):
        rebuild_database(tmp_path / "none", "")
    assert not (tmp_path / "none").exists()


def test_what_stands_among_the_posts_and_is_no_file_is_told(rebuild: Finews, finews: Finews, output: Path) -> None:
    folder = posts_in(output)[0].parent
    (folder / "folder.md").symlink_to("..")
    (folder / "endless.md").symlink_to("/dev/zero")
    extra = [each["path"] for each in finews("verify", "--output", str(output), "--json").value["disagreements"]]
    assert {Path(path).name for path in extra} == {"folder.md", "endless.md"}
    answer = rebuild("db")
    assert answer.code == 3
    assert [line.rpartition(": ")[2] for line in answer.err.splitlines()] == ["no file, but a folder or a device"] * 2
