"""Pace of crawls with default settings, by a clock of the test, and across two crawls."""

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from crawler.crawl.policy.pace import MAX_REQUESTS_PER_WINDOW
from crawler.sample_site import SampleSite, return_body
from crawler.storage.request_log import FILE_NAME, RequestLog
from tests.support.commands import PROJECT_ROOT, CommandRunner

pytestmark = pytest.mark.slow


def run_paced_crawl(output: Path, articles: int, spider: str) -> Any:
    command = [sys.executable, "-m", "tests.support.paced_crawl", str(output), str(articles), spider]
    completed = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout)


def busiest_window(times: list[float], seconds: float) -> int:
    """Return the maximum of requests in any half-open span of a number of seconds."""
    return max(sum(start <= time < start + seconds for time in times) for start in times)


def test_first_crawl_keeps_the_pace(output: Path) -> None:
    crawl = run_paced_crawl(output, 310, "eastmoney")
    times = crawl["times"]
    assert crawl["exit_code"] == 0
    assert len(times) == crawl["requests"] > MAX_REQUESTS_PER_WINDOW + 60
    distances = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(distances) > 0.9
    busiest = {seconds: busiest_window(times, seconds) for seconds in (1, 60, 300)}
    assert busiest[1] <= 2
    assert busiest[60] <= 60
    assert busiest[300] <= MAX_REQUESTS_PER_WINDOW


def test_next_crawl_counts_the_requests_of_the_last(output: Path) -> None:
    output.mkdir()
    now = time.time()
    lines = [f"{now - 100 + number / 3:.6f} eastmoney\n" for number in range(MAX_REQUESTS_PER_WINDOW)]
    (output / FILE_NAME).write_text("".join([*lines, "another line\n", f"{now:.6f} sina\n", "nan eastmoney\n"]))
    crawl = run_paced_crawl(output, 12, "flash")
    assert crawl["exit_code"] == 0
    assert (output / FILE_NAME).read_text().count(" eastmoney\n") == MAX_REQUESTS_PER_WINDOW + 1 + len(crawl["times"])
    waited = float((output / FILE_NAME).read_text().splitlines()[-len(crawl["times"])].split()[0]) - now
    assert 195 < waited < 260


def test_clock_that_was_set_back_keeps_no_crawl_waiting(
    finews: CommandRunner, sample_site: SampleSite, output: Path
) -> None:
    output.mkdir()
    (output / FILE_NAME).write_text("".join(f"{time.time() + 90_000} eastmoney\n" for _ in range(300)))
    result = finews("crawl", "flash", "--mirror", sample_site.url, "--output", str(output), "--limit", "1")
    assert result.exit_code == 0


def test_crawl_delay_is_obeyed(finews: CommandRunner, sample_site: SampleSite, output: Path) -> None:
    sample_site.add_fault("robots.txt", return_body(b"User-agent: *\nCrawl-delay: 1.5\n", "text/plain"))
    args = ("--mirror", sample_site.url, "--output", str(output), "--set", "DOWNLOAD_DELAY=0.01", "--limit", "1")
    assert finews("crawl", "flash", *args).exit_code == 0
    robots, listing = (hit.received_at for hit in sample_site.requests)
    assert listing - robots > 1.4


def test_log_that_cannot_be_written_is_no_failure(finews: CommandRunner, sample_site: SampleSite, output: Path) -> None:
    (output / FILE_NAME).mkdir(parents=True)
    result = finews("crawl", "flash", "--mirror", sample_site.url, "--output", str(output), "--limit", "1")
    assert result.exit_code == 0


def test_log_is_shared_and_shortened(tmp_path: Path) -> None:
    first, second = (RequestLog(tmp_path / FILE_NAME, "eastmoney") for _ in range(2))
    first.append(1.5)
    second.append(2.5)
    RequestLog(tmp_path / FILE_NAME, "sina").append(3.5)
    assert (first.read_new(), second.read_new(), first.read_new()) == ([2.5], [1.5], [])
    (tmp_path / FILE_NAME).write_text("1.0 eastmoney\n" * 30_000 + "2.0 eastmoney\n")
    third = RequestLog(tmp_path / FILE_NAME, "eastmoney")
    third.shorten()
    times = third.read_new()
    assert (times[-1], 500 < len(times) < 2_000) == (2.0, True)
