"""Coordinator of a distributed crawl (`finews crawl --distributed`), whose requests are fetched by workers.

Spider, tracker and pipelines are those of `finews crawl`; only the download differs. A response stays in the queue
until the outcome of its entry is committed, so the successor of a killed coordinator finds it there.
"""

import asyncio
import hashlib
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from procrastinate import App
from procrastinate.jobs import Job, Status
from scrapy import Request, signals
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadFailedError, IgnoreRequest, ResponseDataLossError
from scrapy.http import Response
from scrapy.settings import Settings

from crawler.content.dates import format_iso
from crawler.crawl.interface import DroppedRequestError, get_canonical_url, get_entry
from crawler.crawl.session import get_session
from crawler.crawl.tracker import outcomes_committed
from crawler.errors import FatalError, IncompleteResponseError, ParseError
from crawler.items import Reason
from crawler.jobs.distributed import queue
from crawler.jobs.distributed.messages import FetchResult, decode_message
from crawler.middlewares import IncompleteResponse
from crawler.storage.output_dir import resolve_output_dir

# Seconds between two checks for dead workers and lost requests.
_WATCH_INTERVAL = 3.0
# Lost tries of a request until it is dropped: it may crash its workers.
_MAX_TRIES = 3
# Responses that a delivery task holds at once; far more than there are requests under way.
_MAX_WAITING_RESPONSES = 10_000
# A delivery task takes responses one by one, and pauses while an article is written; several keep the queue moving.
_DELIVERY_TASKS = 4
# Requests in the queue at once; delays and limits are those of the workers.
_MAX_CONCURRENT_REQUESTS = 64
_DEFAULT_SETTINGS: dict[str, object] = {
    "CONCURRENT_REQUESTS": _MAX_CONCURRENT_REQUESTS,
    "CONCURRENT_REQUESTS_PER_DOMAIN": _MAX_CONCURRENT_REQUESTS,
}
_FORCED_SETTINGS: dict[str, object] = {
    "DOWNLOAD_HANDLERS": dict.fromkeys(("http", "https"), "crawler.jobs.distributed.coordinator.QueueDownloadHandler"),
    "DOWNLOAD_DELAY": 0,
    "AUTOTHROTTLE_ENABLED": False,
    "ROBOTSTXT_OBEY": False,
    "REDIRECT_ENABLED": False,
}


def apply_coordinator_settings(settings: Settings) -> None:
    """Turn the settings of a crawl into those of a coordinator.

    Raises UsageError for an invalid address of the queue, and FatalError if it cannot be reached.
    """
    queue.prepare_queue()
    for name, value in _DEFAULT_SETTINGS.items():
        settings.set(name, value, priority="spider")
    for name, value in _FORCED_SETTINGS.items():
        settings.set(name, value, priority="cmdline")
    settings["EXTENSIONS"]["crawler.jobs.distributed.coordinator.WorkerPool"] = 50


class QueueDownloadHandler(BaseDownloadHandler):
    """Scrapy download handler that sends requests to the workers."""

    async def download_request(self, request: Request) -> Response:
        """Return the response of a worker. Raises as `WorkerPool.fetch`."""
        worker_pool = self.crawler.get_extension(WorkerPool)
        assert worker_pool is not None, "they are set together"
        return await worker_pool.fetch(request)


@dataclass(slots=True)
class PendingRequest:
    """State of a request; its key is the same in every crawl that lists the entry unchanged.

    `is_queued` means that a killed coordinator has queued it. Until a spider sends the request, only the key is known.
    """

    key: str
    url: str = ""
    priority: int = 0
    code: str = ""
    tries: int = 0
    is_queued: bool = False
    is_awaited: bool = False
    response: asyncio.Future[str] = field(default_factory=asyncio.Future)
    is_acknowledged: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, message: str) -> None:
        """Drop the request, if it still waits for its response."""
        if self.is_awaited and not self.response.done():
            self.response.set_exception(IgnoreRequest(message))


