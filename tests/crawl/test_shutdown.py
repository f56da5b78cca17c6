"""Crawls that are stopped by a signal."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.sample_site import SampleSite, delay_response
from tests.support.commands import FAST_SETTINGS, CommandRunner
from tests.support.database import Query
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

# A crawl that drops open requests only at the second signal.
FINEWS_WITH_LONG_GRACE_PERIOD = """
from crawler.cli import main
from crawler.crawl import runner
runner.SHUTDOWN_TIMEOUT = 600
main()
"""


def start_crawl(sample_site: SampleSite, output: Path, *python: str) -> subprocess.Popen[str]:
    target_args = ("--mirror", sample_site.url, "--output", str(output), "--column", "345")
    command = [sys.executable, *(python or ("-m", "crawler")), "crawl", *target_args, *FAST_SETTINGS]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


@pytest.mark.parametrize(
    ("signum", "exit_code"), [(signal.SIGTERM, 1), (signal.SIGINT, 130)], ids=["SIGTERM", "Ctrl-C"]
)
def test_signal_stops_crawl_and_keeps_fetched_articles(
    crawl: CommandRunner, sample_site: SampleSite, output: Path, query: Query, signum: signal.Signals, exit_code: int
) -> None:
    """A response that takes longer than the shutdown timeout does not delay the stop."""
    codes = sample_site.corpus.codes_in_columns(["345"])
    sample_site.add_fault(codes[-1], delay_response(60))
    crawl_process = start_crawl(sample_site, output)
    wait_until(lambda: len(sample_site.requested_codes) == len(codes))
    wait_until(lambda: query("SELECT count(*) FROM articles")[0] == len(codes) - 1)
    crawl_process.send_signal(signum)
    _, err = crawl_process.communicate()
    assert crawl_process.returncode == exit_code
    assert err == "finews: stopped before the end; the next crawl goes on\n"
    assert query("SELECT outcome, listed, new, failed FROM runs") == [("interrupted", len(codes), len(codes) - 1, 1)]
    assert_outcomes_add_up(query)
    assert_posts_match_rows(output)
    sample_site.reset()
    next_crawl = crawl("eastmoney", "--column", "345")
    assert (next_crawl.exit_code, next_crawl.json["new"]) == (0, 1)


def test_second_signal_stops_crawl_at_once(sample_site: SampleSite, output: Path, query: Query) -> None:
    sample_site.add_fault("article", delay_response(600))
    crawl_process = start_crawl(sample_site, output, "-c", FINEWS_WITH_LONG_GRACE_PERIOD)
    wait_until(lambda: sample_site.requested_codes)
    # Two equal signals at the same time would be delivered once.
    crawl_process.send_signal(signal.SIGTERM)
    crawl_process.send_signal(signal.SIGINT)
    crawl_process.communicate(timeout=240)
    assert crawl_process.returncode == 130
    assert query("SELECT outcome FROM runs") == ["interrupted"]
    assert_outcomes_add_up(query)
