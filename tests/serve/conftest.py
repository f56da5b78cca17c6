"""What the tests of `finews serve` share: a crawled output folder, and the real server on it."""

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

from crawler import sample_site
from crawler.content import clock
from crawler.sample_site import Corpus, SampleSite
from tests.conftest import NO_MANNERS

OLD_POSTS = Path(sample_site.__file__).parent / "posts"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True)
class Served:
    """A running server; its process, so that a test can end it."""

    address: str
    process: subprocess.Popen[str]

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Reply:
        """Asks for a path, whose Chinese is quoted; a keyword is a header."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, quote(path, safe="/?&=%+:.-"), headers=sent)
            reply = connection.getresponse()
            told = {name.lower(): value for name, value in reply.getheaders()}
            return Reply(reply.status, told, reply.read().decode())
        finally:
            connection.close()


def crawl(site: SampleSite, output: Path, *words: str) -> None:
    fill(output, "crawl", "eastmoney", "--mirror", site.url, *NO_MANNERS, "--quiet", *words)


def fill(output: Path, *words: str) -> None:
    """Runs `finews WORDS…` on the output folder."""
    command = [sys.executable, "-m", "crawler", *words, "--output", str(output)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode in {0, 3}, done.stderr


@contextmanager
def serving(output: Path, *words: str) -> Iterator[Served]:
    """`finews serve` on a free port, from when it answers until the test is done with it."""
    command = [sys.executable, "-m", "crawler", "serve", "--port", "0", "--output", str(output), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = re.search(r"http://\S+", line)
            assert address, f"{line}{process.stderr.read() if process.stderr else ''}"
            yield Served(address[0], process)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


@pytest.fixture(scope="session")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old site's posts, imported, and a crawl of today's."""
    output = tmp_path_factory.mktemp("served") / "output"
    with SampleSite(Corpus.sample(40, newest_at=clock.now())) as site:
        fill(output, "import", str(OLD_POSTS))
        crawl(site, output)
    return output


@pytest.fixture(scope="session")
def served(crawled: Path) -> Iterator[Served]:
    with serving(crawled) as server:
        yield server
