"""`finews verify`: each disagreement between posts and rows is named, and what is certain is mended."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import Corpus, SampleSite
from crawler.storage.output_dir import OutputDir
from tests.conftest import DETAIL, NO_MANNERS, Finews, Gate, waited_for
from tests.test_crawl import assert_posts_are_rows, posts_in

Change = Callable[[Path], None]


@pytest.fixture
def change(output: Path) -> Callable[..., None]:
    """Changes the database as a stranger's program does."""

    def run(sql: str, *values: object) -> None:
        connection = sqlite3.connect(output / "news.db")
        with connection:
            assert connection.execute(sql, values).rowcount
        connection.close()

    return run


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one crawl has left; tests take a copy."""
    output = tmp_path_factory.mktemp("crawled") / "output"
    with SampleSite(Corpus.sample(12)) as site:
        words = ("crawl", "choice", "--mirror", site.url, "--output", str(output), *NO_MANNERS, "--quiet")
        subprocess.run([sys.executable, "-m", "crawler", *words], check=False, stderr=subprocess.DEVNULL)
    return output


@pytest.fixture
def verify(crawled: Path, finews: Finews, output: Path) -> Finews:
    """Runs `finews verify` on what one crawl has left."""
    shutil.copytree(crawled, output)

    def run(*words: str) -> Any:
        return finews("verify", "--output", str(output), *words)

    return run


def all_bytes(folder: Path) -> dict[Path, bytes]:
    """All but the two files that SQLite keeps beside a database while it is read."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if not path.name.endswith(("-wal", "-shm"))}


def test_what_a_crawl_leaves_agrees(verify: Finews, output: Path) -> None:
    before = all_bytes(output)
    answer = verify()
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"{len(posts_in(output))} posts agree with their rows\n"
    assert all_bytes(output) == before


def _remove(post: Path) -> None:
    post.unlink()


def _cut(post: Path) -> None:
    post.write_bytes(post.read_bytes()[:-3])


def _end_with_a_line(post: Path) -> None:
    post.write_bytes(post.read_bytes() + b"\n")


def _make_a_broken_link(post: Path) -> None:
    post.unlink()
    post.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("harm", "kind"),
    [(_remove, "missing"), (_cut, "different"), (_end_with_a_line, "different"), (_make_a_broken_link, "different")],
)
def test_a_post_that_is_not_as_its_row_says_is_named_and_mended(
    verify: Finews, output: Path, harm: Change, kind: str
) -> None:
    harmed, *others = posts_in(output)
    before = harmed.read_bytes()
    harm(harmed)
    path = str(harmed.relative_to(output))
    answer = verify()
    assert answer.code == 1
    assert answer.out.splitlines()[0].startswith(f"{kind} {path} {harmed.name[13:-3]} ")
    assert answer.out.splitlines()[1] == f"{len(others)} posts agree with their rows, 1 disagreement"
    mended = verify("--repair")
    assert (mended.code, mended.err) == (0, "")
    assert mended.out.startswith(f"mended: {kind} {path} ")
    assert harmed.read_bytes() == before
    assert not harmed.is_symlink()
    assert verify().code == 0
    assert_posts_are_rows(output)


def test_each_article_without_its_folder_is_named(verify: Finews, output: Path) -> None:
    for post in posts_in(output):
        post.unlink()
        post.parent.rename(post.parent.with_name(f"was-{post.parent.name}")) if not any(post.parent.iterdir()) else None
    answer = verify("--json")
    assert answer.code == 1
    assert answer.value["agree"] == 0
    assert {each["kind"] for each in answer.value["disagreements"]} == {"missing"}
    assert verify("--repair").code == 0
    assert_posts_are_rows(output)


def test_a_file_without_a_row_is_told_and_never_deleted(verify: Finews, output: Path) -> None:
    ours, stranger = output / "_posts" / "2022-copy.md", output / "_posts" / "2022" / "README"
    ours.write_bytes(posts_in(output)[0].read_bytes())
    stranger.write_bytes(b"\xff")
    odd = Path(os.fsdecode(os.fsencode(output / "_posts") + b"/\xff.md"))
    odd.write_text("no text")
    for words in ((), ("--repair",)):
        answer = verify(*words, "--json")
        assert answer.code == 1
        found = {each["path"]: each for each in answer.value["disagreements"]}
        assert {each["kind"] for each in found.values()} == {"extra"}
        assert set(found) == {"_posts/2022-copy.md", "_posts/2022/README", "_posts/\ufffd.md"}
        assert found["_posts/2022-copy.md"]["title"]
        assert "not UTF-8" in found["_posts/2022/README"]["detail"]
        assert answer.value["agree"] == len(posts_in(output)) - 2
    assert ours.exists()
    assert stranger.exists()
    assert odd.exists()


