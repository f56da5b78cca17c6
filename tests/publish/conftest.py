"""Fixtures of the tests of exports and feeds."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from crawler.publish.export import ARTICLE_COLUMNS
from crawler.sample_site import Corpus, SampleSite
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, CommandRunner


@pytest.fixture(scope="session")
def choice_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crawl the old lists into a folder, of which tests make copies."""
    output = tmp_path_factory.mktemp("choice") / "output"
    with SampleSite(Corpus.sample(12)) as sample_site:
        target_args = ("--mirror", sample_site.url, "--output", str(output))
        assert run_finews("crawl", "choice", *target_args, *FAST_SETTINGS, "--quiet").exit_code == 3
    return output


@pytest.fixture
def run_on_output(choice_output: Path, finews: CommandRunner, output: Path) -> CommandRunner:
    shutil.copytree(choice_output, output)
    connection = sqlite3.connect(output / "news.db")
    connection.execute("UPDATE articles SET title = '=cmd()|1' WHERE code = (SELECT min(code) FROM articles)")
    connection.execute(
        "UPDATE articles SET changed_at = '2030-01-02T03:04:05+08:00' WHERE code = (SELECT max(code) FROM articles)"
    )
    connection.commit()
    connection.close()
    return lambda *words: finews(words[0], "--output", str(output), *words[1:])


@pytest.fixture
def all_rows(run_on_output: CommandRunner) -> list[dict[str, Any]]:
    result = run_on_output("search", "--since", "1990-01-01", "--json", "--limit", "1000")
    assert result.exit_code == 0
    return [{name: row[name] for name in ARTICLE_COLUMNS} for row in result.json]
