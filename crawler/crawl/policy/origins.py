"""Origins of URLs (scheme, host, port), to which requests are restricted, and public IP addresses. Pure.

An origin is scheme, host and port. A host's name alone is no bound: another port of the same machine is another server.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Reserved for benchmarks (RFC 2544), and so no server's; transparent proxies resolve every name to such an address.
_BENCHMARK_NETWORK = ip_network("198.18.0.0/15")
# The IPv6 internet (RFC 4291), and the two parts of it that tunnel to an IPv4 address: 6to4 and Teredo, both given up.
_IPV6_INTERNET = ip_network("2000::/3")
_IPV6_TUNNELS = (ip_network("2002::/16"), ip_network("2001::/32"))
# Addresses with an IPv4 address in their last 32 bits, to which a gateway of the user's own network leads (NAT64,
# RFC 6052); names that have no IPv6 address get one of these where the network has no IPv4.
_NAT64_NETWORK = ip_network("64:ff9b::/96")
# For documentation (RFC 9637); Python 3.11 takes it for public.
_DOCUMENTATION_NETWORK = ip_network("3fff::/20")


def get_origin(url: str) -> str:
    """The origin of an address; empty when it has none, or when it holds a user name.

    >>> get_origin("https://finance.eastmoney.com/a/1.html"), get_origin("HTTP://[::1]:8000/x")
    ('https://finance.eastmoney.com:443', 'http://[::1]:8000')
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
    host = f"[{split_url.hostname}]" if ":" in split_url.hostname else split_url.hostname.rstrip(".")
    return f"{split_url.scheme}://{host}:{port}"


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
    if isinstance(ip, IPv6Address):
        embedded_ip = _embedded_ipv4(ip)
        return is_public(str(embedded_ip)) if embedded_ip else _is_public_ipv6(ip)
    return (ip.is_global and not ip.is_multicast) or ip in _BENCHMARK_NETWORK


def _embedded_ipv4(ip: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that is connected to in place of an IPv6 address; None for an address of its own."""
    return IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _NAT64_NETWORK else ip.ipv4_mapped


def _is_public_ipv6(ip: IPv6Address) -> bool:
    return (
        ip in _IPV6_INTERNET
        and ip.is_global
        and ip not in _DOCUMENTATION_NETWORK
        and not any(ip in tunnel for tunnel in _IPV6_TUNNELS)
    )
