"""Worker of a distributed crawl (`finews worker`): fetches queued requests politely, until it is stopped.

A worker is a crawl of the same spider without start requests. Origins, user agent, robots.txt, delays and limits are
those of the spider; the coordinator decides which requests are sent and repeated.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from procrastinate import App
from scrapy import Request
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.settings import Settings

from crawler.crawl.interface import describe_request_error, request_reason, set_canonical_url
from crawler.crawl.policy.failures import describe_bug
from crawler.crawl.runner import SHUTDOWN_TIMEOUT, check_spider, create_process, raise_crawl_error
from crawler.errors import CommandError, FatalError, StoppedError
from crawler.items import Reason
from crawler.jobs.distributed import queue
from crawler.jobs.distributed.messages import FORWARDED_HEADERS, FetchResult, encode_message
from crawler.middlewares import IncompleteResponse
from crawler.spiders.base import SourceSpider, mirror_url

# A worker stores nothing and does not retry, which is up to the coordinator, and has no time limit.
_WORKER_SETTINGS = {"EXTENSIONS": {}, "ITEM_PIPELINES": {}, "RETRY_ENABLED": False, "CLOSESPIDER_TIMEOUT": 0}


def run_worker(spider: str, settings: Settings, report: Callable[[str], object]) -> None:
    """Fetch for a spider until SIGTERM or Ctrl-C; `report` gets a line for each malformed job.

    Raises UsageError, StoppedError at Ctrl-C, or FatalError if the queue is lost.
    """
    queue.prepare_queue()
    for name, value in _WORKER_SETTINGS.items():
        settings.set(name, value, priority="cmdline")
    process = create_process(settings)
    check_spider(process, spider)
    spider_class = process.spider_loader.load(spider)
    assert issubclass(spider_class, SourceSpider)
    # The politeness settings are those of the spider, the start requests those of the queue.
    worker_spider = type(f"Worker{spider_class.__name__}", (_WorkerSpider, spider_class), {})
    assert issubclass(worker_spider, _WorkerSpider)
    worker_spider.report = staticmethod(report)
    crawler = process.create_crawler(worker_spider)
    task = process.crawl(crawler)
    process.start(install_signal_handlers=False)
    raise_crawl_error(task)
    if isinstance(crawler.spider, _WorkerSpider) and crawler.spider.fatal_error is not None:
        raise crawler.spider.fatal_error


class _WorkerSpider(SourceSpider):
    """Mixin for a spider: fetches the requests of the queue instead of its own start requests."""

    fatal_error: CommandError | None = None
    report: Callable[[str], object]

    async def start(self) -> AsyncIterator[Any]:
        """Process the jobs of the queue until the worker is stopped; yield no request."""
        try:
            with queue.as_queue_error():
                await self._process_jobs(queue.create_app(self.report))
        except CommandError as error:
            self.fatal_error = error
        except Exception as error:  # Scrapy would only log it and finish normally
            self.fatal_error = FatalError(describe_bug(error))
        no_requests: tuple[Request, ...] = ()
        for request in no_requests:
            yield request

    async def _process_jobs(self, app: App) -> None:
        """Fetch until a signal arrives. Raises StoppedError at Ctrl-C, and FatalError if the queue is lost."""

        @app.task(name=queue.FETCH_TASK)
        async def fetch_job(key: str, url: str, response_queue: str) -> None:
            message = encode_message(await self._download(url))
            await app.configure_task(queue.DELIVER_TASK, queue=response_queue, lock=key).defer_async(
                key=key, message=message
            )

        async with app.open_async():
            worker_task = asyncio.ensure_future(
                app.run_worker_async(
                    queues=[queue.fetch_queue_name(self.name)],
                    concurrency=self.settings.getint("CONCURRENT_REQUESTS"),
                    fetch_job_polling_interval=1.0,
                    shutdown_graceful_timeout=SHUTDOWN_TIMEOUT,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    update_heartbeat_interval=queue.HEARTBEAT_INTERVAL,
                    stalled_worker_timeout=queue.STALLED_AFTER,
                )
            )
            signals: set[int] = set()

            def stop(signal_number: int) -> None:
                signals.add(signal_number)
                worker_task.cancel()

            for signal_number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(signal_number, stop, signal_number)
            await asyncio.wait([worker_task])
            if signal.SIGINT in signals:
                raise StoppedError("stopped")
            if not worker_task.cancelled():
                # It ends without an error if the connection is lost.
                raise worker_task.exception() or queue.queue_error("its connection was lost")

    async def _download(self, url: str) -> FetchResult:
        """Return the response for a URL, or the error as a result."""
        try:
            request = Request(mirror_url(url, self.mirror), meta=set_canonical_url(url))
        except ValueError as error:
            return FetchResult(error=f"no address: {error}", reason=Reason.REQUEST_DROPPED)
        try:
            response = await self.crawler.engine.download_async(request)
        except Exception as error:
            is_final = isinstance(error, IgnoreRequest | DownloadCancelledError)
            return FetchResult(
                error=describe_request_error(error, request), reason=request_reason(error), retryable=not is_final
            )
        headers = {
            name: value.decode("latin-1")
            for name in FORWARDED_HEADERS
            if (value := response.headers.get(name)) is not None
        }
        fetched = FetchResult(response.url, response.status, headers, response.body)
        if isinstance(response, IncompleteResponse):
            return replace(fetched, error=str(response.error), reason=Reason.RESPONSE_INCOMPLETE, retryable=True)
        return fetched
