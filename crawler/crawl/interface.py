"""What a spider's walk and the middlewares tell whoever keeps the books: the ledger of a crawl, or a planner."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest, ResponseDataLossError
from scrapy.spidermiddlewares.httperror import HttpError

from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.policy.failures import describe_item_error
from crawler.crawl.policy.origins import redact_url
from crawler.crawl.policy.selection import Selection, parse_selection
from crawler.errors import ItemError, ParseError
from crawler.items import ListingEntry, ListingSize, RawResponse, Reason
from crawler.storage import load_stored_categories


class SpiderInfo(Protocol):
    """What is asked of a spider."""

    name: str
    arguments: Mapping[str, str]
    columns: Mapping[str, str]
    default_columns: tuple[str, ...]
    supersedes: frozenset[str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of the listing at `url` that is no entry, as it came, and why."""

    row: Any
    error: ItemError
    url: str


class DroppedRequestError(IgnoreRequest):
    """A request is given up, for a reason that has a code."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class EntryTracker(ABC):
    """`selection` is what was asked for, `paused_origins` until when origins asked to be left alone."""

    selection: Selection
    paused_origins: dict[str, datetime]

    def paused_until(self, origin: str) -> datetime | None:
        """Until when an origin asked to be left alone, if it is not over."""
        until = self.paused_origins.get(origin)
        return until if until and until > clock.now() else None

    @abstractmethod
    def record_listing_page(
        self,
        column: str,
        rows: Sequence[ListingEntry | BadRow],
        *,
        is_last_page: bool,
        listing_size: ListingSize | None = None,
    ) -> tuple[list[ListingEntry], bool]:
        """Take a listing page in; say which of its entries are to be fetched, and whether its next page is wanted.

        `is_last_page` is the listing's end, `listing_size` its length.
        """

    @abstractmethod
    def record_listing_failure(self, column: str, error: ItemError, response: RawResponse) -> None:
        """A listing did not come, or could not be read."""

    @abstractmethod
    def entries_to_refresh(self) -> list[ListingEntry]:
        """The known articles to be fetched again that no listing has named."""

    @abstractmethod
    def pause(self, origin: str, wait: timedelta) -> None:
        """An origin asks to be left alone for longer than a crawl waits."""

    @abstractmethod
    def back_off(self, origin: str) -> None:
        """An origin refuses to answer so many requests, and says not for how long."""


def get_tracker(crawler: Crawler) -> EntryTracker | None:
    """Who keeps the books of a crawl; None where that is switched off."""
    extensions = crawler.extensions.middlewares if crawler.extensions else ()
    return next((extension for extension in extensions if isinstance(extension, EntryTracker)), None)


def selection_from_arguments(spider: SpiderInfo, output: Path) -> Selection:
    """What a spider's arguments ask for. Raises UsageError, or StoreError for a database that cannot be read."""
    return parse_selection(
        spider.arguments,
        columns=spider.columns,
        default_columns=spider.default_columns,
        registry=CategoryRegistry(load_stored_categories(output)),
        now=clock.now(),
    )


def describe_listing_error(error: ItemError, url: str) -> str:
    """Why there is no listing, in one line."""
    reason = describe_item_error(error, url)
    return reason if isinstance(error, ParseError) else f"{urlsplit(url).hostname}: {reason}"


def describe_request_error(error: BaseException | None, request: Request) -> str:
    """Why a request got no answer, in one line."""
    if isinstance(error, HttpError):
        return f"HTTP {error.response.status}"
    if isinstance(error, IgnoreRequest):
        return collapse_whitespace(str(error)) or "the request was dropped"
    if isinstance(error, DownloadCancelledError):
        return "the reply is larger than DOWNLOAD_MAXSIZE"
    # The mirror's address is nobody's concern but the operator's.
    canonical_url = redact_url(request.meta.get("canonical", request.url))
    return collapse_whitespace(str(error).replace(request.url, canonical_url) or type(error).__name__)[:200]


def request_reason(error: BaseException | None) -> Reason:
    """Return the code of why a request got no response."""
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


def describe_bug(error: BaseException | None) -> str:
    """A fault of ours, in one line."""
    return collapse_whitespace(f"internal error: {type(error).__name__}: {error}")[:300]
