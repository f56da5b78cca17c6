"""Base class of all spiders: listing page -> entries -> responses of articles -> RawArticle.

A spider says where its listings and articles are and how to parse them; all of that is functions of a text. What is to
be fetched is the tracker's to decide, and each entry ends in the tracker with exactly one outcome.
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

# With DOWNLOAD_DELAY=0, unless the user sets another number.
_UNPACED_CONCURRENCY = 4
# Articles are fetched before the next listing page, so that what waits in memory stays small.
_ARTICLE_PRIORITY = 10
# Of one article.
_MAX_PAGES = 10
_CODE_IN_URL = re.compile(rf"(?<![0-9]){CODE_PATTERN.pattern}(?![0-9])", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page of a listing: its rows as the source has them, and the cursor of the next page (None: the end).

    `listing_size` is how long the whole listing is, where the source says it. `window` are the positions of the rows
    where pages are asked for by those, and not by what the last page says: their cursors are `PageWindow`s.
    """

    rows: list[Any]
    next_cursor: str | None = None
    listing_size: ListingSize | None = None
    window: PageWindow | None = None


@dataclass(frozen=True, slots=True)
class Extractor:
    """One way to an article's text: the URL for an entry, and how to extract the article from the text of its response.

    `extract` raises EmptyBodyError when the response is sound and holds no text, ParseError when it is not what the
    source answers, and SourceError when the source says no. In each case the next extractor is tried.
    """

    build_url: Callable[["SourceSpider", ListingEntry], str]
    """Returns an empty text for an entry whose article is not asked for in this way."""
    extract: Callable[[str, ListingEntry], RawArticle]
    find_next_page: Callable[[str, ListingEntry, int], str] | None = None
    """Where an article may go on at further pages: returns the URL of the next one, given the text and the number of
    a page; an empty text after the last."""


class ExtractorFailure(NamedTuple):
    """Why an extractor found no article, and in what."""

    error: ItemError
    response: RawResponse


