"""Addresses of a host name with several: public ones are passed on."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address

from crawler.crawl.public_dns import PublicResolver

PUBLIC_V4, PRIVATE_V4 = IPv4Address("TCP", "1.1.1.1", 80), IPv4Address("TCP", "10.0.0.1", 80)
PUBLIC_V6, PRIVATE_V6 = IPv6Address("TCP", "2400:3200::1", 80), IPv6Address("TCP", "::1", 80)


class FixedLookup:
    """System resolver with the same addresses for every name."""

    def resolveHostName(self, receiver: Any, name: str, *_args: object) -> None:  # noqa: N802  # the name is Twisted's
        receiver.resolutionBegan(None)
        for address in (PRIVATE_V6, PUBLIC_V6, PRIVATE_V4, PUBLIC_V4):
            receiver.addressResolved(address)
        receiver.resolutionComplete()


def lookup(*args: Any) -> list[Any]:
    resolver = PublicResolver(SimpleNamespace(nameResolver=FixedLookup()), 10)  # type: ignore[arg-type]  # all it reads
    resolver._trusted_hosts = {"mirror.example"}
    found: list[Any] = []
    receiver: Any = SimpleNamespace(
        resolutionBegan=lambda _: None, addressResolved=found.append, resolutionComplete=lambda: found.append(None)
    )
    resolver.resolveHostName(receiver, *args)
    return found


def test_only_the_public_addresses_of_a_name_are_passed_on() -> None:
    for _ in ("looked up", "from the cache"):
        assert lookup("a.example", 80) == [PUBLIC_V6, PUBLIC_V4, None]
        assert lookup("mirror.example", 80) == [PRIVATE_V6, PUBLIC_V6, PRIVATE_V4, PUBLIC_V4, None]


def test_only_addresses_of_the_wanted_type_are_passed_on() -> None:
    assert lookup("a.example", 80, [IPv4Address]) == [PUBLIC_V4, None]
