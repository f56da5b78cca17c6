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
from crawler.content.encoding import decode_body
from crawler.content.normalise import check_date
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.interface import BadRow, EntryTracker, describe_request_error, get_tracker, request_reason
from crawler.crawl.policy import failures
from crawler.crawl.policy.origins import origin_of, redact_url
from crawler.crawl.tracker import CrawlTracker, require_crawl_tracker
from crawler.errors import EmptyBodyError, ItemError, ParseError, SourceError, UsageError
from crawler.items import NO_COLUMN, ListingEntry, ListingSize, Outcome, RawArticle, RawResponse, Reason
from crawler.storage.article_writer import BATCH_SIZE

# Articles are fetched before the next listing page, so that what waits in memory stays small.
_ARTICLE_PRIORITY = 10
_MISSING_STATUSES = {404, 410}


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page of a listing: its rows as the source has them, and what to ask for the next page (None: the end).

    `listing_size` is how long the whole listing is, where the source says it.
    """

    rows: list[Any]
    next_cursor: str | None = None
    listing_size: ListingSize | None = None


@dataclass(frozen=True, slots=True)
class ExtractedArticle:
    """What a reader finds in an article reply. Empty fields are filled from the listing entry."""

    body: str
    title: str = ""
    published: datetime | None = None
    media: str = ""
    summary: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extractor:
    """One way to an article's text: its address for an entry, and how to read the reply.

    `extract` raises EmptyBodyError when the reply is sound and holds no text (the next reader is tried), ParseError
    when it is not what the source answers, and SourceError when the source says no.
    """

    build_url: Callable[["SourceSpider", ListingEntry], str]
    extract: Callable[[TextResponse, ListingEntry], ExtractedArticle]


class SourceSpider(Spider):
    """A news site. A subclass is one file, and says no more than what differs from site to site.

    It defines the class attributes below, `listing_url`, `extract_listing` and `parse_row`, and either `extractors` or,
    where a row is the whole article, `extract_from_entry`.
    """

    columns: ClassVar[Mapping[str, str]]
    """Ids and names of the listings that the site has."""
    default_columns: ClassVar[tuple[str, ...]]
    hosts: ClassVar[tuple[str, ...]] = ()
    """The hosts that requests may go to."""
    first_cursor: ClassVar[str] = "1"
    extractors: ClassVar[tuple[Extractor, ...]] = ()
    default_media: ClassVar[str]
    """The media of an article that names none."""
    supersedes: ClassVar[frozenset[str]] = frozenset()
    """Spiders whose shorter text of an article gives way to this one's."""

    def __init__(self, name: str | None = None, **arguments: str) -> None:
        super().__init__(name)
        self.arguments = arguments
        self._refresh_done = False

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Name the crawler and its operator in the user agent, unless the operator has written one.

        Where a row is the whole article, those of a page are worked on side by side: one by one, each would wait for
        others that cannot come.
        """
        super().update_settings(settings)
        if not cls.extractors:
            settings.set("CONCURRENT_ITEMS", BATCH_SIZE, priority="spider")
        if (settings.getpriority("USER_AGENT") or 0) <= SETTINGS_PRIORITIES["project"]:
            contact = collapse_whitespace(settings.get("CONTACT") or "")
            user_agent = f"finews/{version('finews')}" + (f" (+{contact})" if contact else "")
            settings.set("USER_AGENT", user_agent, priority="spider")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.mirror = _parse_mirror(crawler.settings.get("MIRROR") or "")
        spider.allowed_origins = frozenset(map(origin_of, [spider.mirror] if spider.mirror else spider.server_urls()))
        crawler.signals.connect(spider.on_spider_idle, signal=signals.spider_idle)
        return spider

    mirror: str = ""
    allowed_origins: frozenset[str] = frozenset()

    # what a site says

    def server_urls(self) -> list[str]:
        """The addresses of the servers that requests may go to, redirected ones included."""
        return [f"https://{host}" for host in self.hosts]

    def listing_url(self, column: str, cursor: str) -> str:
        """The address of one page of a listing."""
        raise TypeError(f"{type(self).__name__} does not say where its listings are")

    def extract_listing(self, response: TextResponse, cursor: str) -> ListingPage:
        """The rows of a listing reply. Raises ParseError or SourceError."""
        raise TypeError(f"{type(self).__name__} does not say how to read a listing")

    def parse_row(self, row: Any, column: str) -> ListingEntry:
        """One row as an entry. Raises ParseError when it is none, or lacks what an entry must have."""
        raise TypeError(f"{type(self).__name__} does not say how to read a row")

    def extract_from_entry(self, entry: ListingEntry) -> ExtractedArticle:
        """The article that a row holds, where there is no other reply to ask for."""
        raise TypeError(f"{type(self).__name__} has neither readers nor articles in its rows")

    def extract_article(self, response: RawResponse, entry: ListingEntry, fetched_at: datetime) -> RawArticle:
        """The article in a reply, with the listing's word where the reply says nothing. Raises as its reader does."""
        if not self.extractors:
            return self._build_raw_article(self.extract_from_entry(entry), entry, response, fetched_at)
        extracted = self.extractors[response.extractor_index].extract(to_text_response(response), entry)
        return self._build_raw_article(extracted, entry, response, fetched_at)

    def parse_and_check_row(self, row: Any, column: str, now: datetime) -> ListingEntry:
        """One row as an entry that can be taken in. Raises ParseError, or RejectedArticleError for a time that no
        article has.
        """
        entry = self.parse_row(row, column)
        check_date(entry.published, now)
        return entry

    def first_article_url(self, entry: ListingEntry) -> str:
        """Where an entry's article is asked for first; empty where its row is the whole article."""
        return mirror_url(self.extractors[0].build_url(self, entry), self.mirror) if self.extractors else ""

    def outcome_without_text(self, entry: ListingEntry) -> Outcome:
        """What becomes of an entry that no reader finds a text for."""
        return Outcome.QUARANTINED

    # the walk

    async def start(self) -> AsyncIterator[Any]:
        for column in self.entry_tracker.selection.columns:
            yield self._listing_request(column, self.first_cursor)

    def parse_listing(self, response: Response, column: str, cursor: str) -> Iterator[Any]:
        """Take a listing page down in the ledger, and follow the entries that are to be fetched."""
        raw_response = to_raw_response(response)
        try:
            page = self.extract_listing(to_text_response(raw_response), cursor)
        except ItemError as error:
            self.entry_tracker.record_listing_failure(column, error, raw_response)
            return
        rows = list(self._parse_rows(page, column, raw_response.url))
        is_last_page = page.next_cursor is None
        to_fetch, wants_next_page = self.entry_tracker.record_listing_page(
            column, rows, is_last_page=is_last_page, listing_size=page.listing_size
        )
        for entry in to_fetch:
            yield self._fetch_or_extract(entry)
        if wants_next_page and page.next_cursor is not None:
            yield self._listing_request(column, page.next_cursor)

    def handle_listing_error(self, failure: Failure) -> None:
        request = _failed_request(failure)
        response = RawResponse(request.meta["canonical"], "", b"")
        self.entry_tracker.record_listing_failure(
            request.cb_kwargs["column"], SourceError(describe_failure(failure)), response
        )

    def parse_article(self, response: Response, entry: ListingEntry, extractor_index: int) -> Iterator[Any]:
        raw_response = to_raw_response(response, extractor_index)
        try:
            _check_final_url(response, entry)
            yield self.extract_article(raw_response, entry, clock.now())
        except EmptyBodyError as error:
            yield from self._try_next_extractor(entry, error, raw_response)
        except SourceError as error:
            self.tracker.fail(entry, failures.reason_of(error), str(error))
        except ParseError as error:
            self.tracker.quarantine_unparsable(entry, error, raw_response)
        except ItemError as error:
            self.tracker.quarantine(entry, error, raw_response)

    def handle_article_error(self, failure: Failure) -> Iterator[Any]:
        cb_kwargs = _failed_request(failure).cb_kwargs
        entry, extractor_index = cb_kwargs["entry"], cb_kwargs["extractor_index"]
        is_missing = isinstance(failure.value, HttpError) and failure.value.response.status in _MISSING_STATUSES
        if is_missing and self._has_next_extractor(extractor_index):
            yield from self._try_next_extractor(
                entry, EmptyBodyError(describe_failure(failure)), RawResponse(entry.url, "", b"", extractor_index)
            )
        elif not (is_missing and self.tracker.note_missing(entry, Reason.HTTP_ERROR, describe_failure(failure))):
            self.tracker.fail(entry, request_reason(failure.value), describe_failure(failure))

    def on_spider_idle(self) -> None:
        """When nothing is left to do, look once at the known articles that no listing has named."""
        entries = self.entry_tracker.entries_to_refresh() if self.extractors and not self._refresh_done else []
        self._refresh_done = True
        for entry in entries:
            self.crawler.engine.crawl(self._fetch_or_extract(entry))
        if entries:
            raise DontCloseSpider

    # its steps

    @property
    def entry_tracker(self) -> EntryTracker:
        """Who is told of listings: in a crawl, the ledger."""
        return get_tracker(self.crawler) or self.tracker

    @property
    def tracker(self) -> CrawlTracker:
        return require_crawl_tracker(self.crawler)

    def _parse_rows(self, page: ListingPage, column: str, url: str) -> Iterator[ListingEntry | BadRow]:
        now = clock.now()
        for row in page.rows:
            try:
                yield self.parse_and_check_row(row, column, now)
            except ItemError as error:
                yield BadRow(row, error, url)

    def _fetch_or_extract(self, entry: ListingEntry) -> Any:
        if self.extractors:
            return self._article_request(entry, extractor_index=0)
        return self.extract_article(RawResponse(entry.url, "text/plain", entry.summary.encode()), entry, clock.now())

    def _try_next_extractor(self, entry: ListingEntry, error: EmptyBodyError, response: RawResponse) -> Iterator[Any]:
        if self._has_next_extractor(response.extractor_index):
            yield self._article_request(entry, response.extractor_index + 1)
        elif self.tracker.note_missing(entry, Reason.NO_BODY, str(error)):
            return
        elif (outcome := self.outcome_without_text(entry)) is Outcome.QUARANTINED:
            self.tracker.quarantine(entry, error, response)
        else:
            self.tracker.reject(entry, outcome, error)

    def _has_next_extractor(self, extractor_index: int) -> bool:
        return extractor_index + 1 < len(self.extractors)

    def _build_raw_article(
        self, extracted: ExtractedArticle, entry: ListingEntry, response: RawResponse, fetched_at: datetime
    ) -> RawArticle:
        return RawArticle(
            code=entry.code,
            title=extracted.title or entry.title,
            published=extracted.published or entry.published,
            media=extracted.media or entry.media,
            default_media=self.default_media,
            summary=extracted.summary or entry.summary,
            body=extracted.body,
            url=entry.url,
            spider=self.name,
            columns=tuple(
                dict.fromkeys(column for column in (entry.column, *extracted.columns) if column != NO_COLUMN)
            ),
            fetched_at=fetched_at,
            response=response,
        )

    def _listing_request(self, column: str, cursor: str) -> Request:
        return self._request(
            self.listing_url(column, cursor),
            callback=self.parse_listing,
            errback=self.handle_listing_error,
            cb_kwargs={"column": column, "cursor": cursor},
        )

    def _article_request(self, entry: ListingEntry, extractor_index: int) -> Request:
        return self._request(
            self.extractors[extractor_index].build_url(self, entry),
            callback=self.parse_article,
            errback=self.handle_article_error,
            cb_kwargs={"entry": entry, "extractor_index": extractor_index},
            # What has been begun is finished first, so that a crawl that is stopped has little to ask for again.
            priority=_ARTICLE_PRIORITY + extractor_index,
        )

    def _request(self, url: str, **kwargs: Any) -> Request:
        return Request(mirror_url(url, self.mirror), meta={"canonical": url}, **kwargs)


