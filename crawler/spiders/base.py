"""The walk that every site shares: listing -> entries -> article replies -> RawArticle.

A site says where its listings and articles are and how to read them; all of that is functions of a reply. What is
wanted, known or met already is the ledger's to say, and each entry ends in the ledger with exactly one outcome.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import DontCloseSpider
from scrapy.http import HtmlResponse, Response, TextResponse
from scrapy.settings import SETTINGS_PRIORITIES, BaseSettings
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from crawler.content import clock
from crawler.content.encoding import decode
from crawler.content.normalise import check_date
from crawler.content.unicode_text import one_line
from crawler.crawl.interface import BadRow, Books, books_of, error_told
from crawler.crawl.policy.origins import origin_of, shown
from crawler.crawl.tracker import Ledger, ledger_of
from crawler.errors import NoBody, Refused, Unreadable, Unusable, UsageError
from crawler.items import NO_COLUMN, Entry, Extent, Outcome, RawArticle, Reply
from crawler.storage.article_writer import LARGEST

# Articles are fetched before the next listing page, so that what waits in memory stays small.
_ARTICLE_PRIORITY = 10
_GONE = {404, 410}


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a listing: its rows as the source has them, and what to ask for the next page (None: the end).

    `extent` is how long the whole listing is, where the source says it.
    """

    rows: list[Any]
    next_cursor: str | None = None
    extent: Extent | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader finds in an article reply. Empty fields are filled from the listing entry."""

    body: str
    title: str = ""
    published: datetime | None = None
    media: str = ""
    summary: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """One way to an article's text: its address for an entry, and how to read the reply.

    `read` raises NoBody when the reply is sound and holds no text (the next reader is tried), Unreadable when it is
    not what the source answers, and Refused when the source says no.
    """

    url: Callable[["SiteSpider", Entry], str]
    read: Callable[[TextResponse, Entry], Reading]


class SiteSpider(Spider):
    """A news site. A subclass is one file, and says no more than what differs from site to site.

    It defines the class attributes below, `listing_url`, `read_listing` and `read_row`, and either `readers` or,
    where a row is the whole article, `read_entry`.
    """

    columns: ClassVar[Mapping[str, str]]
    """Ids and names of the listings that the site has."""
    default_columns: ClassVar[tuple[str, ...]]
    hosts: ClassVar[tuple[str, ...]] = ()
    """The hosts that requests may go to."""
    first_cursor: ClassVar[str] = "1"
    readers: ClassVar[tuple[Reader, ...]] = ()
    default_media: ClassVar[str]
    """The media of an article that names none."""
    supersedes: ClassVar[frozenset[str]] = frozenset()
    """Spiders whose shorter text of an article gives way to this one's."""

    def __init__(self, name: str | None = None, **arguments: str) -> None:
        super().__init__(name)
        self.arguments = arguments
        self._rechecked = False

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Name the crawler and its operator in the user agent, unless the operator has written one.

        Where a row is the whole article, those of a page are worked on side by side: one by one, each would wait for
        others that cannot come.
        """
        super().update_settings(settings)
        if not cls.readers:
            settings.set("CONCURRENT_ITEMS", LARGEST, priority="spider")
        if (settings.getpriority("USER_AGENT") or 0) <= SETTINGS_PRIORITIES["project"]:
            contact = one_line(settings.get("CONTACT") or "")
            agent = f"finews/{version('finews')}" + (f" (+{contact})" if contact else "")
            settings.set("USER_AGENT", agent, priority="spider")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.mirror = _mirror(crawler.settings.get("MIRROR") or "")
        spider.origins = frozenset(map(origin_of, [spider.mirror] if spider.mirror else spider.addresses()))
        crawler.signals.connect(spider.listings_walked, signal=signals.spider_idle)
        return spider

    mirror: str = ""
    origins: frozenset[str] = frozenset()

    # what a site says

    def addresses(self) -> list[str]:
        """The addresses of the servers that requests may go to, redirected ones included."""
        return [f"https://{host}" for host in self.hosts]

    def listing_url(self, column: str, cursor: str) -> str:
        """The address of one page of a listing."""
        raise TypeError(f"{type(self).__name__} does not say where its listings are")

    def read_listing(self, response: TextResponse, cursor: str) -> Listing:
        """The rows of a listing reply. Raises Unreadable or Refused."""
        raise TypeError(f"{type(self).__name__} does not say how to read a listing")

    def read_row(self, row: Any, column: str) -> Entry:
        """One row as an entry. Raises Unreadable when it is none, or lacks what an entry must have."""
        raise TypeError(f"{type(self).__name__} does not say how to read a row")

    def read_entry(self, entry: Entry) -> Reading:
        """The article that a row holds, where there is no other reply to ask for."""
        raise TypeError(f"{type(self).__name__} has neither readers nor articles in its rows")

    def read_reply(self, reply: Reply, entry: Entry, fetched_at: datetime) -> RawArticle:
        """The article in a reply, with the listing's word where the reply says nothing. Raises as its reader does."""
        if not self.readers:
            return self._raw_article(self.read_entry(entry), entry, reply, fetched_at)
        reading = self.readers[reply.reader].read(response_of(reply), entry)
        return self._raw_article(reading, entry, reply, fetched_at)

    def entry_of(self, row: Any, column: str, now: datetime) -> Entry:
        """One row as an entry that can be taken in. Raises Unreadable, or Rejected for a time that no article has."""
        entry = self.read_row(row, column)
        check_date(entry.published, now)
        return entry

    def first_address(self, entry: Entry) -> str:
        """Where an entry's article is asked for first; empty where its row is the whole article."""
        return mirrored(self.readers[0].url(self, entry), self.mirror) if self.readers else ""

    def without_text(self, entry: Entry) -> Outcome:
        """What becomes of an entry that no reader finds a text for."""
        return Outcome.QUARANTINED

    # the walk

    async def start(self) -> AsyncIterator[Any]:
        for column in self.books.selection.columns:
            yield self._listing_request(column, self.first_cursor)

    def parse_listing(self, response: Response, column: str, cursor: str) -> Iterator[Any]:
        """Take a listing page down in the ledger, and follow the entries that are to be fetched."""
        reply = reply_of(response)
        try:
            listing = self.read_listing(response_of(reply), cursor)
        except Unusable as error:
            self.books.listing_lost(column, error, reply)
            return
        entries = list(self._entries(listing, column, reply.url))
        last = listing.next_cursor is None
        to_fetch, goes_on = self.books.take_down(column, entries, last=last, extent=listing.extent)
        for entry in to_fetch:
            yield self._follow(entry)
        if goes_on and listing.next_cursor is not None:
            yield self._listing_request(column, listing.next_cursor)

    def listing_failed(self, failure: Failure) -> None:
        request = _request_of(failure)
        reply = Reply(request.meta["canonical"], "", b"")
        self.books.listing_lost(request.cb_kwargs["column"], Refused(reason_of(failure)), reply)

    def parse_article(self, response: Response, entry: Entry, attempt: int) -> Iterator[Any]:
        reply = reply_of(response, attempt)
        try:
            _check_address(response, entry)
            yield self.read_reply(reply, entry, clock.now())
        except NoBody as error:
            yield from self._next_reader(entry, error, reply)
        except Refused as error:
            self.ledger.fail(entry, str(error))
        except Unreadable as error:
            self.ledger.unreadable(entry, error, reply)
        except Unusable as error:
            self.ledger.quarantine(entry, str(error), reply)

    def article_failed(self, failure: Failure) -> Iterator[Any]:
        kwargs = _request_of(failure).cb_kwargs
        entry, attempt = kwargs["entry"], kwargs["attempt"]
        missing = isinstance(failure.value, HttpError) and failure.value.response.status in _GONE
        if missing and self._has_more(attempt):
            yield from self._next_reader(entry, NoBody(reason_of(failure)), Reply(entry.url, "", b"", attempt))
        elif not (missing and self.ledger.gone(entry, reason_of(failure))):
            self.ledger.fail(entry, reason_of(failure))

    def listings_walked(self) -> None:
        """When nothing is left to do, look once at the known articles that no listing has named."""
        entries = self.books.recheck() if self.readers and not self._rechecked else []
        self._rechecked = True
        for entry in entries:
            self.crawler.engine.crawl(self._follow(entry))
        if entries:
            raise DontCloseSpider

    # its steps

    @property
    def books(self) -> Books:
        """Who is told of listings: in a crawl, the ledger."""
        return books_of(self.crawler) or self.ledger

    @property
    def ledger(self) -> Ledger:
        return ledger_of(self.crawler)

    def _entries(self, listing: Listing, column: str, url: str) -> Iterator[Entry | BadRow]:
        now = clock.now()
        for row in listing.rows:
            try:
                yield self.entry_of(row, column, now)
            except Unusable as error:
                yield BadRow(row, error, url)

    def _follow(self, entry: Entry) -> Any:
        if self.readers:
            return self._article_request(entry, attempt=0)
        return self.read_reply(Reply(entry.url, "text/plain", entry.summary.encode()), entry, clock.now())

    def _next_reader(self, entry: Entry, error: NoBody, reply: Reply) -> Iterator[Any]:
        if self._has_more(reply.reader):
            yield self._article_request(entry, reply.reader + 1)
        elif self.ledger.gone(entry, str(error)):
            return
        elif (outcome := self.without_text(entry)) is Outcome.QUARANTINED:
            self.ledger.quarantine(entry, str(error), reply)
        else:
            self.ledger.refuse(entry, outcome, str(error))

    def _has_more(self, attempt: int) -> bool:
        return attempt + 1 < len(self.readers)

    def _raw_article(self, reading: Reading, entry: Entry, reply: Reply, fetched_at: datetime) -> RawArticle:
        return RawArticle(
            code=entry.code,
            title=reading.title or entry.title,
            published=reading.published or entry.published,
            media=reading.media or entry.media,
            default_media=self.default_media,
            summary=reading.summary or entry.summary,
            body=reading.body,
            url=entry.url,
            spider=self.name,
            columns=tuple(dict.fromkeys(column for column in (entry.column, *reading.columns) if column != NO_COLUMN)),
            fetched_at=fetched_at,
            reply=reply,
        )

    def _listing_request(self, column: str, cursor: str) -> Request:
        return self._request(
            self.listing_url(column, cursor),
            callback=self.parse_listing,
            errback=self.listing_failed,
            cb_kwargs={"column": column, "cursor": cursor},
        )

    def _article_request(self, entry: Entry, attempt: int) -> Request:
        return self._request(
            self.readers[attempt].url(self, entry),
            callback=self.parse_article,
            errback=self.article_failed,
            cb_kwargs={"entry": entry, "attempt": attempt},
            # What has been begun is finished first, so that a crawl that is stopped has little to ask for again.
            priority=_ARTICLE_PRIORITY + attempt,
        )

    def _request(self, url: str, **kwargs: Any) -> Request:
        return Request(mirrored(url, self.mirror), meta={"canonical": url}, **kwargs)


