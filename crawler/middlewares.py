"""Downloader middlewares, in addition to Scrapy's own, in the order of a request.

50  AllowedOriginsMiddleware        drop requests to other origins than the source's, redirects included;
                                    crawler/crawl/public_dns.py checks the addresses of host names
100 RobotsMiddleware                robots.txt by RFC 9309, kept for a day
550 BackoffRetryMiddleware          retry with backoff, Retry-After; drop requests to closed or paused endpoints
590 StrictDecompressionMiddleware   return a decompressed, complete response, or an error
750 EnvironmentProxyMiddleware      the environment's proxies, ALL_PROXY included
950 PaceMiddleware                  one pace for all hosts of a site; after Scrapy's HTTP cache (900), which needs none
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from random import SystemRandom
from typing import Any, Self
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.httpproxy import HttpProxyMiddleware
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import CannotResolveHostError, IgnoreRequest, NotConfigured
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from scrapy.robotstxt import ProtegoRobotParser, RobotParser
from scrapy.settings import BaseSettings
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

# Seconds that a crawl waits for one site in all, by Retry-After, before it pauses the site for the next crawls too.
_MAX_TOTAL_WAIT = 300.0


class IncompleteResponse(Response):
    """A truncated or broken response as received, with the error that describes the damage."""

    attributes = (*Response.attributes, "error")

    def __init__(self, *args: Any, error: IncompleteResponseError, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.error = error


class AllowedOriginsMiddleware:
    """Drop requests to origins that are not the spider's, retries and redirects included.

    Scrapy's OffsiteMiddleware ignores ports, passes retries and start requests, and drops the rest silently.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Create the middleware."""
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        """Check a request. Raises IgnoreRequest for one to another origin."""
        # The default spider of `scrapy shell URL` has no list of origins, and may fetch any URL.
        allowed_origins = getattr(self._crawler.spider, "allowed_origins", None)
        if allowed_origins is not None and _get_request_origin(request) not in allowed_origins:
            raise IgnoreRequest(f"blocked request to {redact_url(request.url)}: not one of the source's hosts")

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Raise IgnoreRequest for a host name whose addresses are private."""
        host = urlparse_cached(request).hostname or ""
        if isinstance(exception, CannotResolveHostError) and (address := PublicResolver.blocked_addresses.get(host)):
            raise IgnoreRequest(f"{host} resolves to {address}, which is no public address") from exception


@dataclass(frozen=True, slots=True)
class _RobotsRules:
    """The robots.txt rules of an origin until they are fetched again; without rules, `error` says why."""

    valid_until: datetime
    parser: RobotParser | None = None
    error: str = ""


class RobotsMiddleware(RobotsTxtMiddleware):
    """Obey robots.txt by RFC 9309: an unavailable file forbids all requests for now, a fetched one is used for a day.

    Scrapy allows everything without the file, parses error pages as rules, and fetches the file in each crawl. Scrapy
    2.19 also passes requests that wait for the file together with the first one: all await one Deferred, and only the
    first gets its result (see tests/crawl/test_end_to_end.py). Here a lock lets one request at a time fetch the file.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        # The address of a mirror is private, and not recorded.
        self._is_stored = not crawler.settings.get("MIRROR")
        self._rules: dict[str, _RobotsRules] = {}
        self._origin_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def robot_parser(self, request: Request) -> RobotParser | None:
        """Return the rules for a request. Raises DroppedRequestError if they are unavailable."""
        origin = _get_request_origin(request)
        async with self._origin_locks[origin]:
            rules = self._rules.get(origin)
            if rules is None or clock.now() >= rules.valid_until:
                rules = self._rules[origin] = await self._load_rules(origin, request)
        if rules.parser is None:
            raise DroppedRequestError(
                Reason.ROBOTS_FORBIDDEN,
                f"robots.txt of {_get_canonical_host(request)} is not available ({rules.error}), which forbids all"
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
        """Return the stored rules while fresh, else the source's rules, else the stored ones however old."""
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
        """Fetch robots.txt from the origin of a request. Raises RequestError if it is unavailable."""
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
        if isinstance(response, IncompleteResponse):  # in a worker, which does not retry
            raise RequestError(Reason.RESPONSE_INCOMPLETE, str(response.error))
        if (content := extract_rules(response.status, response.body)) is None:
            raise RequestError(Reason.HTTP_ERROR, f"HTTP {response.status}")
        return content

    async def _parse(self, content: bytes, request: Request, valid_until: datetime) -> _RobotsRules:
        parser = build_from_crawler(self._parserimpl, self.crawler, content)
        # Scrapy's own signal, for other extensions.
        await self.crawler.signals.send_catch_log_async(
            signal=signals.robots_parsed, robotparser=parser, request=request
        )
        return _RobotsRules(valid_until, parser)


class BackoffRetryMiddleware(RetryMiddleware):
    """Retry temporary failures with exponential backoff and jitter, but no refusals.

    Time-outs and 5xx are retried; refusals (403, 429, a closed connection) are not. Retry-After delays all requests to
    the site; a wait that is too long for this crawl is stored by the tracker for the next ones. Requests to endpoints
    that are closed (crawler/crawl/policy/health.py) or paused are dropped.
    """

    def __init__(self, settings: BaseSettings) -> None:
        super().__init__(settings)
        self._first_delay = settings.getfloat("RETRY_BACKOFF")
        self._random = SystemRandom()
        self._next_request_at: dict[str, float] = {}
        self._seconds_waited: defaultdict[str, float] = defaultdict(float)

    async def process_request(self, request: Request) -> None:
        """Wait as long as Retry-After says. Raises IgnoreRequest for a closed or paused endpoint."""
        site = _get_site(self.crawler, request)
        while (wait := self._next_request_at.get(site, 0.0) - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait)
        self._raise_if_closed(site, get_canonical_url(request))

    # Scrapy awaits what a middleware returns; its own classes do not declare that.
    async def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]
        """Return a retry for a temporary failure, or the response. Raises DroppedRequestError for an incomplete one."""
        error = response.error if isinstance(response, IncompleteResponse) else None
        is_temporary = response.status in self.retry_http_codes or response.status == HTTPStatus.TOO_MANY_REQUESTS
        if error is None and not is_temporary:
            return response
        retry_after = (response.headers.get("Retry-After") or b"").decode("latin-1")
        if is_temporary and (wait := parse_retry_after(retry_after, clock.now())) is not None:
            self._obey_retry_after(request, wait)
        elif response.status == HTTPStatus.TOO_MANY_REQUESTS:
            return response
        if retry := self._retry(request, str(error) if error else f"HTTP {response.status}"):
            return await self._delay(retry)
        if error is not None:
            raise DroppedRequestError(Reason.RESPONSE_INCOMPLETE, str(error)) from error
        return response

    async def process_exception(self, request: Request, exception: Exception) -> Request | None:  # type: ignore[override]
        """Return a retry for a temporary failure; None for a closed connection, which is a refusal."""
        retry = None if is_connection_closed(exception) else super().process_exception(request, exception)
        return await self._delay(retry) if isinstance(retry, Request) else None

    def _raise_if_closed(self, site: str, url: str) -> None:
        tracker = get_tracker(self.crawler)
        if detail := tracker.health.why_closed(url):
            raise DroppedRequestError(Reason.ENDPOINT_CLOSED, detail)
        for name in (site, describe_endpoint(url)):
            if until := tracker.paused_until(name):
                raise IgnoreRequest(f"the source is paused until {format_iso(until)}, after a Retry-After or refusals")

    def _obey_retry_after(self, request: Request, wait: timedelta) -> None:
        """Delay the requests to the site. Raises IgnoreRequest for a wait that is too long for a crawl."""
        site, now = _get_site(self.crawler, request), asyncio.get_running_loop().time()
        if wait > MAX_WAIT or self._seconds_waited[site] > _MAX_TOTAL_WAIT:
            get_tracker(self.crawler).pause(site, wait)
            self._raise_if_closed(site, get_canonical_url(request))
        allowed_at, previously_allowed_at = now + wait.total_seconds(), max(now, self._next_request_at.get(site, now))
        self._seconds_waited[site] += max(0.0, allowed_at - previously_allowed_at)
        self._next_request_at[site] = max(allowed_at, previously_allowed_at)

    async def _delay(self, retry: Request) -> Request:
        """Return a retry after its delay: doubled with each attempt, by a random factor up to 25 % off."""
        seconds = self._first_delay * 2 ** (retry.meta["retry_times"] - 1) * self._random.uniform(0.75, 1.25)
        await asyncio.sleep(min(MAX_WAIT.total_seconds(), seconds))
        return retry


