"""A crawl on many machines: the real commands, a real PostgreSQL, and SIGKILL."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.sample_site import Corpus, SampleSite
from crawler.sample_site.routes import requested_article_code
from crawler.spiders.eastmoney import EastmoneySpider
from tests.conftest import DETAIL, NO_MANNERS, Answer, Finews, Gate, waited_for
from tests.crash.conftest import asker, ended, recorded
from tests.scale.conftest import PASSWORD, Server, Start
from tests.test_crawl import assert_books_balance, posts_in

# `finews worker` with a fault of ours.
BROKEN = """
from crawler.jobs.distributed import queue
def app():
    raise OSError("too many open files")
queue.check, queue.app = lambda: None, app
from crawler.cli import main
main()
"""
FETCHERS = 3
# What one fetcher has under way: CONCURRENT_REQUESTS.
HANDS = 4
# So many articles are fetched before the moment of a test; then the fetchers' hands are full.
PASSING = 40


@pytest.fixture
def site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(80)) as served:
        yield served


def fetched(site: SampleSite) -> Counter[str]:
    return Counter(hit.target for hit in site.requests if requested_article_code(hit))


def content(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in posts_in(output)}


def assert_sound(finews: Finews, output: Path, single: Path) -> None:
    """Nothing is lost, doubled or unaccounted for, and nobody was told the password."""
    assert content(output) == content(single)
    assert_books_balance(asker(output / "news.db"))
    answer = finews("verify", "--output", str(output))
    assert answer.code == 0, answer.out + answer.err
    for path in output.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


@pytest.fixture
def single(finews: Finews, site: SampleSite, tmp_path: Path) -> Path:
    """What one undisturbed crawl on one machine makes of the same site."""
    output = tmp_path / "single"
    answer = finews("crawl", "--mirror", site.url, "--output", str(output), *NO_MANNERS, "--quiet")
    assert (answer.code, answer.err) == (0, "")
    site.reset()
    return output


def test_a_fetcher_and_the_recorder_are_killed_and_every_article_stands_once(
    finews: Finews, start: Start, site: SampleSite, output: Path, single: Path
) -> None:
    gate = Gate(site, DETAIL, passing=PASSING)
    fetchers = [start("worker") for _ in range(FETCHERS)]
    recorder = start("crawl", "--distributed", "--output", str(output), "--quiet")
    waited_for(lambda: len(gate.held) == FETCHERS * HANDS and recorded(output) >= 10)
    fetchers[0].kill()
    recorder.kill()
    recorder.wait()
    gate.open()
    answer = ended(start("crawl", "--distributed", "--output", str(output), "--quiet"))
    assert (answer.code, answer.err) == (0, "")
    again = {target: times - 1 for target, times in fetched(site).items() if times > 1}
    assert list(again.values()) == [1] * HANDS
    assert_sound(finews, output, single)
    outcomes = asker(output / "news.db")("SELECT outcome FROM runs ORDER BY id")
    assert outcomes == ["interrupted", "done"]
    for fetcher in fetchers[1:]:
        fetcher.terminate()
        assert ended(fetcher) == Answer(0, "", "")


def test_a_recorder_that_is_killed_again_and_again_asks_for_no_article_twice(
    finews: Finews, start: Start, site: SampleSite, output: Path, single: Path
) -> None:
    for _ in range(FETCHERS):
        start("worker")
    for articles in (10, 25, 40, 55):
        recorder = start("crawl", "--distributed", "--output", str(output), "--quiet")
        waited_for(lambda least=articles: recorded(output) >= least)  # type: ignore[misc]  # mypy knows no defaults of lambdas
        recorder.kill()
        recorder.wait()
    answer = ended(start("crawl", "--distributed", "--output", str(output), "--quiet"))
    assert (answer.code, answer.err) == (0, "")
    assert set(fetched(site).values()) == {1}
    assert_sound(finews, output, single)


def test_a_request_that_three_fetchers_die_of_is_failed_and_the_crawl_goes_on(
    start: Start, server: Server, site: SampleSite, output: Path
) -> None:
    poison = site.corpus.codes_in_columns(EastmoneySpider.default_columns)[0]
    gate = Gate(site, DETAIL + poison)
    recorder = start("crawl", "--distributed", "--output", str(output), "--json", "--quiet")
    for deaths in range(1, 4):
        fetcher = start("worker", "--set", "CONCURRENT_REQUESTS=1")
        waited_for(lambda times=deaths: site.requested_codes.count(poison) == times)  # type: ignore[misc]  # mypy knows no defaults of lambdas
        fetcher.kill()
        fetcher.wait()
        server.forget_who_fetches()
    start("worker")
    answer = ended(recorder)
    assert (answer.code, answer.value["failed"]) == (3, 1)
    assert answer.err == f"finews: failed: {poison}: 3 fetchers have died of it\n"
    assert site.requested_codes.count(poison) == 3
    assert_books_balance(asker(output / "news.db"))
    gate.open()


def test_without_a_queue_there_is_one_clear_line_and_what_was_under_way_is_taken_up(
    finews: Finews, start: Start, server: Server, site: SampleSite, output: Path, single: Path
) -> None:
    gate = Gate(site, DETAIL, passing=PASSING)
    fetchers = [start("worker") for _ in range(FETCHERS)]
    recorder = start("crawl", "--distributed", "--output", str(output), "--quiet")
    waited_for(lambda: len(gate.held) == FETCHERS * HANDS and recorded(output) >= 10)
    server.stop()
    gate.open()
    for process in (recorder, *fetchers, start("worker"), start("crawl", "--distributed", "--output", str(output))):
        answer = ended(process)
        assert answer.code == 1, answer
        assert answer.err.startswith("finews: the queue does not answer: ")
        assert answer.err.count("\n") == 1
        assert PASSWORD not in answer.err
    server.start()
    start("worker")
    answer = ended(start("crawl", "--distributed", "--output", str(output), "--quiet"))
    assert (answer.code, answer.err) == (0, "")
    assert_sound(finews, output, single)


@pytest.mark.parametrize(
    ("address", "told"),
    [("", "finews: FINEWS_QUEUE is not set"), (f"finews:{PASSWORD}@host", "finews: FINEWS_QUEUE is no address")],
)
@pytest.mark.parametrize("command", [("worker",), ("crawl", "--distributed")], ids=lambda command: command[0])
def test_an_address_that_is_none_is_wrong_usage_and_not_repeated(
    finews: Finews, command: tuple[str, ...], address: str, told: str
) -> None:
    answer = finews(*command, FINEWS_QUEUE=address)
    assert answer.code == 2
    assert answer.err.startswith(told)
    assert PASSWORD not in answer.err


def test_a_fault_of_ours_is_told_and_fails() -> None:
    done = subprocess.run([sys.executable, "-c", BROKEN, "worker"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "finews: internal error: OSError: too many open files\n"


def test_a_crawl_on_one_machine_knows_nothing_of_the_queue() -> None:
    code = "import sys, crawler.cli, crawler.crawl.runner; sys.exit(any('procrastinate' in name or 'psycopg' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
