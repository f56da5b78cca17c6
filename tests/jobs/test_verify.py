"""`finews verify`: each disagreement between posts and rows is named, and what is certain is repaired."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import Corpus, SampleSite
from crawler.storage.output_dir import OutputDir
from tests.support.command_server import run_finews
from tests.support.commands import ARTICLE_API_PATH, FAST_SETTINGS, CommandResult, CommandRunner, build_crawl_command
from tests.support.database import execute_sql
from tests.support.held_responses import HeldResponses
from tests.support.output_checks import assert_posts_match_rows, post_paths
from tests.support.waiting import wait_until

PostChange = Callable[[Path], None]


@pytest.fixture(scope="module")
def crawled_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crawl once; tests copy the output."""
    output = tmp_path_factory.mktemp("crawled") / "output"
    with SampleSite(Corpus.sample(12)) as sample_site:
        args = ("crawl", "choice", "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS, "--quiet")
        run_finews(*args)
    return output


@pytest.fixture
def verify(crawled_output: Path, finews: CommandRunner, output: Path) -> CommandRunner:
    """Return a runner of `finews verify` on a copy of the crawled output."""
    shutil.copytree(crawled_output, output)

    def run(*args: str) -> CommandResult:
        return finews("verify", "--output", str(output), *args)

    return run


def read_files(folder: Path) -> dict[Path, bytes]:
    """All but the two files that SQLite keeps next to a database while it is read."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if not path.name.endswith(("-wal", "-shm"))}


def test_output_of_a_crawl_agrees(verify: CommandRunner, output: Path) -> None:
    before = read_files(output)
    result = verify()
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{len(post_paths(output))} posts agree with their rows\n"
    assert read_files(output) == before


def delete_post(post: Path) -> None:
    post.unlink()


def truncate_post(post: Path) -> None:
    post.write_bytes(post.read_bytes()[:-3])


def append_newline(post: Path) -> None:
    post.write_bytes(post.read_bytes() + b"\n")


def replace_with_broken_link(post: Path) -> None:
    post.unlink()
    post.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("break_post", "kind"),
    [
        (delete_post, "missing"),
        (truncate_post, "different"),
        (append_newline, "different"),
        (replace_with_broken_link, "different"),
    ],
)
def test_mismatched_post_is_reported_and_repaired(
    verify: CommandRunner, output: Path, break_post: PostChange, kind: str
) -> None:
    changed_post, *others = post_paths(output)
    before = changed_post.read_bytes()
    break_post(changed_post)
    path = str(changed_post.relative_to(output))
    result = verify()
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith(f"{kind} {path} {changed_post.name[13:-3]} ")
    assert result.stdout.splitlines()[1] == f"{len(others)} posts agree with their rows, 1 disagreement"
    repair_result = verify("--repair")
    assert (repair_result.exit_code, repair_result.stderr) == (0, "")
    assert repair_result.stdout.startswith(f"repaired: {kind} {path} ")
    assert changed_post.read_bytes() == before
    assert not changed_post.is_symlink()
    assert verify().exit_code == 0
    assert_posts_match_rows(output)


def test_missing_folder_reports_each_article(verify: CommandRunner, output: Path) -> None:
    for post in post_paths(output):
        post.unlink()
        post.parent.rename(post.parent.with_name(f"was-{post.parent.name}")) if not any(post.parent.iterdir()) else None
    result = verify("--json")
    assert result.exit_code == 1
    assert result.json["agree"] == 0
    assert {mismatch["kind"] for mismatch in result.json["disagreements"]} == {"missing"}
    assert verify("--repair").exit_code == 0
    assert_posts_match_rows(output)


def test_extra_file_is_reported_and_never_deleted(verify: CommandRunner, output: Path) -> None:
    copied_post, foreign_file = output / "_posts" / "2022-copy.md", output / "_posts" / "2022" / "README"
    copied_post.write_bytes(post_paths(output)[0].read_bytes())
    foreign_file.write_bytes(b"\xff")
    undecodable_name = Path(os.fsdecode(os.fsencode(output / "_posts") + b"/\xff.md"))
    undecodable_name.write_text("no text")
    for args in ((), ("--repair",)):
        result = verify(*args, "--json")
        assert result.exit_code == 1
        mismatch_by_path = {mismatch["path"]: mismatch for mismatch in result.json["disagreements"]}
        assert {mismatch["kind"] for mismatch in mismatch_by_path.values()} == {"extra"}
        assert set(mismatch_by_path) == {"_posts/2022-copy.md", "_posts/2022/README", "_posts/\ufffd.md"}
        assert mismatch_by_path["_posts/2022-copy.md"]["title"]
        assert "not UTF-8" in mismatch_by_path["_posts/2022/README"]["detail"]
        assert result.json["agree"] == len(post_paths(output)) - 2
    assert copied_post.exists()
    assert foreign_file.exists()
    assert undecodable_name.exists()


def test_partial_post_is_reported_and_removed(verify: CommandRunner, output: Path) -> None:
    complete_post = post_paths(output)[0]
    partial_post = complete_post.with_name(f".{complete_post.name}.abc123")
    partial_post.write_text("---\nlayout")
    assert "unfinished _posts/" in verify().stdout
    assert verify("--repair").exit_code == 0
    assert not partial_post.exists()
    assert verify().exit_code == 0


def test_manually_changed_row_is_reported_and_post_rewritten(verify: CommandRunner, output: Path) -> None:
    execute_sql(output, "UPDATE articles SET title = '改' WHERE code = (SELECT min(code) FROM articles)")
    result = verify()
    assert result.exit_code == 1
    assert " 改\n" in result.stdout
    assert verify("--repair").exit_code == 0
    assert_posts_match_rows(output)
    execute_sql(output, "UPDATE articles SET post_sha256 = 'f' WHERE code = (SELECT min(code) FROM articles)")
    assert "post_sha256" in verify().stdout
    assert verify("--repair").exit_code == 0
    assert_posts_match_rows(output)


def test_unwritten_post_of_running_crawl_is_no_mismatch(verify: CommandRunner, output: Path) -> None:
    unwritten_post, missing_post = post_paths(output)[:2]
    unwritten_post.unlink()
    unwritten_post.with_name(f".{unwritten_post.name}.abc123").write_text("half")
    execute_sql(output, "UPDATE articles SET published_revision = NULL WHERE code = ?", unwritten_post.name[13:-3])
    with OutputDir.lock(output):
        during_crawl = verify()
        missing_post.unlink()
        with_missing_post = verify("--json")
    assert during_crawl.exit_code == 0
    assert during_crawl.stdout == f"{len(post_paths(output)) + 1} posts agree with their rows\n"
    assert [mismatch["code"] for mismatch in with_missing_post.json["disagreements"]] == [missing_post.name[13:-3]]
    assert {mismatch["kind"] for mismatch in verify("--json").json["disagreements"]} == {"missing", "unfinished"}
    assert verify("--repair").exit_code == 0
    assert_posts_match_rows(output)


def test_pending_reprints_of_running_crawl_are_no_mismatch(
    crawl: CommandRunner, finews: CommandRunner, sample_site: SampleSite, output: Path, query: Callable[..., list[Any]]
) -> None:
    HeldResponses(sample_site, ARTICLE_API_PATH, pass_first=8)
    crawl_command = build_crawl_command(sample_site.url, output)
    with subprocess.Popen(crawl_command, stderr=subprocess.DEVNULL) as crawl_process:
        wait_until(lambda: len(sample_site.requested_codes) == 12)
        wait_until(lambda: query("SELECT count(*) FROM articles WHERE published_revision = revision") == [8])
        during_crawl = finews("verify", "--output", str(output))
        crawl_process.terminate()
    assert (during_crawl.exit_code, during_crawl.stdout, during_crawl.stderr) == (
        0,
        "8 posts agree with their rows\n",
        "",
    )
    after_stop = finews("verify", "--output", str(output))
    *mismatch_lines, summary_line = after_stop.stdout.splitlines()
    assert after_stop.exit_code == 1
    assert len(mismatch_lines) == 8
    assert all(
        line.startswith("unlinked ") and line.endswith("(the next crawl looks for its reprints)")
        for line in mismatch_lines
    )
    assert summary_line == "8 posts agree with their rows, 8 articles to be indexed or linked"
    sample_site.reset()
    crawl()
    assert finews("verify", "--output", str(output)).exit_code == 0


def test_repair_during_a_crawl_exits_75(verify: CommandRunner, output: Path) -> None:
    missing_post = post_paths(output)[0]
    missing_post.unlink()
    with OutputDir.lock(output):
        result = verify("--repair")
    assert result.exit_code == 75
    assert len(result.stderr.splitlines()) == 1
    assert not missing_post.exists()


def test_verify_without_database_fails(finews: CommandRunner, output: Path) -> None:
    for args in ((), ("--repair",)):
        result = finews("verify", "--output", str(output), *args)
        assert result.exit_code == 1
        assert "no finews database" in result.stderr
    assert not output.exists()


def test_posts_are_compared_with_the_site_address(crawl: CommandRunner, finews: CommandRunner, output: Path) -> None:
    crawl("choice", "--set", "SITE_ADDRESS=//news.example")
    assert finews("verify", "--output", str(output), "--site", "//news.example").exit_code == 0
    with_other_address = finews("verify", "--output", str(output), "--site", "//finews.withounder.com", "--json")
    assert with_other_address.json["agree"] == 0
    assert {mismatch["detail"] for mismatch in with_other_address.json["disagreements"]} == {
        "it links back to //news.example"
    }


def test_changed_site_address_names_the_command_that_helps(
    verify: CommandRunner, finews: CommandRunner, output: Path
) -> None:
    posts = post_paths(output)
    truncate_post(posts[0])
    config = output / "_config.yml"
    config.write_text(config.read_text().replace("//finews.withounder.com", "//news.example.org"))
    result = verify()
    *_, totals, hint = result.stdout.splitlines()
    assert (result.exit_code, totals) == (1, f"0 posts agree with their rows, {len(posts)} disagreements")
    assert hint.startswith(
        f"{len(posts) - 1} posts link back to another address than the site's: run `finews rebuild posts`"
    )
    assert "`finews rebuild posts --site //a.example`" in verify("--site", "//a.example").stdout
    assert finews("rebuild", "posts", "--output", str(output)).exit_code == 0
    assert verify().exit_code == 0
