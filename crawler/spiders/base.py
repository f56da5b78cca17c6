"""Base class of all spiders: listing page -> entries -> article responses -> RawArticle.

A subclass defines the URLs of listings and articles, and parses their text. The tracker decides which entries are
fetched, and records exactly one outcome for each.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from typing import Any, ClassVar, NamedTuple, Self, cast
from urllib.parse import urlsplit

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import DontCloseSpider
from scrapy.http import Response
from scrapy.settings import SETTINGS_PRIORITIES, BaseSettings
from twisted.python.failure import Failure

from crawler import DISTRIBUTION
from crawler.content import clock
from crawler.content.encoding import decode_body
from crawler.content.markup import PLAIN_MARKUP, SourceMarkup
from crawler.content.normalise import check_date
from crawler.content.pages import is_blank, join_bodies, pack_pages, unpack_pages
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.interface import (
    BadRow,
    get_canonical_url,
    get_column,
    get_entry,
    get_tracker,
    set_canonical_url,
    to_request_error,
)
from crawler.crawl.policy.origins import get_origin, redact_url
from crawler.crawl.policy.pagination import CursorStep
from crawler.crawl.policy.refusals import find_refusal
from crawler.errors import (
    EmptyBodyError,
    ItemError,
    MissingArticleError,
    NoArticleError,
    ParseError,
    RefusedError,
    RejectedArticleError,
    RequestError,
    SchemaChangedError,
    SourceError,
    UsageError,
)
from crawler.items import (
    CODE_PATTERN,
    NO_COLUMN,
    ROW,
    ListingEntry,
    ListingSize,
    Outcome,
    PageWindow,
    RawArticle,
    RawResponse,
    Reason,
)

# Concurrent requests with DOWNLOAD_DELAY=0, unless the user sets another number.
_UNPACED_CONCURRENCY = 4
# Articles are fetched before the next listing page, so few requests wait in memory.
_ARTICLE_PRIORITY = 10
# Pages of one article; more are rejected.
_MAX_PAGES = 10
_CODE_IN_URL = re.compile(rf"(?<![0-9]){CODE_PATTERN.pattern}(?![0-9])", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page of a listing: its rows as received, and the cursor of the next page (None: the last page).

    `listing_size` is the length of the whole listing, if the source reports it. `window` is the position of the rows in
    a listing whose cursors are `PageWindow`s.
    """

    rows: list[Any]
    next_cursor: str | None = None
    listing_size: ListingSize | None = None
    window: PageWindow | None = None


@dataclass(frozen=True, slots=True)
class Extractor:
    """One way to an article: build the URL for an entry, and extract the article from the text of the response.

    `extract` raises EmptyBodyError for a valid response without text, ParseError for an invalid response, and
    SourceError for an error of the source. In each case the next extractor is tried.
    """

    build_url: Callable[["SourceSpider", ListingEntry], str]
    """Return the URL for an entry; empty if this extractor does not apply."""
    extract: Callable[[str, ListingEntry], RawArticle]
    find_next_page: Callable[[str, ListingEntry, int], str] | None = None
    """Return the URL of the next page of an article, given the text and number of a page; empty after the last."""


class ExtractorFailure(NamedTuple):
    """Error of an extractor, and the response that it failed on."""

    error: ItemError
    response: RawResponse


