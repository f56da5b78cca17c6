"""Downloader middlewares: what happens to a request and its response, in addition to Scrapy's own.

50  AllowedOriginsMiddleware        no request leaves the source's own origins, redirects included;
                                    crawler/crawl/public_dns.py checks where host names lead
100 RobotsMiddleware                robots.txt by RFC 9309, kept for a day
550 BackoffRetryMiddleware          retry with backoff, Retry-After, and a circuit breaker for each origin
590 StrictDecompressionMiddleware   a decompressed, complete response, or an error
750 EnvironmentProxyMiddleware      the environment's proxies, ALL_PROXY included
"""

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from random import SystemRandom
from typing import Any, Self, TypeVar
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.httpproxy import HttpProxyMiddleware
from scrapy.downloadermiddlewares.retry import RetryMiddleware, get_retry_request
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import CannotResolveHostError, IgnoreRequest
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from scrapy.robotstxt import RobotParser
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.misc import build_from_crawler

from crawler.content import clock
from crawler.content.dates import format_iso
from crawler.content.decompress import ACCEPT_ENCODING, check_header_size, decompress
from crawler.crawl.interface import (
    DroppedRequestError,
    describe_request_error,
    find_tracker,
    get_canonical_url,
    get_tracker,
    set_canonical_url,
    to_request_error,
)
from crawler.crawl.policy.backoff import MAX_WAIT, parse_retry_after
from crawler.crawl.policy.origins import get_origin, redact_url
from crawler.crawl.policy.proxies import find_proxy
from crawler.crawl.policy.robots import MAX_AGE, RETRY_INTERVAL, extract_rules, is_fresh
from crawler.crawl.public_dns import PublicResolver
from crawler.errors import IncompleteResponseError, ParseError, RequestError
from crawler.items import Reason
from crawler.storage.robots_files import RobotsFile

_IGNORE_ROBOTS_HINT = "to send them all the same, use --set ROBOTSTXT_OBEY=0"
Result = TypeVar("Result", bound=Request | Response | None)

# Seconds of waiting for one origin, after which a crawl goes on without it.
_MAX_TOTAL_WAIT = 300.0
# Circuit breaker: failures of one origin in a row, after which it is down, and each request would only time out.
_MAX_CONSECUTIVE_FAILURES = 30
# Responses "too many requests" in a row, after which the origin is paused.
_MAX_CONSECUTIVE_429 = 3


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
    """Retry with exponential backoff and jitter, obey Retry-After, and break the circuit of an origin that is down.

    A source in trouble, or one that says "too many requests", is not helped by the same question 10 ms later. When it
    says how long to wait, no request is sent to that origin before; where that is too long for this crawl, the tracker
    keeps it for the next ones.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._scrapy_retry = RetryMiddleware.from_crawler(crawler)
        self._first_delay = crawler.settings.getfloat("RETRY_BACKOFF")
        self._random = SystemRandom()
        self._next_request_at: dict[str, float] = {}
        self._seconds_waited: defaultdict[str, float] = defaultdict(float)
        self._consecutive_failures: Counter[str] = Counter()
        self._last_failure: dict[str, str] = {}
        self._consecutive_429: Counter[str] = Counter()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        origin = _get_request_origin(request)
        while (wait := self._next_request_at.get(origin, 0.0) - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait)
        if until := get_tracker(self._crawler).paused_until(origin):
            raise IgnoreRequest(f"the source asks to be left alone until {format_iso(until)}")
        if self._consecutive_failures[origin] >= _MAX_CONSECUTIVE_FAILURES:
            last_failure = self._last_failure[origin]
            raise IgnoreRequest(
                f"given up after {_MAX_CONSECUTIVE_FAILURES} failures in a row, the last: {last_failure}"
            )

    async def process_response(self, request: Request, response: Response) -> Request | Response:
        error = response.error if isinstance(response, IncompleteResponse) else None
        origin = _get_request_origin(request)
        if error is None and response.status not in self._scrapy_retry.retry_http_codes:
            self._consecutive_failures[origin] = self._consecutive_429[origin] = 0
            return response
        self._count_failure(request, str(error) if error else f"HTTP {response.status}")
        self._consecutive_429[origin] = self._consecutive_429[origin] + 1 if response.status == 429 else 0
        self._obey_retry_after(request, response)
        if error is None:
            result = self._scrapy_retry.process_response(request, response)
            self._back_off_if_throttled(request, result)
            return await self._delay_retry(result)
        if retry := self._create_retry(request, str(error)):
            return await self._delay_retry(retry)
        raise DroppedRequestError(Reason.RESPONSE_INCOMPLETE, str(error)) from error

    async def process_exception(self, request: Request, exception: Exception) -> Request | Response | None:
        if not isinstance(exception, IgnoreRequest):
            self._count_failure(request, describe_request_error(exception, request))
        return await self._delay_retry(self._scrapy_retry.process_exception(request, exception))

    def _create_retry(self, request: Request, reason: str) -> Request | None:
        assert self._crawler.spider is not None
        return get_retry_request(request, spider=self._crawler.spider, reason=reason)

    def _count_failure(self, request: Request, failure: str) -> None:
        origin = _get_request_origin(request)
        self._consecutive_failures[origin] = self._consecutive_failures[origin] + 1 if failure else 0
        # What was under way when it was given up changes nothing: one reason for all.
        if failure and self._consecutive_failures[origin] <= _MAX_CONSECUTIVE_FAILURES:
            host = urlsplit(get_canonical_url(request)).hostname
            self._last_failure[origin] = f"{host}: {failure}"

    def _obey_retry_after(self, request: Request, response: Response) -> None:
        """Leave an origin alone that asks for it."""
        if response.status not in self._scrapy_retry.retry_http_codes:
            return
        header = (response.headers.get("Retry-After") or b"").decode("latin-1")
        if (wait := parse_retry_after(header, clock.now())) is None:
            return
        origin, now = _get_request_origin(request), asyncio.get_running_loop().time()
        if wait > MAX_WAIT or self._seconds_waited[origin] > _MAX_TOTAL_WAIT:
            get_tracker(self._crawler).pause(origin, wait)
            return
        allowed_at, previously_allowed_at = now + wait.total_seconds(), max(now, self._next_request_at.get(origin, now))
        self._seconds_waited[origin] += max(0.0, allowed_at - previously_allowed_at)
        self._next_request_at[origin] = max(allowed_at, previously_allowed_at)

    def _back_off_if_throttled(self, request: Request, result: Request | Response) -> None:
        """Leave an origin alone that goes on to say "too many requests", and not until when."""
        origin = _get_request_origin(request)
        if (
            isinstance(result, Response)
            and result.status == 429
            and self._consecutive_429[origin] >= _MAX_CONSECUTIVE_429
        ):
            get_tracker(self._crawler).back_off(origin)

    async def _delay_retry(self, result: Result) -> Result:
        if isinstance(result, Request):
            await asyncio.sleep(self._retry_delay(result.meta["retry_times"]))
        return result

    def _retry_delay(self, attempt: int) -> float:
        jitter = self._random.uniform(0.75, 1.25)
        return float(min(MAX_WAIT.total_seconds(), self._first_delay * 2 ** (attempt - 1) * jitter))


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


def _get_canonical_host(request: Request) -> str:
    return urlsplit(get_canonical_url(request)).hostname or ""


def _get_request_origin(request: Request) -> str:
    """Return the origin of a request. A crawl sends its requests to a few, so each is worked out once."""
    url = urlparse_cached(request)
    return _parse_origin(f"{url.scheme}://{url.netloc}")


_parse_origin = lru_cache(256)(get_origin)
