"""Coordinator of a distributed crawl (`finews crawl --distributed`): its requests are fetched by workers.

Spider, tracker and pipelines are those of `finews crawl`; only the download differs. A response stays in the queue
until the outcome of its entry is committed, so that the coordinator that replaces a killed one finds it there.
"""

import asyncio
import hashlib
import socket
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
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

# Seconds between two looks at what has become of the requests under way.
_WATCH_INTERVAL = 3.0
# A request that this many workers have died of, or that got lost this often, is given up.
_MAX_TRIES = 3
# Responses that may wait to be asked for; more than there ever are under way.
_MAX_WAITING_RESPONSES = 10_000
# A delivery task takes one response after the other, and writing an article makes it wait: several take turns.
_DELIVERY_TASKS = 4
# The workers are polite, each on its own machine; the coordinator sends as many requests as they can take.
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
    """Turn the settings of a crawl into those of a coordinator. Raises UsageError, or FatalError when there is no
    queue.
    """
    queue.prepare_queue()
    for name, value in _DEFAULT_SETTINGS.items():
        settings.set(name, value, priority="spider")
    for name, value in _FORCED_SETTINGS.items():
        settings.set(name, value, priority="cmdline")
    settings["EXTENSIONS"]["crawler.jobs.distributed.coordinator.WorkerPool"] = 50


