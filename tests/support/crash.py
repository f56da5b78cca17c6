"""What the crash tests share: a crawl as a process of its own, and what must be true of its output at any moment."""

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from crawler.sample_site import SampleSite
from tests.support.command_server import run_finews
from tests.support.commands import CommandResult, build_crawl_command
from tests.support.database import query_function
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows, post_paths

PostContents = dict[str, bytes]

# The pages of a site are made again from the rows: what is tried here is how the rows and their posts are written.
WITHOUT_SITE_UPDATER = ("--set", 'EXTENSIONS={"crawler.crawl.session.CrawlSession": 0}')
# Only what the crawl itself writes shall count, not what Python keeps of its modules.
CRAWL_ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def crawl_command(sample_site: SampleSite, output: Path, *args: str) -> list[str]:
    """A crawl that says nothing unless something is wrong."""
    return build_crawl_command(sample_site.url, output, "eastmoney", *WITHOUT_SITE_UPDATER, *args)


@cache
def missing_requirement() -> str:
    """Why calls cannot be made to fail here; empty when they can."""
    strace = shutil.which("strace")
    if strace is None:
        return "needs strace: apt-get install strace"
    probe = subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "strace may not trace here"


def start_process(args: list[str]) -> subprocess.Popen[str]:
    """A process group of its own, to be killed as a whole."""
    return subprocess.Popen(
        args,
        env=CRAWL_ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_exit(process: subprocess.Popen[str]) -> CommandResult:
    out, err = process.communicate(timeout=240)
    return CommandResult(process.returncode, out, err)


def run_crawl(sample_site: SampleSite, output: Path, *args: str) -> None:
    _, _, _, *words = crawl_command(sample_site, output, *args)
    result = run_finews(*words)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def read_posts(output: Path) -> PostContents:
    """The posts that a site would publish."""
    return {path.name: path.read_bytes() for path in post_paths(output)}


def partial_files(output: Path) -> list[Path]:
    """What is among the posts and is none."""
    return [path for path in (output / "_posts").rglob("*") if path.is_file() and path not in post_paths(output)]


def count_saved_articles(output: Path) -> int:
    """How many articles a crawl that runs has recorded so far; before it has made the database, none."""
    return len(query_function(output / "news.db")("SELECT code FROM articles")) if list(post_paths(output)) else 0


def query_copy(output: Path, sql: str) -> list[Any]:
    """Ask a copy: to open the database that a killed crawl left is to recover it, which the next crawl shall do.

    A table that the crawl did not come to make is an empty one.
    """
    with tempfile.TemporaryDirectory() as folder:
        for path in output.glob("news.db*"):
            shutil.copy(path, folder)
        query = query_function(Path(folder) / "news.db")
        assert query("PRAGMA integrity_check") == ["ok"]
        assert query("PRAGMA foreign_key_check") == []
        tables = query("SELECT name FROM sqlite_master")
        return query(sql) if {"articles", "sightings"} <= set(tables) else []


def assert_consistent(output: Path, *allowed_versions: PostContents) -> None:
    """At any moment: the database is intact, each visible post is whole, and none is without a row."""
    rows = {Path(path).name for path in query_copy(output, "SELECT post_path FROM articles")}
    for name, content in read_posts(output).items():
        assert content in [version.get(name) for version in allowed_versions], f"{name} is torn"
        assert name in rows, f"{name} has no row"


def assert_recovered(output: Path, expected: PostContents) -> None:
    """After one more crawl: nothing is lost, doubled, left over or unaccounted for."""
    assert read_posts(output) == expected
    assert partial_files(output) == []
    assert_posts_match_rows(output)
    query = query_function(output / "news.db")
    assert query("PRAGMA integrity_check") == ["ok"]
    assert query("SELECT code FROM articles WHERE published_revision IS NOT revision") == []
    assert query("SELECT id FROM runs WHERE finished_at IS NULL OR outcome IS NULL") == []
    assert_outcomes_add_up(query)
