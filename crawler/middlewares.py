"""Downloader middlewares: what happens to a request and its response, in addition to Scrapy's own.

50  AllowedOriginsMiddleware        no request leaves the source's own origins, redirects included;
                                    crawler/crawl/public_dns.py checks where host names lead
100 RobotsMiddleware                robots.txt, also for the requests that wait for it
550 BackoffRetryMiddleware          retry with backoff, Retry-After; nothing for what is closed or paused
590 StrictDecompressionMiddleware   a decompressed, complete response, or an error
950 PaceMiddleware                  one pace for all hosts of a site; Scrapy's cache of responses (900) has none
"""

import asyncio
from collections import defaultdict
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from random import SystemRandom
from typing import Any, Self, TypeVar

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware, get_retry_request
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import CannotResolveHostError, IgnoreRequest, NotConfigured
from scrapy.http import Response
from scrapy.robotstxt import RobotParser
from scrapy.utils.httpobj import urlparse_cached

from crawler.content import clock
from crawler.content.dates import format_iso
from crawler.content.decompress import ACCEPT_ENCODING, check_header_size, decompress
from crawler.crawl.interface import (
    DroppedRequestError,
    TrackerExtension,
    get_canonical_url,
    get_tracker,
    is_connection_closed,
)
from crawler.crawl.policy.backoff import MAX_WAIT, parse_retry_after
from crawler.crawl.policy.failures import describe_endpoint
from crawler.crawl.policy.origins import get_origin, redact_url
from crawler.crawl.policy.pace import Pace
from crawler.crawl.public_dns import PublicResolver
from crawler.errors import IncompleteResponseError, ParseError
from crawler.items import Reason
from crawler.storage.request_log import FILE_NAME, RequestLog

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


class RobotsMiddleware(RobotsTxtMiddleware):
    """Scrapy's robots.txt rules, for the requests too that wait while the file is fetched.

    Scrapy 2.19 lets those through whatever the file says: all of them await one Deferred, and only the first gets its
    result (tests/crawl/test_end_to_end.py shows it). Here one asks at a time: no request awaits another's Deferred.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._origin_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def robot_parser(self, request: Request) -> RobotParser | None:
        async with self._origin_locks[urlparse_cached(request).netloc]:
            return await super().robot_parser(request)


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
        return middleware

    def spider_opened(self) -> None:
        """Take in what was sent before this crawl, where its folder knows."""
        extension = self._crawler.get_extension(TrackerExtension)
        if extension and extension.tracker and extension.tracker.output:
            self._log = RequestLog(extension.tracker.output / FILE_NAME, self._site)
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


def _get_site(crawler: Crawler, request: Request) -> str:
    """Return the site that a request is for: the spider's, and for a spider of another kind the host."""
    return getattr(crawler.spider, "site", "") or urlparse_cached(request).hostname or ""


def _get_request_origin(request: Request) -> str:
    """Return the origin of a request. A crawl sends its requests to a few, so each is worked out once."""
    url = urlparse_cached(request)
    return _parse_origin(f"{url.scheme}://{url.netloc}")


_parse_origin = lru_cache(256)(get_origin)
