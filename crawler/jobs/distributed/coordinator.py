"""`finews record`: a crawl whose requests are answered by fetchers.

Spider, ledger and pipelines are those of `finews crawl`; only the download is another. A reply stays in the queue until
the outcome of its entry is committed, so that whoever takes the place of a killed recorder finds it there.
"""

import asyncio
import hashlib
import socket
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, cast

from procrastinate import App
from procrastinate.jobs import Job, Status
from scrapy import Request, signals
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadFailedError, IgnoreRequest
from scrapy.http import Response
from scrapy.settings import Settings

from crawler.content.dates import iso
from crawler.crawl.tracker import Counted, entries_counted, ledger_of
from crawler.errors import Failed, Unreadable
from crawler.items import Entry
from crawler.jobs.distributed import queue
from crawler.jobs.distributed.messages import unpack
from crawler.storage.output_dir import output_folder

# Seconds between two looks at what has become of the requests under way.
_ROUND = 3.0
# A request that so many fetchers have died of, or that got lost so often, is given up.
_MOST_TRIES = 3
# So many replies may wait to be asked for; more than there ever are under way.
_MOST_REPLIES = 10_000
# A worker takes one reply after the other, and writing an article makes it wait: several take turns.
_WORKERS = 4
# The fetchers have the manners, each on its own machine; the recorder asks as many at once as they have hands for.
_ASKED_AT_ONCE = 64
_DEFAULTS: dict[str, object] = {"CONCURRENT_REQUESTS": _ASKED_AT_ONCE, "CONCURRENT_REQUESTS_PER_DOMAIN": _ASKED_AT_ONCE}
_SETTINGS: dict[str, object] = {
    "DOWNLOAD_HANDLERS": dict.fromkeys(("http", "https"), "crawler.jobs.distributed.coordinator.QueueHandler"),
    "DOWNLOAD_DELAY": 0,
    "AUTOTHROTTLE_ENABLED": False,
    "ROBOTSTXT_OBEY": False,
    "REDIRECT_ENABLED": False,
}


def prepare(settings: Settings) -> None:
    """Turn the settings of a crawl into those of a recorder. Raises UsageError, or Failed when there is no queue."""
    queue.check()
    for name, value in _DEFAULTS.items():
        settings.set(name, value, priority="project")
    for name, value in _SETTINGS.items():
        settings.set(name, value, priority="cmdline")
    settings["EXTENSIONS"]["crawler.jobs.distributed.coordinator.Fetchers"] = 50


