"""What exports and feeds are made of."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from crawler.publish.export import EXPORT_COLUMNS
from tests.support.commands import CommandRunner


@pytest.fixture
def run_on_output(crawl: CommandRunner, finews: CommandRunner, output: Path) -> CommandRunner:
    assert crawl("choice").exit_code == 3
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
    return [{name: row[name] for name in EXPORT_COLUMNS} for row in result.json]
