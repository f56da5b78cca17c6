"""Processes that run SQL of readers: no query can slow down the server, exhaust its memory or crash it."""

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

# A fork server that has imported this module and has no threads starts processes in a tenth of the time.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])
# Seconds until a new process must be ready; a busy machine may be slow.
_START_TIMEOUT = 30.0
# Seconds after the time limit until the process is killed; SQLite stops most queries at the limit itself.
_GRACE_SECONDS = 1.0


def load_early() -> None:
    """Start the fork server, so the first query does not wait for its imports."""
    forkserver.ensure_running()


class QueryProcess:
    """Process that runs queries on the database of an output folder, one at a time."""

    def __init__(self, output: Path) -> None:
        self._connection, child_connection = _context.Pipe()
        with child_connection:
            self._process = _context.Process(target=_answer_queries, args=(child_connection, output), daemon=True)
            self._process.start()
        self._receive(_START_TIMEOUT)

    def run(self, query: ForeignQuery) -> QueryResult:
        """Run a query, and return its result.

        Raises:
            ForeignSqlError: the query failed.
            ForeignSqlTimeoutError: the query takes too long.
            StoreError: the database cannot be read.
        """
        try:
            self._connection.send(query)
        except OSError as error:
            self.kill()
            raise ForeignSqlError("the query process has ended: try again") from error
        answer = self._receive(query.max_seconds + _GRACE_SECONDS)
        if isinstance(answer, FinewsError):
            raise answer
        assert answer is not None
        return answer

    @property
    def process_id(self) -> int:
        """Return the id of the process."""
        assert self._process.pid is not None, "it was started"
        return self._process.pid

    def is_alive(self) -> bool:
        """Return whether the process can run another query."""
        return self._process.is_alive()

    def _receive(self, timeout: float) -> QueryResult | FinewsError | None:
        """Return what the process sends within `timeout` seconds, or kill the process."""
        try:
            if self._connection.poll(timeout):
                answer: QueryResult | FinewsError | None = self._connection.recv()
                return answer
        except (EOFError, OSError) as error:
            self.kill()
            raise ForeignSqlError("the query ended its process") from error
        self.kill()
        raise ForeignSqlTimeoutError("the query takes too long")

    def kill(self) -> None:
        """Kill the process, which only reads: nothing is left incomplete."""
        self._process.kill()
        self._process.join()
        self._connection.close()


def _answer_queries(connection: Connection, output: Path) -> None:
    """Answer queries until the server closes the connection. Ctrl-C is for the server to handle."""

    def prepare(store: Store) -> ForeignSqlConnection:
        # Datasette's pages search full-text tables of users with this function.
        store.connection.create_function("escape_fts", 1, escape_fts)
        return ForeignSqlConnection(store.connection)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    current_store = CurrentStore(output, prepare)
    limit_memory()
    connection.send(None)  # ready
    while True:
        try:
            query: ForeignQuery = connection.recv()
        except EOFError:
            return
        limit_cpu(query.max_seconds)
        result: QueryResult | FinewsError
        try:
            result = current_store.get().run(query)
        except FinewsError as error:
            result = error
        connection.send(result)
