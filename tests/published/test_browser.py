"""The built site in headless Chromium: on a phone and a desktop, light and dark."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.published.conftest import FIRST, TREE

BROWSER = Path(__file__).parent / "browser"


def why_not() -> str:
    """What is missing, with what to type for it."""
    if shutil.which("chromium") is None or shutil.which("node") is None:
        return "needs Chromium and Node: apt-get install chromium nodejs npm fonts-noto-cjk"
    if not (BROWSER / "node_modules").is_dir():
        return "needs the browser's driver: npm install --no-package-lock --prefix tests/published/browser"
    return ""


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Nobody reads it."""


@pytest.fixture(scope="module")
def address(published: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(published / TREE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def seen(address: str, published: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    day = max((published / TREE).glob("2*/*/*/index.html")).parent.relative_to(published / TREE)
    pages = {
        "home": "/",
        "category": "/category/zhongguonongwang.html",
        "day": f"/{day}/",
        "article": f"/{FIRST}",
        "search": "/search.html?q=电子",
        "archive": "/archive.html",
        "stocks": "/stock/",
    }
    words = [f"{name}={path}" for name, path in pages.items()]
    done = subprocess.run(
        ["node", str(BROWSER / "look.js"), address, str(tmp_path_factory.mktemp("shots")), *words],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(found) == 4 * len(pages)
    return found


def test_no_visitor_minds_anything(seen: list[dict[str, Any]]) -> None:
    assert [page for page in seen if page["minded"]] == []


def test_a_word_of_two_characters_is_found_in_the_titles(seen: list[dict[str, Any]], published: Path) -> None:
    titles = [
        title for path in (published / TREE / "search").glob("2*.json") for title, *_ in json.loads(path.read_text())
    ]
    with_it = [title for title in titles if "电子" in title]
    assert with_it
    for page in seen:
        if page["name"] == "search":
            assert page["results"] == len(with_it)
            assert set(page["marks"]) == {"电子"}
