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
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.spidermiddlewares.httperror import HttpError

from crawler.content import clock
from crawler.content.categories import Media
from crawler.content.unicode_text import one_line
from crawler.crawl.policy.failures import explained
from crawler.crawl.policy.origins import shown
from crawler.crawl.policy.selection import Selection, parse
from crawler.errors import Unreadable, Unusable
from crawler.items import Entry, Extent, Reply
from crawler.storage import met_categories


class Source(Protocol):
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
    error: Unusable
    url: str


class Books(ABC):
    """`selection` is what was asked for, `pauses` until when origins asked to be left alone."""

    selection: Selection
    pauses: dict[str, datetime]

    def paused(self, origin: str) -> datetime | None:
        """Until when an origin asked to be left alone, if it is not over."""
        until = self.pauses.get(origin)
        return until if until and until > clock.now() else None

    @abstractmethod
    def take_down(
        self, column: str, rows: Sequence[Entry | BadRow], *, last: bool, extent: Extent | None = None
    ) -> tuple[list[Entry], bool]:
        """Take a listing page in; say which of its entries are to be fetched, and whether its next page is wanted.

        `last` is the listing's end, `extent` its length.
        """

    @abstractmethod
    def listing_lost(self, column: str, error: Unusable, reply: Reply) -> None:
        """A listing did not come, or could not be read."""

    @abstractmethod
    def recheck(self) -> list[Entry]:
        """The known articles to be fetched again that no listing has named."""

    @abstractmethod
    def pause(self, origin: str, wait: timedelta) -> None:
        """An origin asks to be left alone for longer than a crawl waits."""

    @abstractmethod
    def back_off(self, origin: str) -> None:
        """An origin refuses to answer so many requests, and says not for how long."""


def books_of(crawler: Crawler) -> Books | None:
    """Who keeps the books of a crawl; None where that is switched off."""
    loaded = crawler.extensions.middlewares if crawler.extensions else ()
    return next((extension for extension in loaded if isinstance(extension, Books)), None)


def asked_for(spider: Source, output: Path) -> Selection:
    """What a spider's arguments ask for. Raises UsageError, or StoreError for a database that cannot be read."""
    return parse(
        spider.arguments,
        columns=spider.columns,
        default_columns=spider.default_columns,
        media=Media(met_categories(output)),
        now=clock.now(),
    )


def why_lost(error: Unusable, url: str) -> str:
    """Why there is no listing, in one line."""
    reason = explained(error, url)
    return reason if isinstance(error, Unreadable) else f"{urlsplit(url).hostname}: {reason}"


def error_told(error: BaseException | None, request: Request) -> str:
    """Why a request got no answer, in one line."""
    if isinstance(error, HttpError):
        return f"HTTP {error.response.status}"
    if isinstance(error, IgnoreRequest):
        return one_line(str(error)) or "the request was dropped"
    if isinstance(error, DownloadCancelledError):
        return "the reply is larger than DOWNLOAD_MAXSIZE"
    # The mirror's address is nobody's concern but the operator's.
    canonical = shown(request.meta.get("canonical", request.url))
    return one_line(str(error).replace(request.url, canonical) or type(error).__name__)[:200]


def fault_told(error: BaseException | None) -> str:
    """A fault of ours, in one line."""
    return one_line(f"internal error: {type(error).__name__}: {error}")[:300]
