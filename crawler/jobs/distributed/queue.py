"""Queue between coordinator and workers: procrastinate on PostgreSQL, its connection and its errors.

FINEWS_QUEUE names the database, as libpq does: `postgresql://finews@host/queue`. A password may stand in it, in
`~/.pgpass` or in PGPASSWORD; it is never printed, stored or logged.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import psycopg_pool
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException, ProcrastinateException
from psycopg.conninfo import conninfo_to_dict

from crawler.content.unicode_text import collapse_whitespace
from crawler.errors import FatalError, UsageError

QUEUE_VARIABLE = "FINEWS_QUEUE"
# The names of the two kinds of jobs: what workers do, and what coordinators do.
FETCH_TASK, DELIVER_TASK = "finews.fetch", "finews.deliver"
# A worker says so often that it lives; one that has not for so long is dead, and its jobs are given to others.
HEARTBEAT_INTERVAL, STALLED_AFTER = 3.0, 15.0
# What is to be done at once, whatever the two machines' clocks say.
RUN_NOW = datetime(2000, 1, 1, tzinfo=UTC)

_CONNECT_TIMEOUT = 10
# A busy coordinator has more to say than it has connections.
_POOL_TIMEOUT = 15.0


def fetch_queue_name(spider: str) -> str:
    return f"fetch {spider}"


def create_app() -> App:
    """Procrastinate on the queue's database, not open yet. Raises UsageError."""
    return App(
        connector=PsycopgConnector(
            conninfo=_read_conninfo(),
            min_size=1,
            max_size=8,
            timeout=_POOL_TIMEOUT,
            kwargs={"application_name": "finews"},
        )
    )


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
