"""Origins of URLs, which requests are restricted to, and public IP addresses. Pure.

An origin is scheme, host and port, because another port of the same host may be another server.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Reserved for benchmarks (RFC 2544). Transparent proxies resolve every host name to such an address, so it is allowed.
_BENCHMARK_NETWORK = ip_network("198.18.0.0/15")
# The IPv6 internet (RFC 4291), and its two obsolete tunnels to IPv4 addresses: 6to4 and Teredo.
_IPV6_INTERNET = ip_network("2000::/3")
_IPV6_TUNNELS = (ip_network("2002::/16"), ip_network("2001::/32"))
# NAT64 (RFC 6052): the last 32 bits are an IPv4 address. IPv6-only networks resolve IPv4 hosts to such addresses.
_NAT64_NETWORK = ip_network("64:ff9b::/96")
# For documentation (RFC 9637); Python 3.11 classifies it as public.
_DOCUMENTATION_NETWORK = ip_network("3fff::/20")


def get_origin(url: str) -> str:
    """Return the origin of a URL; empty for a URL without one, or with a user name.

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
    """Return a URL without user name, query and fragment, which can hold secrets.

    >>> redact_url("http://me:secret@host:81/a/1.html?token=x#y")
    'http://host:81/a/1.html'
    """
    try:
        split_url = urlsplit(url)
    except ValueError:
        return "an invalid URL"
    return urlunsplit((split_url.scheme, split_url.netloc.rpartition("@")[2], split_url.path, "", ""))[:200]


def is_public(address: str) -> bool:
    """Return whether an IP address is on the internet, not of this machine, its network or its cloud.

    >>> [is_public(address) for address in ("1.1.1.1", "127.0.0.1", "169.254.169.254", "100.100.100.200")]
    [True, False, False, False]
    """
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        # Some IPv6 addresses are connections to an IPv4 address.
        if embedded_ip := IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _NAT64_NETWORK else ip.ipv4_mapped:
            return is_public(str(embedded_ip))
        is_reserved = any(ip in network for network in (_DOCUMENTATION_NETWORK, *_IPV6_TUNNELS))
        return ip in _IPV6_INTERNET and ip.is_global and not is_reserved
    return (ip.is_global and not ip.is_multicast) or ip in _BENCHMARK_NETWORK
