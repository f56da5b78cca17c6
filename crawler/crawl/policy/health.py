"""Circuit breaker: the health of a source in one crawl; endpoints are closed after repeated failures. Pure.

An endpoint that fails twice in a row, such as for two articles, gets no more requests in this crawl. If two hosts of a
site close connections or respond with 429 within a minute, the site refuses this address, and is paused.
"""

from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from crawler.crawl.policy.failures import describe_endpoint
from crawler.errors import RefusedError, RequestError
from crawler.items import Reason

# Failures in a row that close an endpoint.
_MAX_REFUSALS_IN_A_ROW = 2
# Seconds within which refusals by two hosts count as one of the site.
_SITE_REFUSAL_SECONDS = 60.0
# Reasons of requests that were sent and got no usable response.
_FAILURES = {Reason.HTTP_ERROR, Reason.CONNECTION_ERROR, Reason.REFUSED}


@dataclass(slots=True)
class SourceHealth:
    """Results of the requests by endpoint, which canonical URLs name.

    `closed` and `changed` are messages by endpoint: `closed` ones get no more requests, the fields of `changed` ones
    differ from their schema. `answered` endpoints work. `blocked_site` is a message if the site refuses this address.
    """

    closed: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    blocked_site: str = ""
    answered: set[str] = field(default_factory=set)
    _refusals_in_a_row: Counter[str] = field(default_factory=Counter)
    _blocked_hosts: dict[str, float] = field(default_factory=dict)

    def record_answer(self, url: str) -> None:
        """Record a usable response of an endpoint, "no such article" included."""
        endpoint = describe_endpoint(url)
        self._refusals_in_a_row[endpoint] = 0
        if endpoint not in self.closed and endpoint not in self.changed:
            self.answered.add(endpoint)

    def record_change(self, url: str, detail: str) -> None:
        """Record that the fields of an endpoint have changed; the second time in a row closes it."""
        endpoint = describe_endpoint(url)
        self.answered.discard(endpoint)
        self.changed[endpoint] = detail
        self._count_refusal(endpoint, detail)

    def record_failure(self, url: str, error: RequestError, now: float) -> None:
        """Record a failed request at the time `now`, in seconds of any clock."""
        endpoint, host = describe_endpoint(url), urlsplit(url).hostname or ""
        if error.reason == Reason.ROBOTS_FORBIDDEN:
            self._close(endpoint, str(error))
        elif error.reason in _FAILURES:
            self._count_refusal(endpoint, str(error))
        if isinstance(error, RefusedError) and error.blocks_address:
            self._blocked_hosts[host] = now
            hosts = sorted(name for name, time in self._blocked_hosts.items() if now - time <= _SITE_REFUSAL_SECONDS)
            if len(hosts) > 1 and not self.blocked_site:
                self.blocked_site = f"{' and '.join(hosts)} refuse requests from this address: {error}"

    def why_closed(self, url: str) -> str:
        """Return why the endpoint of a URL is closed; an empty string for an open one."""
        return self.closed.get(describe_endpoint(url), "") if self.closed else ""

    def lasting_conditions(self) -> list[str]:
        """Return a message for each problem that is likely to last until the next crawl."""
        closed = [f"{endpoint}: {detail}" for endpoint, detail in self.closed.items() if endpoint not in self.changed]
        return [*closed, *self.changed.values()]

    def is_lasting(self, text: str) -> bool:
        """Return whether a message about a listing is of such a problem."""
        return any(detail in text for detail in (*self.closed.values(), *self.changed.values()))

    def _count_refusal(self, endpoint: str, detail: str) -> None:
        self._refusals_in_a_row[endpoint] += 1
        if self._refusals_in_a_row[endpoint] >= _MAX_REFUSALS_IN_A_ROW:
            self._close(endpoint, f"no more requests in this crawl after two failures in a row: {detail}")

    def _close(self, endpoint: str, detail: str) -> None:
        self.answered.discard(endpoint)
        self.closed.setdefault(endpoint, detail)
