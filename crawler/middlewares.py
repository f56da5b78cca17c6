"""What happens to a request on its way out, and to its reply on the way in, beyond Scrapy's own.

50  OriginMiddleware         nothing leaves the source's own origins, whatever sent it there;
                             crawler/crawl/public_dns.py looks after where their names lead
100 RobotsMiddleware         robots.txt, for the requests too that wait for it
550 BackoffRetryMiddleware   what may come the next time is asked for again, later each time, and never before the
                             source wants to be asked
590 WholeReplyMiddleware     unpacked and whole, or no reply
"""

import asyncio
from collections import Counter, defaultdict
from random import SystemRandom
from typing import Protocol, Self, TypeVar, cast
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware, get_retry_request
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import CannotResolveHostError, IgnoreRequest
from scrapy.http import Response
from scrapy.robotstxt import RobotParser
from scrapy.utils.httpobj import urlparse_cached

from crawler.content import clock
from crawler.content.dates import iso
from crawler.content.decompress import PACKING, check_headers, unpack
from crawler.crawl.interface import Books, books_of, error_told
from crawler.crawl.policy.backoff import LONGEST_WAIT, asked_for
from crawler.crawl.policy.origins import origin_of, shown
from crawler.crawl.public_dns import PublicResolver
from crawler.errors import Refused, Unreadable

Result = TypeVar("Result", bound=Request | Response | None)

# So many seconds of waiting for one origin, and a crawl goes on without it.
_MOST_WAITING = 300.0
# So many failures of one origin in a row, and it is down: what is left would only take the time of so many timeouts.
_MOST_IN_A_ROW = 30
# So many "too many requests" in a row are no accident.
_TOO_MANY = 3
# The mark of a reply that came broken, before its reason.
_BROKEN = "broken: "


class Bounded(Protocol):
    """What the guard asks of a spider."""

    origins: frozenset[str]


class OriginMiddleware:
    """Every request is for an origin of the spider's: each retry and redirect comes by here again.

    Scrapy's own filter looks at hosts without their ports, lets through what is retried or a spider starts with, and
    drops the rest without telling anyone.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        if origin_of(request.url) not in cast(Bounded, self._crawler.spider).origins:
            raise IgnoreRequest(f"the source sends to {shown(request.url)}, which is none of its hosts")

    def process_exception(self, request: Request, exception: Exception) -> None:
        host = urlparse_cached(request).hostname or ""
        if isinstance(exception, CannotResolveHostError) and (address := PublicResolver.refused.get(host)):
            raise IgnoreRequest(f"{host} leads to {address}, which is no public address") from exception


class RobotsMiddleware(RobotsTxtMiddleware):
    """Scrapy's robots.txt rules, for the requests too that wait while the file is fetched.

    Scrapy 2.19 lets those through whatever the file says: all of them await one Deferred, and only the first gets its
    result (tests/test_crawl.py shows it). Here one asks at a time, so that nobody awaits another's Deferred.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def robot_parser(self, request: Request) -> RobotParser | None:
        async with self._turns[urlparse_cached(request).netloc]:
            return await super().robot_parser(request)