def test_half_a_post_is_named_and_removed(verify: Finews, output: Path) -> None:
    whole = posts_in(output)[0]
    half = whole.with_name(f".{whole.name}.abc123")
    half.write_text("---\nlayout")
    assert "unfinished _posts/" in verify().out
    assert verify("--repair").code == 0
    assert not half.exists()
    assert verify().code == 0


def test_a_row_that_was_changed_by_hand_is_named_and_its_post_written(
    verify: Finews, output: Path, change: Any
) -> None:
    change("UPDATE articles SET title = '改' WHERE code = (SELECT min(code) FROM articles)")
    answer = verify()
    assert answer.code == 1
    assert " 改\n" in answer.out
    assert verify("--repair").code == 0
    assert_posts_are_rows(output)
    change("UPDATE articles SET post_sha256 = 'f' WHERE code = (SELECT min(code) FROM articles)")
    assert "post_sha256" in verify().out
    assert verify("--repair").code == 0
    assert_posts_are_rows(output)


def test_a_post_that_a_crawl_at_work_still_owes_is_no_disagreement(verify: Finews, output: Path, change: Any) -> None:
    owed, lost = posts_in(output)[:2]
    owed.unlink()
    owed.with_name(f".{owed.name}.abc123").write_text("half")
    change("UPDATE articles SET published_revision = NULL WHERE code = ?", owed.name[13:-3])
    with OutputDir.lock(output):
        at_work = verify()
        lost.unlink()
        with_a_loss = verify("--json")
    assert at_work.code == 0
    assert at_work.out == f"{len(posts_in(output)) + 1} posts agree with their rows\n"
    assert [each["code"] for each in with_a_loss.value["disagreements"]] == [lost.name[13:-3]]
    assert {each["kind"] for each in verify("--json").value["disagreements"]} == {"missing", "unfinished"}
    assert verify("--repair").code == 0
    assert_posts_are_rows(output)


def test_the_reprints_that_a_crawl_at_work_looks_for_at_its_end_are_no_disagreement(
    crawl: Finews, finews: Finews, site: SampleSite, output: Path, query: Callable[..., list[Any]]
) -> None:
    Gate(site, DETAIL, passing=8)
    words = [sys.executable, "-m", "crawler", "crawl", "--mirror", site.url, "--output", str(output), *NO_MANNERS]
    with subprocess.Popen([*words, "--quiet"], stderr=subprocess.DEVNULL) as crawling:
        waited_for(lambda: len(site.requested_codes) == 12)
        waited_for(lambda: query("SELECT count(*) FROM articles WHERE published_revision = revision") == [8])
        beside = finews("verify", "--output", str(output))
        crawling.terminate()
    assert (beside.code, beside.out, beside.err) == (0, "8 posts agree with their rows\n", "")
    stopped = finews("verify", "--output", str(output))
    *named, last = stopped.out.splitlines()
    assert stopped.code == 1
    assert len(named) == 8
    assert all(
        line.startswith("unlinked ") and line.endswith("(the next crawl looks for its reprints)") for line in named
    )
    assert last == "8 posts agree with their rows, 8 articles to be indexed or linked"
    site.reset()
    crawl()
    assert finews("verify", "--output", str(output)).code == 0


def test_nothing_is_mended_while_a_crawl_runs(verify: Finews, output: Path) -> None:
    lost = posts_in(output)[0]
    lost.unlink()
    with OutputDir.lock(output):
        answer = verify("--repair")
    assert answer.code == 75
    assert len(answer.err.splitlines()) == 1
    assert not lost.exists()


def test_without_a_database_there_is_nothing_to_verify(finews: Finews, output: Path) -> None:
    for words in ((), ("--repair",)):
        answer = finews("verify", "--output", str(output), *words)
        assert answer.code == 1
        assert "no finews database" in answer.err
    assert not output.exists()


def test_the_address_of_the_site_is_part_of_every_post(crawl: Finews, finews: Finews, output: Path) -> None:
    crawl("choice", "--set", "SITE_ADDRESS=//news.example")
    assert finews("verify", "--output", str(output), "--site", "//news.example").code == 0
    other = finews("verify", "--output", str(output), "--site", "//finews.withounder.com", "--json")
    assert other.value["agree"] == 0
