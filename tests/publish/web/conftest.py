"""Fixtures of the tests of `finews serve`: a crawled output folder, and the real server on it."""

import http.client
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from crawler.content import clock
from crawler.sample_site import Corpus, SampleSite
from tests.support.articles import LEGACY_POSTS_DIR
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS


@dataclass(frozen=True)
class HttpResponse:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


@dataclass(frozen=True)
class WebServer:
    """Running server, with its process for tests that end it."""

    address: str
    process: subprocess.Popen[str]

    def get(self, path: str, *, method: str = "GET", **headers: str) -> HttpResponse:
        """Request a path, whose Chinese is quoted; keywords are headers."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        try:
            request_headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, quote(path, safe="/?&=%+:.-"), headers=request_headers)
            response = connection.getresponse()
            response_headers = {name.lower(): value for name, value in response.getheaders()}
            return HttpResponse(response.status, response_headers, response.read())
        finally:
            connection.close()


def run_crawl(sample_site: SampleSite, output: Path, *args: str) -> None:
    target_args = ("--mirror", sample_site.url, "--output", str(output))
    result = run_finews("crawl", "eastmoney", *target_args, *FAST_SETTINGS, "--quiet", *args)
    assert result.exit_code in {0, 3}, result.stderr


@contextmanager
def run_web_server(output: Path, *args: str) -> Iterator[WebServer]:
    """Run `finews serve` on a free port until the test is done."""
    command = [sys.executable, "-m", "crawler", "serve", "--port", "0", "--output", str(output), *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = re.search(r"http://\S+", line)
            assert address, f"{line}{process.stderr.read() if process.stderr else ''}"
            yield WebServer(address[0], process)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


@pytest.fixture(scope="session")
def crawled_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Import the old site's posts and crawl the present ones."""
    output = tmp_path_factory.mktemp("served") / "output"
    with SampleSite(Corpus.sample(40, newest_at=clock.now())) as sample_site:
        run_finews("import", str(LEGACY_POSTS_DIR), "--output", str(output))
        run_crawl(sample_site, output)
    return output


@pytest.fixture(scope="session")
def web_server(crawled_output: Path) -> Iterator[WebServer]:
    with run_web_server(crawled_output) as server:
        yield server


@pytest.fixture(scope="session")
def sql_server(crawled_output: Path) -> Iterator[WebServer]:
    """Run a server with `--sql`."""
    with run_web_server(crawled_output, "--sql") as server:
        yield server
