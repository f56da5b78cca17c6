"""Downloader middlewares: what happens to a request and its response, in addition to Scrapy's own.

50  AllowedOriginsMiddleware        no request leaves the source's own origins, redirects included;
                                    crawler/crawl/public_dns.py checks where host names lead
100 RobotsMiddleware                robots.txt by RFC 9309, kept for a day
550 BackoffRetryMiddleware          retry with backoff, Retry-After; nothing for what is closed or paused
590 StrictDecompressionMiddleware   a decompressed, complete response, or an error
750 EnvironmentProxyMiddleware      the environment's proxies, ALL_PROXY included
950 PaceMiddleware                  one pace for all hosts of a site; Scrapy's cache of responses (900) has none
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from random import SystemRandom
from typing import Any, Self, TypeVar
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.httpproxy import HttpProxyMiddleware
from scrapy.downloadermiddlewares.retry import RetryMiddleware, get_retry_request
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import CannotResolveHostError, IgnoreRequest, NotConfigured
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from scrapy.robotstxt import ProtegoRobotParser, RobotParser
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.misc import build_from_crawler

from crawler.content import clock
from crawler.content.dates import format_iso
from crawler.content.decompress import ACCEPT_ENCODING, check_header_size, decompress
from crawler.crawl.interface import (
    DroppedRequestError,
    find_tracker,
    get_canonical_url,
    get_tracker,
    is_connection_closed,
    set_canonical_url,
    to_request_error,
)
from crawler.crawl.policy.backoff import MAX_WAIT, parse_retry_after
from crawler.crawl.policy.failures import describe_endpoint
from crawler.crawl.policy.origins import get_origin, redact_url
from crawler.crawl.policy.pace import Pace
from crawler.crawl.policy.proxies import find_proxy
from crawler.crawl.policy.robots import MAX_AGE, RETRY_INTERVAL, extract_rules, is_fresh
from crawler.crawl.public_dns import PublicResolver
from crawler.errors import IncompleteResponseError, ParseError, RequestError
from crawler.items import Reason
from crawler.storage.request_log import FILE_NAME, RequestLog
from crawler.storage.robots_files import RobotsFile

_IGNORE_ROBOTS_HINT = "to send them all the same, use --set ROBOTSTXT_OBEY=0"
Result = TypeVar("Result", bound=Request | Response | None)

# Seconds of waiting for one site, after which a crawl goes on without it.
_MAX_TOTAL_WAIT = 300.0


class IncompleteResponse(Response):
    """A response as it came, truncated or broken, with the error that says how."""

    attributes = (*Response.attributes, "error")

    def __init__(self, *args: Any, error: IncompleteResponseError, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.error = error


class AllowedOriginsMiddleware:
    """Drop requests to origins that are not the spider's: each retry and redirect comes by here again.

    Scrapy's own filter looks at hosts without their ports, lets through what is retried or a spider starts with, and
    drops the rest silently.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        # A spider of another kind, as that of `scrapy shell URL` for any other site, may go where it was sent.
        allowed_origins = getattr(self._crawler.spider, "allowed_origins", None)
        if allowed_origins is not None and _get_request_origin(request) not in allowed_origins:
            raise IgnoreRequest(f"the source sends to {redact_url(request.url)}, which is none of its hosts")

    def process_exception(self, request: Request, exception: Exception) -> None:
        host = urlparse_cached(request).hostname or ""
        if isinstance(exception, CannotResolveHostError) and (address := PublicResolver.blocked_addresses.get(host)):
            raise IgnoreRequest(f"{host} leads to {address}, which is no public address") from exception


@dataclass(frozen=True, slots=True)
class _RobotsRules:
    """The rules of an origin until they are fetched again; without a parser, `error` says why there are none."""

    valid_until: datetime
    parser: RobotParser | None = None
    error: str = ""


