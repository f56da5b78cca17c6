"""Health of a source in one crawl: which of its endpoints answer, and which refuse. Pure.

An endpoint that refuses twice in a row is not asked again in this crawl: two articles, or two listing pages. A site of
which two hosts close connections or say "too many requests" within a minute refuses the address that asks, and is
asked nothing more.
"""

from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from crawler.crawl.policy.failures import describe_endpoint
from crawler.errors import RefusedError, RequestError
from crawler.items import Reason

_MAX_REFUSALS_IN_A_ROW = 2
_SITE_REFUSAL_SECONDS = 60.0
# With these a request was sent, and the endpoint gave no answer that could be used.
_FAILURES = {Reason.HTTP_ERROR, Reason.CONNECTION_ERROR, Reason.REFUSED}


@dataclass(slots=True)
class SourceHealth:
    """Takes in how each request ended, under its canonical URL.

    `closed` are the endpoints that are not asked again, `changed` those whose answers have other fields than they
    should, `answered` those that are as they should be, and `blocked_site` is why the whole site is asked nothing more
    (empty: it is not).
    """

    closed: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    blocked_site: str = ""
    answered: set[str] = field(default_factory=set)
    _refusals_in_a_row: Counter[str] = field(default_factory=Counter)
    _blocked_hosts: dict[str, float] = field(default_factory=dict)

    def record_answer(self, url: str) -> None:
        """Take in that an endpoint answered, also with "there is no such article"."""
        endpoint = describe_endpoint(url)
        self._refusals_in_a_row[endpoint] = 0
        if endpoint not in self.closed and endpoint not in self.changed:
            self.answered.add(endpoint)

    def record_change(self, url: str, detail: str) -> None:
        """Take in that the fields of an endpoint have changed; the second answer of that kind in a row closes it."""
        endpoint = describe_endpoint(url)
        self.answered.discard(endpoint)
        self.changed[endpoint] = detail
        self._count_refusal(endpoint, detail)

    def record_failure(self, url: str, error: RequestError, now: float) -> None:
        """Take in that a request failed, at a time in seconds."""
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
        """Return why the endpoint of a URL is not to be asked again; an empty text while it may be."""
        return self.closed.get(describe_endpoint(url), "")

    def lasting_conditions(self) -> list[str]:
        """Return one line for each trouble that the next crawl is likely to meet again."""
        closed = [f"{endpoint}: {detail}" for endpoint, detail in self.closed.items() if endpoint not in self.changed]
        return [*closed, *self.changed.values()]

    def is_lasting(self, text: str) -> bool:
        """Return whether what is said of a listing is one of these troubles."""
        return any(detail in text for detail in (*self.closed.values(), *self.changed.values()))

    def _count_refusal(self, endpoint: str, detail: str) -> None:
        self._refusals_in_a_row[endpoint] += 1
        if self._refusals_in_a_row[endpoint] >= _MAX_REFUSALS_IN_A_ROW:
            self._close(endpoint, f"not asked again in this crawl after two failures in a row: {detail}")

    def _close(self, endpoint: str, detail: str) -> None:
        self.answered.discard(endpoint)
        self.closed.setdefault(endpoint, detail)
