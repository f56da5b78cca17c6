"""The queue between the recorder and the fetchers: which one it is, and how it fails. The engine is procrastinate's.

FINEWS_QUEUE names the database, as libpq does: `postgresql://finews@host/queue`. A password may stand in it, in
`~/.pgpass` or in PGPASSWORD; it is never told, kept or logged.
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

from crawler.content.unicode_text import one_line
from crawler.errors import Failed, UsageError

VARIABLE = "FINEWS_QUEUE"
# The names of the two kinds of jobs: what fetchers do, and what recorders do.
FETCH, TAKE = "finews.fetch", "finews.take"
# A worker says so often that it lives; one that has not for so long is dead, and its jobs are given to others.
HEARTBEAT, DEAD_AFTER = 3.0, 15.0
# What is to be done at once, whatever the two machines' clocks say.
AT_ONCE = datetime(2000, 1, 1, tzinfo=UTC)

_SECONDS_TO_CONNECT = 10
# A busy recorder has more to say than it has connections.
_SECONDS_TO_WAIT = 15.0


def fetch_queue(spider: str) -> str:
    return f"fetch {spider}"


def app() -> App:
    """Procrastinate on the queue's database, not open yet. Raises UsageError."""
    return App(
        connector=PsycopgConnector(
            conninfo=_conninfo(),
            min_size=1,
            max_size=8,
            timeout=_SECONDS_TO_WAIT,
            kwargs={"application_name": "finews"},
        )
    )


def check() -> None:
    """Whether the queue can be used; its tables are made where there are none. Raises UsageError or Failed."""
    with errors_told():
        psycopg.connect(_conninfo(), connect_timeout=_SECONDS_TO_CONNECT).close()
        with app().open() as opened:
            if opened.check_connection():
                return
            try:
                opened.schema_manager.apply_schema()
            except ProcrastinateException:
                # Another machine was quicker.
                if not opened.check_connection():
                    raise


@contextmanager
def errors_told() -> Iterator[None]:
    """The engine's errors as Failed, in one line that names the database and no password."""
    try:
        yield
    except (psycopg.Error, psycopg_pool.PoolTimeout, ProcrastinateException) as error:
        raise Failed(f"the queue does not answer: {reason_of(error)}") from None


def reason_of(error: BaseException) -> str:
    """What the engine says, in one line without a password."""
    told = error.__cause__ if isinstance(error, ConnectorException) and error.__cause__ else error
    text = one_line(str(told)) or type(told).__name__
    password = os.environ.get("PGPASSWORD") or conninfo_to_dict(os.environ.get(VARIABLE, "")).get("password")
    return text.replace(str(password), "…")[:300] if password else text[:300]


def _conninfo() -> str:
    """Raises UsageError, which does not repeat what stands there: it may hold a password."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        raise UsageError(
            f"{VARIABLE} is not set: name a database of PostgreSQL, such as postgresql://finews@host/queue"
        )
    try:
        conninfo_to_dict(text)
    except psycopg.Error:
        raise UsageError(f"{VARIABLE} is no address of a database: type postgresql://USER@HOST/NAME") from None
    return text
