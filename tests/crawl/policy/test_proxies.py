"""Proxies of the environment by scheme, and invalid ones."""

import pytest

from crawler.crawl.policy.proxies import describe_proxy, find_proxy, find_proxy_host
from crawler.errors import UsageError


@pytest.mark.parametrize(
    ("scheme", "proxies", "expected"),
    [
        ("https", {}, ""),
        ("https", {"http": "http://a:1", "no": "localhost"}, ""),
        ("https", {"https": "http://a:1", "all": "socks5://b:2"}, "http://a:1"),
        ("https", {"https": "", "all": "http://b:2"}, "http://b:2"),
        ("http", {"https": "http://a:1", "all": "http://me:secret@b:2/"}, "http://me:secret@b:2/"),
        ("https", {"https": "a:1"}, "http://a:1"),
        ("https", {"https": "HTTP://A"}, "HTTP://A"),
        ("https", {"https": "http://[::1]:3128"}, "http://[::1]:3128"),
        ("http", {"http": "https://a:443"}, "https://a:443"),
    ],
)
def test_proxy_of_a_scheme_is_its_own_or_that_for_all(scheme: str, proxies: dict[str, str], expected: str) -> None:
    assert find_proxy(scheme, proxies) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@127.0.0.1:port", "http://secret:99999", "http://secret:0", "http://", "/var/run/secret.sock",
        "http://[secret", "http://secret :8080", "http://秘密.secret", "ftp://secret:21", "://secret", "secret: 1",
    ],
)  # fmt: skip
def test_malformed_proxy_is_a_usage_error_without_its_value(url: str) -> None:
    with pytest.raises(UsageError, match=r"https_proxy is not .* set https_proxy=http://HOST:PORT") as exc_info:
        find_proxy("https", {"https": url})
    assert "secret" not in str(exc_info.value)


@pytest.mark.parametrize("scheme", ["socks", "socks4", "socks5", "SOCKS5H", "https"])
def test_proxy_of_an_unsupported_kind_is_a_usage_error(scheme: str) -> None:
    with pytest.raises(UsageError, match=f"{scheme.lower()}:// proxies are not supported") as exc_info:
        find_proxy("https", {"all": f"{scheme}://me:secret@a:1080"})
    assert "secret" not in str(exc_info.value)


def test_host_of_a_proxy_is_found_in_any_text() -> None:
    urls = ("http://me:secret@A:1", "a:1", "http://[", "/var/run/x.sock", "")
    assert [find_proxy_host(url) for url in urls] == ["a", "a", "", "", ""]


def test_description_has_no_secret() -> None:
    assert [describe_proxy(url) for url in ("http://me:secret@a:1/", "http://[::1]:1", "")] == ["a:1", "[::1]:1", ""]