class SourceSpider(Spider):
    """A news source.

    A subclass defines the class attributes below, `listing_url`, `extract_listing` and `parse_row`, and `extractors`,
    or `extract_from_entry` if `rows_are_articles`, or both if rows may be cut.
    """

    site: ClassVar[str] = ""
    """The source whose hosts share one pace; by default the name. Spiders of the same hosts have the same site."""
    columns: ClassVar[Mapping[str, str]]
    """Names of the source's listings, by id."""
    default_columns: ClassVar[tuple[str, ...]]
    hosts: ClassVar[tuple[str, ...]] = ()
    """Allowed hosts of requests."""
    first_cursor: ClassVar[str] = "1"
    extractors: ClassVar[tuple[Extractor, ...]] = ()
    """Extractors of an article, tried in this order."""
    rows_are_articles: ClassVar[bool] = False
    """True if a listing row holds the article: nothing else is fetched unless the row is cut."""
    article_spider: ClassVar["type[SourceSpider] | None"] = None
    """The spider whose `extractors` fetch the articles behind cut rows, and whose articles they become."""
    default_media: ClassVar[str]
    """The media of an article without one."""
    markup: ClassVar[SourceMarkup] = PLAIN_MARKUP
    """The adverts, stock links and source lines that the site adds to its texts, and its time zone."""
    challenge_marks: ClassVar[tuple[str, ...]] = ()
    """Marks of the site's own checks for humans, in addition to those of crawler/crawl/policy/refusals.py."""
    supersedes: ClassVar[frozenset[str]] = frozenset()
    """Spiders whose shorter texts of an article this spider's text replaces."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.site = cls.site or getattr(cls, "name", "")

    def __init__(self, name: str | None = None, **arguments: str) -> None:
        super().__init__(name)
        # Arguments with an underscore are of a scheduler, such as Scrapyd's `_job`.
        self.arguments = {name: value for name, value in arguments.items() if not name.startswith("_")}

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Set the user agent to the crawler and its contact, and the concurrency, unless the user has set them."""
        super().update_settings(settings)
        if settings.getfloat("DOWNLOAD_DELAY"):
            # The delay is PaceMiddleware's, for all hosts of the site together.
            settings.set("DOWNLOAD_SLOTS", {cls.site: {"delay": 0}}, priority="spider")
        else:
            for name in ("CONCURRENT_REQUESTS", "CONCURRENT_REQUESTS_PER_DOMAIN"):
                if (settings.getpriority(name) or 0) <= SETTINGS_PRIORITIES["project"]:
                    settings.set(name, _UNPACED_CONCURRENCY, priority="spider")
        if (settings.getpriority("USER_AGENT") or 0) <= SETTINGS_PRIORITIES["project"]:
            contact = collapse_whitespace(settings.get("CONTACT") or "")
            user_agent = f"finews/{version(DISTRIBUTION)}" + (f" (+{contact})" if contact else "")
            settings.set("USER_AGENT", user_agent, priority="spider")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Read the mirror. Raises UsageError for an invalid URL."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        mirror = crawler.settings.get("MIRROR") or ""
        split_url = urlsplit(mirror)
        if mirror and not (split_url.scheme in {"http", "https"} and split_url.hostname):
            raise UsageError(f"--mirror {mirror!r} is not a URL: use http://{mirror.split('://')[-1]}")
        if mirror and not get_origin(mirror):
            raise UsageError("invalid --mirror: use http://HOST or http://HOST:PORT, without a user name")
        spider.mirror = mirror.rstrip("/")
        spider.allowed_origins = frozenset(map(get_origin, [spider.mirror] if spider.mirror else spider.server_urls()))
        return spider

    mirror: str = ""
    allowed_origins: frozenset[str] = frozenset()

    # defined by subclasses

    def server_urls(self) -> list[str]:
        """Return the URLs of the allowed servers, those of redirects included."""
        hosts = dict.fromkeys((*self.hosts, *(self.article_spider.hosts if self.article_spider else ())))
        return [f"https://{host}" for host in hosts]

    def listing_url(self, column: str, cursor: str) -> str:
        """Return the URL of a listing page."""
        raise TypeError(f"{type(self).__name__} does not define listing_url")

    def extract_listing(self, text: str, cursor: str) -> ListingPage:
        """Return the rows of a listing page. Raises ParseError or SourceError."""
        raise TypeError(f"{type(self).__name__} does not define extract_listing")

    def parse_row(self, row: Any, column: str) -> ListingEntry:
        """Return a row as an entry. Raises ParseError for a row with missing or invalid fields."""
        raise TypeError(f"{type(self).__name__} does not define parse_row")

    def extract_from_entry(self, entry: ListingEntry) -> RawArticle:
        """Return the article in a row, or its beginning in a cut row; only if `rows_are_articles`."""
        raise TypeError(f"{type(self).__name__} does not define extract_from_entry")

    def outcome_without_text(self, entry: ListingEntry) -> Outcome:
        """Return the outcome of an entry without text in any extractor: QUARANTINED or FILTERED."""
        return Outcome.QUARANTINED

    @classmethod
    def handles_request(cls, request: Request) -> bool:
        """Return whether a URL is of the source, for `scrapy shell URL`, which selects the spider by it."""
        return urlsplit(request.url).hostname in cls.hosts

    # also called by replay and plan

    def extract_article(self, response: RawResponse, entry: ListingEntry, fetched_at: datetime) -> RawArticle:
        """Return the article in a response. Raises as the extractor does."""
        spider: SourceSpider | type[SourceSpider] = self
        if self.rows_are_articles and (response.extractor_index == ROW or not entry.is_cut):
            raw = self.extract_from_entry(entry)
        else:
            spider = self.article_spider or self
            extractor = self.extractors[response.extractor_index]
            raw, *later_pages = [extractor.extract(text, entry) for text in unpack_pages(response)]
            if later_pages:
                raw = replace(raw, body=join_bodies([page.body for page in (raw, *later_pages)], self.markup))
        return replace(
            raw, spider=spider.name, default_media=spider.default_media, response=response, fetched_at=fetched_at
        )

    def extract_row(self, entry: ListingEntry, fetched_at: datetime) -> RawArticle:
        """Return the article in a row, or its beginning in a cut row."""
        response = RawResponse(entry.url, "text/plain", entry.summary.encode(), ROW)
        return self.extract_article(response, entry, fetched_at)

    def parse_and_check_row(self, row: Any, column: str, now: datetime) -> ListingEntry:
        """Return a row as an entry. Raises ParseError, or RejectedArticleError for an impossible time."""
        entry = self.parse_row(row, column)
        check_date(entry.published, now)
        return entry

    def first_article_url(self, entry: ListingEntry) -> str:
        """Return the first URL to request an article from; empty for an article that its row holds."""
        if self.is_row_whole(entry):
            return ""
        return mirror_url(self.extractors[0].build_url(self, entry), self.mirror)

    def is_row_whole(self, entry: ListingEntry) -> bool:
        """Return whether the row of an entry holds the whole article, so nothing is fetched."""
        return self.rows_are_articles and not entry.is_cut

    # the crawl

    async def start(self) -> AsyncIterator[Any]:
        """Request the first page of each selected listing."""
        selection = get_tracker(self.crawler).selection
        if selection.refresh and not self.rows_are_articles:
            self.crawler.signals.connect(self.refresh_articles, signal=signals.spider_idle)
        for column in selection.columns:
            yield self._listing_request(column, self.first_cursor)

    def parse(self, response: Response, **_kwargs: Any) -> Iterator[Any]:
        """Parse the response of `scrapy parse URL` or `scrapy shell URL`.

        A URL with the code of an article is of an article, any other one of a listing.
        """
        yield from self.parse_article(response) if _CODE_IN_URL.search(response.url) else self.parse_listing(response)

    def parse_listing(self, response: Response, column: str = "", cursor: str = "") -> Iterator[Any]:
        """Record a listing page, request the articles to fetch, then the next page.

        The default `column` is the first one of `default_columns`.
        """
        column, cursor = column or self.default_columns[0], cursor or self.first_cursor
        raw_response = to_raw_response(response)
        now = clock.now()
        rows: list[ListingEntry | BadRow] = []
        try:
            page = self.extract_listing(decode_body(raw_response.body, raw_response.content_type), cursor)
        except ItemError as error:
            get_tracker(self.crawler).record_listing_failure(column, self._judge(error, response), raw_response)
            return
        get_tracker(self.crawler).record_answer(raw_response.url)
        for row in page.rows:
            try:
                rows.append(self.parse_and_check_row(row, column, now))
            except ItemError as error:
                rows.append(BadRow(row, error, raw_response.url))
        to_fetch, next_page = get_tracker(self.crawler).record_listing_page(
            column,
            rows,
            is_last_page=page.next_cursor is None,
            listing_size=page.listing_size,
            window=page.window,
        )
        for entry in to_fetch:
            if self.is_row_whole(entry):
                yield self.extract_row(entry, now)
            else:
                # Of the article behind a cut row the database has only the row.
                entry = replace(entry, has_article=False) if entry.is_cut else entry
                yield self._article_request(entry, extractor_index=0)
        if isinstance(next_page, PageWindow):
            yield self._listing_request(column, str(next_page))
        elif next_page is CursorStep.FIRST:
            yield self._listing_request(column, self.first_cursor)
        elif next_page is CursorStep.OLDER and page.next_cursor is not None:
            yield self._listing_request(column, page.next_cursor)

    def handle_listing_error(self, failure: Failure) -> None:
        """Record a listing page without a usable response."""
        request = get_failed_request(failure)
        url, error = get_canonical_url(request), to_request_error(failure.value, request)
        get_tracker(self.crawler).record_request_failure(self.site, url, error)
        get_tracker(self.crawler).record_listing_failure(get_column(request), error, RawResponse(url, "", b""))

    def parse_article(
        self,
        response: Response,
        entry: ListingEntry | None = None,
        extractor_index: int = 0,
        earlier: "ExtractorFailure | None" = None,
        pages: tuple[RawResponse, ...] = (),
    ) -> Iterator[Any]:
        """Extract an article from its response and earlier `pages`; after a failure, try the next extractor.

        Without an `entry`, one is created from the code in the URL. Raises UsageError for a URL without a code.
        """
        if entry is None:
            entry, extractor_index = self._guess_entry(response)
        raw_response = to_raw_response(response, extractor_index)
        try:
            if entry.code not in response.url or (pages and not response.url.endswith(urlsplit(raw_response.url).path)):
                # Missing articles and pages may redirect to the front page or the first page, with status 200.
                raise ParseError(f"the source redirects to another page: {redact_url(response.url)}")
            article, next_url = self._add_page(pages, raw_response, entry)
        except RejectedArticleError as error:
            yield from self._give_up(entry, error, raw_response)
        except ItemError as error:
            error = _to_page_error(self._judge(error, response), len(pages) + 1)
            yield from self._try_next_extractor(entry, error, raw_response, earlier)
        else:
            get_tracker(self.crawler).record_answer(raw_response.url)
            if next_url:
                yield self._article_request(entry, extractor_index, earlier, (*pages, raw_response), next_url)
            else:
                yield article

    def handle_article_error(self, failure: Failure) -> Iterator[Any]:
        """Try the next extractor after a request without a usable response."""
        request = get_failed_request(failure)
        entry = get_entry(request)
        assert entry is not None, "_article_request sets it"
        url, error = get_canonical_url(request), to_request_error(failure.value, request)
        if isinstance(error, MissingArticleError):
            get_tracker(self.crawler).record_answer(url)
        else:
            get_tracker(self.crawler).record_request_failure(self.site, url, error)
        response = RawResponse(entry.url, "", b"", request.cb_kwargs["extractor_index"])
        page_error = _to_page_error(error, len(request.cb_kwargs["pages"]) + 1)
        yield from self._try_next_extractor(entry, page_error, response, request.cb_kwargs["earlier"])

    def refresh_articles(self) -> None:
        """Request the stored articles to refresh that were not listed, once, at the end of the crawl."""
        self.crawler.signals.disconnect(self.refresh_articles, signal=signals.spider_idle)
        entries = get_tracker(self.crawler).entries_to_refresh()
        for entry in entries:
            self.crawler.engine.crawl(self._article_request(entry, extractor_index=0))
        if entries:
            raise DontCloseSpider

    def _guess_entry(self, response: Response) -> tuple[ListingEntry, int]:
        """Return an entry and the index of its extractor, as far as the URL of a response names them."""
        url = to_raw_response(response).url
        if not (match := _CODE_IN_URL.search(url)):
            raise UsageError(f"no article code in {redact_url(url)}: use the URL of an article")
        entry = ListingEntry(match[0], "", clock.now(), NO_COLUMN, url, is_cut=self.rows_are_articles)
        paths = [urlsplit(extractor.build_url(self, entry)).path for extractor in self.extractors]
        path = urlsplit(response.url).path
        return entry, paths.index(path) if path in paths else 0

    def _add_page(
        self, pages: tuple[RawResponse, ...], response: RawResponse, entry: ListingEntry
    ) -> tuple[RawArticle, str]:
        """Return the article of the pages so far, and the URL of the next page; empty after the last."""
        article = self.extract_article(response, entry, clock.now())
        extractor = self.extractors[response.extractor_index]
        if extractor.find_next_page is None:
            return article, ""
        if pages and is_blank(article.body, self.markup):
            raise EmptyBodyError("the page has no text")
        if any(page.body == response.body for page in pages):
            raise ParseError("the page repeats an earlier page of the article")
        pages = (*pages, response)
        next_url = extractor.find_next_page(decode_body(response.body, response.content_type), entry, len(pages))
        if next_url and len(pages) >= _MAX_PAGES:
            raise RejectedArticleError(f"the article has more than {_MAX_PAGES} pages")
        if len(pages) > 1 and not next_url:
            article = self.extract_article(pack_pages(pages), entry, clock.now())
        return article, next_url

    def _try_next_extractor(
        self, entry: ListingEntry, error: ItemError, response: RawResponse, earlier: "ExtractorFailure | None"
    ) -> Iterator[Any]:
        failure = _choose_failure(earlier, ExtractorFailure(error, response))
        for index in range(response.extractor_index + 1, len(self.extractors)):
            if self.extractors[index].build_url(self, entry):
                yield self._article_request(entry, index, failure)
                return
        error = failure.error
        has_no_text = isinstance(error, EmptyBodyError | MissingArticleError)
        if has_no_text and self.outcome_without_text(entry) is Outcome.FILTERED:
            error = NoArticleError(f"no text at this source: {entry.url}")
        yield from self._give_up(entry, error, failure.response)

    def _give_up(self, entry: ListingEntry, error: ItemError, response: RawResponse) -> Iterator[RawArticle]:
        """Record the failure of an article, and yield the article that a cut row holds."""
        get_tracker(self.crawler).record_article_failure(entry, error, response)
        if entry.is_cut:
            yield self.extract_row(entry, clock.now())

    def _judge(self, error: ItemError, response: Response) -> ItemError:
        """Record the error of an unusable response, and return it, or RefusedError for a refusal."""
        raw_response = to_raw_response(response)
        url = raw_response.url
        try:
            text = decode_body(raw_response.body, raw_response.content_type)
        except ParseError:
            text = "\ufffd"  # not empty, which would be a refusal
        header_names = [name.decode("latin-1") for name in response.headers]
        if refusal := find_refusal(text, header_names, self.challenge_marks):
            error = RefusedError(refusal)
            get_tracker(self.crawler).record_request_failure(self.site, url, error)
        elif isinstance(error, SchemaChangedError):
            get_tracker(self.crawler).record_change(url, error)
        elif isinstance(error, EmptyBodyError):
            get_tracker(self.crawler).record_answer(url)
        return error

    def _listing_request(self, column: str, cursor: str) -> Request:
        url = self.listing_url(column, cursor)
        return Request(
            mirror_url(url, self.mirror),
            callback=self.parse_listing,
            errback=self.handle_listing_error,
            meta=set_canonical_url(url),
            cb_kwargs={"column": column, "cursor": cursor},
        )

    def _article_request(
        self,
        entry: ListingEntry,
        extractor_index: int,
        earlier: "ExtractorFailure | None" = None,
        pages: tuple[RawResponse, ...] = (),
        url: str = "",
    ) -> Request:
        """Request an article of an extractor, or the page at `url` that follows its earlier `pages`."""
        url = url or self.extractors[extractor_index].build_url(self, entry)
        return Request(
            mirror_url(url, self.mirror),
            callback=self.parse_article,
            errback=self.handle_article_error,
            meta=set_canonical_url(url),
            cb_kwargs={"entry": entry, "extractor_index": extractor_index, "earlier": earlier, "pages": pages},
            # Started articles are finished first, so a stopped crawl has few requests to repeat.
            priority=_ARTICLE_PRIORITY + extractor_index + len(pages),
        )


