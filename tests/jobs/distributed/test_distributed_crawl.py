"""A crawl on many machines: the real commands, a real PostgreSQL, and SIGKILL."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from crawler.jobs.distributed import queue
from crawler.jobs.distributed.coordinator import response_queue_name
from crawler.sample_site import Corpus, SampleSite
from crawler.sample_site.routes import requested_article_code
from crawler.spiders.eastmoney import EastmoneySpider
from tests.jobs.distributed.conftest import QUEUE_PASSWORD, PostgresServer, StartCommand
from tests.support.commands import ARTICLE_API_PATH, FAST_SETTINGS, CommandResult, CommandRunner
from tests.support.crash import count_saved_articles, wait_for_exit
from tests.support.database import query_function
from tests.support.held_responses import HeldResponses
from tests.support.hostile import list_as_blog_posts
from tests.support.output_checks import assert_outcomes_add_up, post_paths
from tests.support.waiting import wait_until

# `finews worker` with a bug of its own.
WORKER_WITH_BUG = """
from crawler.jobs.distributed import queue
def create_app(*_):
    raise OSError("too many open files")
queue.prepare_queue, queue.create_app = lambda: None, create_app
from crawler.cli import main
main()
"""
WORKER_COUNT = 3
# Requests that one worker sends at once: CONCURRENT_REQUESTS.
REQUESTS_PER_WORKER = 4
# Articles fetched before the site holds back its responses, so all workers are busy.
RESPONSES_BEFORE_HOLD = 40


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(80)) as served:
        yield served


def article_requests(sample_site: SampleSite) -> Counter[str]:
    return Counter(hit.target for hit in sample_site.requests if requested_article_code(hit))


def read_posts(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in post_paths(output)}


def assert_same_as_single_machine(finews: CommandRunner, output: Path, single: Path) -> None:
    """Nothing is lost, doubled or unaccounted for, and the password was not printed."""
    assert read_posts(output) == read_posts(single)
    assert_outcomes_add_up(query_function(output / "news.db"))
    result = finews("verify", "--output", str(output))
    assert result.exit_code == 0, result.stdout + result.stderr
    for path in output.rglob("*"):
        assert not path.is_file() or QUEUE_PASSWORD.encode() not in path.read_bytes(), path


@pytest.fixture
def single_machine_output(finews: CommandRunner, sample_site: SampleSite, tmp_path: Path) -> Path:
    """Return the output of an undisturbed crawl of the same site on one machine."""
    output = tmp_path / "single"
    result = finews("crawl", "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS, "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    sample_site.reset()
    return output


def wait_until_workers_are_full(held_responses: HeldResponses, output: Path) -> None:
    """Wait until each worker has as many held requests as it sends at once, and the first articles are saved."""
    wait_until(
        lambda: (
            len(held_responses.held_requests) == WORKER_COUNT * REQUESTS_PER_WORKER
            and count_saved_articles(output) >= 10
        )
    )


def test_killed_worker_and_coordinator_save_every_article_once(
    finews: CommandRunner,
    start_command: StartCommand,
    sample_site: SampleSite,
    output: Path,
    single_machine_output: Path,
) -> None:
    held_responses = HeldResponses(sample_site, ARTICLE_API_PATH, pass_first=RESPONSES_BEFORE_HOLD)
    workers = [start_command("worker") for _ in range(WORKER_COUNT)]
    coordinator = start_command("crawl", "--distributed", "--output", str(output), "--quiet")
    wait_until_workers_are_full(held_responses, output)
    workers[0].kill()
    coordinator.kill()
    coordinator.wait()
    held_responses.release()
    result = wait_for_exit(start_command("crawl", "--distributed", "--output", str(output), "--quiet"))
    assert (result.exit_code, result.stderr) == (0, "")
    repeated_requests = {target: times - 1 for target, times in article_requests(sample_site).items() if times > 1}
    assert list(repeated_requests.values()) == [1] * REQUESTS_PER_WORKER
    assert_same_as_single_machine(finews, output, single_machine_output)
    outcomes = query_function(output / "news.db")("SELECT outcome FROM runs ORDER BY id")
    assert outcomes == ["interrupted", "done"]
    for worker, signum, ending in zip(
        workers[1:],
        (signal.SIGTERM, signal.SIGINT),
        (CommandResult(0, "", ""), CommandResult(130, "", "finews: stopped\n")),
        strict=True,
    ):
        worker.send_signal(signum)
        assert wait_for_exit(worker) == ending


def test_repeatedly_killed_coordinator_requests_no_article_twice(
    finews: CommandRunner,
    start_command: StartCommand,
    sample_site: SampleSite,
    output: Path,
    single_machine_output: Path,
) -> None:
    for _ in range(WORKER_COUNT):
        start_command("worker")
    for articles in (10, 40):
        coordinator = start_command("crawl", "--distributed", "--output", str(output), "--quiet")
        wait_until(lambda least=articles: count_saved_articles(output) >= least)  # type: ignore[misc]  # mypy knows no defaults of lambdas
        coordinator.kill()
        coordinator.wait()
    result = wait_for_exit(start_command("crawl", "--distributed", "--output", str(output), "--quiet"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert set(article_requests(sample_site).values()) == {1}
    assert_same_as_single_machine(finews, output, single_machine_output)


def test_request_that_kills_three_workers_fails_and_crawl_continues(
    start_command: StartCommand, postgres: PostgresServer, sample_site: SampleSite, output: Path
) -> None:
    fatal_code = sample_site.corpus.codes_in_columns(EastmoneySpider.default_columns)[0]
    held_responses = HeldResponses(sample_site, ARTICLE_API_PATH + fatal_code)
    sample_site.add_fault("getNewsByColumns", list_as_blog_posts({fatal_code}))
    coordinator = start_command("crawl", "--distributed", "--output", str(output), "--json", "--quiet")
    for deaths in range(1, 4):
        worker = start_command("worker", "--set", "CONCURRENT_REQUESTS=1")
        wait_until(lambda times=deaths: sample_site.requested_codes.count(fatal_code) == times)  # type: ignore[misc]  # mypy knows no defaults of lambdas
        worker.kill()
        worker.wait()
        postgres.expire_workers()
    start_command("worker")
    result = wait_for_exit(coordinator)
    assert (result.exit_code, result.json["failed"]) == (3, 1)
    assert result.stderr == f"finews: failed: {fatal_code}: 3 workers died while fetching it\n"
    assert sample_site.requested_codes.count(fatal_code) == 3
    assert_outcomes_add_up(query_function(output / "news.db"))
    held_responses.release()


def test_lost_queue_is_one_line_and_work_resumes_later(
    finews: CommandRunner,
    start_command: StartCommand,
    postgres: PostgresServer,
    sample_site: SampleSite,
    output: Path,
    single_machine_output: Path,
) -> None:
    held_responses = HeldResponses(sample_site, ARTICLE_API_PATH, pass_first=RESPONSES_BEFORE_HOLD)
    workers = [start_command("worker") for _ in range(WORKER_COUNT)]
    coordinator = start_command("crawl", "--distributed", "--output", str(output), "--quiet")
    wait_until_workers_are_full(held_responses, output)
    postgres.stop()
    held_responses.release()
    for process in (
        coordinator,
        *workers,
        start_command("worker"),
        start_command("crawl", "--distributed", "--output", str(output)),
    ):
        result = wait_for_exit(process)
        assert result.exit_code == 1, result
        assert result.stderr.startswith("finews: cannot reach the queue: ")
        assert result.stderr.count("\n") == 1
        assert QUEUE_PASSWORD not in result.stderr
    postgres.start()
    start_command("worker")
    result = wait_for_exit(start_command("crawl", "--distributed", "--output", str(output), "--quiet"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert_same_as_single_machine(finews, output, single_machine_output)


# Arguments of jobs that other programs wrote.
MALFORMED_ARGUMENTS: tuple[object, ...] = (
    [], None, "text", 5, {}, {"key": "k"}, {"key": 5, "url": [], "response_queue": {}}, {"key": ["k"], "message": None},
    {"key": "k", "url": "x", "response_queue": "y", "more": 1},
)  # fmt: skip


@pytest.mark.usefixtures("sample_site")
def test_malformed_jobs_are_set_aside_and_end_nothing(
    finews: CommandRunner,
    start_command: StartCommand,
    postgres: PostgresServer,
    output: Path,
    single_machine_output: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FINEWS_QUEUE", postgres.address)
    queue.prepare_queue()
    own_responses = response_queue_name(str(output.resolve()))
    jobs = [
        (queue_name, task_name, json.dumps(arguments))
        for queue_name, task_name in (
            (queue.fetch_queue_name("eastmoney"), queue.FETCH_TASK), (own_responses, queue.DELIVER_TASK)
        )
        for arguments in MALFORMED_ARGUMENTS
    ]  # fmt: skip
    jobs.append((own_responses, "another program's task", "{}"))
    # Well formed, and of no use.
    strange = [
        (own_responses, queue.DELIVER_TASK, json.dumps({"key": "k", "message": "m"})),
        (queue.fetch_queue_name("eastmoney"), queue.FETCH_TASK, json.dumps({"key": "k", "url": "no address", "response_queue": own_responses})),
    ]  # fmt: skip
    with psycopg.connect(postgres.address) as connection:
        connection.cursor().executemany(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, priority) VALUES (%s, %s, %s, 100)",
            [*jobs, *strange],
        )
    worker = start_command("worker")
    result = wait_for_exit(start_command("crawl", "--distributed", "--output", str(output), "--quiet"))
    assert result.exit_code == 0, result.stderr
    assert_same_as_single_machine(finews, output, single_machine_output)
    worker.terminate()
    ended_worker = wait_for_exit(worker)
    assert ended_worker.exit_code == 0
    notes = [*result.stderr.splitlines(), *ended_worker.stderr.splitlines()]
    assert all(line.startswith("finews: malformed job ") for line in notes), notes
    with psycopg.connect(postgres.address) as connection:
        kept = connection.execute(
            "SELECT queue_name, task_name, args::text FROM procrastinate_jobs WHERE status = 'failed'"
        )
        assert len(kept.fetchall()) == len(jobs) == len(notes)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("", "finews: FINEWS_QUEUE is not set"), (f"finews:{QUEUE_PASSWORD}@host", "finews: FINEWS_QUEUE is no address")],
)
@pytest.mark.parametrize("command", [("worker",), ("crawl", "--distributed")], ids=lambda command: command[0])
def test_invalid_queue_address_is_a_usage_error_and_not_printed(
    finews: CommandRunner, command: tuple[str, ...], address: str, expected: str
) -> None:
    result = finews(*command, FINEWS_QUEUE=address)
    assert result.exit_code == 2
    assert result.stderr.startswith(expected)
    assert QUEUE_PASSWORD not in result.stderr


def test_worker_bug_is_an_internal_error() -> None:
    completed = subprocess.run(
        [sys.executable, "-c", WORKER_WITH_BUG, "worker"], capture_output=True, text=True, check=False
    )
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr == "finews: internal error: OSError: too many open files\n"


def test_single_machine_crawl_imports_no_queue() -> None:
    program = "import sys, crawler.cli, crawler.crawl.runner; sys.exit(any('procrastinate' in name or 'psycopg' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("spider", ["eastmoney", "flash"])
def test_further_pages_and_articles_behind_cut_rows_are_fetched_by_workers(
    finews: CommandRunner,
    start_command: StartCommand,
    sample_site: SampleSite,
    output: Path,
    tmp_path: Path,
    spider: str,
) -> None:
    corpus = sample_site.corpus
    long_code = next(iter(corpus.codes_in_columns(["345"])))
    content = "".join(f"<p>第{number}段。</p>" for number in range(1, 7))
    corpus.replace(long_code, content=content, body_location="page2022", page_count=3)
    cut_code = corpus.codes_in_fast_news()[1]
    corpus.replace(cut_code, is_cut_in_fast_news=True, flash_override="", fast_title=None)
    target_args = ("--mirror", sample_site.url, "--output", str(tmp_path / "single"), *FAST_SETTINGS, "--quiet")
    assert finews("crawl", spider, *target_args).exit_code == 0
    start_command("worker", spider)
    result = wait_for_exit(start_command("crawl", spider, "--distributed", "--output", str(output), "--quiet"))
    assert (result.exit_code, result.stderr) == (0, "")
    sources = query_function(output / "news.db")(
        "SELECT source FROM articles WHERE code IN (?, ?)", long_code, cut_code
    )
    assert set(sources) == {"eastmoney"}
    assert_same_as_single_machine(finews, output, tmp_path / "single")
