"""Queue between coordinator and workers: procrastinate on PostgreSQL, its connection and its errors.

FINEWS_QUEUE names the database, as libpq does: `postgresql://finews@host/queue`. A password may stand in it, in
`~/.pgpass` or in PGPASSWORD; it is never printed, stored or logged.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import psycopg_pool
from procrastinate import App, PsycopgConnector
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import ConnectorException, ProcrastinateException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from psycopg.conninfo import conninfo_to_dict

from crawler.content.unicode_text import collapse_whitespace
from crawler.errors import FatalError, UsageError

QUEUE_VARIABLE = "FINEWS_QUEUE"
# The names of the two kinds of jobs: what workers do, and what coordinators do.
FETCH_TASK, DELIVER_TASK = "finews.fetch", "finews.deliver"
# The arguments of each kind, all of them text.
_TASK_ARGUMENTS = {FETCH_TASK: {"key", "url", "response_queue"}, DELIVER_TASK: {"key", "message"}}
# A worker says so often that it lives; one that has not for so long is dead, and its jobs are given to others.
HEARTBEAT_INTERVAL, STALLED_AFTER = 3.0, 15.0
# What is to be done at once, whatever the two machines' clocks say.
RUN_NOW = datetime(2000, 1, 1, tzinfo=UTC)

_CONNECT_TIMEOUT = 10
# A busy coordinator has more to say than it has connections.
_POOL_TIMEOUT = 15.0


def fetch_queue_name(spider: str) -> str:
    return f"fetch {spider}"


class CheckedJobManager(JobManager):
    """Procrastinate's, which hands out no job that it would stumble over.

    Such a job stays in the database as failed, and is given to `report` in a line.
    """

    def __init__(self, connector: BaseConnector, report: Callable[[str], object]) -> None:
        super().__init__(connector)
        self._report = report

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Return the next job that is well formed, marked as taken by this worker."""
        while job := await super().fetch_job(queues, worker_id):
            fault = find_fault(job)
            if not fault:
                return job
            await self.finish_job(job, Status.FAILED, delete_job=False)
            self._report(f"malformed job {job.id} in the queue {job.queue!r} was set aside as failed: {fault}")
        return None


def find_fault(job: Job) -> str:
    """Return what is wrong with a job that another program wrote; empty when nothing is."""
    arguments: object = job.task_kwargs
    names = _TASK_ARGUMENTS.get(job.task_name)
    if names is None:
        return f"finews has no task {collapse_whitespace(job.task_name)[:40]!r}"
    if not isinstance(arguments, dict) or arguments.keys() != names:
        return f"its arguments are not {', '.join(sorted(names))}"
    return "" if all(isinstance(value, str) for value in arguments.values()) else "its arguments are not text"


def create_app(report: Callable[[str], object] = lambda _: None) -> App:
    """Procrastinate on the queue's database, not open yet; `report` is given a line for each malformed job.

    Raises UsageError.
    """
    app = App(
        connector=PsycopgConnector(
            conninfo=_read_conninfo(),
            min_size=1,
            max_size=8,
            timeout=_POOL_TIMEOUT,
            kwargs={"application_name": "finews"},
        )
    )
    app.job_manager = CheckedJobManager(app.connector, report)
    return app


def prepare_queue() -> None:
    """Whether the queue can be used; its tables are made where there are none. Raises UsageError or FatalError."""
    with as_queue_error():
        psycopg.connect(_read_conninfo(), connect_timeout=_CONNECT_TIMEOUT).close()
        with create_app().open() as open_app:
            if open_app.check_connection():
                return
            try:
                open_app.schema_manager.apply_schema()
            except ProcrastinateException:
                # Another machine was quicker.
                if not open_app.check_connection():
                    raise


@contextmanager
def as_queue_error() -> Iterator[None]:
    """The engine's errors as Failed, in one line that names the database and no password."""
    try:
        yield
    except (psycopg.Error, psycopg_pool.PoolTimeout, ProcrastinateException) as error:
        raise FatalError(f"the queue does not answer: {describe_queue_error(error)}") from None


def describe_queue_error(error: BaseException) -> str:
    """What the engine says, in one line without a password."""
    cause = error.__cause__ if isinstance(error, ConnectorException) and error.__cause__ else error
    text = collapse_whitespace(str(cause)) or type(cause).__name__
    password = os.environ.get("PGPASSWORD") or conninfo_to_dict(os.environ.get(QUEUE_VARIABLE, "")).get("password")
    return text.replace(str(password), "…")[:300] if password else text[:300]


def _read_conninfo() -> str:
    """Raises UsageError, which does not repeat the value: it may hold a password."""
    conninfo = os.environ.get(QUEUE_VARIABLE, "")
    if not conninfo:
        raise UsageError(
            f"{QUEUE_VARIABLE} is not set: name a database of PostgreSQL, such as postgresql://finews@host/queue"
        )
    try:
        conninfo_to_dict(conninfo)
    except psycopg.Error:
        raise UsageError(f"{QUEUE_VARIABLE} is no address of a database: type postgresql://USER@HOST/NAME") from None
    return conninfo
