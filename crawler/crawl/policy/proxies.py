"""Proxies of the environment: find and check the one of a scheme. Pure."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from crawler.errors import UsageError

# The key of ALL_PROXY in the result of `urllib.request.getproxies`.
_ALL = "all"


def find_proxy(scheme: str, proxies: Mapping[str, str]) -> str:
    """Return the URL of the proxy for a scheme, else of the one for all schemes; empty without one.

    `proxies` is the result of `urllib.request.getproxies`. Raises UsageError for a proxy that cannot be used.

    >>> find_proxy("https", {"http": "http://a:1", "all": "b:2"}), find_proxy("https", {})
    ('http://b:2', '')
    """
    text = proxies.get(scheme) or proxies.get(_ALL, "")
    if not text:
        return ""
    url = text if "://" in text else f"http://{text}"
    proxy_scheme = url.partition("://")[0].lower()
    # Scrapy connects to a proxy by TLS only for http:// requests.
    if proxy_scheme.startswith("socks") or (proxy_scheme, scheme) == ("https", "https"):
        raise UsageError(
            f"{proxy_scheme}:// proxies are not supported for {scheme}://: set {scheme}_proxy=http://HOST:PORT,"
            " or no_proxy=* for no proxy"
        )
    try:
        split_url = urlsplit(url)
        has_host_and_port = bool(split_url.hostname) and split_url.port != 0
    except ValueError:
        has_host_and_port = False
    has_valid_characters = url.isascii() and not any(map(str.isspace, url))
    if proxy_scheme not in {"http", "https"} or not has_host_and_port or not has_valid_characters:
        variable = f"{scheme if proxies.get(scheme) else _ALL}_proxy"
        raise UsageError(
            f"the environment's {variable} is not the URL of a proxy: set {scheme}_proxy=http://HOST:PORT,"
            " or no_proxy=* for no proxy"
        )
    return url


def find_proxy_host(url: str) -> str:
    """Return the host of a proxy's URL, which is not checked; empty without one."""
    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return ""


def describe_proxy(url: str) -> str:
    """Return host and port of a proxy's URL, without user name and password.

    >>> describe_proxy("http://me:secret@127.0.0.1:3128/")
    '127.0.0.1:3128'
    """
    return urlsplit(url).netloc.rpartition("@")[2]
