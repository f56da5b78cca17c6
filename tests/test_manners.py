"""How a crawl behaves towards the source, and what it lets near itself."""

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from threading import Lock, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from crawler import sample_site
from crawler.sample_site import Exchange, SampleSite, return_status
from tests.conftest import NO_MANNERS, Finews, Gate, waited_for


class CountsAtOnce:
    """Answers as the site does, a little later, and notes how many requests are open at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now = self.most = 0

    def apply(self, exchange: Exchange) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.05)
        with self._lock:
            self._now -= 1
        exchange.send_response(exchange.default_response)


def test_never_more_than_four_requests_at_once(crawl: Finews, site: SampleSite) -> None:
    counts = CountsAtOnce()
    site.add_fault("", counts)
    crawl()
    assert 2 <= counts.most <= 4


def test_robots_txt_is_asked_first_and_obeyed(crawl: Finews, site: SampleSite) -> None:
    """By all listing requests: Scrapy 2.19 lets those through that wait for the file with the first one."""
    site.add_fault("robots.txt", sample_site.return_body(b"User-agent: finews\nDisallow: /comm/\n", "text/plain"))
    answer = crawl()
    assert answer.code == 1
    assert "robots.txt" in answer.err
    assert [hit.path for hit in site.requests] == ["/robots.txt"]


def test_the_user_agent_says_who_it_is_and_how_to_reach_the_operator(crawl: Finews, site: SampleSite) -> None:
    crawl("flash", "--set", "CONTACT=you@example.org")
    assert {hit.headers["user-agent"] for hit in site.requests} == {"finews/0.1.0 (+you@example.org)"}


def test_a_user_agent_that_the_operator_wrote_is_sent_as_it_is(crawl: Finews, site: SampleSite) -> None:
    crawl("flash", "--set", "USER_AGENT=our archive")
    assert {hit.headers["user-agent"] for hit in site.requests} == {"our archive"}


def test_no_cookie_is_sent_back(crawl: Finews, site: SampleSite) -> None:
    site.add_fault("page_index=1", return_status(500, headers={"Set-Cookie": "who=you"}), times=7)
    crawl()
    assert len(site.requests) > 8
    assert not [hit for hit in site.requests if "cookie" in hit.headers]


def test_a_failed_request_is_sent_twice_more_and_later_each_time(crawl: Finews, site: SampleSite) -> None:
    site.add_fault("getFastNewsList", return_status(503))
    crawl("flash", "--set", "RETRY_BACKOFF=0.2")
    first, second, third = (hit.received_at for hit in site.requests if "getFastNewsList" in hit.path)
    # Spread by a quarter; a busy machine may add to it, and never takes from it.
    assert second - first > 0.14
    assert third - second > 0.28


def test_a_reply_over_the_largest_size_is_not_taken(crawl: Finews, site: SampleSite) -> None:
    site.add_fault("getFastNewsList", sample_site.return_body(b" " * (9 << 20)))
    answer = crawl("flash")
    assert answer.code == 1
    assert "larger than DOWNLOAD_MAXSIZE" in answer.err


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads the sockets of a process from /proc, on Linux")
def test_nothing_listens_while_a_crawl_runs(site: SampleSite, output: Path) -> None:
    gate = Gate(site, "getFastNewsList")
    command = [sys.executable, "-m", "crawler", "crawl", "flash", "--mirror", site.url, "--output", str(output)]
    crawl = subprocess.Popen([*command, *NO_MANNERS, "--quiet"])
    waited_for(lambda: gate.held)
    sockets = {str(link.readlink()) for link in Path(f"/proc/{crawl.pid}/fd").iterdir()}
    listening = "0A"
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    gate.open()
    assert not [row for row in rows if row[3] == listening and f"socket:[{row[9]}]" in sockets]
    assert crawl.wait() == 0


def test_a_crawl_loads_no_part_of_scrapy_that_it_has_no_use_for(finews: Finews, site: SampleSite, output: Path) -> None:
    where = ("--mirror", site.url, "--output", str(output))
    answer = finews("crawl", "flash", *where, *NO_MANNERS, "--quiet", PYTHONPROFILEIMPORTTIME="1")
    assert answer.code == 0
    loaded = {line.split("|")[-1].strip() for line in answer.err.splitlines() if line.startswith("import time:")}
    assert "scrapy.core.engine" in loaded
    assert not loaded & {"scrapy.extensions.remote_control", "aiohttp", "rich"}


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    """The address of a server with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "stranger.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_who_answers_must_be_who_was_asked(finews: Finews, stranger: str, output: Path) -> None:
    answer = finews("crawl", "flash", "--mirror", stranger, "--output", str(output), *NO_MANNERS, "--json")
    assert answer.code == 1
    assert "certificate" in json.dumps(answer.value["failed_listings"])
