"""Interfaces of crawl and spider: SpiderInfo, EntryTracker, the fields of a request, request errors."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadCancelledError, DownloadFailedError, IgnoreRequest, ResponseDataLossError
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.markup import SourceMarkup
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.policy.failures import describe_endpoint, describe_item_error
from crawler.crawl.policy.health import SourceHealth
from crawler.crawl.policy.origins import redact_url
from crawler.crawl.policy.pagination import NextPage
from crawler.crawl.policy.selection import Selection, parse_selection
from crawler.crawl.transport_errors import describe_proxy_status, describe_transport_error, through_proxy
from crawler.errors import (
    ItemError,
    MissingArticleError,
    ParseError,
    RefusedError,
    RequestError,
    SchemaChangedError,
    UsageError,
)
from crawler.items import ListingEntry, ListingSize, PageWindow, RawArticle, RawResponse, Reason
from crawler.storage import load_stored_categories
from crawler.storage.robots_files import RobotsFile

# HTTP statuses for an article that the source does not have, or has removed.
_MISSING_STATUSES = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
# The time is that of the refusals that users of the source have reported (2026).
_REFUSAL_WAIT = "the source refuses: wait for half an hour or more"
SLOW_DOWN_HINT = "send fewer requests, for example with --set DOWNLOAD_DELAY=2"
# The key of the canonical URL in a request's `meta`.
_CANONICAL_URL = "canonical"


class SpiderInfo(Protocol):
    """Attributes and methods of a spider that a crawl uses."""

    name: str
    site: str
    arguments: Mapping[str, str]
    columns: Mapping[str, str]
    default_columns: tuple[str, ...]
    markup: SourceMarkup
    supersedes: frozenset[str]
    rows_are_articles: bool

    def first_article_url(self, entry: ListingEntry) -> str:
        """Return the first URL to request an article from; empty for an article that its row holds."""
        ...

    def extract_row(self, entry: ListingEntry, fetched_at: datetime) -> RawArticle:
        """Return the article, or the beginning of one, that a listing row holds."""
        ...


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row, as received, of the listing at `url` that could not be parsed, and the error."""

    row: Any
    error: ItemError
    url: str


class EntryTracker(ABC):
    """Record what a spider lists and fetches, and decide what it fetches next.

    Crawls, plans and dry runs have one each. `selection` is what the user selected, `health` the state of the source's
    endpoints, and `output` the folder of the request log; None to log no requests.
    """

    selection: Selection
    health: SourceHealth
    output: Path | None = None

    @abstractmethod
    def record_listing_page(
        self,
        column: str,
        rows: Sequence[ListingEntry | BadRow],
        *,
        is_last_page: bool,
        listing_size: ListingSize | None = None,
        window: PageWindow | None = None,
    ) -> tuple[list[ListingEntry], NextPage | None]:
        """Record a listing page. Return the entries to fetch, and the next page to fetch, if any."""

    @abstractmethod
    def record_listing_failure(self, column: str, error: ItemError, response: RawResponse) -> None:
        """Record that a listing page could not be fetched or parsed."""

    @abstractmethod
    def record_article_failure(self, entry: ListingEntry, error: BaseException | None, response: RawResponse) -> None:
        """Record that the article of an entry could not be fetched, extracted or normalised."""

    @abstractmethod
    def entries_to_refresh(self) -> list[ListingEntry]:
        """Return the stored articles that `--refresh` fetches again, except those that were listed in this crawl."""

    def record_answer(self, url: str) -> None:
        """Record that the endpoint of a canonical URL returns usable responses."""
        self.health.record_answer(url)

    def record_change(self, url: str, error: SchemaChangedError) -> None:
        """Record that the fields of the endpoint of a canonical URL have changed."""
        self.health.record_change(url, describe_item_error(error, url))

    def record_request_failure(self, site: str, url: str, error: RequestError) -> None:
        """Record a failed request. A site or endpoint that refuses this address is paused for the next crawls, too."""
        was_closed, was_blocked = self.health.why_closed(url), self.health.blocked_site
        self.health.record_failure(url, error, time.monotonic())
        if self.health.blocked_site and not was_blocked:
            self.back_off(site)
        elif (
            isinstance(error, RefusedError) and error.blocks_address and self.health.why_closed(url) and not was_closed
        ):
            self.back_off(describe_endpoint(url))

    @abstractmethod
    def paused_until(self, name: str) -> datetime | None:
        """Return the end of a site's or endpoint's pause; None if there is none, or it is over."""

    @abstractmethod
    def pause(self, name: str, wait: timedelta) -> None:
        """Stop requests to a site or endpoint for a time that is longer than a crawl waits."""

    @abstractmethod
    def back_off(self, name: str) -> None:
        """Pause a site or endpoint that refuses requests without a Retry-After."""

    @abstractmethod
    def load_robots(self, origin: str) -> RobotsFile | None:
        """Return the stored robots.txt of an origin, however old; None without one."""

    @abstractmethod
    def save_robots(self, origin: str, robots_file: RobotsFile) -> None:
        """Store the robots.txt of an origin for the next crawls."""


