"""A name that leads elsewhere: whoever answers for the source's hosts sends a crawl into its own network."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.conftest import NO_MANNERS, Answer

# The system's own lookup, for every name.
LYING = "import socket; socket.gethostbyname = lambda name: {!r}; from crawler.cli import main; main()"


@pytest.fixture
def site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


def crawl(output: Path, address: str, *words: str, **environment: str) -> Answer:
    where = ("--output", str(output), "--quiet", "--set", "RETRY_TIMES=1", *NO_MANNERS)
    done = subprocess.run(  # noqa: S603  # ours
        [sys.executable, "-c", LYING.format(address), "crawl", *words, *where],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def hosts(site: SampleSite) -> str:
    """Hosts of the spider `choice` with names, at the port where the sample site would hear of a request."""
    address = f"http://lists.example:{urlsplit(site.url).port}"
    return f"CHOICE_HOSTS={json.dumps(dict.fromkeys(('list', 'market', 'text'), address))}"


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "100.100.100.200", "0.0.0.0"])  # noqa: S104  # nothing is bound
def test_a_name_that_leads_into_a_private_network_is_not_connected_to(
    site: SampleSite, tmp_path: Path, address: str
) -> None:
    answer = crawl(tmp_path / "output", address, "choice", "--set", hosts(site))
    assert list(site.requests) == []
    assert (answer.code, answer.out) == (1, "")
    (line,) = answer.err.splitlines()
    assert f"lists.example leads to {address}, which is no public address" in line


def test_without_the_check_the_request_arrives(site: SampleSite, tmp_path: Path) -> None:
    scrapys = "TWISTED_DNS_RESOLVER=scrapy.resolver.CachingThreadedResolver"
    crawl(tmp_path / "output", "127.0.0.1", "choice", "--set", hosts(site), "--set", scrapys)
    assert len(site.requests) > 0


def test_a_mirror_may_be_anywhere(site: SampleSite, tmp_path: Path) -> None:
    mirror = f"http://mirror.example:{urlsplit(site.url).port}"
    assert crawl(tmp_path / "output", "127.0.0.1", "--mirror", mirror, "--column", "345").code == 0


class _Proxy(BaseHTTPRequestHandler):
    site: str

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        path = asked._replace(scheme="", netloc="").geturl()
        open_directly = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        with open_directly(self.site + path) as reply:
            content = reply.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Nothing."""


def test_a_proxy_may_be_anywhere(site: SampleSite, tmp_path: Path) -> None:
    handler = type("Handler", (_Proxy,), {"site": site.url})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        thread = Thread(target=proxy.serve_forever)
        thread.start()
        through = f"http://proxy.example:{proxy.server_port}"
        answer = crawl(tmp_path / "output", "127.0.0.1", "choice", "--set", hosts(site), "--json", http_proxy=through)
        proxy.shutdown()
        thread.join()
    assert answer.value["new"] > 0, answer.err
