"""Listings of the sample site that change between two requests."""

from collections.abc import Callable

from crawler.sample_site import Exchange, SampleSite


class ListingChanges:
    """Changes the listing after certain listing requests; the first request is number 1.

    The response has the listing before the change; the next request gets the changed listing.
    """

    def __init__(self, sample_site: SampleSite, pattern: str, changes: dict[int, Callable[[], object]]) -> None:
        self.requests_seen = 0
        self._changes = changes
        sample_site.add_fault(pattern, self)

    def apply(self, exchange: Exchange) -> None:
        self.requests_seen += 1
        if change := self._changes.get(self.requests_seen):
            change()
        exchange.send_response(exchange.default_response)
