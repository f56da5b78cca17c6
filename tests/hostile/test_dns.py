"""A name that leads elsewhere: its DNS server sends a crawl into its own network."""

import json
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner

# The system's own lookup, for every name; Python runs what is called so before anything else.
FAKE_DNS = "import socket; socket.gethostbyname = lambda name: {!r}"


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


@pytest.fixture
def crawl(finews: CommandRunner, tmp_path: Path) -> CommandRunner:
    """Runs a crawl where every name leads to `address`."""

    def run(address: str, *args: str, **environment: str) -> CommandResult:
        (tmp_path / "sitecustomize.py").write_text(FAKE_DNS.format(address))
        target_args = ("--output", str(tmp_path / "output"), "--quiet", "--set", "RETRY_TIMES=1", *FAST_SETTINGS)
        return finews("crawl", *args, *target_args, PYTHONPATH=str(tmp_path), **environment)

    return run


def hosts_setting(sample_site: SampleSite) -> str:
    """Hosts of the spider `choice` with names, at the port where the sample site would hear of a request."""
    address = f"http://lists.example:{urlsplit(sample_site.url).port}"
    return f"CHOICE_HOSTS={json.dumps(dict.fromkeys(('list', 'market', 'text'), address))}"


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "100.100.100.200", "0.0.0.0"])  # noqa: S104  # nothing is bound
def test_name_of_private_address_is_not_connected_to(
    crawl: CommandRunner, sample_site: SampleSite, address: str
) -> None:
    result = crawl(address, "choice", "--set", hosts_setting(sample_site))
    assert list(sample_site.requests) == []
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert f"lists.example leads to {address}, which is no public address" in line


def test_request_arrives_without_the_check(crawl: CommandRunner, sample_site: SampleSite) -> None:
    scrapy_resolver = "TWISTED_DNS_RESOLVER=scrapy.resolver.CachingThreadedResolver"
    crawl("127.0.0.1", "choice", "--set", hosts_setting(sample_site), "--set", scrapy_resolver)
    assert len(sample_site.requests) > 0


def test_mirror_may_have_a_private_address(crawl: CommandRunner, sample_site: SampleSite) -> None:
    mirror = f"http://mirror.example:{urlsplit(sample_site.url).port}"
    assert crawl("127.0.0.1", "--mirror", mirror, "--column", "345").exit_code == 0


class _Proxy(BaseHTTPRequestHandler):
    sample_site_url: str

    def do_GET(self) -> None:
        requested_url = urlsplit(self.path)
        path = requested_url._replace(scheme="", netloc="").geturl()
        open_directly = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        with open_directly(self.sample_site_url + path) as response:
            content = response.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Nothing."""


@pytest.fixture
def proxy(sample_site: SampleSite) -> Iterator[str]:
    """The address, by a name, of a proxy that gets everything from the sample site."""
    handler = type("Handler", (_Proxy,), {"sample_site_url": sample_site.url})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://proxy.example:{server.server_port}"
        server.shutdown()
        thread.join()


def test_proxy_may_have_a_private_address(crawl: CommandRunner, sample_site: SampleSite, proxy: str) -> None:
    result = crawl("127.0.0.1", "choice", "--set", hosts_setting(sample_site), "--json", http_proxy=proxy)
    assert result.json["new"] > 0, result.stderr


def test_host_that_bypasses_the_proxy_must_be_public(crawl: CommandRunner, sample_site: SampleSite, proxy: str) -> None:
    result = crawl(
        "127.0.0.1", "choice", "--set", hosts_setting(sample_site), http_proxy=proxy, no_proxy="lists.example"
    )
    assert list(sample_site.requests) == []
    assert "lists.example leads to 127.0.0.1, which is no public address" in result.stderr