class QueueDownloadHandler(BaseDownloadHandler):
    """Scrapy's download handler, which sends requests to the workers."""

    async def download_request(self, request: Request) -> Response:
        worker_pool = self.crawler.get_extension(WorkerPool)
        assert worker_pool is not None, "they are set together"
        return await worker_pool.fetch(request)


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request under way. The same request for the same entry as listed has the same key in every crawl."""

    key: str
    url: str
    priority: int
    code: str


class WorkerPool:
    """The requests that a coordinator has queued, and the responses that have come back."""

    def __init__(self, crawler: Crawler, app: App, output: str, spider: str) -> None:
        self._crawler = crawler
        self._app = app
        self._fetch_queue = queue.fetch_queue_name(spider)
        # Several coordinators may share the workers; each has its own responses.
        self._response_queue = response_queue_name(output)
        self._queued_before: set[str] = set()
        self._pending_requests: dict[str, PendingRequest] = {}
        self._response_futures: defaultdict[str, asyncio.Future[str]] = defaultdict(asyncio.Future)
        self._acknowledged_events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._keys_by_code: defaultdict[str, list[str]] = defaultdict(list)
        self._tries: Counter[str] = Counter()
        self._open_task: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Future[None]] = []
        self._closing = False
        app.task(name=queue.DELIVER_TASK)(self._deliver)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        assert crawler.spider is not None
        output = resolve_output_dir(crawler.settings.get("OUTPUT_DIR")).resolve()
        app = queue.create_app(lambda note: get_session(crawler).notes.append(note))
        worker_pool = cls(crawler, app, str(output), crawler.spider.name)
        crawler.signals.connect(worker_pool.acknowledge_entries, signal=outcomes_committed)
        crawler.signals.connect(worker_pool.close, signal=signals.engine_stopped)
        return worker_pool

    async def fetch(self, request: Request) -> Response:
        """What a worker answers. Raises IgnoreRequest, or DownloadFailedError for what the next attempt may get."""
        pending = _to_pending_request(request)
        try:
            with queue.as_queue_error():
                message = await self._await_response(pending)
            result = decode_message(message, self._crawler.settings.getint("DOWNLOAD_MAXSIZE"))
        except FatalError as error:
            self._abort(error)
            raise IgnoreRequest(str(error)) from error
        except ParseError as error:
            raise IgnoreRequest(str(error)) from error
        finally:
            if not pending.code:
                self._acknowledge(pending.key)
        return build_response(result, request)

    def acknowledge_entries(self, codes: Sequence[str]) -> None:
        """Let the responses of entries leave the queue: their outcomes are committed."""
        for code in codes:
            for key in self._keys_by_code.pop(code, []):
                self._acknowledge(key)

    async def close(self) -> None:
        """Close the queue, and drop responses that no request waits for."""
        self._closing = True
        for key in list(self._response_futures):
            self._acknowledge(key)
        for task in self._tasks:
            task.cancel()
        if get_session(self._crawler).fatal_error:
            return  # a queue that does not answer would be waited for once more by each
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._app.close_async()

    # its steps

    async def _await_response(self, pending: PendingRequest) -> str:
        if self._open_task is None:
            self._open_task = asyncio.ensure_future(self._open_queue())
        await asyncio.shield(self._open_task)
        self._pending_requests[pending.key] = pending
        self._keys_by_code[pending.code].append(pending.key)
        try:
            if pending.key not in self._queued_before and not self._response_futures[pending.key].done():
                await self._enqueue_fetch(pending)
            return await self._response_futures[pending.key]
        finally:
            del self._pending_requests[pending.key]

    async def _enqueue_fetch(self, pending: PendingRequest) -> None:
        task = self._app.configure_task(queue.FETCH_TASK, queue=self._fetch_queue, priority=pending.priority)
        await task.defer_async(key=pending.key, url=pending.url, response_queue=self._response_queue)

    async def _deliver(self, key: str, message: str) -> None:
        """A job of the queue: a response. It is done when its entry has its outcome; a second one says nothing new."""
        if not self._response_futures[key].done():
            self._response_futures[key].set_result(message)
        # A task that is asked to stop may take one more, and waits for it.
        if not self._closing:
            await self._acknowledged_events[key].wait()
        self._response_futures.pop(key, None)
        self._acknowledged_events.pop(key, None)

    def _acknowledge(self, key: str) -> None:
        self._acknowledged_events[key].set()

    async def _open_queue(self) -> None:
        """Take up what a killed coordinator left: the lock on the output folder says that there is no other one."""
        await self._app.open_async()
        job_manager = self._app.job_manager
        for job in await job_manager.list_jobs_async(queue=self._response_queue, status=Status.DOING.value):
            await self._requeue(job)
        self._queued_before = {str(job.task_kwargs["key"]) for job in await self._list_fetch_jobs()}
        deliveries = [self._take_deliveries() for _ in range(_DELIVERY_TASKS)]
        self._tasks = [asyncio.ensure_future(coroutine) for coroutine in (*deliveries, self._watch_jobs())]
        for task in self._tasks:
            task.add_done_callback(self._on_task_ended)

    async def _take_deliveries(self) -> None:
        await self._app.run_worker_async(
            queues=[self._response_queue],
            concurrency=_MAX_WAITING_RESPONSES,
            fetch_job_polling_interval=1.0,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=queue.HEARTBEAT_INTERVAL,
            stalled_worker_timeout=queue.STALLED_AFTER,
        )

    async def _watch_jobs(self) -> None:
        """Give the jobs of dead workers to others, and queue lost requests again."""
        job_manager = self._app.job_manager
        while True:
            await asyncio.sleep(_WATCH_INTERVAL)
            for job in await job_manager.get_stalled_jobs(
                queue=self._fetch_queue, seconds_since_heartbeat=queue.STALLED_AFTER
            ):
                if self._is_own_job(job) and self._count_try(str(job.task_kwargs["key"])):
                    await self._requeue(job)
                elif self._is_own_job(job):
                    await job_manager.finish_job(job, Status.FAILED, delete_job=True)
            pending_requests = list(self._pending_requests.values())
            queued_keys = {job.task_kwargs["key"] for job in await self._list_fetch_jobs()}
            for pending in pending_requests:
                if (
                    pending.key not in queued_keys
                    and await self._is_response_lost(pending.key)
                    and self._count_try(pending.key)
                ):
                    await self._enqueue_fetch(pending)

    async def _list_fetch_jobs(self) -> list[Job]:
        # What has ended is deleted, so that all that are there wait or are under way; or it is set aside.
        return [
            job for job in await self._app.job_manager.list_jobs_async(queue=self._fetch_queue) if self._is_own_job(job)
        ]

    def _is_own_job(self, job: Job) -> bool:
        return not queue.find_fault(job) and job.task_kwargs["response_queue"] == self._response_queue

    async def _is_response_lost(self, key: str) -> bool:
        responses = await self._app.job_manager.list_jobs_async(queue=self._response_queue, lock=key)
        is_queued = any(not queue.find_fault(job) for job in responses)
        return not is_queued and key in self._pending_requests and not self._response_futures[key].done()

    async def _requeue(self, job: Job) -> None:
        assert job.id is not None, "it comes from the database"
        await self._app.job_manager.retry_job_by_id_async(job.id, queue.RUN_NOW)

    def _count_try(self, key: str) -> bool:
        """Whether a request may be given to one more worker; if not, that is its answer."""
        self._tries[key] += 1
        if self._tries[key] < _MAX_TRIES:
            return True
        if key in self._pending_requests and not self._response_futures[key].done():
            self._response_futures[key].set_exception(IgnoreRequest(f"{_MAX_TRIES} fetchers have died of it"))
        return False

    def _on_task_ended(self, task: asyncio.Future[None]) -> None:
        """None of them ends by itself; a worker does, without an error, when it hears no more."""
        if not task.cancelled():
            error = task.exception() or ConnectionError("its connection was lost")
            self._abort(FatalError(f"the queue does not answer: {queue.describe_queue_error(error)}"))

    def _abort(self, error: FatalError) -> None:
        """Without the queue nothing goes on; what is under way stays there for the next coordinator."""
        get_session(self._crawler).abort(error)
        for key in self._pending_requests:
            if not self._response_futures[key].done():
                self._response_futures[key].set_exception(IgnoreRequest(str(error)))


def response_queue_name(output: str) -> str:
    """Return the name of the queue of responses for an output folder, given by its whole path, of this machine."""
    return f"record {hashlib.sha256(f'{socket.gethostname()} {output}'.encode()).hexdigest()[:32]}"


def build_response(fetch_result: FetchResult, request: Request) -> Response:
    """Return what a worker has received, complete or not. Raises as Scrapy does where that is nothing."""
    response_fields = (fetch_result.url, fetch_result.status, fetch_result.headers, fetch_result.body)
    if fetch_result.reason is None:
        return Response(*response_fields, request=request)
    if fetch_result.status:
        return IncompleteResponse(*response_fields, request=request, error=IncompleteResponseError(fetch_result.error))
    if fetch_result.retryable:
        is_truncated = fetch_result.reason is Reason.RESPONSE_INCOMPLETE
        raise (ResponseDataLossError if is_truncated else DownloadFailedError)(fetch_result.error)
    raise DroppedRequestError(fetch_result.reason, fetch_result.error)


def _to_pending_request(request: Request) -> PendingRequest:
    entry, url = get_entry(request), get_canonical_url(request)
    if entry is None:
        # A listing is requested again in each crawl.
        return PendingRequest(uuid.uuid4().hex, url, request.priority, "")
    identity = (url, entry.title, format_iso(entry.published), request.meta.get("retry_times", 0))
    return PendingRequest(hashlib.sha256(repr(identity).encode()).hexdigest(), url, request.priority, entry.code)
