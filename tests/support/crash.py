"""Crawls as separate processes for the crash tests, and invariants of their output."""

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

# The crash tests examine rows and posts; the pages of the site follow from the rows.
WITHOUT_SITE_UPDATER = ("--set", 'EXTENSIONS={"crawler.crawl.session.CrawlSession": 0}')
# Python's cache of compiled modules would add writes.
CRAWL_ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def crawl_command(sample_site: SampleSite, output: Path, *args: str) -> list[str]:
    """Return the command line of a quiet crawl."""
    return build_crawl_command(sample_site.url, output, "eastmoney", *WITHOUT_SITE_UPDATER, *args)


@cache
def missing_requirement() -> str:
    """Return the reason why strace cannot inject faults here; an empty string if it can."""
    strace = shutil.which("strace")
    if strace is None:
        return "needs strace: apt-get install strace"
    probe = subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "strace may not trace here"


def start_process(args: list[str]) -> subprocess.Popen[str]:
    """Start a command in a new process group, which can be killed as a whole."""
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
    """Return the published posts by file name."""
    return {path.name: path.read_bytes() for path in post_paths(output)}


def partial_files(output: Path) -> list[Path]:
    """Return the files among the posts that are not posts."""
    return [path for path in (output / "_posts").rglob("*") if path.is_file() and path not in post_paths(output)]


def count_saved_articles(output: Path) -> int:
    """Return the number of articles that a running crawl has saved; 0 before the database exists."""
    return len(query_function(output / "news.db")("SELECT code FROM articles")) if list(post_paths(output)) else 0


def query_copy(output: Path, sql: str) -> list[Any]:
    """Query a copy of the database: opening the original would recover it, which is the next crawl's task.

    Tables that the crawl did not create count as empty.
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
    """Assert the invariants at any moment: the database is intact, each post is complete and has a row."""
    rows = {Path(path).name for path in query_copy(output, "SELECT post_path FROM articles")}
    for name, content in read_posts(output).items():
        assert content in [version.get(name) for version in allowed_versions], f"{name} is torn"
        assert name in rows, f"{name} has no row"


def assert_recovered(output: Path, expected: PostContents) -> None:
    """Assert the invariants after the next crawl: nothing is lost, duplicated, left over or without an outcome."""
    assert read_posts(output) == expected
    assert partial_files(output) == []
    assert_posts_match_rows(output)
    query = query_function(output / "news.db")
    assert query("PRAGMA integrity_check") == ["ok"]
    assert query("SELECT code FROM articles WHERE published_revision IS NOT revision") == []
    assert query("SELECT id FROM runs WHERE finished_at IS NULL OR outcome IS NULL") == []
    assert_outcomes_add_up(query)
