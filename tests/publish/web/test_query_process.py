"""Query processes: their answers, and their loss."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.errors import StoreError
from crawler.publish.web.query_process import QueryProcess
from crawler.storage import Store
from crawler.storage.foreign_sql import ForeignQuery, ForeignSqlError, ForeignSqlTimeoutError
from tests.support.waiting import wait_until

ONE = ForeignQuery("SELECT 1", {}, None, 20.0)
# A single step of SQLite that takes minutes: its progress handler is not called.
ONE_LONG_STEP = "WITH t AS (SELECT printf('%.*c', 8000000, 'a') x) SELECT instr(x, substr(x, 2, 4000000) || 'b') FROM t"


@pytest.fixture
def process(output: Path) -> Iterator[QueryProcess]:
    output.mkdir()
    Store.open_rw(output).close()
    process = QueryProcess(output)
    yield process
    process.kill()


def test_queries_are_answered(process: QueryProcess) -> None:
    assert process.run(ForeignQuery("SELECT :x AS x, escape_fts('a b')", {"x": "甲"}, None, 20.0)).rows == [
        ("甲", '"a" "b"')
    ]
    with pytest.raises(ForeignSqlError, match="no such table: absent"):
        process.run(ForeignQuery("SELECT * FROM absent", {}, None, 20.0))
    assert process.run(ONE).rows == [(1,)]


def test_process_is_killed_when_a_step_takes_too_long(process: QueryProcess) -> None:
    with pytest.raises(ForeignSqlTimeoutError):
        process.run(ForeignQuery(ONE_LONG_STEP, {}, None, 0.1))
    assert not process.is_alive()
    with pytest.raises(ForeignSqlError):
        process.run(ONE)


def test_process_that_crashes_is_reported(process: QueryProcess) -> None:
    os.kill(process.process_id, signal.SIGSEGV)
    with pytest.raises(ForeignSqlError, match=r"ended"):
        process.run(ONE)
    assert not process.is_alive()


def test_memory_has_a_limit(process: QueryProcess) -> None:
    sql = f"SELECT {', '.join(['x'] * 150)} FROM (SELECT printf('%.*c', 9999999, 'a') x)"  # noqa: S608  # no user's
    with pytest.raises(ForeignSqlError, match="too much memory"):
        process.run(ForeignQuery(sql, {}, None, 20.0))
    assert process.run(ONE).rows == [(1,)]


def test_process_without_a_server_ends_by_itself(process: QueryProcess) -> None:
    """Close the connection as a SIGKILL of the server does, during a query that nothing else would end."""
    process._connection.send(ForeignQuery(ONE_LONG_STEP, {}, None, 0.1))
    process._connection.close()
    wait_until(lambda: not process.is_alive())


def test_ctrl_c_is_for_the_server(process: QueryProcess) -> None:
    os.kill(process.process_id, signal.SIGINT)
    assert process.run(ONE).rows == [(1,)]


def test_missing_database_is_reported(process: QueryProcess, output: Path) -> None:
    assert process.run(ONE).rows == [(1,)]
    (output / "news.db").rename(output / "away.db")
    with pytest.raises(StoreError, match="no finews database"):
        process.run(ONE)
    (output / "away.db").rename(output / "news.db")
    assert process.run(ONE).rows == [(1,)]
