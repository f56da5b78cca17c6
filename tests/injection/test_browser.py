"""Sample of the pages in a real browser: no script runs, and only the pages and their pictures are requested.

All requests of the browser go through a proxy of the test, which serves the site and records the others.
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

from tests.injection.site_builder import HostileArticle, build_site, save_articles
from tests.support.articles import create_hostile_article
from tests.support.injection_payloads import CANARY_HOST, all_payloads

pytestmark = [pytest.mark.jekyll, pytest.mark.browser]

SITE_HOST = "site.invalid"
CHROMIUM_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
    "--proxy-bypass-list=<-loopback>", "--virtual-time-budget=15000", "--dump-dom",
)  # fmt: skip
# Strings that a browser would run without a click, and a sample of all others.
SCRIPT_DANGERS = {"event", "element", "address", "kramdown"}
SAMPLE_PAYLOADS = [
    text
    for number, (text, danger) in enumerate(all_payloads().items())
    if number % (31 if danger in SCRIPT_DANGERS else 80) == 0
]


_CHROMIUM_SERVICE_DOMAINS = (".google.com", ".googleapis.com", ".gvt1.com")


class _Proxy(BaseHTTPRequestHandler):
    pages_dir: Path
    foreign_requests: list[str]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        file = self.pages_dir / url.path.lstrip("/")
        is_site_file = url.hostname == SITE_HOST and file.is_file()
        if not is_site_file:
            self.foreign_requests.append(self.path)
        content = file.read_bytes() if is_site_file else b""
        self.send_response(200 if is_site_file else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_HEAD = do_GET

    def do_CONNECT(self) -> None:
        self.foreign_requests.append(f"https://{self.path.removesuffix(':443')}")
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Log nothing: requests are recorded."""


@contextmanager
def recording_proxy(pages: Path) -> Iterator[tuple[int, list[str]]]:
    foreign_requests: list[str] = []
    handler = type("Handler", (_Proxy,), {"pages_dir": pages, "foreign_requests": foreign_requests})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, foreign_requests
        finally:
            server.shutdown()
            thread.join()


def open_pages(pages: Path, names: list[str], profile_dir: Path) -> tuple[str, list[str]]:
    """Open all pages in frames where scripts may run, and return the outer page and all other requests."""
    frames = "".join(f'<iframe src="/{html.escape(name)}"></iframe>' for name in names)
    (pages / "all.html").write_text(f"<!DOCTYPE html><meta charset=utf-8><title>all</title>{frames}", "utf-8")
    with recording_proxy(pages) as (port, foreign_requests):
        chromium = subprocess.run(
            [shutil.which("chromium") or "", *CHROMIUM_FLAGS, f"--user-data-dir={profile_dir}", f"--proxy-server=http://127.0.0.1:{port}", f"http://{SITE_HOST}/all.html"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return chromium.stdout, [url for url in foreign_requests if not _is_browser_request(url)]


def _is_browser_request(url: str) -> bool:
    """Return whether Chromium sends this request for any page; no string contains such a URL."""
    parts = urlsplit(url)
    return parts.path == "/favicon.ico" or (parts.hostname or "").endswith(_CHROMIUM_SERVICE_DOMAINS)


def picture_hosts(posts: list[HostileArticle]) -> set[str]:
    """Return the hosts of the pictures in the bodies, which the allow-list permits."""
    sources = (html.unescape(src) for post in posts for src in re.findall(r'<img src="([^"]*)', post.article.body_html))
    return {urlsplit(src).hostname or "" for src in sources}


def test_no_script_runs_and_no_request_leaves(tmp_path: Path) -> None:
    posts, _ = save_articles(SAMPLE_PAYLOADS, tmp_path / "output")
    code, pages = build_site(posts, tmp_path / "site")
    assert code == 0
    page, foreign_requests = open_pages(pages, [post.expected_page().path for post in posts], tmp_path / "profile")
    assert page.count("<iframe") == len(posts)
    assert "<title>all</title>" in page
    allowed_hosts = picture_hosts(posts)
    assert CANARY_HOST not in allowed_hosts
    assert [url for url in foreign_requests if urlsplit(url).hostname not in allowed_hosts] == []
    assert not [url for url in foreign_requests if "/ran" in url]


def test_same_payloads_run_when_nothing_is_sanitised(tmp_path: Path) -> None:
    names = []
    for number, text in enumerate(SAMPLE_PAYLOADS):
        names.append(f"{number}.html")
        body = create_hostile_article(text, number).body.encode("utf-8", "replace")
        (tmp_path / names[-1]).write_bytes(b"<!DOCTYPE html><meta charset=utf-8>" + body)
    _, foreign_requests = open_pages(tmp_path, names, tmp_path / "profile")
    assert [url for url in foreign_requests if urlsplit(url).hostname == CANARY_HOST]
