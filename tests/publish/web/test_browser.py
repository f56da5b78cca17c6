"""`finews serve` in headless Chromium: a reader's journey, and every page on a phone and a desktop, light and dark."""

import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.publish.web.conftest import WebServer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser_report(
    sql_server: WebServer, crawled_output: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    connection = sqlite3.connect(crawled_output / "news.db")
    ((code, secid),) = connection.execute("SELECT code, secid FROM mentions ORDER BY count DESC LIMIT 1").fetchall()
    connection.close()
    pages = {
        "start": "/", "search": "/search?q=公司", "article": f"/article/{code}", "stock": f"/stock/{secid}",
        "table": "/news/articles", "sql": "/news?sql=select+1",
    }  # fmt: skip
    args = [f"{name}={path}" for name, path in pages.items()]
    script, screenshots_dir = Path(__file__).with_name("reader_journey.js"), tmp_path_factory.mktemp("shots")
    completed = subprocess.run(
        ["node", str(script), sql_server.address.rstrip("/"), str(screenshots_dir), "公司", *args],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    report: dict[str, Any] = json.loads(completed.stdout)
    assert len(report["pages"]) == 4 * len(pages)
    return report


def test_reader_journey_from_search_to_stock_chart(browser_report: dict[str, Any]) -> None:
    journey = browser_report["journey"]
    assert journey["problems"] == []
    assert journey["charts"] > 0
    assert journey["hits"] == 20
    assert set(journey["marks"]) == {"公司"}
    assert journey["stock"] == journey["heading"]
    assert journey["bars"] > 0


def test_pages_have_no_browser_problems(browser_report: dict[str, Any]) -> None:
    assert [page for page in browser_report["pages"] if page["problems"]] == []


def test_datasette_scripts_are_allowed_by_its_policy(browser_report: dict[str, Any]) -> None:
    assert browser_report["datasette"] == []