class QueueHandler(BaseDownloadHandler):
    """Scrapy's way to download: here, to ask the fetchers."""

    async def download_request(self, request: Request) -> Response:
        fetchers = self.crawler.get_extension(Fetchers)
        assert fetchers is not None, "they are set together"
        return await fetchers.response(request)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under way. The same request for the same entry as listed has the same key in every crawl."""

    key: str
    url: str
    priority: int
    code: str


class Fetchers:
    """What a recorder has asked for, and what has come back."""

    def __init__(self, crawler: Crawler, app: App, output: str, spider: str) -> None:
        self._crawler = crawler
        self._app = app
        self._queue = queue.fetch_queue(spider)
        # Several recorders may share the fetchers; each has its own replies.
        self._recorder = f"record {hashlib.sha256(f'{socket.gethostname()} {output}'.encode()).hexdigest()[:32]}"
        self._under_way: set[str] = set()
        self._waiting: dict[str, Asked] = {}
        self._replies: defaultdict[str, asyncio.Future[str]] = defaultdict(asyncio.Future)
        self._settled: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._keys: defaultdict[str, list[str]] = defaultdict(list)
        self._tries: Counter[str] = Counter()
        self._opening: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Future[None]] = []
        self._closing = False
        app.task(name=queue.TAKE)(self._take)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        assert crawler.spider is not None
        output = output_folder(crawler.settings.get("OUTPUT_DIR")).resolve()
        fetchers = cls(crawler, queue.app(), str(output), crawler.spider.name)
        crawler.signals.connect(fetchers.entries_settled, signal=entries_counted)
        crawler.signals.connect(fetchers.close, signal=signals.engine_stopped)
        return fetchers

    async def response(self, request: Request) -> Response:
        """What a fetcher answers. Raises IgnoreRequest, or DownloadFailedError for what the next attempt may get."""
        asked = _asked(request)
        try:
            with queue.errors_told():
                packed = await self._reply(asked)
            fetched = unpack(packed, self._crawler.settings.getint("DOWNLOAD_MAXSIZE"))
        except Failed as error:
            self._fail(error)
            raise IgnoreRequest(str(error)) from error
        except Unreadable as error:
            raise IgnoreRequest(str(error)) from error
        finally:
            if not asked.code:
                self._done(asked.key)
        if fetched.error:
            raise (DownloadFailedError if fetched.passing else IgnoreRequest)(fetched.error)
        return Response(
            fetched.url, fetched.status, fetched.headers, body=fetched.body, flags=fetched.flags, request=request
        )

    def entries_settled(self, entries: Sequence[Counted]) -> None:
        """The outcomes of entries are committed: their replies may leave the queue."""
        for code in (entry.code for entry in entries if not entry.fresh):
            for key in self._keys.pop(code, []):
                self._done(key)

    async def close(self) -> None:
        """Let go of the queue, and of replies that nobody has asked for."""
        self._closing = True
        for key in list(self._replies):
            self._done(key)
        for task in self._tasks:
            task.cancel()
        if ledger_of(self._crawler).failure:
            return  # a queue that does not answer would be waited for once more by each
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._app.close_async()

    # its steps

    async def _reply(self, asked: Asked) -> str:
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        await asyncio.shield(self._opening)
        self._waiting[asked.key] = asked
        self._keys[asked.code].append(asked.key)
        try:
            if asked.key not in self._under_way and not self._replies[asked.key].done():
                await self._ask(asked)
            return await self._replies[asked.key]
        finally:
            del self._waiting[asked.key]

    async def _ask(self, asked: Asked) -> None:
        task = self._app.configure_task(queue.FETCH, queue=self._queue, priority=asked.priority)
        await task.defer_async(key=asked.key, url=asked.url, recorder=self._recorder)

    async def _take(self, key: str, packed: str) -> None:
        """A job of the queue: a reply. It is done with when its entry is settled; a second one says nothing new."""
        if not self._replies[key].done():
            self._replies[key].set_result(packed)
        # A worker that is told to stop may take one more, and waits for it.
        if not self._closing:
            await self._settled[key].wait()
        self._replies.pop(key, None)
        self._settled.pop(key, None)

    def _done(self, key: str) -> None:
        self._settled[key].set()

    async def _open(self) -> None:
        """Take up what a killed recorder left: the lock on the output folder says that there is no other one."""
        await self._app.open_async()
        jobs = self._app.job_manager
        for job in await jobs.list_jobs_async(queue=self._recorder, status=Status.DOING.value):
            await self._give_again(job)
        self._under_way = {str(job.task_kwargs["key"]) for job in await self._being_fetched()}
        workers = [self._work() for _ in range(_WORKERS)]
        self._tasks = [asyncio.ensure_future(work) for work in (*workers, self._watch())]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def _work(self) -> None:
        await self._app.run_worker_async(
            queues=[self._recorder],
            concurrency=_MOST_REPLIES,
            fetch_job_polling_interval=1.0,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=queue.HEARTBEAT,
            stalled_worker_timeout=queue.DEAD_AFTER,
        )

    async def _watch(self) -> None:
        """What dead fetchers held is given to others, and what got lost is asked again."""
        jobs = self._app.job_manager
        while True:
            await asyncio.sleep(_ROUND)
            for job in await jobs.get_stalled_jobs(queue=self._queue, seconds_since_heartbeat=queue.DEAD_AFTER):
                if self._is_ours(job) and self._may_try(str(job.task_kwargs["key"])):
                    await self._give_again(job)
                elif self._is_ours(job):
                    await jobs.finish_job(job, Status.FAILED, delete_job=True)
            waiting = list(self._waiting.values())
            being_fetched = {job.task_kwargs["key"] for job in await self._being_fetched()}
            for asked in waiting:
                if asked.key not in being_fetched and await self._is_lost(asked.key) and self._may_try(asked.key):
                    await self._ask(asked)

    async def _being_fetched(self) -> list[Job]:
        # What has ended is deleted, so that all that are there wait or are under way.
        return [job for job in await self._app.job_manager.list_jobs_async(queue=self._queue) if self._is_ours(job)]

    def _is_ours(self, job: Job) -> bool:
        return job.task_kwargs.get("recorder") == self._recorder

    async def _is_lost(self, key: str) -> bool:
        replies = await self._app.job_manager.list_jobs_async(queue=self._recorder, lock=key)
        return not list(replies) and key in self._waiting and not self._replies[key].done()

    async def _give_again(self, job: Job) -> None:
        assert job.id is not None, "it comes from the database"
        await self._app.job_manager.retry_job_by_id_async(job.id, queue.AT_ONCE)

    def _may_try(self, key: str) -> bool:
        """Whether a request may be given to one more fetcher; if not, that is its answer."""
        self._tries[key] += 1
        if self._tries[key] < _MOST_TRIES:
            return True
        if key in self._waiting and not self._replies[key].done():
            self._replies[key].set_exception(IgnoreRequest(f"{_MOST_TRIES} fetchers have died of it"))
        return False

    def _ended(self, task: asyncio.Future[None]) -> None:
        """None of them ends by itself; a worker does, without an error, when it hears no more."""
        if not task.cancelled():
            error = task.exception() or ConnectionError("its connection was lost")
            self._fail(Failed(f"the queue does not answer: {queue.reason_of(error)}"))

    def _fail(self, error: Failed) -> None:
        """Without the queue nothing goes on; what is under way stays there for the next recorder."""
        ledger_of(self._crawler).end(error)
        for key in self._waiting:
            if not self._replies[key].done():
                self._replies[key].set_exception(IgnoreRequest(str(error)))


def _asked(request: Request) -> Asked:
    entry = cast("Entry | None", request.cb_kwargs.get("entry"))
    url = request.meta["canonical"]
    if entry is None:
        # A listing is asked for anew in each crawl.
        return Asked(uuid.uuid4().hex, url, request.priority, "")
    listed = (url, entry.title, iso(entry.published), request.meta.get("retry_times", 0))
    return Asked(hashlib.sha256(repr(listed).encode()).hexdigest(), url, request.priority, entry.code)
