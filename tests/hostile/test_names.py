"""A name that leads elsewhere: whoever answers for the source's hosts sends a crawl into its own network."""

import json
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.conftest import NO_MANNERS, Answer, Finews

# The system's own lookup, for every name; Python runs what is called so before anything else.
LYING = "import socket; socket.gethostbyname = lambda name: {!r}"


@pytest.fixture
def site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


@pytest.fixture
def crawl(finews: Finews, tmp_path: Path) -> Finews:
    """Runs a crawl where every name leads to `address`."""

    def run(address: str, *words: str, **environment: str) -> Answer:
        (tmp_path / "sitecustomize.py").write_text(LYING.format(address))
        where = ("--output", str(tmp_path / "output"), "--quiet", "--set", "RETRY_TIMES=1", *NO_MANNERS)
        return finews("crawl", *words, *where, PYTHONPATH=str(tmp_path), **environment)

    return run


def hosts(site: SampleSite) -> str:
    """Hosts of the spider `choice` with names, at the port where the sample site would hear of a request."""
    address = f"http://lists.example:{urlsplit(site.url).port}"
    return f"CHOICE_HOSTS={json.dumps(dict.fromkeys(('list', 'market', 'text'), address))}"


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "100.100.100.200", "0.0.0.0"])  # noqa: S104  # nothing is bound
def test_a_name_that_leads_into_a_private_network_is_not_connected_to(
    crawl: Finews, site: SampleSite, address: str
) -> None:
    answer = crawl(address, "choice", "--set", hosts(site))
    assert list(site.requests) == []
    assert (answer.code, answer.out) == (1, "")
    (line,) = answer.err.splitlines()
    assert f"lists.example leads to {address}, which is no public address" in line


def test_without_the_check_the_request_arrives(crawl: Finews, site: SampleSite) -> None:
    scrapys = "TWISTED_DNS_RESOLVER=scrapy.resolver.CachingThreadedResolver"
    crawl("127.0.0.1", "choice", "--set", hosts(site), "--set", scrapys)
    assert len(site.requests) > 0


def test_a_mirror_may_be_anywhere(crawl: Finews, site: SampleSite) -> None:
    mirror = f"http://mirror.example:{urlsplit(site.url).port}"
    assert crawl("127.0.0.1", "--mirror", mirror, "--column", "345").code == 0


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


@pytest.fixture
def proxy(site: SampleSite) -> Iterator[str]:
    """The address, by a name, of a proxy that gets everything from the sample site."""
    handler = type("Handler", (_Proxy,), {"site": site.url})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://proxy.example:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_proxy_may_be_anywhere(crawl: Finews, site: SampleSite, proxy: str) -> None:
    answer = crawl("127.0.0.1", "choice", "--set", hosts(site), "--json", http_proxy=proxy)
    assert answer.value["new"] > 0, answer.err


def test_a_host_that_is_asked_without_the_proxy_may_not_be_anywhere(
    crawl: Finews, site: SampleSite, proxy: str
) -> None:
    answer = crawl("127.0.0.1", "choice", "--set", hosts(site), http_proxy=proxy, no_proxy="lists.example")
    assert list(site.requests) == []
    assert "lists.example leads to 127.0.0.1, which is no public address" in answer.err
