"""Several programs at one output folder at once: crawls, readers, another writer."""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.support.crash import assert_recovered, crawl_command, read_posts, run_crawl, start_process, wait_for_exit
from tests.support.database import query_function
from tests.support.held_responses import HeldResponses
from tests.support.waiting import wait_until

ROUNDS = int(os.environ.get("FINEWS_ROUNDS", "1"))
CONCURRENT_CRAWLS = 10
LISTING_ENDPOINT = "getNewsByColumns"
OUTPUT_LOCKED_EXIT_CODE = 75


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


@pytest.mark.parametrize("_again", range(ROUNDS))
def test_only_one_of_ten_simultaneous_crawls_gets_the_lock(
    _again: int, sample_site: SampleSite, output: Path, tmp_path: Path
) -> None:
    run_crawl(sample_site, tmp_path / "alone")
    sample_site.reset()
    held_responses = HeldResponses(sample_site, LISTING_ENDPOINT)
    crawls = [start_process(crawl_command(sample_site, output)) for _ in range(CONCURRENT_CRAWLS)]
    # The one that works waits for its listing, so all others run at the same time.
    wait_until(lambda: sum(crawl.poll() is None for crawl in crawls) == 1)
    held_responses.release()
    answers = sorted((wait_for_exit(crawl) for crawl in crawls), key=lambda answer: answer.exit_code)
    assert [answer.exit_code for answer in answers] == [0] + [OUTPUT_LOCKED_EXIT_CODE] * (CONCURRENT_CRAWLS - 1)
    assert [len(answer.stderr.splitlines()) for answer in answers] == [0] + [1] * (CONCURRENT_CRAWLS - 1)
    assert all("another crawl" in answer.stderr for answer in answers[1:])
    assert len(sample_site.requested_codes) == len(set(sample_site.requested_codes))
    assert query_function(output / "news.db")("SELECT count(*) FROM runs") == [1]
    assert_recovered(output, read_posts(tmp_path / "alone"))


class ConcurrentReader(Thread):
    """Looks at the database and the posts again and again, over a connection that it keeps or over ever new ones."""

    def __init__(self, output: Path, *, keep_connection: bool) -> None:
        super().__init__(daemon=True)
        self.reads, self.max_rows_seen, self.problems = 0, 0, list[str]()
        self._output, self._keep_connection, self._stop_requested = output, keep_connection, Event()

    def run(self) -> None:
        try:
            while not self._stop_requested.is_set():
                with closing(sqlite3.connect(self._output / "news.db")) as connection:
                    self._read_once(connection)
                    while self._keep_connection and not self._stop_requested.is_set():
                        self._read_once(connection)
        except Exception as error:
            self.problems.append(repr(error))

    def stop(self) -> None:
        self._stop_requested.set()
        self.join()

    def _read_once(self, connection: sqlite3.Connection) -> None:
        cursor = connection.execute("SELECT post_path, post_sha256 FROM articles WHERE published_revision = revision")
        rows_read = cursor.fetchall()
        self.reads += 1
        self.max_rows_seen = max(self.max_rows_seen, len(rows_read))
        for path, digest in rows_read:
            if hashlib.sha256((self._output / path).read_bytes()).hexdigest() != digest:
                self.problems.append(f"{path} is not what its row says")


@pytest.mark.parametrize("keep_connection", [True, False], ids=["one connection", "ever new connections"])
def test_concurrent_reader_sees_complete_articles_and_no_error(
    keep_connection: bool, sample_site: SampleSite, output: Path
) -> None:
    run_crawl(sample_site, output)
    reader = ConcurrentReader(output, keep_connection=keep_connection)
    reader.start()
    for _ in range(3):
        sample_site.corpus.publish(30)
        run_crawl(sample_site, output)
    reader.stop()
    assert reader.problems == []
    assert reader.reads > 10
    assert reader.max_rows_seen > len(read_posts(output)) / 2
    assert_recovered(output, read_posts(output))


def test_open_read_transaction_does_not_block_a_crawl(sample_site: SampleSite, output: Path) -> None:
    run_crawl(sample_site, output)
    with closing(sqlite3.connect(output / "news.db")) as connection:
        connection.execute("BEGIN")
        before = connection.execute("SELECT count(*) FROM articles").fetchall()
        sample_site.corpus.publish(10)
        run_crawl(sample_site, output)
        assert connection.execute("SELECT count(*) FROM articles").fetchall() == before
    assert_recovered(output, read_posts(output))
    assert len(read_posts(output)) > before[0][0]


@pytest.mark.parametrize("moment", ["when it starts", "while it waits for a listing"])
def test_other_writer_only_delays_a_crawl(moment: str, sample_site: SampleSite, output: Path) -> None:
    run_crawl(sample_site, output)
    new_codes = set(sample_site.corpus.publish(10))
    sample_site.reset()
    held_responses = HeldResponses(sample_site, LISTING_ENDPOINT)
    with closing(sqlite3.connect(output / "news.db", isolation_level=None)) as connection:
        if moment == "when it starts":
            connection.execute("BEGIN IMMEDIATE")
        crawl = start_process(crawl_command(sample_site, output))
        if moment != "when it starts":
            wait_until(lambda: held_responses.held_requests)
            connection.execute("BEGIN IMMEDIATE")
        held_responses.release()
        time.sleep(2.0)
        assert crawl.poll() is None
        connection.execute("ROLLBACK")
    result = wait_for_exit(crawl)
    assert (result.exit_code, result.stderr) == (0, "")
    assert new_codes & set(sample_site.requested_codes)
    assert_recovered(output, read_posts(output))
