"""Limits of a crawl: its requests to the source, and the responses that it accepts."""

import subprocess
import sys
import time
from pathlib import Path
from threading import Lock

import pytest

from crawler.sample_site import Exchange, SampleSite, return_body, return_status
from tests.support.commands import FAST_SETTINGS, CommandRunner
from tests.support.held_responses import HeldResponses
from tests.support.waiting import wait_until


class ConcurrencyCounter:
    """Respond as the site does, with a delay, and count the concurrent requests."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._concurrent = self.max_concurrent = 0

    def apply(self, exchange: Exchange) -> None:
        with self._lock:
            self._concurrent += 1
            self.max_concurrent = max(self.max_concurrent, self._concurrent)
        time.sleep(0.05)
        with self._lock:
            self._concurrent -= 1
        exchange.send_response(exchange.default_response)


def test_at_most_four_concurrent_requests(crawl: CommandRunner, sample_site: SampleSite) -> None:
    counter = ConcurrencyCounter()
    sample_site.add_fault("", counter)
    crawl()
    assert 2 <= counter.max_concurrent <= 4


def test_robots_txt_is_fetched_first_and_obeyed(crawl: CommandRunner, sample_site: SampleSite) -> None:
    """Scrapy 2.19 passes the listing requests that wait for the file together with the first one."""
    sample_site.add_fault("robots.txt", return_body(b"User-agent: finews\nDisallow: /comm/\n", "text/plain"))
    result = crawl()
    assert result.exit_code == 1
    assert "robots.txt" in result.stderr
    assert [hit.path for hit in sample_site.requests] == ["/robots.txt"]


def test_user_agent_has_name_version_and_contact(crawl: CommandRunner, sample_site: SampleSite) -> None:
    crawl("flash", "--set", "CONTACT=you@example.org")
    assert {hit.headers["user-agent"] for hit in sample_site.requests} == {"finews/0.1.0 (+you@example.org)"}


def test_custom_user_agent_is_sent_unchanged(crawl: CommandRunner, sample_site: SampleSite) -> None:
    crawl("flash", "--set", "USER_AGENT=our archive")
    assert {hit.headers["user-agent"] for hit in sample_site.requests} == {"our archive"}


def test_no_cookie_is_sent_back(crawl: CommandRunner, sample_site: SampleSite) -> None:
    sample_site.add_fault("page_index=1", return_status(500, headers={"Set-Cookie": "who=you"}), times=7)
    crawl()
    assert len(sample_site.requests) > 8
    assert not [hit for hit in sample_site.requests if "cookie" in hit.headers]


def test_failed_request_is_retried_twice_with_backoff(crawl: CommandRunner, sample_site: SampleSite) -> None:
    sample_site.add_fault("getFastNewsList", return_status(503))
    crawl("flash", "--set", "RETRY_BACKOFF=0.2")
    first, second, third = (hit.received_at for hit in sample_site.requests if "getFastNewsList" in hit.path)
    # Random by a quarter; a busy machine can only make it longer.
    assert second - first > 0.14
    assert third - second > 0.28


def test_response_over_maxsize_is_rejected(crawl: CommandRunner, sample_site: SampleSite) -> None:
    sample_site.add_fault("getFastNewsList", return_body(b" " * (9 << 20)))
    result = crawl("flash")
    assert result.exit_code == 1
    assert "larger than DOWNLOAD_MAXSIZE" in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads the sockets of a process from /proc, on Linux")
def test_crawl_opens_no_listening_socket(sample_site: SampleSite, output: Path) -> None:
    held_responses = HeldResponses(sample_site, "getFastNewsList")
    command = [sys.executable, "-m", "crawler", "crawl", "flash", "--mirror", sample_site.url, "--output", str(output)]
    crawl_process = subprocess.Popen([*command, *FAST_SETTINGS, "--quiet"])
    wait_until(lambda: held_responses.held_requests)
    sockets = {str(link.readlink()) for link in Path(f"/proc/{crawl_process.pid}/fd").iterdir()}
    listening = "0A"
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    held_responses.release()
    assert not [row for row in rows if row[3] == listening and f"socket:[{row[9]}]" in sockets]
    assert crawl_process.wait() == 0


def test_crawl_does_not_import_unused_modules(finews: CommandRunner, sample_site: SampleSite, output: Path) -> None:
    target_args = ("--mirror", sample_site.url, "--output", str(output))
    result = finews("crawl", "flash", *target_args, *FAST_SETTINGS, "--quiet", PYTHONPROFILEIMPORTTIME="1")
    assert result.exit_code == 0
    loaded = {line.split("|")[-1].strip() for line in result.stderr.splitlines() if line.startswith("import time:")}
    assert "scrapy.core.engine" in loaded
    assert not loaded & {"scrapy.extensions.remote_control", "aiohttp", "rich"}