class PaceMiddleware:
    """Send requests at the pace of crawler/crawl/policy/pace.py, which all hosts of a site share.

    Scrapy's own delay is per host, and forgets the crawl before. DOWNLOAD_DELAY=0 lifts every limit, for private
    mirrors.
    """

    def __init__(self, crawler: Crawler, site: str, delay: float) -> None:
        self._crawler, self._site = crawler, site
        self._user_agent = crawler.settings["ROBOTSTXT_USER_AGENT"]
        self._pace = Pace(delay, SystemRandom().uniform)
        self._log: RequestLog | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Create the middleware. Raises NotConfigured for a spider without a site, or DOWNLOAD_DELAY=0."""
        site = getattr(crawler.spidercls, "site", "")
        delay = crawler.settings.getfloat("DOWNLOAD_DELAY")
        if not site or not delay:
            raise NotConfigured
        middleware = cls(crawler, site, delay)
        crawler.signals.connect(middleware.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(middleware.robots_parsed, signal=signals.robots_parsed)
        return middleware

    def robots_parsed(self, robotparser: RobotParser) -> None:
        """Obey the Crawl-delay of a host for the whole site. Only Protego, Scrapy's default parser, reads it."""
        if isinstance(robotparser, ProtegoRobotParser) and (delay := robotparser.rp.crawl_delay(self._user_agent)):
            self._pace.slow_down(delay)

    def spider_opened(self) -> None:
        """Open the request log of the output folder, which earlier and concurrent crawls write too."""
        tracker = find_tracker(self._crawler)
        if tracker and tracker.output:
            self._log = RequestLog(tracker.output / FILE_NAME, self._site)
            self._log.shorten()

    async def process_request(self, request: Request) -> None:
        """Wait until a request may be sent, and log its time."""
        request.meta["download_slot"] = self._site
        now, epoch_seconds = asyncio.get_running_loop().time(), clock.now().timestamp()
        if self._log:
            # A time in the future was logged before the clock was set back.
            self._pace.add(now + time - epoch_seconds for time in self._log.read_new() if time <= epoch_seconds)
        send_at = self._pace.reserve(now)
        if self._log:
            self._log.append(epoch_seconds + send_at - now)
        if send_at > now:
            await asyncio.sleep(send_at - now)


