"""What happens to a request on its way out, beyond Scrapy's own."""

import asyncio
import random
from collections import defaultdict
from typing import Self, TypeVar

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.http import Response
from scrapy.robotstxt import RobotParser
from scrapy.settings import BaseSettings
from scrapy.utils.httpobj import urlparse_cached

Result = TypeVar("Result", bound=Request | Response | None)

# However long a source's trouble lasts, one crawl does not wait longer than this; the next one tries again.
LONGEST_WAIT = 30.0


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


class BackoffRetryMiddleware(RetryMiddleware):
    """Scrapy's retry, which asks again at once, with a wait that doubles and is spread a little.

    A source in trouble, or one that says "too many requests", is not helped by the same question 10 ms later.
    """

    def __init__(self, settings: BaseSettings, backoff: float) -> None:
        super().__init__(settings)
        self._backoff = backoff

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = cls(crawler.settings, crawler.settings.getfloat("RETRY_BACKOFF"))
        middleware.crawler = crawler
        return middleware

    async def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]  # Scrapy awaits either
        return await self._later(super().process_response(request, response))

    async def process_exception(self, request: Request, exception: Exception) -> Request | Response | None:  # type: ignore[override]
        return await self._later(super().process_exception(request, exception))

    async def _later(self, result: Result) -> Result:
        if isinstance(result, Request):
            await asyncio.sleep(self._wait(result.meta["retry_times"]))
        return result

    def _wait(self, attempt: int) -> float:
        spread = random.uniform(0.75, 1.25)  # noqa: S311  # not a secret
        return float(min(LONGEST_WAIT, self._backoff * 2 ** (attempt - 1) * spread))
