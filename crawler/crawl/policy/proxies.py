"""Proxies from the environment: which one a scheme has, and whether it can be used. Pure."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from crawler.errors import UsageError

# The key of ALL_PROXY among what `urllib.request.getproxies` returns.
_ALL = "all"


def find_proxy(scheme: str, proxies: Mapping[str, str]) -> str:
    """Return the URL of the proxy for a scheme: its own, or else the one for all; empty when there is none.

    `proxies` are those of `urllib.request.getproxies`. Raises UsageError for one that cannot be used.

    >>> find_proxy("https", {"http": "http://a:1", "all": "b:2"}), find_proxy("https", {})
    ('http://b:2', '')
    """
    text = proxies.get(scheme) or proxies.get(_ALL, "")
    if not text:
        return ""
    url = text if "://" in text else f"http://{text}"
    proxy_scheme = url.partition("://")[0].lower()
    # Scrapy speaks TLS to a proxy only for what is sent without TLS itself.
    if proxy_scheme.startswith("socks") or (proxy_scheme, scheme) == ("https", "https"):
        raise UsageError(
            f"{proxy_scheme}:// proxies are not supported for {scheme}://: set {scheme}_proxy=http://HOST:PORT,"
            " or no_proxy=* for no proxy"
        )
    if proxy_scheme not in {"http", "https"} or not _has_host_and_port(url):
        variable = f"{scheme if proxies.get(scheme) else _ALL}_proxy"
        raise UsageError(
            f"the environment's {variable} is not a proxy's address: set {scheme}_proxy=http://HOST:PORT,"
            " or no_proxy=* for no proxy"
        )
    return url


def find_proxy_host(url: str) -> str:
    """Return the host of a proxy, without a check whether it can be used; empty when it names none."""
    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return ""


def describe_proxy(url: str) -> str:
    """Return host and port of a proxy, without user name and password.

    >>> describe_proxy("http://me:secret@127.0.0.1:3128/")
    '127.0.0.1:3128'
    """
    return urlsplit(url).netloc.rpartition("@")[2]


def _has_host_and_port(url: str) -> bool:
    try:
        split_url = urlsplit(url)
        return bool(split_url.hostname) and split_url.port != 0 and url.isascii() and not any(map(str.isspace, url))
    except ValueError:
        return False
