"""DNS resolver for public addresses only: a host name never leads a request into a private network.

The owner of a name can point it at the machine that crawls, at its network, or at the metadata of its cloud.
What the operator named, the mirror and the proxies, may be anywhere, and so may an address that stands for itself.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit
from urllib.request import getproxies

from scrapy.crawler import Crawler
from scrapy.resolver import CachingThreadedResolver
from twisted.internet.abstract import isIPAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError

from crawler.crawl.policy.origins import is_public


class PublicResolver(CachingThreadedResolver):
    """Scrapy's resolver, which finds no address for a name that leads into a private network."""

    blocked_addresses: ClassVar[dict[str, str]] = {}
    """The private addresses that were found, by name: Twisted reports no more than that there was none."""

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> Self:
        resolver = super().from_crawler(crawler, reactor)
        proxies = getproxies()  # "no" is among them: the hosts that are asked without one
        trusted_urls = [crawler.settings.get("MIRROR") or "", proxies.get("http", ""), proxies.get("https", "")]
        resolver._trusted_hosts = {urlsplit(url if "//" in url else f"//{url}").hostname for url in trusted_urls}
        return resolver

    _trusted_hosts: set[str | None]

    def getHostByName(self, name: str, timeout: Sequence[int] = ()) -> Deferred[str]:
        lookup = super().getHostByName(name, timeout)
        return (
            lookup
            if name in self._trusted_hosts or isIPAddress(name)
            else lookup.addCallback(self._require_public, name)
        )

    def _require_public(self, address: str, name: str) -> str:
        if not is_public(address):
            self.blocked_addresses[name] = address
            raise DNSLookupError(f"{name} is at {address}, which is no public address")
        return address
