"""Origins of requests, and public addresses."""

import pytest

from crawler.crawl.policy.origins import get_origin, is_public, redact_url


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://a.cn/x?y=1#z", "https://a.cn:443"),
        ("HTTP://A.CN/", "http://a.cn:80"),
        ("http://a.cn.:8080", "http://a.cn:8080"),
        ("http://[::1]:81/", "http://[::1]:81"),
        ("http://[::1]/", "http://[::1]:80"),
        ("https://b@a.cn/", ""),
        ("https://a.cn@b.cn/", ""),
        ("https://a.cn:99999/", ""),
        ("https://a.cn:x/", ""),
        ("http://[/", ""),
        ("//a.cn/", ""),
        ("http:///a.cn", ""),
        ("file:///etc/passwd", ""),
        ("ftp://a.cn/", ""),
        ("data:text/html,x", ""),
        ("javascript:x()", ""),
        ("", ""),
    ],
)
def test_an_origin_is_scheme_host_and_port_or_none(url: str, origin: str) -> None:
    assert get_origin(url) == origin


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://me:secret@a.cn:81/a/1.html?token=x#y", "http://a.cn:81/a/1.html"),
        ("http://a@b@c.cn/", "http://c.cn/"),
        ("http://[/", "an invalid URL"),
        ("http://a.cn/" + "x" * 500, "http://a.cn/" + "x" * 188),
    ],
)
def test_redacted_url_has_no_secret(url: str, expected: str) -> None:
    assert redact_url(url) == expected


PRIVATE_ADDRESSES = [
    "127.0.0.1", "127.9.9.9", "0.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fec0::1", "fd00::1", "ff02::1",
    "100::1", "2001:db8::1", "3fff::1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "::1.1.1.1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1.1.1.1", "2002:7f00:1::1", "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
def test_private_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["183.136.162.242", "1.1.1.1", "2400:3200::1", "64:ff9b::b788:a2f2", "::ffff:1.1.1.1", "198.18.0.7"],
)
def test_internet_and_benchmark_addresses_are_public(address: str) -> None:
    assert is_public(address)
