"""Origins of URLs (scheme, host, port), to which requests are restricted, and public IP addresses. Pure.

An origin is scheme, host and port. A host's name alone is no bound: another port of the same machine is another server.
"""

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Reserved for benchmarks (RFC 2544), and so no server's; transparent proxies resolve every name to such an address.
_BENCHMARK_NETWORK = ip_network("198.18.0.0/15")


def get_origin(url: str) -> str:
    """The origin of an address; empty when it has none, or when it holds a user name.

    >>> get_origin("https://finance.eastmoney.com/a/1.html"), get_origin("HTTP://[::1]:8000/x")
    ('https://finance.eastmoney.com:443', 'http://::1:8000')
    >>> get_origin("file:///etc/passwd"), get_origin("http://finance.eastmoney.com@127.0.0.1/")
    ('', '')
    """
    try:
        split_url = urlsplit(url)
        port = split_url.port or _DEFAULT_PORTS.get(split_url.scheme)
    except ValueError:
        return ""
    if split_url.scheme not in _DEFAULT_PORTS or not split_url.hostname or "@" in split_url.netloc:
        return ""
    return f"{split_url.scheme}://{split_url.hostname.rstrip('.')}:{port}"


def redact_url(url: str) -> str:
    """Return a URL that may be reported and stored: without user name, query and fragment, which can hold secrets.

    >>> redact_url("http://me:secret@host:81/a/1.html?token=x#y")
    'http://host:81/a/1.html'
    """
    try:
        split_url = urlsplit(url)
    except ValueError:
        return "an address that is none"
    return urlunsplit((split_url.scheme, split_url.netloc.rpartition("@")[2], split_url.path, "", ""))[:200]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's: not this machine's, its network's, or its cloud's own.

    >>> [is_public(address) for address in ("1.1.1.1", "127.0.0.1", "169.254.169.254", "100.100.100.200")]
    [True, False, False, False]
    """
    ip = ip_address(address)
    return (ip.is_global and not ip.is_multicast) or ip in _BENCHMARK_NETWORK
