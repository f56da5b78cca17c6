"""Where requests may go: exact origins, and nothing else. Pure.

An origin is scheme, host and port. A host's name alone is no bound: another port of the same machine is another server.
"""

from urllib.parse import urlsplit, urlunsplit

_PORTS = {"http": 80, "https": 443}


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
