"""Host names whose DNS server points a crawl into its own network."""

import json
import os
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from crawler.sample_site import Corpus, SampleSite, return_redirect
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner

# Replaces the system's lookup for every name; Python imports a module of this name first.
FAKE_DNS = """
import ipaddress, socket
system_getaddrinfo = socket.getaddrinfo

def getaddrinfo(host, port, family=0, *args, **kwargs):
    try:
        addresses = [str(ipaddress.ip_address(host))]
    except ValueError:
        addresses = {!r}.split()
    families = {{socket.AF_INET6 if ":" in address else socket.AF_INET: address for address in addresses}}
    if family not in {{0, *families}}:
        raise socket.gaierror(socket.EAI_NONAME, "no such address")
    found = [address for of, address in families.items() if family in {{0, of}}]
    return [result for address in found for result in system_getaddrinfo(address, port, 0, *args, **kwargs)]

socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


@pytest.fixture
def crawl(finews: CommandRunner, tmp_path: Path) -> CommandRunner:
    """Run a crawl where every name resolves to `address`: of IPv4, of IPv6, or both."""

    def run(address: str, *args: str, **environment: str) -> CommandResult:
        (tmp_path / "sitecustomize.py").write_text(FAKE_DNS.format(address))
        target_args = ("--output", str(tmp_path / "output"), "--quiet", "--set", "RETRY_TIMES=1", *FAST_SETTINGS)
        python_path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
        return finews("crawl", *args, *target_args, PYTHONPATH=python_path, **environment)

    return run


def hosts_setting(sample_site: SampleSite) -> str:
    """Return hosts of the spider `choice` by name, at the port of the sample site."""
    address = f"http://lists.example:{urlsplit(sample_site.url).port}"
    return f"CHOICE_HOSTS={json.dumps(dict.fromkeys(('list', 'market', 'text'), address))}"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "169.254.169.254", "10.0.0.1", "100.100.100.200", "0.0.0.0",  # noqa: S104  # nothing is bound
        "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
    ],
)  # fmt: skip
def test_name_of_private_address_is_not_connected_to(
    crawl: CommandRunner, sample_site: SampleSite, address: str
) -> None:
    result = crawl(address, "choice", "--set", hosts_setting(sample_site))
    assert list(sample_site.requests) == []
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert f"lists.example resolves to {address}, which is no public address" in line


def test_none_of_several_private_addresses_is_connected_to(crawl: CommandRunner, sample_site: SampleSite) -> None:
    result = crawl("127.0.0.1 ::1", "choice", "--set", hosts_setting(sample_site))
    assert list(sample_site.requests) == []
    assert "which is no public address" in result.stderr


def test_request_arrives_without_the_check(crawl: CommandRunner, sample_site: SampleSite) -> None:
    scrapy_resolver = "TWISTED_DNS_RESOLVER=scrapy.resolver.CachingHostnameResolver"
    crawl("127.0.0.1", "choice", "--set", hosts_setting(sample_site), "--set", scrapy_resolver)
    assert len(sample_site.requests) > 0


def test_mirror_may_have_a_private_address(crawl: CommandRunner, sample_site: SampleSite) -> None:
    mirror = f"http://mirror.example:{urlsplit(sample_site.url).port}"
    assert crawl("127.0.0.1", "--mirror", mirror, "--column", "345").exit_code == 0


def test_unresolvable_name_is_one_line(crawl: CommandRunner, sample_site: SampleSite) -> None:
    result = crawl("", "choice", "--set", hosts_setting(sample_site))
    (line,) = result.stderr.splitlines()
    assert "lists.example" in line


# IPv6


@pytest.fixture
def ipv6_site() -> Iterator[SampleSite]:
    try:
        sample_site = SampleSite(Corpus.sample(12), host="::1")
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback address: {error}")
    with sample_site:
        yield sample_site


def test_mirror_may_be_an_ipv6_address(crawl: CommandRunner, ipv6_site: SampleSite) -> None:
    assert ipv6_site.url.startswith("http://[::1]:")
    result = crawl("10.0.0.1", "--mirror", ipv6_site.url, "--column", "345", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.json["new"] > 0


@pytest.mark.parametrize("address", ["::1", "127.0.0.1 ::1"], ids=["AAAA only", "A that refuses, and AAAA"])
def test_name_may_have_an_ipv6_address(crawl: CommandRunner, ipv6_site: SampleSite, address: str) -> None:
    mirror = f"http://mirror.example:{urlsplit(ipv6_site.url).port}"
    result = crawl(address, "--mirror", mirror, "--column", "345")
    assert (result.exit_code, result.stderr) == (0, "")


def test_ipv6_mirror_does_not_redirect_elsewhere(crawl: CommandRunner, ipv6_site: SampleSite) -> None:
    with SampleSite(Corpus.sample(0), host="::1") as foreign_site:
        ipv6_site.add_fault("getNewsByColumns", return_redirect(f"{foreign_site.url}/x"))
        result = crawl("10.0.0.1", "--mirror", ipv6_site.url, "--column", "345")
        assert list(foreign_site.requests) == []
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)


# Proxies


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
        """Log nothing."""


@pytest.fixture
def proxy(sample_site: SampleSite) -> Iterator[str]:
    """Return the address, with a host name, of a proxy in front of the sample site."""
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
    assert "lists.example resolves to 127.0.0.1, which is no public address" in result.stderr