class SourceSpider(Spider):
    """A news site. A subclass is one file, and says no more than what differs from site to site.

    It defines the class attributes below, `listing_url`, `extract_listing` and `parse_row`, and either `extractors` or,
    where `rows_are_articles`, `extract_from_entry`; both where rows may be cut.
    """

    site: ClassVar[str] = ""
    """The source whose hosts are asked at one pace; by default the name. Spiders that share hosts name the same one."""
    columns: ClassVar[Mapping[str, str]]
    """Ids and names of the listings that the site has."""
    default_columns: ClassVar[tuple[str, ...]]
    hosts: ClassVar[tuple[str, ...]] = ()
    """The hosts that requests may go to."""
    first_cursor: ClassVar[str] = "1"
    extractors: ClassVar[tuple[Extractor, ...]] = ()
    """The ways to an article's text, tried in this order."""
    rows_are_articles: ClassVar[bool] = False
    """Whether a row of a listing holds the article, so that nothing else is fetched for it unless the row is cut."""
    article_spider: ClassVar["type[SourceSpider] | None"] = None
    """The spider whose `extractors` the articles behind cut rows come by, and which they then are of."""
    default_media: ClassVar[str]
    """The media of an article that names none."""
    markup: ClassVar[SourceMarkup] = PLAIN_MARKUP
    """The adverts, stock links and source lines that the site adds to its texts, and its time zone."""
    challenge_marks: ClassVar[tuple[str, ...]] = ()
    """What only the site's own checks for humans hold, in addition to those of crawler/crawl/policy/refusals.py."""
    supersedes: ClassVar[frozenset[str]] = frozenset()
    """Spiders whose shorter text of an article gives way to this one's."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.site = cls.site or getattr(cls, "name", "")

    def __init__(self, name: str | None = None, **arguments: str) -> None:
        super().__init__(name)
        # Those with an underscore are a scheduler's, such as Scrapyd's `_job`.
        self.arguments = {name: value for name, value in arguments.items() if not name.startswith("_")}

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Name the crawler and its operator in the user agent, unless the operator has written one."""
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
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.mirror = _parse_mirror(crawler.settings.get("MIRROR") or "")
        spider.allowed_origins = frozenset(map(get_origin, [spider.mirror] if spider.mirror else spider.server_urls()))
        return spider

    mirror: str = ""
    allowed_origins: frozenset[str] = frozenset()

    # what a site says

    def server_urls(self) -> list[str]:
        """The addresses of the servers that requests may go to, redirected ones included."""
        hosts = dict.fromkeys((*self.hosts, *(self.article_spider.hosts if self.article_spider else ())))
        return [f"https://{host}" for host in hosts]

    def listing_url(self, column: str, cursor: str) -> str:
        """The address of one page of a listing."""
        raise TypeError(f"{type(self).__name__} does not say where its listings are")

    def extract_listing(self, text: str, cursor: str) -> ListingPage:
        """Return the rows of a listing page. Raises ParseError or SourceError."""
        raise TypeError(f"{type(self).__name__} does not say how to read a listing")

    def parse_row(self, row: Any, column: str) -> ListingEntry:
        """Return a row as an entry. Raises ParseError when it is none, or lacks what an entry must have."""
        raise TypeError(f"{type(self).__name__} does not say how to read a row")

    def extract_from_entry(self, entry: ListingEntry) -> RawArticle:
        """Return the article that a row holds, or what it holds of one that is cut, where `rows_are_articles`."""
        raise TypeError(f"{type(self).__name__} does not say how to read the article in a row")

    def outcome_without_text(self, entry: ListingEntry) -> Outcome:
        """Return the outcome of an entry that no extractor finds a text for: QUARANTINED or FILTERED."""
        return Outcome.QUARANTINED

    @classmethod
    def handles_request(cls, request: Request) -> bool:
        """Return whether a URL is of a host of the source: `scrapy shell URL` finds its spider so."""
        return urlsplit(request.url).hostname in cls.hosts

    # what replay and plan call, too

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
        """Return the article that a row holds, or what it holds of one that is cut."""
        response = RawResponse(entry.url, "text/plain", entry.summary.encode(), ROW)
        return self.extract_article(response, entry, fetched_at)

    def parse_and_check_row(self, row: Any, column: str, now: datetime) -> ListingEntry:
        """Return a row as an entry. Raises ParseError, or RejectedArticleError for a time that no article has."""
        entry = self.parse_row(row, column)
        check_date(entry.published, now)
        return entry

    def first_article_url(self, entry: ListingEntry) -> str:
        """Return the URL that an entry's article is first requested from; empty where its row is the article."""
        if self.is_row_whole(entry):
            return ""
        return mirror_url(self.extractors[0].build_url(self, entry), self.mirror)

    def is_row_whole(self, entry: ListingEntry) -> bool:
        """Return whether nothing is fetched for an entry, since its row is the article."""
        return self.rows_are_articles and not entry.is_cut

    # the crawl

    async def start(self) -> AsyncIterator[Any]:
        """Request the first page of each listing that was selected."""
        selection = get_tracker(self.crawler).selection
        if selection.refresh and not self.rows_are_articles:
            self.crawler.signals.connect(self.refresh_articles, signal=signals.spider_idle)
        for column in selection.columns:
            yield self._listing_request(column, self.first_cursor)

    def parse(self, response: Response, **_kwargs: Any) -> Iterator[Any]:
        """Parse the response of a URL that was typed, as `scrapy parse URL` and `scrapy shell` do.

        A URL that holds the code of an article is an article's, any other one a listing's.
        """
        yield from self.parse_article(response) if _CODE_IN_URL.search(response.url) else self.parse_listing(response)

    def parse_listing(self, response: Response, column: str = "", cursor: str = "") -> Iterator[Any]:
        """Record a listing page, request the articles that are wanted, then the next page.

        Without a `column` the first one that is crawled by default is assumed.
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
                # Of what is behind a cut row, the database has no more than the row.
                entry = replace(entry, has_article=False) if entry.is_cut else entry
                yield self._article_request(entry, extractor_index=0)
        if isinstance(next_page, PageWindow):
            yield self._listing_request(column, str(next_page))
        elif next_page is CursorStep.FIRST:
            yield self._listing_request(column, self.first_cursor)
        elif next_page is CursorStep.OLDER and page.next_cursor is not None:
            yield self._listing_request(column, page.next_cursor)

    def handle_listing_error(self, failure: Failure) -> None:
        request = get_failed_request(failure)
        url, error = get_canonical_url(request), to_request_error(failure.value, request)
        get_tracker(self.crawler).record_request_failure(self.site, url, error)
        get_tracker(self.crawler).record_listing_failure(get_column(request), error, RawResponse(url, "", b""))

    def parse_article(
        self,
        response: Response,
        entry: ListingEntry | None = None,
        extractor_index: int | None = None,
        earlier: "ExtractorFailure | None" = None,
        pages: tuple[RawResponse, ...] = (),
    ) -> Iterator[Any]:
        """Extract an article, whose earlier `pages` are here. Where that fails, the next extractor is tried.

        Without an `entry`, one is made of the code in the URL. Raises UsageError where there is none.
        """
        entry = entry or self._entry_from_url(response)
        extractor_index = self._find_extractor(response, entry) if extractor_index is None else extractor_index
        raw_response = to_raw_response(response, extractor_index)
        try:
            if entry.code not in response.url or (pages and not response.url.endswith(urlsplit(raw_response.url).path)):
                # A redirect to the site's front page, or to the first page, is answered with 200.
                raise ParseError(f"the source sends to another page: {redact_url(response.url)}")
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
        request = get_failed_request(failure)
        entry = get_entry(request)
        assert entry is not None, "requests of articles have one"
        url, error = get_canonical_url(request), to_request_error(failure.value, request)
        if isinstance(error, MissingArticleError):
            get_tracker(self.crawler).record_answer(url)
        else:
            get_tracker(self.crawler).record_request_failure(self.site, url, error)
        response = RawResponse(entry.url, "", b"", request.cb_kwargs["extractor_index"])
        page_error = _to_page_error(error, len(request.cb_kwargs["pages"]) + 1)
        yield from self._try_next_extractor(entry, page_error, response, request.cb_kwargs["earlier"])

    def refresh_articles(self) -> None:
        """Request the stored articles that no listing has named, once, when nothing else is left to do."""
        self.crawler.signals.disconnect(self.refresh_articles, signal=signals.spider_idle)
        entries = get_tracker(self.crawler).entries_to_refresh()
        for entry in entries:
            self.crawler.engine.crawl(self._article_request(entry, extractor_index=0))
        if entries:
            raise DontCloseSpider

    def _entry_from_url(self, response: Response) -> ListingEntry:
        url = to_raw_response(response).url
        if not (match := _CODE_IN_URL.search(url)):
            raise UsageError(f"no article code in {redact_url(url)}: name the URL of an article")
        return ListingEntry(match[0], "", clock.now(), NO_COLUMN, url, is_cut=self.rows_are_articles)

    def _find_extractor(self, response: Response, entry: ListingEntry) -> int:
        """Return the index of the extractor that this response is for, judged by the path of its URL."""
        paths = [urlsplit(extractor.build_url(self, entry)).path for extractor in self.extractors]
        path = urlsplit(response.url).path
        return paths.index(path) if path in paths else 0

    def _add_page(
        self, pages: tuple[RawResponse, ...], response: RawResponse, entry: ListingEntry
    ) -> tuple[RawArticle, str]:
        """Return the article as far as its pages are here, and the URL of the next page; empty after the last."""
        article = self.extract_article(response, entry, clock.now())
        extractor = self.extractors[response.extractor_index]
        if extractor.find_next_page is None:
            return article, ""
        if pages and is_blank(article.body, self.markup):
            raise EmptyBodyError("the page holds no text")
        if any(page.body == response.body for page in pages):
            raise ParseError("the page repeats an earlier one of the article")
        pages = (*pages, response)
        next_url = extractor.find_next_page(decode_body(response.body, response.content_type), entry, len(pages))
        if next_url and len(pages) >= _MAX_PAGES:
            raise RejectedArticleError(f"the article has over {_MAX_PAGES} pages")
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
        """Record that an article could not be had. Where its row says something of it, that is stored for now."""
        get_tracker(self.crawler).record_article_failure(entry, error, response)
        if entry.is_cut:
            yield self.extract_row(entry, clock.now())

    def _judge(self, error: ItemError, response: Response) -> ItemError:
        """Return the error of a response that could not be used: RefusedError where that is what the source says."""
        raw_response = to_raw_response(response)
        url, text = raw_response.url, _decode_or_nothing(raw_response)
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
            # What has been begun is finished first, so that a crawl that is stopped has little to ask for again.
            priority=_ARTICLE_PRIORITY + extractor_index + len(pages),
        )


def _choose_failure(earlier: ExtractorFailure | None, latest: ExtractorFailure) -> ExtractorFailure:
    """Return which failure of an article's extractors is recorded.

    It is the latest, unless nothing was learned by it (its endpoint is closed) or by an earlier one more: a response
    that was no article is kept for a person to look at. That one extractor has no text is only said by the last.
    """
    if earlier is None or isinstance(earlier.error, EmptyBodyError | MissingArticleError):
        return latest
    latest_says_nothing = isinstance(latest.error, RequestError) and latest.error.reason == Reason.ENDPOINT_CLOSED
    latest_is_final = isinstance(latest.error, ParseError | MissingArticleError)
    if latest_says_nothing or (isinstance(earlier.error, ParseError) and not latest_is_final):
        return earlier
    return latest


def _to_page_error(error: ItemError, page_number: int) -> ItemError:
    """Return the error of a page: an article whose first page answers is neither missing nor empty."""
    if page_number > 1 and isinstance(error, MissingArticleError):
        return RequestError(error.reason, f"page {page_number} of the article: {error}")
    if page_number > 1 and isinstance(error, EmptyBodyError):
        return SourceError(f"page {page_number} of the article: {error}")
    return error


def _decode_or_nothing(response: RawResponse) -> str:
    try:
        return decode_body(response.body, response.content_type)
    except ParseError:
        return "\ufffd"


def mirror_url(url: str, mirror: str) -> str:
    """The address at the mirror, path and query unchanged.

    >>> mirror_url("https://np-listapi.eastmoney.com/comm?a=1", "http://127.0.0.1:8000")
    'http://127.0.0.1:8000/comm?a=1'
    """
    split_url = urlsplit(url)
    return mirror + split_url._replace(scheme="", netloc="").geturl() if mirror else url


def to_raw_response(response: Response, extractor_index: int = 0) -> RawResponse:
    """Return a response as it is kept: under its canonical URL, which a person can look up."""
    url = get_canonical_url(response.request) if response.request else response.url
    content_type = (response.headers.get("Content-Type") or b"").decode("latin-1")
    return RawResponse(url, content_type, response.body, extractor_index)


def get_failed_request(failure: Failure) -> Request:
    """Return the request that failed, which Scrapy sets as an attribute that Twisted's class does not declare."""
    request: Request = cast(Any, failure).request
    return request


def _parse_mirror(text: str) -> str:
    split_url = urlsplit(text)
    if text and not (split_url.scheme in {"http", "https"} and split_url.hostname):
        raise UsageError(f"--mirror {text!r} is not an address: type http://{text.split('://')[-1]}")
    if text and not get_origin(text):
        raise UsageError("--mirror names a user or no port that there is: type http://HOST or http://HOST:PORT")
    return text.rstrip("/")
