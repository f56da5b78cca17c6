"""`finews serve` in headless Chromium: a reader's walk, and every page on a phone and a desktop, light and dark."""

import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.published.test_browser import why_not
from tests.serve.conftest import Served

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def browsed(served: Served, crawled: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    connection = sqlite3.connect(crawled / "news.db")
    ((code, secid),) = connection.execute("SELECT code, secid FROM mentions ORDER BY count DESC LIMIT 1").fetchall()
    connection.close()
    pages = {
        "start": "/", "search": "/search?q=公司", "article": f"/article/{code}", "stock": f"/stock/{secid}",
        "table": "/news/articles", "sql": "/news?sql=select+1",
    }  # fmt: skip
    words = [f"{name}={path}" for name, path in pages.items()]
    script, shots = Path(__file__).parent / "browse.js", tmp_path_factory.mktemp("shots")
    done = subprocess.run(
        ["node", str(script), served.address.rstrip("/"), str(shots), "公司", *words],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert len(found["seen"]) == 4 * len(pages)
    return found


def test_a_reader_searches_opens_an_article_and_follows_a_stock_to_its_chart(browsed: dict[str, Any]) -> None:
    walked = browsed["walked"]
    assert walked["minded"] == []
    assert walked["charts"] > 0
    assert walked["found"] == 20
    assert set(walked["marks"]) == {"公司"}
    assert walked["stock"] == walked["heading"]
    assert walked["bars"] > 0


def test_no_reader_minds_anything(browsed: dict[str, Any]) -> None:
    assert [page for page in browsed["seen"] if page["minded"]] == []


def test_datasettes_scripts_run_under_its_policy(browsed: dict[str, Any]) -> None:
    assert browsed["datasette"] == []
