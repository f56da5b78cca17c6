"""A sample of the pages in a real browser: nothing runs, and nothing is asked for but the pages and their pictures.

All that the browser asks for goes through a proxy of the test, which serves the site and notes the rest.
"""

import html
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.injection.building import Hostile, build, raw, taken_in
from tests.injection.grammar import CANARY, corpus

pytestmark = pytest.mark.skipif(
    not (shutil.which("jekyll") and shutil.which("chromium")), reason="needs both: apt-get install jekyll chromium"
)

HOST = "site.invalid"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
    "--proxy-bypass-list=<-loopback>", "--virtual-time-budget=15000", "--dump-dom",
)  # fmt: skip
# What runs by itself when a browser reads it, besides a part of everything else.
SCRIPTS = {"events", "elements", "addresses", "kramdown"}
SAMPLE = [
    text for number, (text, danger) in enumerate(corpus().items()) if number % (17 if danger in SCRIPTS else 40) == 0
]


_CHROMIUMS = (".google.com", ".googleapis.com", ".gvt1.com")


class _Proxy(BaseHTTPRequestHandler):
    pages: Path
    asked: list[str]

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        file = self.pages / where.path.lstrip("/")
        known = where.hostname == HOST and file.is_file()
        if not known:
            self.asked.append(self.path)
        content = file.read_bytes() if known else b""
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_HEAD = do_GET

    def do_CONNECT(self) -> None:
        self.asked.append(f"https://{self.path.removesuffix(':443')}")
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Nothing: what was asked for is noted."""


@contextmanager
def proxy(pages: Path) -> Iterator[tuple[int, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (_Proxy,), {"pages": pages, "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def opened(pages: Path, names: list[str], profile: Path) -> tuple[str, list[str]]:
    """Open all of the pages in frames of one, where scripts may run; the outer page, and what else was asked for."""
    frames = "".join(f'<iframe src="/{html.escape(name)}"></iframe>' for name in names)
    (pages / "all.html").write_text(f"<!DOCTYPE html><meta charset=utf-8><title>all</title>{frames}", "utf-8")
    with proxy(pages) as (port, asked):
        shown = subprocess.run(
            [shutil.which("chromium") or "", *FLAGS, f"--user-data-dir={profile}", f"--proxy-server=http://127.0.0.1:{port}", f"http://{HOST}/all.html"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return shown.stdout, [url for url in asked if not _of_the_browser(url)]


def _of_the_browser(url: str) -> bool:
    """What Chromium asks for by itself, whatever it shows: no string names these."""
    where = urlsplit(url)
    return where.path == "/favicon.ico" or (where.hostname or "").endswith(_CHROMIUMS)


def pictures(posts: list[Hostile]) -> set[str]:
    """The hosts whose pictures the bodies show, as the allow-list lets them."""
    sources = (html.unescape(src) for post in posts for src in re.findall(r'<img src="([^"]*)', post.article.body_html))
    return {urlsplit(src).hostname or "" for src in sources}


def test_no_script_runs_and_no_request_leaves(tmp_path: Path) -> None:
    posts, _ = taken_in(SAMPLE, tmp_path / "output")
    code, pages = build(posts, tmp_path / "site")
    assert code == 0
    page, asked = opened(pages, [post.wanted().path for post in posts], tmp_path / "profile")
    assert page.count("<iframe") == len(posts)
    assert "<title>all</title>" in page
    allowed = pictures(posts)
    assert CANARY not in allowed
    assert [url for url in asked if urlsplit(url).hostname not in allowed] == []
    assert not [url for url in asked if "/ran" in url]


def test_the_same_strings_run_and_send_where_nothing_is_cleaned(tmp_path: Path) -> None:
    names = []
    for number, text in enumerate(SAMPLE):
        names.append(f"{number}.html")
        body = raw(text, number).body.encode("utf-8", "replace")
        (tmp_path / names[-1]).write_bytes(b"<!DOCTYPE html><meta charset=utf-8>" + body)
    _, asked = opened(tmp_path, names, tmp_path / "profile")
    assert [url for url in asked if urlsplit(url).hostname == CANARY]
