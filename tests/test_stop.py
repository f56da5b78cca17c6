"""A crawl that is told to stop."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import SampleSite, delay_response
from tests.conftest import NO_MANNERS, Finews, waited_for
from tests.test_crawl import assert_books_balance, assert_posts_are_rows

Query = Callable[..., list[Any]]


# A crawl that gives up what is under way at the second signal only.
PATIENT = """
from crawler import run
from crawler.cli import main
runner.SHUTDOWN_TIMEOUT = 600
main()
"""


def start(site: SampleSite, output: Path, *python: str) -> subprocess.Popen[str]:
    where = ("--mirror", site.url, "--output", str(output), "--column", "345")
    command = [sys.executable, *(python or ("-m", "crawler")), "crawl", *where, *NO_MANNERS]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_ends_a_crawl_and_keeps_what_was_fetched(
    crawl: Finews, site: SampleSite, output: Path, query: Query, number: signal.Signals
) -> None:
    """Even while a reply hangs that would take longer than anybody waits."""
    codes = site.corpus.codes_in_columns(["345"])
    site.add_fault(codes[-1], delay_response(60))
    running = start(site, output)
    waited_for(lambda: len(site.requested_codes) == len(codes))
    waited_for(lambda: query("SELECT count(*) FROM articles")[0] == len(codes) - 1)
    running.send_signal(number)
    _, err = running.communicate()
    assert running.returncode == 1
    assert err.splitlines()[0] == "finews: stopped before the end; the next crawl goes on"
    assert "Traceback" not in err
    assert query("SELECT outcome, listed, new, failed FROM runs") == [("interrupted", len(codes), len(codes) - 1, 1)]
    assert_books_balance(query)
    assert_posts_are_rows(output)
    site.reset()
    again = crawl("eastmoney", "--column", "345")
    assert (again.code, again.value["new"]) == (0, 1)


def test_a_second_signal_ends_it_at_once(site: SampleSite, output: Path, query: Query) -> None:
    site.add_fault("article", delay_response(600))
    running = start(site, output, "-c", PATIENT)
    waited_for(lambda: site.requested_codes)
    # Two of one kind that come together would be one.
    running.send_signal(signal.SIGTERM)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=240)
    assert running.returncode == 1
    assert query("SELECT outcome FROM runs") == ["interrupted"]
    assert_books_balance(query)