class TrackerExtension:
    """A Scrapy extension that holds the tracker of a crawl once the spider is opened."""

    tracker: EntryTracker | None = None


class DroppedRequestError(IgnoreRequest):
    """A request that is dropped, with the code of the reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def set_canonical_url(url: str) -> dict[str, str]:
    """Return the `meta` of a request with this canonical URL, whatever its own URL."""
    return {_CANONICAL_URL: url}


def get_canonical_url(request: Request) -> str:
    """Return the source's own URL of a request, also of one to a mirror."""
    url: str = request.meta.get(_CANONICAL_URL, request.url)
    return url


def get_column(request: Request) -> str:
    """Return the column of a listing request; an empty string for any other request."""
    column: str = request.cb_kwargs.get("column", "")
    return column


def get_entry(request: Request) -> ListingEntry | None:
    """Return the entry of an article request; None for any other request."""
    entry: ListingEntry | None = request.cb_kwargs.get("entry")
    return entry


def get_tracker(crawler: Crawler) -> EntryTracker:
    """Return the tracker of a crawl. Raises UsageError if the extension that holds it is switched off."""
    tracker = find_tracker(crawler)
    if tracker is None:
        raise missing_session_error()
    return tracker


def missing_session_error() -> UsageError:
    """Return the error for a crawl without its session."""
    return UsageError("the extension crawler.crawl.session.CrawlSession is switched off: a crawl needs it")


def find_tracker(crawler: Crawler) -> EntryTracker | None:
    """Return the tracker of a crawl; None in a worker, which has none."""
    extension = crawler.get_extension(TrackerExtension)
    return extension.tracker if extension else None


def selection_from_arguments(spider: SpiderInfo, output: Path) -> Selection:
    """Return the selection of a spider's arguments. Raises UsageError, or StoreError for an unreadable database."""
    return parse_selection(
        spider.arguments,
        columns=spider.columns,
        default_columns=spider.default_columns,
        registry=CategoryRegistry(load_stored_categories(output)),
        now=clock.now(),
    )


def describe_listing_error(error: ItemError, url: str) -> str:
    """Return one line about a listing that could not be read."""
    reason = describe_item_error(error, url)
    if isinstance(error, ParseError):
        return reason
    advice = f": {_REFUSAL_WAIT}, and {SLOW_DOWN_HINT}" if isinstance(error, RefusedError) else ""
    return f"{urlsplit(url).hostname}: {reason}{advice}"


def to_request_error(error: BaseException | None, request: Request) -> RequestError:
    """Return the error of a request without a usable response, given the exception of Scrapy or Twisted."""
    detail = describe_request_error(error, request)
    if isinstance(error, HttpError):
        status = error.response.status
        if status in _MISSING_STATUSES:
            return MissingArticleError(Reason.HTTP_ERROR, detail)
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return RefusedError(detail, blocks_address=status == HTTPStatus.TOO_MANY_REQUESTS)
    if is_connection_closed(error):
        return RefusedError(detail, blocks_address=True)
    return RequestError(request_reason(error), detail)


def is_connection_closed(error: BaseException | None) -> bool:
    """Return whether a connection was reset or closed before a response, which is how the source refuses addresses."""
    cause = error.__cause__ if isinstance(error, DownloadFailedError) else error
    if isinstance(cause, ConnectionDone | ConnectionLost):
        return True
    reasons: list[Failure] = getattr(cause, "reasons", [])
    return bool(reasons) and all(isinstance(reason.value, ConnectionDone | ConnectionLost) for reason in reasons)


def describe_request_error(error: BaseException | None, request: Request) -> str:
    """Return one line about a request without a usable response."""
    if isinstance(error, HttpError):
        return f"HTTP {error.response.status}{describe_proxy_status(error.response.status, request)}"
    if isinstance(error, IgnoreRequest):
        return collapse_whitespace(str(error)) or "the request was dropped"
    if isinstance(error, DownloadCancelledError):
        return "the response is larger than DOWNLOAD_MAXSIZE"
    if detail := describe_transport_error(error, request):
        return detail
    if is_connection_closed(error):
        return f"{through_proxy(request)}the connection was closed without a response"
    # The address of a mirror is private, and not recorded.
    canonical_url = redact_url(get_canonical_url(request))
    detail = str(error).replace(request.url, canonical_url) or type(error).__name__
    return collapse_whitespace(through_proxy(request) + detail)[:200]


def request_reason(error: BaseException | None) -> Reason:
    """Return the reason code of a request without a usable response."""
    match error:
        case HttpError():
            return Reason.HTTP_ERROR
        case DroppedRequestError():
            return error.reason
        case IgnoreRequest():
            return Reason.REQUEST_DROPPED
        case DownloadCancelledError():
            return Reason.RESPONSE_TOO_LARGE
        case ResponseDataLossError():
            return Reason.RESPONSE_INCOMPLETE
    return Reason.CONNECTION_ERROR