class StrictDecompressionMiddleware:
    """Decompress responses and flag truncated ones, which Scrapy's own middleware passes on as complete."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Create the middleware."""
        return cls(crawler.settings.getint("DOWNLOAD_MAXSIZE"))

    def process_request(self, request: Request) -> None:
        """Ask for the encodings that can be decompressed."""
        request.headers["Accept-Encoding"] = ACCEPT_ENCODING

    def process_response(self, request: Request, response: Response) -> Response:
        """Return the decompressed response. Raises DroppedRequestError for a response that is too large."""
        content_encoding = b", ".join(response.headers.getlist("Content-Encoding")).decode("latin-1")
        try:
            # Headers.items() normalises every name again, which takes four times as long.
            check_header_size(dict.items(response.headers))
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
    """Use the environment's proxies as Scrapy does, and ALL_PROXY.

    Scrapy ignores a malformed proxy, and fails each request through one of a kind that it does not support.
    """

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Read the proxies of the spider's origins. Raises UsageError for a proxy that cannot be used."""
        middleware = super().from_crawler(crawler)
        proxies = getproxies()
        origins = map(urlsplit, getattr(crawler.spider, "allowed_origins", ("http:", "https:")))
        schemes = {origin.scheme for origin in origins if not proxy_bypass(origin.hostname or "")}
        urls = {scheme: find_proxy(scheme, proxies) for scheme in sorted(schemes)}
        middleware.proxies = {scheme: middleware._get_proxy(url, scheme) for scheme, url in urls.items() if url}
        return middleware


def _get_site(crawler: Crawler, request: Request) -> str:
    """Return the site of a request: the spider's, or the host for a spider without one."""
    return getattr(crawler.spider, "site", "") or urlparse_cached(request).hostname or ""


def _get_canonical_host(request: Request) -> str:
    return urlsplit(get_canonical_url(request)).hostname or ""


def _get_request_origin(request: Request) -> str:
    """Return the origin of a request. A crawl has few of them, so they are cached."""
    url = urlparse_cached(request)
    return _parse_origin(f"{url.scheme}://{url.netloc}")


_parse_origin = lru_cache(256)(get_origin)
