"""`finews fetch`: takes requests out of the queue and sends them with a spider's manners, until it is stopped.

A fetcher is a crawl of the same spider that starts nothing by itself. Its origins, user agent, robots.txt, delays and
limits are the spider's; what is asked, and asked again, is the recorder's to say.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

from procrastinate import App
from scrapy import Request
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.settings import Settings

from crawler.crawl.interface import error_told, fault_told
from crawler.crawl.runner import SECONDS_TO_FINISH, check_spider, process_of, raise_what_stopped
from crawler.errors import Ending, Failed
from crawler.jobs.distributed import queue
from crawler.jobs.distributed.messages import HEADERS, Fetched, pack
from crawler.spiders.base import SiteSpider, mirrored

# The recorder accounts for what is fetched; a fetcher writes nothing, asks once, and goes on for ever.
_SETTINGS = {"EXTENSIONS": {}, "ITEM_PIPELINES": {}, "RETRY_ENABLED": False, "CLOSESPIDER_TIMEOUT": 0}


def fetch(spider: str, settings: Settings) -> None:
    """Fetch for a spider until SIGTERM or Ctrl-C. Raises UsageError, or Failed when the queue goes away."""
    queue.check()
    for name, value in _SETTINGS.items():
        settings.set(name, value, priority="cmdline")
    process = process_of(settings)
    check_spider(process, spider)
    site = process.spider_loader.load(spider)
    assert issubclass(site, SiteSpider), "all of ours are"
    crawler = process.create_crawler(_fetching(site))
    task = process.crawl(crawler)
    process.start(install_signal_handlers=False)
    raise_what_stopped(task)
    if isinstance(crawler.spider, _Fetching) and crawler.spider.failure is not None:
        raise crawler.spider.failure


def _fetching(site: type[SiteSpider]) -> type[SiteSpider]:
    """A spider with a site's manners, that sends what the queue says."""
    made = type(f"Fetching{site.__name__}", (_Fetching, site), {})
    assert issubclass(made, SiteSpider), "both of its parents are"
    return made


class _Fetching(SiteSpider):
    """Sends what the queue says."""

    failure: Ending | None = None

    async def start(self) -> AsyncIterator[Any]:
        try:
            with queue.errors_told():
                await self._work(queue.app())
        except Ending as error:
            self.failure = error
        except Exception as error:  # whatever it is, Scrapy would end as if all were well
            self.failure = Failed(fault_told(error))
        nothing: tuple[Request, ...] = ()
        for request in nothing:
            yield request

    def listings_walked(self) -> None:
        """There are no listings here."""

    async def _work(self, app: App) -> None:
        @app.task(name=queue.FETCH)
        async def fetch(key: str, url: str, recorder: str) -> None:
            packed = pack(await self._fetched(url))
            await app.configure_task(queue.TAKE, queue=recorder, lock=key).defer_async(key=key, packed=packed)

        async with app.open_async():
            working = asyncio.ensure_future(
                app.run_worker_async(
                    queues=[queue.fetch_queue(self.name)],
                    concurrency=self.settings.getint("CONCURRENT_REQUESTS"),
                    fetch_job_polling_interval=1.0,
                    shutdown_graceful_timeout=SECONDS_TO_FINISH,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    update_heartbeat_interval=queue.HEARTBEAT,
                    stalled_worker_timeout=queue.DEAD_AFTER,
                )
            )
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, working.cancel)
            await asyncio.wait([working])
            if not working.cancelled():
                # It ends by itself, without an error, when it hears no more.
                raise working.exception() or Failed("the queue does not answer: its connection was lost")

    async def _fetched(self, url: str) -> Fetched:
        request = Request(mirrored(url, self.mirror), meta={"canonical": url})
        try:
            response = await self.crawler.engine.download_async(request)
        except Exception as error:
            final = isinstance(error, IgnoreRequest | DownloadCancelledError)
            return Fetched(error=error_told(error, request), passing=not final)
        headers = {
            name: value.decode("latin-1") for name in HEADERS if (value := response.headers.get(name)) is not None
        }
        return Fetched(response.url, response.status, headers, list(response.flags), response.body)
