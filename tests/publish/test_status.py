"""Tests of crawler.publish.status and of `finews status`: what is healthy, and what exits 4."""

import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crawler.content.dates import CHINA_TZ
from crawler.publish.status import find_crawl_problems
from crawler.sample_site import SampleSite
from crawler.sample_site.faults import return_status
from crawler.storage.health import SourceState
from crawler.storage.output_dir import OutputDir
from tests.support.commands import FAST_SETTINGS, CommandRunner
from tests.support.database import execute_sql

NOW = datetime(2026, 11, 28, 12, tzinfo=CHINA_TZ)
HOUR = timedelta(hours=1)


def make_state(*, last_good_at: datetime | None = NOW, last_outcome: str = "done") -> SourceState:
    return SourceState("eastmoney", last_good_at, NOW, last_outcome, "no listing", 5, 2, ("an endpoint is closed",))


@pytest.mark.parametrize(
    ("state", "problems"),
    [
        (make_state(), []),
        (make_state(last_outcome="partial"), []),
        (make_state(last_outcome="interrupted"), []),
        (make_state(last_good_at=NOW - 36 * HOUR), []),
        (make_state(last_outcome="failed"), ["eastmoney: the last crawl failed: no listing"]),
        (make_state(last_good_at=None, last_outcome=""), ["eastmoney: no crawl was good yet"]),
        (
            make_state(last_good_at=NOW - 37 * HOUR),
            ["eastmoney: the last good crawl ended 1 d 13 h ago: is the schedule running?"],
        ),
    ],
)
def test_source_needs_a_recent_good_crawl_and_a_last_one_that_did_not_fail(
    state: SourceState, problems: list[str]
) -> None:
    assert find_crawl_problems(state, NOW - 36 * HOUR, NOW) == problems


def read(finews: CommandRunner, output: Path, *args: str) -> tuple[int, dict[str, Any]]:
    result = finews("status", "--output", str(output), "--json", *args)
    answer = json.loads(result.stdout)
    assert answer["healthy"] is (result.exit_code == 0)
    assert len(result.stderr.splitlines()) == len(answer["problems"])
    return result.exit_code, answer


def test_status_after_a_good_crawl(finews: CommandRunner, crawl: CommandRunner, output: Path) -> None:
    crawl("flash")
    exit_code, answer = read(finews, output)
    assert (exit_code, answer["problems"], answer["posts_owed"], answer["crawling"]) == (0, [], 0, False)
    (source,) = answer["sources"]
    assert (source["source"], source["last_outcome"]) == ("flash", "done")
    assert source["last_good_at"] == source["last_finished_at"]
    assert answer["articles"] > 0
    assert finews("status", "--output", str(output)).stdout.splitlines()[-1] == "status       healthy"


def test_crawl_that_fails_is_unhealthy_though_an_earlier_one_was_good(
    finews: CommandRunner, crawl: CommandRunner, sample_site: SampleSite, output: Path, tmp_path: Path
) -> None:
    crawl("flash")
    good_at = read(finews, output)[1]["sources"][0]["last_good_at"]
    sample_site.add_fault("getFastNewsList", return_status(404))
    crawl("flash")
    exit_code, answer = read(finews, output)
    assert (exit_code, len(answer["problems"]), answer["sources"][0]["last_good_at"]) == (4, 1, good_at)
    assert "flash: the last crawl failed: " in answer["problems"][0]
    (tmp_path / "finews.toml").write_text('crawl = ["eastmoney"]')
    assert read(finews, output)[0] == 0  # it is no longer crawled


def test_old_crawl_is_unhealthy(finews: CommandRunner, crawl: CommandRunner, output: Path, tmp_path: Path) -> None:
    crawl("flash")
    execute_sql(output, "UPDATE runs SET finished_at = '2026-01-01T00:00:00+08:00'")
    assert read(finews, output)[0] == 4
    assert read(finews, output, "--max-age", "99y")[0] == 0
    (tmp_path / "finews.toml").write_text('max_age = "99y"')
    assert read(finews, output)[0] == 0


def test_posts_that_are_owed_count_only_after_the_crawl(
    finews: CommandRunner, crawl: CommandRunner, output: Path
) -> None:
    crawl("flash")
    execute_sql(output, "UPDATE articles SET published_revision = NULL")
    exit_code, answer = read(finews, output)
    assert (exit_code, answer["posts_owed"]) == (4, answer["articles"])
    with OutputDir.lock(output):
        exit_code, answer = read(finews, output)
    assert (exit_code, answer["crawling"]) == (0, True)


def test_failing_entries_and_quarantine_change_no_exit_code(
    finews: CommandRunner, crawl: CommandRunner, output: Path
) -> None:
    crawl("choice")
    execute_sql(output, "UPDATE sightings SET failures = 3")
    exit_code, answer = read(finews, output)
    assert (exit_code, answer["quarantined"]) == (0, 1)
    assert answer["sources"][0]["failing_entries"] > 0


def test_database_that_another_program_writes_can_be_written(
    finews: CommandRunner, crawl: CommandRunner, output: Path
) -> None:
    crawl("flash")
    connection = sqlite3.connect(output / "news.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    assert read(finews, output)[0] == 0
    connection.close()


def test_status_without_a_database_is_one_line(finews: CommandRunner, output: Path) -> None:
    result = finews("status", "--output", str(output))
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert not output.exists()
    result = finews("status", "--max-age", "soon")
    assert (result.exit_code, "'soon' is not an age: type 30s" in result.stderr) == (2, True)


def test_metrics_file_is_written_whole(
    finews: CommandRunner, crawl: CommandRunner, output: Path, tmp_path: Path
) -> None:
    crawl("flash")
    path = tmp_path / "finews.prom"
    assert finews("status", "--output", str(output), "--prometheus", str(path)).exit_code == 0
    metrics = {family.name: family for family in text_string_to_metric_families(path.read_text())}
    assert metrics["finews_healthy"].samples[0].value == 1
    (sample,) = metrics["finews_last_good_crawl_timestamp_seconds"].samples
    (source,) = read(finews, output)[1]["sources"]
    assert sample.labels == {"source": "flash"}
    assert sample.value == datetime.fromisoformat(source["last_good_at"]).timestamp()
    result = finews("status", "--output", str(output), "--prometheus", str(tmp_path / "nowhere" / "finews.prom"))
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)


def test_ping_address_is_requested_after_a_good_crawl_and_its_fail_after_a_bad_one(
    finews: CommandRunner, sample_site: SampleSite, output: Path
) -> None:
    with SampleSite() as monitor:
        args = ("crawl", "flash", "--mirror", sample_site.url, "--output", str(output), "--quiet", *FAST_SETTINGS)
        monitor.add_fault("/ping", return_status(200))
        assert finews(*args, FINEWS_PING=f"{monitor.url}/ping/1").stderr == ""
        sample_site.add_fault("getFastNewsList", return_status(404))
        assert finews(*args, FINEWS_PING=f"{monitor.url}/ping/1").exit_code == 1
        assert [request.path for request in monitor.requests] == ["/ping/1", "/ping/1/fail"]
    result = finews(*args, FINEWS_PING=f"{monitor.url}/ping/1")
    assert (result.exit_code, "finews: the ping address did not answer: " in result.stderr) == (1, True)
    assert finews(*args, FINEWS_PING="file:///etc/passwd").exit_code == 2