def _choose_failure(earlier: ExtractorFailure | None, latest: ExtractorFailure) -> ExtractorFailure:
    """Return the failure of an article's extractors to record: the latest, with two exceptions.

    A closed endpoint says nothing about the article, and an earlier ParseError, whose response is kept for inspection,
    is only replaced by another one or a missing article. An earlier missing article or text is always replaced.
    """
    if earlier is None or isinstance(earlier.error, EmptyBodyError | MissingArticleError):
        return latest
    latest_says_nothing = isinstance(latest.error, RequestError) and latest.error.reason == Reason.ENDPOINT_CLOSED
    latest_is_final = isinstance(latest.error, ParseError | MissingArticleError)
    if latest_says_nothing or (isinstance(earlier.error, ParseError) and not latest_is_final):
        return earlier
    return latest


def _to_page_error(error: ItemError, page_number: int) -> ItemError:
    """Return the error of a page: an article with a first page is neither missing nor empty."""
    if page_number > 1 and isinstance(error, MissingArticleError):
        return RequestError(error.reason, f"page {page_number} of the article: {error}")
    if page_number > 1 and isinstance(error, EmptyBodyError):
        return SourceError(f"page {page_number} of the article: {error}")
    return error


def mirror_url(url: str, mirror: str) -> str:
    """Return the URL at the mirror, with path and query unchanged; without a mirror, the URL itself.

    >>> mirror_url("https://np-listapi.eastmoney.com/comm?a=1", "http://127.0.0.1:8000")
    'http://127.0.0.1:8000/comm?a=1'
    """
    return mirror + urlsplit(url)._replace(scheme="", netloc="").geturl() if mirror else url


def to_raw_response(response: Response, extractor_index: int = 0) -> RawResponse:
    """Return a response with its canonical URL in place of a mirror's."""
    url = get_canonical_url(response.request) if response.request else response.url
    content_type = (response.headers.get("Content-Type") or b"").decode("latin-1")
    return RawResponse(url, content_type, response.body, extractor_index)


def get_failed_request(failure: Failure) -> Request:
    """Return the request of a failure, an attribute that Scrapy sets and Twisted does not declare."""
    request: Request = cast(Any, failure).request
    return request
