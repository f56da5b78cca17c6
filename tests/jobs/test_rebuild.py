"""`finews rebuild`: posts from rows, byte for byte, and rows from posts."""

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
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
from crawler.storage.unfinished import unfinished_name
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
from tests.support.database import dump_database, leave_in_log, query_all
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows, post_paths

SELECT_POST_DATA = (
    "SELECT code, title, published_at, media, category, url, body_html, body_text, post_path, post_sha256 "
    "FROM articles ORDER BY code",
    "SELECT * FROM categories ORDER BY slug",
    "SELECT * FROM mentions ORDER BY code, secid",
)


@pytest.fixture(scope="module")
def crawled_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crawl all three sources, once; tests copy the output."""
    output = tmp_path_factory.mktemp("crawled") / "output"
    with SampleSite(Corpus.sample(12)) as sample_site:
        for spider in ("flash", "choice", "eastmoney"):
            args = ("crawl", spider, "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS, "--quiet")
            run_finews(*args)
    return output


@pytest.fixture
def rebuild(crawled_output: Path, finews: CommandRunner, output: Path) -> CommandRunner:
    """Return a runner of `finews rebuild` on a copy of the crawled output."""
    shutil.copytree(crawled_output, output)

    def run(*args: str) -> CommandResult:
        return finews("rebuild", *args, "--output", str(output))

    return run


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


def rewrite_as_crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def rewrite_as_gb18030(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("gb18030")


def rewrite_with_iso_date(text: str) -> bytes:
    return re.sub(r"^(date: \S+) (\S+) \+0800$", r"\1T\2+08:00", text, flags=re.MULTILINE).encode("utf-8-sig")


@pytest.mark.parametrize("rewrite", [rewrite_as_crlf, rewrite_as_gb18030, rewrite_with_iso_date])
def test_posts_that_another_system_wrote_again_say_the_same(
    rewrite: Callable[[str], bytes], rebuild: CommandRunner, finews: CommandRunner, output: Path, query: Any
) -> None:
    before, posts = query(*SELECT_POST_DATA[:1]), read_posts(output)
    for path in post_paths(output):
        path.write_bytes(rewrite(path.read_bytes().decode()))
    assert rebuild("db").exit_code == 0
    assert query(*SELECT_POST_DATA[:1]) == before
    named = finews("verify", "--output", str(output))
    assert (named.exit_code, named.stdout.count("different _posts/")) == (1, len(posts))
    has_hint = rewrite is not rewrite_with_iso_date
    assert named.stdout.count("`finews verify --repair` restores it") == len(posts) * has_hint
    assert finews("verify", "--repair", "--output", str(output)).exit_code == 0
    assert read_posts(output) == posts


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
    assert result.exit_code == 3
    assert result.stderr.startswith("finews: not carried over: anything of the old database, which cannot be read: ")
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


# What a user has added

USER_SCHEMA = """
    CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT REFERENCES articles(code), note);
    CREATE TABLE tags (tag TEXT PRIMARY KEY, weight REAL DEFAULT 1, double AS (weight * 2)) WITHOUT ROWID;
    CREATE TABLE "odd ""name" (value, note TEXT NOT NULL DEFAULT 'x' COLLATE NOCASE);
    ALTER TABLE categories ADD COLUMN country TEXT DEFAULT 'cn';
    ALTER TABLE articles ADD COLUMN stars INTEGER NOT NULL DEFAULT 0 CHECK (stars < 6);
    ALTER TABLE mentions ADD COLUMN checked;
    ALTER TABLE entries ADD COLUMN remark;
    CREATE INDEX articles_stars ON articles(stars) WHERE stars > 0;
    CREATE VIEW starred AS SELECT code, title FROM articles WHERE stars > 0;
    CREATE TABLE log (what TEXT);
    CREATE VIRTUAL TABLE titles USING fts5(title, content = 'articles', tokenize = 'trigram');
    CREATE VIRTUAL TABLE places USING rtree(id, low, high);
    CREATE VIRTUAL TABLE own_texts USING fts5(text);
    CREATE TRIGGER articles_logged AFTER UPDATE ON articles BEGIN INSERT INTO log VALUES (old.code); END;
    CREATE TRIGGER articles_deleted AFTER DELETE ON articles BEGIN INSERT INTO log VALUES ('-' || old.code); END;
    INSERT INTO notes (code, note) SELECT code, title FROM articles LIMIT 5;
    DELETE FROM notes WHERE id > 3;
    INSERT INTO notes (code, note) VALUES ('no article', x'ff00'), (NULL, CAST(x'ff61' AS TEXT));
    INSERT INTO tags (tag) VALUES ('a'), ('b');
    INSERT INTO "odd ""name" (rowid, value) VALUES (7, 1.5), (9, NULL);
    UPDATE categories SET country = 'hk' WHERE slug < 'c';
    UPDATE articles SET stars = 5 WHERE code IN (SELECT max(code) FROM articles);
    UPDATE mentions SET checked = 'yes' WHERE rowid = 1 OR secid < '1';
    UPDATE entries SET remark = id;
    DELETE FROM log;
    INSERT INTO titles (titles) VALUES ('rebuild');
    INSERT INTO places VALUES (1, 0.5, 1.5);
    INSERT INTO own_texts (rowid, text) VALUES (40, 'hello world');
    ANALYZE;
    PRAGMA user_version = 12;