def mirrored(url: str, mirror: str) -> str:
    """The address at the mirror, path and query unchanged.

    >>> mirrored("https://np-listapi.eastmoney.com/comm?a=1", "http://127.0.0.1:8000")
    'http://127.0.0.1:8000/comm?a=1'
    """
    parts = urlsplit(url)
    return mirror + parts._replace(scheme="", netloc="").geturl() if mirror else url


def reply_of(response: Response, reader: int = 0) -> Reply:
    """What came, to be kept: under the address that was asked without the mirror's, which a person can look up."""
    asked = response.request.meta["canonical"] if response.request else response.url
    kind = (response.headers.get("Content-Type") or b"").decode("latin-1")
    return Reply(asked, kind, response.body, reader)


def response_of(reply: Reply) -> TextResponse:
    """A reply as a spider reads it: whatever type it claims to be, it is text without loss or it is Unreadable."""
    text = decode(reply.body, reply.content_type)
    return HtmlResponse(reply.url, body=text.encode("utf-8"), encoding="utf-8")


def reason_of(failure: Failure) -> str:
    """Why a request got no answer, in one line for a person."""
    return error_told(failure.value, _request_of(failure))


def _request_of(failure: Failure) -> Request:
    """The request that failed, which Scrapy puts beside what Twisted's class declares before it calls an errback."""
    request = vars(failure)["request"]
    assert isinstance(request, Request)
    return request


def _mirror(text: str) -> str:
    parts = urlsplit(text)
    if text and not (parts.scheme in {"http", "https"} and parts.hostname):
        raise UsageError(f"--mirror {text!r} is not an address: type http://{text.split('://')[-1]}")
    if text and not origin_of(text):
        raise UsageError("--mirror names a user or no port that there is: type http://HOST or http://HOST:PORT")
    return text.rstrip("/")


def _check_address(response: Response, entry: Entry) -> None:
    """A redirect to the site's front page is answered with 200: the reply must still be about this article."""
    if entry.code not in response.url:
        raise Unreadable(f"the source sends to another page: {shown(response.url)}")
