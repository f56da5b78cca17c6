"""Where requests may go: exact origins, and nothing else. Pure.

An origin is scheme, host and port. A host's name alone is no bound: another port of the same machine is another server.
"""

from functools import lru_cache
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

_PORTS = {"http": 80, "https": 443}
# Set aside for measurements, and so nobody's; proxies that take a machine's whole traffic answer with names' stand-ins
# from here.
_STAND_INS = ip_network("198.18.0.0/15")


# Of a request and its reply it is asked several times.
@lru_cache(maxsize=256)
def origin_of(url: str) -> str:
    """The origin of an address; empty when it has none, or names a user beside it.

    >>> origin_of("https://finance.eastmoney.com/a/1.html"), origin_of("HTTP://[::1]:8000/x")
    ('https://finance.eastmoney.com:443', 'http://::1:8000')
    >>> origin_of("file:///etc/passwd"), origin_of("http://finance.eastmoney.com@127.0.0.1/")
    ('', '')
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return ""
    return f"{parts.scheme}://{parts.hostname.rstrip('.')}:{port}"


def shown(url: str) -> str:
    """An address as it may be told and kept: without a user's name, a query or a fragment, which can hold secrets.

    >>> shown("http://me:secret@host:81/a/1.html?token=x#y")
    'http://host:81/a/1.html'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))[:200]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's: not this machine's, its network's, or its cloud's own.

    >>> [is_public(address) for address in ("1.1.1.1", "127.0.0.1", "169.254.169.254", "100.100.100.200")]
    [True, False, False, False]
    """
    ip = ip_address(address)
    return (ip.is_global and not ip.is_multicast) or ip in _STAND_INS
