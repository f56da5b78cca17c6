"""Queue between coordinator and workers: procrastinate on PostgreSQL, its connection and its errors.

FINEWS_QUEUE names the database, as for libpq: `postgresql://finews@host/queue`. The password may be part of it, in
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
# Names of the jobs of workers and of coordinators.
FETCH_TASK, DELIVER_TASK = "finews.fetch", "finews.deliver"
# Argument names of each kind of job; all arguments are text.
_TASK_ARGUMENTS = {FETCH_TASK: {"key", "url", "response_queue"}, DELIVER_TASK: {"key", "message"}}
# Seconds between two heartbeats of a worker, and without one until it counts as dead and its jobs go to others.
HEARTBEAT_INTERVAL, STALLED_AFTER = 3.0, 15.0
# Start time of jobs to run at once: past on every clock, also if those of the machines differ.
RUN_NOW = datetime(2000, 1, 1, tzinfo=UTC)

# Seconds until connecting to PostgreSQL fails.
_CONNECT_TIMEOUT = 10
# Seconds to wait for a free connection: a busy coordinator has more statements than connections.
_POOL_TIMEOUT = 15.0


def fetch_queue_name(spider: str) -> str:
    """Return the name of the queue of requests for a spider."""
    return f"fetch {spider}"


class CheckedJobManager(JobManager):
    """Job manager that returns only well-formed jobs.

    Malformed jobs stay in the database as failed; `report` gets a line for each.
    """

    def __init__(self, connector: BaseConnector, report: Callable[[str], object]) -> None:
        super().__init__(connector)
        self._report = report

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Return the next well-formed job, marked as running in this worker."""
        while job := await super().fetch_job(queues, worker_id):
            fault = find_fault(job)
            if not fault:
                return job
            await self.finish_job(job, Status.FAILED, delete_job=False)
            self._report(f"malformed job {job.id} in the queue {job.queue!r} was set aside as failed: {fault}")
        return None


def find_fault(job: Job) -> str:
    """Return the error of a malformed job, which another program wrote; empty for a well-formed one."""
    arguments: object = job.task_kwargs
    names = _TASK_ARGUMENTS.get(job.task_name)
    if names is None:
        return f"finews has no task {collapse_whitespace(job.task_name)[:40]!r}"
    if not isinstance(arguments, dict) or arguments.keys() != names:
        return f"its arguments are not {', '.join(sorted(names))}"
    return "" if all(isinstance(value, str) for value in arguments.values()) else "its arguments are not text"


def create_app(report: Callable[[str], object] = lambda _: None) -> App:
    """Return procrastinate's app for the queue, not open yet; `report` gets a line for each malformed job.

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
    """Check that the queue can be used, and create its tables if needed. Raises UsageError or FatalError."""
    with as_queue_error():
        psycopg.connect(_read_conninfo(), connect_timeout=_CONNECT_TIMEOUT).close()
        with create_app().open() as open_app:
            if open_app.check_connection():
                return
            try:
                open_app.schema_manager.apply_schema()
            except ProcrastinateException:
                # Another machine may have created the tables meanwhile.
                if not open_app.check_connection():
                    raise


@contextmanager
def as_queue_error() -> Iterator[None]:
    """Raise errors of the queue as FatalError, in one line without the password."""
    try:
        yield
    except (psycopg.Error, psycopg_pool.PoolTimeout, ProcrastinateException) as error:
        raise queue_error(describe_queue_error(error)) from None


def queue_error(detail: str) -> FatalError:
    """Return the error of a queue that cannot be reached."""
    return FatalError(f"cannot reach the queue: {detail}; check {QUEUE_VARIABLE} and the PostgreSQL server")


def describe_queue_error(error: BaseException) -> str:
    """Return an error of the queue as one line of at most 300 characters, without the password."""
    cause = error.__cause__ if isinstance(error, ConnectorException) and error.__cause__ else error
    text = collapse_whitespace(str(cause)) or type(cause).__name__
    password = os.environ.get("PGPASSWORD") or conninfo_to_dict(os.environ.get(QUEUE_VARIABLE, "")).get("password")
    return text.replace(str(password), "…")[:300] if password else text[:300]


def _read_conninfo() -> str:
    """Return the address of the queue. Raises UsageError without the value, which may contain a password."""
    conninfo = os.environ.get(QUEUE_VARIABLE, "")
    if not conninfo:
        raise UsageError(
            f"{QUEUE_VARIABLE} is not set: set it to a PostgreSQL database, such as postgresql://finews@host/queue"
        )
    try:
        conninfo_to_dict(conninfo)
    except psycopg.Error:
        raise UsageError(f"{QUEUE_VARIABLE} is no address of a database: use postgresql://USER@HOST/NAME") from None
    return conninfo