class BackoffRetryMiddleware:
    """Scrapy's retry, which asks again at once, with a wait that doubles and is spread a little.

    A source in trouble, or one that says "too many requests", is not helped by the same question 10 ms later. When it
    says how long to wait, nothing is asked of that origin before; where that is too long for this crawl, the ledger
    keeps it for the next ones.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._scrapys = RetryMiddleware.from_crawler(crawler)
        self._backoff = crawler.settings.getfloat("RETRY_BACKOFF")
        self._spread = SystemRandom()
        self._free_at: dict[str, float] = {}
        self._waited: defaultdict[str, float] = defaultdict(float)
        self._in_a_row: Counter[str] = Counter()
        self._last_failure: dict[str, str] = {}
        self._too_many: Counter[str] = Counter()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        origin = origin_of(request.url)
        while (wait := self._free_at.get(origin, 0.0) - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait)
        if until := self._books.paused(origin):
            raise IgnoreRequest(f"the source asks to be left alone until {iso(until)}")
        if self._in_a_row[origin] >= _MOST_IN_A_ROW:
            last = self._last_failure[origin]
            raise IgnoreRequest(f"given up after {_MOST_IN_A_ROW} failures in a row, the last: {last}")

    async def process_response(self, request: Request, response: Response) -> Request | Response:
        reason = next((flag for flag in response.flags if flag.startswith(_BROKEN)), "")
        failure = f"HTTP {response.status}" if response.status in self._scrapys.retry_http_codes else ""
        self._count(request, reason.removeprefix(_BROKEN) or failure)
        origin = origin_of(request.url)
        self._too_many[origin] = self._too_many[origin] + 1 if response.status == 429 else 0
        self._heed(request, response)
        if not reason:
            result = self._scrapys.process_response(request, response)
            self._back_off(request, result)
            return await self._later(result)
        if again := self._again(request, reason):
            return await self._later(again)
        raise IgnoreRequest(reason.removeprefix(_BROKEN))

    async def process_exception(self, request: Request, exception: Exception) -> Request | Response | None:
        if not isinstance(exception, IgnoreRequest):
            self._count(request, error_told(exception, request))
        return await self._later(self._scrapys.process_exception(request, exception))

    @property
    def _books(self) -> Books:
        books = books_of(self._crawler)
        assert books is not None, "a spider of ours asks for them first, and tells the user"
        return books

    def _again(self, request: Request, reason: str) -> Request | None:
        assert self._crawler.spider is not None
        return get_retry_request(request, spider=self._crawler.spider, reason=reason)

    def _count(self, request: Request, failure: str) -> None:
        origin = origin_of(request.url)
        self._in_a_row[origin] = self._in_a_row[origin] + 1 if failure else 0
        # What was under way when it was given up changes nothing: one reason for all.
        if failure and self._in_a_row[origin] <= _MOST_IN_A_ROW:
            host = urlsplit(request.meta.get("canonical", request.url)).hostname
            self._last_failure[origin] = f"{host}: {failure}"

    def _heed(self, request: Request, response: Response) -> None:
        """Leave an origin alone that asks for it."""
        if response.status not in self._scrapys.retry_http_codes:
            return
        header = (response.headers.get("Retry-After") or b"").decode("latin-1")
        if (wait := asked_for(header, clock.now())) is None:
            return
        origin, now = origin_of(request.url), asyncio.get_running_loop().time()
        if wait > LONGEST_WAIT or self._waited[origin] > _MOST_WAITING:
            self._books.pause(origin, wait)
            return
        free_at, free_already = now + wait.total_seconds(), max(now, self._free_at.get(origin, now))
        self._waited[origin] += max(0.0, free_at - free_already)
        self._free_at[origin] = max(free_at, free_already)

    def _back_off(self, request: Request, result: Request | Response) -> None:
        """Leave an origin alone that goes on to say "too many requests", and not until when."""
        origin = origin_of(request.url)
        if isinstance(result, Response) and result.status == 429 and self._too_many[origin] >= _TOO_MANY:
            self._books.back_off(origin)

    async def _later(self, result: Result) -> Result:
        if isinstance(result, Request):
            await asyncio.sleep(self._wait(result.meta["retry_times"]))
        return result

    def _wait(self, attempt: int) -> float:
        spread = self._spread.uniform(0.75, 1.25)
        return float(min(LONGEST_WAIT.total_seconds(), self._backoff * 2 ** (attempt - 1) * spread))


class WholeReplyMiddleware:
    """Unpacks replies, and marks those of which something is missing: Scrapy's own takes what it can get for all."""

    def __init__(self, largest: int) -> None:
        self._largest = largest

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler.settings.getint("DOWNLOAD_MAXSIZE"))

    def process_request(self, request: Request) -> None:
        request.headers["Accept-Encoding"] = PACKING

    def process_response(self, request: Request, response: Response) -> Response:
        packing = b", ".join(response.headers.getlist("Content-Encoding")).decode("latin-1")
        try:
            check_headers(dict.items(response.headers))  # Scrapy's own makes each name its own form again
            body = unpack(response.body, packing, self._largest)
        except Unreadable as error:
            raise IgnoreRequest(str(error)) from error
        except Refused as error:
            return response.replace(flags=[*response.flags, f"{_BROKEN}{error}"])
        return response if body is response.body else response.replace(body=body)