class RobotsMiddleware(RobotsTxtMiddleware):
    """robots.txt by RFC 9309: one that cannot be had forbids requests for now, and one that was fetched serves a day.

    Scrapy allows everything while the file cannot be had, takes the page of an error for rules, and fetches the file
    in each crawl. Scrapy 2.19 also lets requests through that wait for the file with the first one: all of them await
    one Deferred, and only the first gets its result (tests/crawl/test_end_to_end.py shows it). Here one asks at a time.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        # The address of a mirror is the operator's, and not recorded.
        self._is_stored = not crawler.settings.get("MIRROR")
        self._rules: dict[str, _RobotsRules] = {}
        self._origin_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def robot_parser(self, request: Request) -> RobotParser | None:
        """Return the rules for a request. Raises DroppedRequestError where they cannot be had."""
        origin = _get_request_origin(request)
        async with self._origin_locks[origin]:
            rules = self._rules.get(origin)
            if rules is None or clock.now() >= rules.valid_until:
                rules = self._rules[origin] = await self._load_rules(origin, request)
        if rules.parser is None:
            raise DroppedRequestError(
                Reason.ROBOTS_FORBIDDEN,
                f"robots.txt of {_get_canonical_host(request)} cannot be had ({rules.error}), which forbids all"
                f" requests for now: {_IGNORE_ROBOTS_HINT}",
            )
        return rules.parser

    def process_request_2(self, rp: RobotParser | None, request: Request) -> None:
        """Check a request. Raises DroppedRequestError for one that the rules forbid."""
        try:
            super().process_request_2(rp, request)
        except IgnoreRequest as error:
            raise DroppedRequestError(
                Reason.ROBOTS_FORBIDDEN,
                f"robots.txt of {_get_canonical_host(request)} forbids the request: {_IGNORE_ROBOTS_HINT}",
            ) from error

    async def _load_rules(self, origin: str, request: Request) -> _RobotsRules:
        """Return the stored rules while they are fresh, else those of the source, else the stored ones all the same."""
        tracker = find_tracker(self.crawler) if self._is_stored else None
        robots_file = tracker.load_robots(origin) if tracker else None
        if robots_file and is_fresh(robots_file.fetched_at, clock.now()):
            return await self._parse(robots_file.content, request, robots_file.fetched_at + MAX_AGE)
        try:
            content = await self._fetch(request)
        except RequestError as error:
            retry_at = clock.now() + RETRY_INTERVAL
            if robots_file is None:
                return _RobotsRules(retry_at, error=str(error))
            return await self._parse(robots_file.content, request, retry_at)
        if tracker:
            tracker.save_robots(origin, RobotsFile(content, clock.now()))
        return await self._parse(content, request, clock.now() + MAX_AGE)

    async def _fetch(self, request: Request) -> bytes:
        """Request robots.txt from the origin of a request. Raises RequestError where it cannot be had."""
        robots_request = Request(
            urljoin(request.url, "/robots.txt"),
            priority=self.DOWNLOAD_PRIORITY,
            meta={**set_canonical_url(urljoin(get_canonical_url(request), "/robots.txt")), "dont_obey_robotstxt": True},
            callback=NO_CALLBACK,
        )
        self._stats.inc_value("robotstxt/request_count")
        try:
            response = await self.crawler.engine.download_async(robots_request)
        except Exception as error:
            raise to_request_error(error, robots_request) from error
        if isinstance(response, IncompleteResponse):  # in a worker, which does not try again
            raise RequestError(Reason.RESPONSE_INCOMPLETE, str(response.error))
        if (content := extract_rules(response.status, response.body)) is None:
            raise RequestError(Reason.HTTP_ERROR, f"HTTP {response.status}")
        return content

    async def _parse(self, content: bytes, request: Request, valid_until: datetime) -> _RobotsRules:
        parser = build_from_crawler(self._parserimpl, self.crawler, content)
        # As Scrapy does, for extensions.
        await self.crawler.signals.send_catch_log_async(
            signal=signals.robots_parsed, robotparser=parser, request=request
        )
        return _RobotsRules(valid_until, parser)


class BackoffRetryMiddleware:
    """Retry what fails for a passing reason with exponential backoff and jitter, and leave alone what refuses.

    A time-out or a 5xx is sent again; what a source does to refuse (403, 429, a closed connection) is not. When it says
    how long to wait, no request is sent to the site before; where that is too long for this crawl, the tracker keeps it
    for the next ones. What is closed (crawler/crawl/policy/health.py) or paused is asked nothing.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._scrapy_retry = RetryMiddleware.from_crawler(crawler)
        self._first_delay = crawler.settings.getfloat("RETRY_BACKOFF")
        self._random = SystemRandom()
        self._next_request_at: dict[str, float] = {}
        self._seconds_waited: defaultdict[str, float] = defaultdict(float)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        site = _get_site(self._crawler, request)
        while (wait := self._next_request_at.get(site, 0.0) - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait)
        self._raise_if_closed(site, get_canonical_url(request))

    async def process_response(self, request: Request, response: Response) -> Request | Response:
        error = response.error if isinstance(response, IncompleteResponse) else None
        if error is None and not self._is_temporary(response):
            return response
        if (wait := self._parse_wait(response)) is not None:
            self._obey_retry_after(request, wait)
        elif response.status == HTTPStatus.TOO_MANY_REQUESTS:
            return response
        if retry := self._create_retry(request, str(error) if error else f"HTTP {response.status}"):
            return await self._delay_retry(retry)
        if error is not None:
            raise DroppedRequestError(Reason.RESPONSE_INCOMPLETE, str(error)) from error
        return response

    async def process_exception(self, request: Request, exception: Exception) -> Request | Response | None:
        if is_connection_closed(exception):
            return None
        return await self._delay_retry(self._scrapy_retry.process_exception(request, exception))

    def _raise_if_closed(self, site: str, url: str) -> None:
        tracker = get_tracker(self._crawler)
        if detail := tracker.health.why_closed(url):
            raise DroppedRequestError(Reason.ENDPOINT_CLOSED, detail)
        for name in (site, describe_endpoint(url)):
            if until := tracker.paused_until(name):
                raise IgnoreRequest(f"the source asks to be left alone until {format_iso(until)}")

    def _is_temporary(self, response: Response) -> bool:
        status = response.status
        return status in self._scrapy_retry.retry_http_codes or status == HTTPStatus.TOO_MANY_REQUESTS

    def _create_retry(self, request: Request, reason: str) -> Request | None:
        assert self._crawler.spider is not None
        return get_retry_request(request, spider=self._crawler.spider, reason=reason)

    def _parse_wait(self, response: Response) -> timedelta | None:
        """Return how long the source asks to be left alone, by a response that is temporary."""
        header = (response.headers.get("Retry-After") or b"").decode("latin-1")
        return parse_retry_after(header, clock.now()) if self._is_temporary(response) else None

    def _obey_retry_after(self, request: Request, wait: timedelta) -> None:
        """Have the requests to the site wait. Raises IgnoreRequest where that is longer than a crawl waits."""
        site, now = _get_site(self._crawler, request), asyncio.get_running_loop().time()
        if wait > MAX_WAIT or self._seconds_waited[site] > _MAX_TOTAL_WAIT:
            get_tracker(self._crawler).pause(site, wait)
            self._raise_if_closed(site, get_canonical_url(request))
        allowed_at, previously_allowed_at = now + wait.total_seconds(), max(now, self._next_request_at.get(site, now))
        self._seconds_waited[site] += max(0.0, allowed_at - previously_allowed_at)
        self._next_request_at[site] = max(allowed_at, previously_allowed_at)

    async def _delay_retry(self, result: Result) -> Result:
        if isinstance(result, Request):
            await asyncio.sleep(self._retry_delay(result.meta["retry_times"]))
        return result

    def _retry_delay(self, attempt: int) -> float:
        jitter = self._random.uniform(0.75, 1.25)
        return float(min(MAX_WAIT.total_seconds(), self._first_delay * 2 ** (attempt - 1) * jitter))