class WorkerPool:
    """Scrapy extension that queues the requests of a coordinator and receives their responses."""

    def __init__(self, crawler: Crawler, app: App, output: str, spider: str) -> None:
        self._crawler = crawler
        self._app = app
        self._fetch_queue = queue.fetch_queue_name(spider)
        # Coordinators may share the workers, but not the responses.
        self._response_queue = response_queue_name(output)
        self._requests: dict[str, PendingRequest] = {}
        self._open_task: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Future[None]] = []
        self._closing = False
        app.task(name=queue.DELIVER_TASK)(self._deliver)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Create the pool and connect it to the signals of a crawler."""
        assert crawler.spider is not None
        output = resolve_output_dir(crawler.settings.get("OUTPUT_DIR")).resolve()
        app = queue.create_app(lambda note: get_session(crawler).notes.append(note))
        worker_pool = cls(crawler, app, str(output), crawler.spider.name)
        crawler.signals.connect(worker_pool.acknowledge_entries, signal=outcomes_committed)
        crawler.signals.connect(worker_pool.close, signal=signals.engine_stopped)
        return worker_pool

    async def fetch(self, request: Request) -> Response:
        """Return the response of a worker.

        Raises IgnoreRequest, or DownloadFailedError if another attempt may succeed.
        """
        entry, url = get_entry(request), get_canonical_url(request)
        if entry is None:
            key, code = uuid.uuid4().hex, ""  # each crawl fetches its listings itself
        else:
            identity = (url, entry.title, format_iso(entry.published), request.meta.get("retry_times", 0))
            key, code = hashlib.sha256(repr(identity).encode()).hexdigest(), entry.code
        try:
            with queue.as_queue_error():
                message = await self._await_response(key, url, request.priority, code)
            result = decode_message(message, self._crawler.settings.getint("DOWNLOAD_MAXSIZE"))
        except FatalError as error:
            self._abort(error)
            raise IgnoreRequest(str(error)) from error
        except ParseError as error:
            raise IgnoreRequest(str(error)) from error
        finally:
            if entry is None:
                self._get_request(key).is_acknowledged.set()
        return build_response(result, request)

    def acknowledge_entries(self, codes: Sequence[str]) -> None:
        """Remove the responses of entries from the queue: their outcomes are committed."""
        for pending in self._requests.values():
            if pending.code and pending.code in codes:
                pending.is_acknowledged.set()

    async def close(self) -> None:
        """Close the queue, and remove responses that no request waits for."""
        self._closing = True
        for pending in self._requests.values():
            pending.is_acknowledged.set()
        for task in self._tasks:
            task.cancel()
        if get_session(self._crawler).fatal_error:
            return  # each task would wait for the lost queue once more
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._app.close_async()

    def _get_request(self, key: str) -> PendingRequest:
        return self._requests.setdefault(key, PendingRequest(key))

    async def _await_response(self, key: str, url: str, priority: int, code: str) -> str:
        """Queue a request, unless it is queued or has its response, and return the message of its worker."""
        if self._open_task is None:
            self._open_task = asyncio.ensure_future(self._open_queue())
        await asyncio.shield(self._open_task)
        pending = self._get_request(key)
        pending.url, pending.priority, pending.code, pending.is_awaited = url, priority, code, True
        try:
            if not pending.is_queued and not pending.response.done():
                await self._enqueue_fetch(pending)
            return await pending.response
        finally:
            pending.is_awaited = False

    async def _enqueue_fetch(self, pending: PendingRequest) -> None:
        task = self._app.configure_task(queue.FETCH_TASK, queue=self._fetch_queue, priority=pending.priority)
        await task.defer_async(key=pending.key, url=pending.url, response_queue=self._response_queue)

    async def _deliver(self, key: str, message: str) -> None:
        """Hand a response to its request; run until its entry is committed, so the queue keeps the response."""
        pending = self._get_request(key)
        if not pending.response.done():  # it may be delivered twice
            pending.response.set_result(message)
        # A task that is being stopped may take one more job.
        if not self._closing:
            await pending.is_acknowledged.wait()
        self._requests.pop(key, None)

    async def _open_queue(self) -> None:
        """Open the queue and take over the jobs of a killed coordinator of the same output folder, which is locked."""
        await self._app.open_async()
        job_manager = self._app.job_manager
        for job in await job_manager.list_jobs_async(queue=self._response_queue, status=Status.DOING.value):
            await self._requeue(job)
        for job in await self._list_fetch_jobs():
            self._get_request(str(job.task_kwargs["key"])).is_queued = True
        delivery_tasks = [
            self._app.run_worker_async(
                queues=[self._response_queue],
                concurrency=_MAX_WAITING_RESPONSES,
                fetch_job_polling_interval=1.0,
                delete_jobs="always",
                install_signal_handlers=False,
                update_heartbeat_interval=queue.HEARTBEAT_INTERVAL,
                stalled_worker_timeout=queue.STALLED_AFTER,
            )
            for _ in range(_DELIVERY_TASKS)
        ]
        self._tasks = [asyncio.ensure_future(task) for task in (*delivery_tasks, self._watch_jobs())]

        def abort_if_lost(task: asyncio.Future[None]) -> None:
            # Tasks run until they are cancelled, and end without an error if the connection is lost.
            if not task.cancelled():
                error = task.exception() or ConnectionError("its connection was lost")
                self._abort(queue.queue_error(queue.describe_queue_error(error)))

        for task in self._tasks:
            task.add_done_callback(abort_if_lost)

    async def _watch_jobs(self) -> None:
        """Give the jobs of dead workers to others, and queue lost requests again."""
        job_manager = self._app.job_manager
        while True:
            await asyncio.sleep(_WATCH_INTERVAL)
            for job in await job_manager.get_stalled_jobs(
                queue=self._fetch_queue, seconds_since_heartbeat=queue.STALLED_AFTER
            ):
                if self._is_own_job(job) and self._count_try(self._get_request(str(job.task_kwargs["key"]))):
                    await self._requeue(job)
                elif self._is_own_job(job):
                    await job_manager.finish_job(job, Status.FAILED, delete_job=True)
            awaited_requests = [pending for pending in self._requests.values() if pending.is_awaited]
            queued_keys = {job.task_kwargs["key"] for job in await self._list_fetch_jobs()}
            for pending in awaited_requests:
                if pending.key in queued_keys:
                    continue
                deliveries = await job_manager.list_jobs_async(queue=self._response_queue, lock=pending.key)
                is_lost = all(map(queue.find_fault, deliveries)) and pending.is_awaited and not pending.response.done()
                if is_lost and self._count_try(pending):
                    await self._enqueue_fetch(pending)

    async def _list_fetch_jobs(self) -> list[Job]:
        # Finished jobs are deleted, so these wait or run; malformed ones are left out.
        return [
            job for job in await self._app.job_manager.list_jobs_async(queue=self._fetch_queue) if self._is_own_job(job)
        ]

    def _is_own_job(self, job: Job) -> bool:
        return not queue.find_fault(job) and job.task_kwargs["response_queue"] == self._response_queue

    async def _requeue(self, job: Job) -> None:
        assert job.id is not None, "jobs of the database have an id"
        await self._app.job_manager.retry_job_by_id_async(job.id, queue.RUN_NOW)

    def _count_try(self, pending: PendingRequest) -> bool:
        """Count a lost try, and return whether another worker may try; if not, drop the request."""
        pending.tries += 1
        if pending.tries < _MAX_TRIES:
            return True
        pending.fail(f"{_MAX_TRIES} workers died while fetching it")
        return False

    def _abort(self, error: FatalError) -> None:
        """End the crawl; its jobs stay in the queue for the next coordinator."""
        get_session(self._crawler).abort(error)
        for pending in self._requests.values():
            pending.fail(str(error))


def response_queue_name(output: str) -> str:
    """Return the name of the response queue for an output folder of this machine, given by its absolute path."""
    return f"record {hashlib.sha256(f'{socket.gethostname()} {output}'.encode()).hexdigest()[:32]}"


def build_response(fetch_result: FetchResult, request: Request) -> Response:
    """Return the response of a worker, complete or not. Raises the exceptions of Scrapy if there is none."""
    response_fields = (fetch_result.url, fetch_result.status, fetch_result.headers, fetch_result.body)
    if fetch_result.reason is None:
        return Response(*response_fields, request=request)
    if fetch_result.status:
        return IncompleteResponse(*response_fields, request=request, error=IncompleteResponseError(fetch_result.error))
    if fetch_result.retryable:
        is_truncated = fetch_result.reason is Reason.RESPONSE_INCOMPLETE
        raise (ResponseDataLossError if is_truncated else DownloadFailedError)(fetch_result.error)
    raise DroppedRequestError(fetch_result.reason, fetch_result.error)
