"""DNS resolver for public addresses only: a host name never leads a request into a private network.

The owner of a name can point it at the machine that crawls, at its network, or at the metadata of its cloud.
What the operator named, the mirror and the proxies, may be anywhere, and so may an address that stands for itself.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, ClassVar, Self
from urllib.request import getproxies

from scrapy.crawler import Crawler
from scrapy.resolver import CachingHostnameResolver
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver

from crawler.crawl.policy.origins import is_public
from crawler.crawl.policy.proxies import find_proxy_host


class PublicResolver(CachingHostnameResolver):
    """Scrapy's resolver of IPv4 and IPv6, which passes on no private address of a name.

    Every connection is made to an address that this resolver has passed on. Twisted calls it for addresses, too.
    """

    blocked_addresses: ClassVar[dict[str, str]] = {}
    """The private addresses that were found, by name: Twisted reports no more than that there was none."""

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> Self:
        resolver = super().from_crawler(crawler, reactor)
        proxies = getproxies()  # "no" is among them: the hosts that are asked without one
        trusted_urls = [crawler.settings.get("MIRROR") or "", *map(proxies.get, ("http", "https", "all"))]
        resolver._trusted_hosts = {find_proxy_host(url) for url in trusted_urls if url}
        return resolver

    _trusted_hosts: set[str]

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        may_be_private = hostName in self._trusted_hosts or _is_address(hostName)
        # Twisted calls the methods of a receiver, and asks for no declaration that it is one.
        receiver: Any = _AddressFilter(resolutionReceiver, "" if may_be_private else hostName, addressTypes)
        return super().resolveHostName(receiver, hostName, portNumber, addressTypes, transportSemantics)


class _AddressFilter:
    """An IResolutionReceiver that passes on the addresses that may be connected to.

    With a `public_name`, these are only the public ones.
    """

    def __init__(self, receiver: Any, public_name: str, address_types: Sequence[type[IAddress]] | None) -> None:
        self._receiver, self._public_name = receiver, public_name
        # Scrapy's cache forgets which types were asked for.
        self._address_types = address_types

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: Any) -> None:
        if self._address_types is not None and type(address) not in self._address_types:
            return
        if self._public_name and not is_public(address.host):
            PublicResolver.blocked_addresses[self._public_name] = address.host
        else:
            self._receiver.addressResolved(address)

    def resolutionComplete(self) -> None:
        self._receiver.resolutionComplete()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
