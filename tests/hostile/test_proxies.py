"""Proxies from the environment: the choice of one, and the report when it fails."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.sample_site import Corpus, SampleSite, return_status, send_raw
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner

# The secret is sent nowhere: the proxy resolves the host, or no program does.
MIRROR_ARGS = ("--mirror", "http://mirror.example", "--column", "345")


@pytest.fixture
def crawl(finews: CommandRunner, output: Path) -> CommandRunner:
    def run(*args: str, **environment: str) -> CommandResult:
        target_args = ("--output", str(output), "--quiet", "--set", "RETRY_TIMES=0", *FAST_SETTINGS)
        return finews("crawl", *args, *target_args, **environment)

    return run


@pytest.fixture
def site_as_proxy() -> Iterator[SampleSite]:
    """Run a site that answers requests for any host, as a proxy does."""
    with SampleSite(Corpus.sample(12)) as served:
        yield served


@pytest.fixture
def closed_proxy() -> Iterator[str]:
    """Return a host and port where connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def get_line(result: CommandResult) -> str:
    (line,) = result.stderr.splitlines()
    assert line.startswith("finews: ")
    assert "secret" not in line
    assert "twisted" not in line.lower()
    return line


@pytest.mark.parametrize(
    ("args", "variable"),
    [(MIRROR_ARGS, "http_proxy"), (("flash",), "HTTPS_PROXY"), (MIRROR_ARGS, "ALL_PROXY"), (("flash",), "all_proxy")],
    ids=["http", "https", "all for http", "all for https"],
)
def test_proxy_that_refuses_connections_is_named(
    crawl: CommandRunner, closed_proxy: str, args: tuple[str, ...], variable: str
) -> None:
    result = crawl(*args, **{variable: f"http://me:secret@{closed_proxy}"})
    assert result.exit_code == 1
    assert f"through the proxy {closed_proxy}: Connection was refused" in get_line(result)


@pytest.mark.parametrize("args", [MIRROR_ARGS, ("flash",)], ids=["http", "https"])
def test_proxy_that_wants_a_password_is_named(
    crawl: CommandRunner, site_as_proxy: SampleSite, args: tuple[str, ...]
) -> None:
    response = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    site_as_proxy.add_fault("", send_raw(response))
    proxy = site_as_proxy.url.removeprefix("http://")
    line = get_line(crawl(*args, http_proxy=site_as_proxy.url, https_proxy=site_as_proxy.url))
    assert f"HTTP 407 from the proxy {proxy}" in line


def test_error_behind_a_proxy_is_not_called_the_proxys(crawl: CommandRunner, site_as_proxy: SampleSite) -> None:
    site_as_proxy.add_fault("getNewsByColumns", return_status(404))
    line = get_line(crawl(*MIRROR_ARGS, http_proxy=site_as_proxy.url))
    assert line.endswith("HTTP 404")


@pytest.mark.parametrize(
    "environment",
    [
        {"ALL_PROXY": "{site}"},
        {"http_proxy": "{host}", "all_proxy": "socks5://127.0.0.1:9", "https_proxy": "no proxy at all"},
    ],
    ids=["all", "its own"],
)
def test_proxy_is_used(crawl: CommandRunner, site_as_proxy: SampleSite, environment: dict[str, str]) -> None:
    words = {"site": site_as_proxy.url, "host": site_as_proxy.url.removeprefix("http://")}
    result = crawl(*MIRROR_ARGS, **{name: value.format(**words) for name, value in environment.items()})
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(site_as_proxy.requests) > 2


def test_no_proxy_names_hosts_without_one(crawl: CommandRunner, site_as_proxy: SampleSite, closed_proxy: str) -> None:
    for hosts, proxy in (("127.0.0.1", closed_proxy), ("*", "socks5://127.0.0.1:9")):
        args = ("--mirror", site_as_proxy.url, "--column", "345")
        assert crawl(*args, ALL_PROXY=proxy, http_proxy=proxy, no_proxy=hosts).exit_code == 0


@pytest.mark.parametrize(
    ("proxy", "expected_text"),
    [
        ("http://me:secret@127.0.0.1:port", "all_proxy is not the URL of a proxy: set https_proxy=http://HOST:PORT"),
        ("socks5h://me:secret@127.0.0.1:9", "socks5h:// proxies are not supported"),
    ],
    ids=["malformed", "of another kind"],
)
def test_unusable_proxy_is_a_usage_error_before_anything_is_written(
    crawl: CommandRunner, output: Path, proxy: str, expected_text: str
) -> None:
    result = crawl("flash", ALL_PROXY=proxy)
    assert result.exit_code == 2
    assert expected_text in get_line(result)
    assert not output.exists()
