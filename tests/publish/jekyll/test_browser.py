"""The built site in headless Chromium: on a phone and a desktop, light and dark."""

import json
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.published_site import FIRST_PAGE, SITE_DIR

pytestmark = pytest.mark.browser


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Log nothing."""


@pytest.fixture(scope="module")
def site_url(published_output: Path) -> Iterator[str]:
    handler = partial(_QuietHandler, directory=str(published_output / SITE_DIR))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def page_reports(
    site_url: str, published_output: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    day = max((published_output / SITE_DIR).glob("2*/*/*/index.html")).parent.relative_to(published_output / SITE_DIR)
    pages = {
        "home": "/",
        "category": "/category/zhongguonongwang.html",
        "day": f"/{day}/",
        "article": f"/{FIRST_PAGE}",
        "search": "/search.html?q=电子",
        "archive": "/archive.html",
        "stocks": "/stock/",
    }
    args = [f"{name}={path}" for name, path in pages.items()]
    script, screenshots_dir = Path(__file__).with_name("check_pages.js"), tmp_path_factory.mktemp("shots")
    completed = subprocess.run(
        ["node", str(script), site_url, str(screenshots_dir), *args],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    reports: list[dict[str, Any]] = json.loads(completed.stdout)
    assert len(reports) == 4 * len(pages)
    return reports


def test_pages_have_no_browser_problems(page_reports: list[dict[str, Any]]) -> None:
    assert [page for page in page_reports if page["problems"]] == []


def test_site_search_finds_two_character_word(page_reports: list[dict[str, Any]], published_output: Path) -> None:
    titles = [
        title
        for path in (published_output / SITE_DIR / "search").glob("2*.json")
        for title, *_ in json.loads(path.read_text())
    ]
    matching_titles = [title for title in titles if "电子" in title]
    assert matching_titles
    for page in page_reports:
        if page["name"] == "search":
            assert page["results"] == len(matching_titles)
            assert set(page["marks"]) == {"电子"}
