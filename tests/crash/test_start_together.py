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
from tests.conftest import Gate, waited_for
from tests.crash.conftest import asker, assert_healed, command, crawl_once, ended, start, visible

ROUNDS = int(os.environ.get("FINEWS_ROUNDS", "3"))
AT_ONCE = 10
LISTING = "getNewsByColumns"
BUSY = 75


@pytest.fixture
def site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


@pytest.mark.parametrize("_again", range(ROUNDS))
def test_of_ten_crawls_started_at_once_one_works_and_nine_are_turned_away(
    _again: int, site: SampleSite, output: Path, tmp_path: Path
) -> None:
    crawl_once(site, tmp_path / "alone")
    site.reset()
    gate = Gate(site, LISTING)
    crawls = [start(command(site, output)) for _ in range(AT_ONCE)]
    # The one that works waits for its listing, so that all others meet it.
    waited_for(lambda: sum(crawl.poll() is None for crawl in crawls) == 1)
    gate.open()
    answers = sorted((ended(crawl) for crawl in crawls), key=lambda answer: answer.code)
    assert [answer.code for answer in answers] == [0] + [BUSY] * (AT_ONCE - 1)
    assert [len(answer.err.splitlines()) for answer in answers] == [0] + [1] * (AT_ONCE - 1)
    assert all("another crawl" in answer.err for answer in answers[1:])
    assert len(site.requested_codes) == len(set(site.requested_codes))
    assert asker(output / "news.db")("SELECT count(*) FROM runs") == [1]
    assert_healed(output, visible(tmp_path / "alone"))


class Reader(Thread):
    """Looks at the database and the posts again and again, over a connection that it keeps or over ever new ones."""

    def __init__(self, output: Path, *, keeps: bool) -> None:
        super().__init__(daemon=True)
        self.looks, self.most, self.troubles = 0, 0, list[str]()
        self._output, self._keeps, self._enough = output, keeps, Event()

    def run(self) -> None:
        try:
            while not self._enough.is_set():
                with closing(sqlite3.connect(self._output / "news.db")) as connection:
                    self._look(connection)
                    while self._keeps and not self._enough.is_set():
                        self._look(connection)
        except Exception as error:
            self.troubles.append(repr(error))

    def stop(self) -> None:
        self._enough.set()
        self.join()

    def _look(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT post_path, post_sha256 FROM articles WHERE published_revision = revision")
        found = rows.fetchall()
        self.looks += 1
        self.most = max(self.most, len(found))
        for path, digest in found:
            if hashlib.sha256((self._output / path).read_bytes()).hexdigest() != digest:
                self.troubles.append(f"{path} is not what its row says")


@pytest.mark.parametrize("keeps", [True, False], ids=["one connection", "ever new connections"])
def test_a_reader_sees_whole_articles_only_and_never_an_error(keeps: bool, site: SampleSite, output: Path) -> None:
    crawl_once(site, output)
    reader = Reader(output, keeps=keeps)
    reader.start()
    for _ in range(3):
        site.corpus.publish(30)
        crawl_once(site, output)
    reader.stop()
    assert reader.troubles == []
    assert reader.looks > 10
    assert reader.most > len(visible(output)) / 2
    assert_healed(output, visible(output))


def test_a_reader_in_the_midst_of_a_transaction_keeps_no_crawl_waiting(site: SampleSite, output: Path) -> None:
    crawl_once(site, output)
    with closing(sqlite3.connect(output / "news.db")) as connection:
        connection.execute("BEGIN")
        before = connection.execute("SELECT count(*) FROM articles").fetchall()
        site.corpus.publish(10)
        crawl_once(site, output)
        assert connection.execute("SELECT count(*) FROM articles").fetchall() == before
    assert_healed(output, visible(output))
    assert len(visible(output)) > before[0][0]


@pytest.mark.parametrize("moment", ["when it starts", "while it waits for a listing"])
def test_another_writer_only_delays_a_crawl(moment: str, site: SampleSite, output: Path) -> None:
    crawl_once(site, output)
    new = set(site.corpus.publish(10))
    site.reset()
    gate = Gate(site, LISTING)
    with closing(sqlite3.connect(output / "news.db", isolation_level=None)) as connection:
        if moment == "when it starts":
            connection.execute("BEGIN IMMEDIATE")
        crawl = start(command(site, output))
        if moment != "when it starts":
            waited_for(lambda: gate.held)
            connection.execute("BEGIN IMMEDIATE")
        gate.open()
        time.sleep(2.0)
        assert crawl.poll() is None
        connection.execute("ROLLBACK")
    answer = ended(crawl)
    assert (answer.code, answer.err) == (0, "")
    assert new & set(site.requested_codes)
    assert_healed(output, visible(output))