class PaceMiddleware:
    """Send the requests of a spider to its site, whatever their hosts, at the pace of crawler/crawl/policy/pace.py.

    Scrapy's own delay is one for each host, and forgets the crawl before. DOWNLOAD_DELAY=0 lifts every limit: it is for
    mirrors of one's own.
    """

    def __init__(self, crawler: Crawler, site: str, delay: float) -> None:
        self._crawler, self._site = crawler, site
        self._user_agent = crawler.settings["ROBOTSTXT_USER_AGENT"]
        self._pace = Pace(delay, SystemRandom().uniform)
        self._log: RequestLog | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        site = getattr(crawler.spidercls, "site", "")
        delay = crawler.settings.getfloat("DOWNLOAD_DELAY")
        if not site or not delay:
            raise NotConfigured
        middleware = cls(crawler, site, delay)
        crawler.signals.connect(middleware.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(middleware.robots_parsed, signal=signals.robots_parsed)
        return middleware

    def robots_parsed(self, robotparser: RobotParser) -> None:
        """Obey the Crawl-delay of a host, for the whole site. Only Protego, Scrapy's default parser, reads it."""
        if isinstance(robotparser, ProtegoRobotParser) and (delay := robotparser.rp.crawl_delay(self._user_agent)):
            self._pace.slow_down(delay)

    def spider_opened(self) -> None:
        """Take in what was sent before this crawl, where its folder knows."""
        tracker = find_tracker(self._crawler)
        if tracker and tracker.output:
            self._log = RequestLog(tracker.output / FILE_NAME, self._site)
            self._log.shorten()

    async def process_request(self, request: Request) -> None:
        request.meta["download_slot"] = self._site
        now, epoch_seconds = asyncio.get_running_loop().time(), clock.now().timestamp()
        if self._log:
            # What the clock says is yet to come was sent before it was set back.
            self._pace.add(now + time - epoch_seconds for time in self._log.read_new() if time <= epoch_seconds)
        send_at = self._pace.reserve(now)
        if self._log:
            self._log.append(epoch_seconds + send_at - now)
        if send_at > now:
            await asyncio.sleep(send_at - now)


class StrictDecompressionMiddleware:
    """Decompresses responses, and marks truncated ones: Scrapy's own takes what it can get for all."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler.settings.getint("DOWNLOAD_MAXSIZE"))

    def process_request(self, request: Request) -> None:
        request.headers["Accept-Encoding"] = ACCEPT_ENCODING

    def process_response(self, request: Request, response: Response) -> Response:
        content_encoding = b", ".join(response.headers.getlist("Content-Encoding")).decode("latin-1")
        try:
            check_header_size(dict.items(response.headers))  # Scrapy's own makes each name its own form again
            if not content_encoding:
                return response
            body = decompress(response.body, content_encoding, self._max_size)
        except ParseError as error:
            raise DroppedRequestError(Reason.RESPONSE_TOO_LARGE, str(error)) from error
        except IncompleteResponseError as error:
            return IncompleteResponse(
                response.url, response.status, response.headers, response.body, request=response.request, error=error
            )
        return response if body is response.body else response.replace(body=body)


class EnvironmentProxyMiddleware(HttpProxyMiddleware):
    """Scrapy's use of the environment's proxies, and ALL_PROXY.

    Where a proxy is malformed, or of a kind that Scrapy cannot use, Scrapy sends requests without one, or fails each.
    """

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Read the proxies of what the spider requests. Raises UsageError for one that cannot be used."""
        middleware = super().from_crawler(crawler)
        proxies = getproxies()
        origins = map(urlsplit, getattr(crawler.spider, "allowed_origins", ("http:", "https:")))
        schemes = {origin.scheme for origin in origins if not proxy_bypass(origin.hostname or "")}
        urls = {scheme: find_proxy(scheme, proxies) for scheme in sorted(schemes)}
        middleware.proxies = {scheme: middleware._get_proxy(url, scheme) for scheme, url in urls.items() if url}
        return middleware


def _get_site(crawler: Crawler, request: Request) -> str:
    """Return the site that a request is for: the spider's, and for a spider of another kind the host."""
    return getattr(crawler.spider, "site", "") or urlparse_cached(request).hostname or ""


def _get_canonical_host(request: Request) -> str:
    return urlsplit(get_canonical_url(request)).hostname or ""


def _get_request_origin(request: Request) -> str:
    """Return the origin of a request. A crawl sends its requests to a few, so each is worked out once."""
    url = urlparse_cached(request)
    return _parse_origin(f"{url.scheme}://{url.netloc}")


_parse_origin = lru_cache(256)(get_origin)