def mirror_url(url: str, mirror: str) -> str:
    """The address at the mirror, path and query unchanged.

    >>> mirror_url("https://np-listapi.eastmoney.com/comm?a=1", "http://127.0.0.1:8000")
    'http://127.0.0.1:8000/comm?a=1'
    """
    split_url = urlsplit(url)
    return mirror + split_url._replace(scheme="", netloc="").geturl() if mirror else url


def to_raw_response(response: Response, extractor_index: int = 0) -> RawResponse:
    """What came, to be kept: under the address that was asked without the mirror's, which a person can look up."""
    canonical_url = response.request.meta["canonical"] if response.request else response.url
    content_type = (response.headers.get("Content-Type") or b"").decode("latin-1")
    return RawResponse(canonical_url, content_type, response.body, extractor_index)


def to_text_response(response: RawResponse) -> TextResponse:
    """A reply as a spider reads it: whatever type it claims to be, it is text without loss or it is Unreadable."""
    text = decode_body(response.body, response.content_type)
    return HtmlResponse(response.url, body=text.encode("utf-8"), encoding="utf-8")


def describe_failure(failure: Failure) -> str:
    """Why a request got no answer, in one line for a person."""
    return describe_request_error(failure.value, _failed_request(failure))


def _failed_request(failure: Failure) -> Request:
    """The request that failed, which Scrapy puts beside what Twisted's class declares before it calls an errback."""
    request = vars(failure)["request"]
    assert isinstance(request, Request)
    return request


def _parse_mirror(text: str) -> str:
    split_url = urlsplit(text)
    if text and not (split_url.scheme in {"http", "https"} and split_url.hostname):
        raise UsageError(f"--mirror {text!r} is not an address: type http://{text.split('://')[-1]}")
    if text and not origin_of(text):
        raise UsageError("--mirror names a user or no port that there is: type http://HOST or http://HOST:PORT")
    return text.rstrip("/")


def _check_final_url(response: Response, entry: ListingEntry) -> None:
    """A redirect to the site's front page is answered with 200: the reply must still be about this article."""
    if entry.code not in response.url:
        raise ParseError(f"the source sends to another page: {redact_url(response.url)}")