"""
SELECT_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"


def change_database(database: Path, script: str) -> None:
    connection = sqlite3.connect(database)
    connection.executescript(script.replace(" WHERE rowid = 1 OR secid < '1'", ""))
    connection.close()


def dump_user_data(database: Path) -> list[list[Any]]:
    return query_all(
        database,
        SELECT_SCHEMA,
        "SELECT * FROM sqlite_sequence WHERE name = 'notes'",
        "SELECT rowid, hex(note), typeof(note), code FROM notes",
        'SELECT rowid, value, note FROM "odd ""name"',
        "SELECT *, double FROM tags",
        "SELECT * FROM starred",
        "SELECT rowid, code FROM articles ORDER BY rowid",
        'SELECT rowid FROM titles WHERE titles MATCH \'"快讯" OR "板块小"\' ORDER BY rowid',
        "SELECT * FROM places WHERE low < 1",
        "SELECT rowid FROM own_texts WHERE own_texts MATCH 'world'",
        "PRAGMA user_version",
        "SELECT count(*) > 0 FROM sqlite_stat1 WHERE tbl = 'notes'",
    )


def test_everything_of_a_user_stays(rebuild: CommandRunner, output: Path, query: Any) -> None:
    change_database(output / "news.db", USER_SCHEMA)
    before, user_data = dump_database(output / "news.db"), dump_user_data(output / "news.db")
    assert user_data[-6][0], "the index of titles finds nothing"
    result = rebuild("db")
    assert (result.exit_code, result.stderr) == (0, "")
    assert dump_database(output / "news.db") == before
    assert dump_user_data(output / "news.db") == user_data
    assert query("PRAGMA integrity_check") == ["ok"]
    assert query("SELECT count(*) FROM log") == [0], "a trigger saw a change where there was none"


def test_user_triggers_see_what_a_post_changes(rebuild: CommandRunner, output: Path, query: Any) -> None:
    change_database(output / "news.db", USER_SCHEMA)
    edited, removed, *_ = post_paths(output)
    edited.write_text(edited.read_text().replace("<p>", "<p>改", 1))
    removed.unlink()
    stars = query("SELECT code, stars FROM articles")
    assert rebuild("db").exit_code == 0
    assert query("SELECT what FROM log") == [edited.name[13:-3], f"-{removed.name[13:-3]}"]
    assert query("SELECT code, stars FROM articles") == [row for row in stars if row[0] != removed.name[13:-3]]
    assert query("SELECT note FROM notes WHERE id = 3") != [], "a note of the user's went with an article"


def test_virtual_table_of_a_module_that_is_not_here_stays(rebuild: CommandRunner, output: Path, query: Any) -> None:
    change_database(
        output / "news.db",
        """
        CREATE TABLE vectors_chunks (id INTEGER PRIMARY KEY, chunk BLOB);
        INSERT INTO vectors_chunks VALUES (1, x'00ff');
        PRAGMA writable_schema = ON;
        INSERT INTO sqlite_master VALUES
            ('table', 'vectors', 'vectors', 0, 'CREATE VIRTUAL TABLE vectors USING vec0(embedding float[8])');
        """,
    )
    assert rebuild("db").exit_code == 0
    assert query("SELECT sql FROM sqlite_master WHERE name = 'vectors'") != []
    assert query("SELECT hex(chunk) FROM vectors_chunks") == ["00FF"]


def test_rows_without_their_partner_are_reported(rebuild: CommandRunner, output: Path, query: Any) -> None:
    change_database(
        output / "news.db",
        """
        PRAGMA foreign_keys = OFF;
        INSERT INTO revisions SELECT '202201010000000012', 1, first_seen_at, title, published_at, body_html
            FROM articles LIMIT 1;
        INSERT INTO entries (run_id, code, column_id) VALUES (99, '5', '350'), (99, '6', '350');
        UPDATE articles SET category = 'nowhere' WHERE code = (SELECT min(code) FROM articles);
        """,
    )
    result = rebuild("db")
    assert (result.exit_code, result.stderr.splitlines()) == (
        3,
        [
            "finews: not carried over: entries: rows whose run_id is in no row of runs: 2",
            "finews: not carried over: revisions: rows whose code is in no row of articles: 1",
        ],
    )
    assert query("PRAGMA foreign_key_check") == []
    assert_posts_match_rows(output)


def test_row_whose_post_is_not_written_yet_stays(rebuild: CommandRunner, output: Path, query: Any) -> None:
    """A crawl was killed between the row of a correction and its post."""
    connection = sqlite3.connect(output / "news.db")
    code = post_paths(output)[0].name[13:-3]
    with connection:
        connection.execute("UPDATE articles SET title = '更正', revision = revision + 1 WHERE code = ?", [code])
    connection.close()
    assert rebuild("db").exit_code == 0
    assert query("SELECT title FROM articles WHERE code = ?", code) == ["更正"]
    assert_posts_match_rows(output)


# Damaged databases

# The tables whose rows need a row of another.
LOST_WITH = {"runs": {"entries", "quarantine", "coverage", "gaps", "unproven_walks"}, "raw_contents": {"raw_replies"}}


def page_owners(database: Path) -> dict[int, str]:
    """Return the table or index of each page, by its number, without overflow pages."""
    ((*rows,),) = query_all(database, "SELECT pageno, name FROM dbstat WHERE pagetype != 'overflow'")
    return dict(rows)


def overwrite_page(database: Path, page: int) -> None:
    with database.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)


@pytest.mark.slow
def test_damaged_page_costs_the_rows_on_it_and_no_others(crawled_output: Path, output: Path) -> None:
    """FINEWS_EVERY is the stride through the pages."""
    before = dump_database(crawled_output / "news.db")
    owners = page_owners(crawled_output / "news.db")
    for page in sorted(owners)[1 :: int(os.environ.get("FINEWS_EVERY", "17"))]:
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(crawled_output, output)
        overwrite_page(output / "news.db", page)
        damaged_bytes = (output / "news.db").read_bytes()
        result = rebuild_database(output, "")
        after = dump_database(output / "news.db")
        assert query_all(output / "news.db", "PRAGMA integrity_check", "PRAGMA foreign_key_check") == [[("ok",)], []]
        assert [path.read_bytes() for path in kept_databases(output)] == [damaged_bytes]
        lost = {name for name in before if set(before[name]) - set(after[name])}
        assert result.faults or not lost
        if owners[page] != "sqlite_schema":  # without its table of contents nothing of a database can be read
            assert lost <= {owners[page]} | LOST_WITH.get(owners[page], set()), f"page {page} of {owners[page]}: {lost}"


def test_index_that_is_wrong_is_made_again(rebuild: CommandRunner, output: Path, query: Any) -> None:
    before = dump_database(output / "news.db")
    pages = [page for page, name in page_owners(output / "news.db").items() if name == "sqlite_autoindex_articles_1"]
    overwrite_page(output / "news.db", pages[-1])
    assert rebuild("db").exit_code == 0
    assert dump_database(output / "news.db") == before
    assert query("PRAGMA integrity_check") == ["ok"]


def test_list_of_migrations_that_was_lost_is_made_again(rebuild: CommandRunner, output: Path) -> None:
    before = dump_database(output / "news.db")
    change_database(output / "news.db", "DELETE FROM _sqlite_migrations")
    assert rebuild("db").exit_code == 0
    assert dump_database(output / "news.db") == before


def test_advice_on_a_damaged_database_loses_nothing(
    rebuild: CommandRunner, finews: CommandRunner, output: Path
) -> None:
    before = dump_database(output / "news.db")
    (page,) = [page for page, name in page_owners(output / "news.db").items() if name == "articles_owed"]
    overwrite_page(output / "news.db", page)
    result = finews("verify", "--repair", "--output", str(output))
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "`finews rebuild db`" in result.stderr
    assert "move" not in result.stderr
    assert rebuild("db").exit_code == 0
    assert dump_database(output / "news.db") == before


def test_log_of_a_damaged_database_goes_with_it_and_comes_back(output: Path, crawled_output: Path) -> None:
    """A kill between the moving of the log and the new database leaves the old one without its log."""
    shutil.copytree(crawled_output, output)
    path, backup = output / "news.db", output / "news.db.before-rebuild-20220110T000000"
    leave_in_log(path, "UPDATE runs SET detail = 'in the log'")
    os.link(path, backup)
    (output / "news.db-wal").rename(output / f"{backup.name}-wal")
    (output / unfinished_name("run")).touch()  # the mark of the killed command
    before = dump_database(crawled_output / "news.db")
    rebuild_database(output, "")
    assert dump_database(path)["articles"] == before["articles"]
    assert query_all(path, "SELECT DISTINCT detail FROM runs") == [[("in the log",)]]
    assert not backup.exists()


# Any articles


@pytest.mark.slow
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
