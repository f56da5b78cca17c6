"""DNS resolver for public addresses: no host name of a source resolves to a private address.

Otherwise the owner of a name could direct requests to this machine, its network, or the metadata service of its cloud.
The hosts of the mirror and of the proxies, which the operator names, may be private, and so may literal IP addresses.
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
    """Resolve names as Scrapy does, by IPv4 and IPv6, and drop private addresses.

    All connections are made to addresses that this resolver returned. Twisted calls it for literal addresses, too.
    """

    blocked_addresses: ClassVar[dict[str, str]] = {}
    """The private addresses that were dropped, by name, for error messages: Twisted reports none."""

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> Self:
        """Read the hosts that may be private: those of the mirror and the proxies."""
        resolver = super().from_crawler(crawler, reactor)
        proxies = getproxies()  # the key "no" has hosts, not a proxy
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
        """Resolve a host name, with a filter before the receiver of its addresses."""
        try:
            ip_address(hostName)
            may_be_private = True
        except ValueError:
            may_be_private = hostName in self._trusted_hosts
        # Twisted requires the methods of IResolutionReceiver, not its declaration.
        receiver: Any = _AddressFilter(resolutionReceiver, "" if may_be_private else hostName, addressTypes)
        return super().resolveHostName(receiver, hostName, portNumber, addressTypes, transportSemantics)


class _AddressFilter:
    """An IResolutionReceiver that drops the private addresses of a `public_name`; empty to pass all."""

    def __init__(self, receiver: Any, public_name: str, address_types: Sequence[type[IAddress]] | None) -> None:
        self._receiver, self._public_name = receiver, public_name
        # Scrapy's cache ignores the requested types.
        self._address_types = address_types

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Pass on the begin."""
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: Any) -> None:
        """Pass on an address of a requested type, unless it must be public and is not."""
        if self._address_types is not None and type(address) not in self._address_types:
            return
        if self._public_name and not is_public(address.host):
            PublicResolver.blocked_addresses[self._public_name] = address.host
        else:
            self._receiver.addressResolved(address)

    def resolutionComplete(self) -> None:
        """Pass on the end."""
        self._receiver.resolutionComplete()
