"""A process that runs the SQL of readers, so that no query can slow down, fill or crash the server."""

import multiprocessing
import signal
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

from datasette.utils import escape_fts

from crawler.errors import FinewsError
from crawler.publish.web.current_store import CurrentStore
from crawler.storage import Store
from crawler.storage.foreign_sql import (
    ForeignQuery,
    ForeignSqlConnection,
    ForeignSqlError,
    ForeignSqlTimeoutError,
    QueryResult,
    limit_cpu,
    limit_memory,
)

# Processes are forks of one that has loaded what they need, and has no threads: they start in a tenth of the time.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])
# Seconds in which a new process has to be ready: a busy machine may be slow.
_START_TIMEOUT = 30.0
# Seconds in addition to the time limit, at which SQLite stops most queries by itself, before the process is killed.
_GRACE_SECONDS = 1.0


def load_early() -> None:
    """Load what the processes need while the server starts, and not when the first page asks for one."""
    forkserver.ensure_running()


class QueryProcess:
    """A process that answers queries on the database of an output folder, one at a time."""

    def __init__(self, output: Path) -> None:
        self._connection, child_connection = _context.Pipe()
        with child_connection:
            self._process = _context.Process(target=_answer_queries, args=(child_connection, output), daemon=True)
            self._process.start()
        self._receive(_START_TIMEOUT)

    def run(self, query: ForeignQuery) -> QueryResult:
        """Return the answer of a query.

        Raises: ForeignSqlError when it has none, ForeignSqlTimeoutError when it takes too long, StoreError when the
            database cannot be read.
        """
        try:
            self._connection.send(query)
        except OSError as error:
            self.kill()
            raise ForeignSqlError("the process for queries has ended: try again") from error
        answer = self._receive(query.max_seconds + _GRACE_SECONDS)
        if isinstance(answer, FinewsError):
            raise answer
        assert answer is not None
        return answer

    @property
    def process_id(self) -> int:
        assert self._process.pid is not None, "it was started"
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def _receive(self, timeout: float) -> QueryResult | FinewsError | None:
        """What the process sends within these seconds; it is killed when it does not."""
        try:
            if self._connection.poll(timeout):
                answer: QueryResult | FinewsError | None = self._connection.recv()
                return answer
        except (EOFError, OSError) as error:
            self.kill()
            raise ForeignSqlError("the query ended the process that ran it") from error
        self.kill()
        raise ForeignSqlTimeoutError("the query takes too long")

    def kill(self) -> None:
        """End the process, whatever it does. It only reads, and leaves nothing half done."""
        self._process.kill()
        self._process.join()
        self._connection.close()


def _answer_queries(connection: Connection, output: Path) -> None:
    """Answer queries until the server is gone; how that is stopped is not this process's concern."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    current_store = CurrentStore(output, _prepare)
    limit_memory()
    connection.send(None)  # ready
    while True:
        try:
            query: ForeignQuery = connection.recv()
        except EOFError:
            return
        limit_cpu(query.max_seconds)
        connection.send(_run(current_store, query))


def _prepare(store: Store) -> ForeignSqlConnection:
    # Datasette's pages search users' own tables of words with it.
    store.connection.create_function("escape_fts", 1, escape_fts)
    return ForeignSqlConnection(store.connection)


def _run(current_store: CurrentStore[ForeignSqlConnection], query: ForeignQuery) -> QueryResult | FinewsError:
    try:
        return current_store.get().run(query)
    except FinewsError as error:
        return error
