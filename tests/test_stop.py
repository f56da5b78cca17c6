"""A crawl that is told to stop."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import SampleSite, hang
from tests.conftest import NO_MANNERS, Finews, waited_for
from tests.test_crawl import assert_books_balance, assert_posts_are_rows

Query = Callable[..., list[Any]]


def start(site: SampleSite, output: Path) -> subprocess.Popen[str]:
    where = ("--mirror", site.url, "--output", str(output), "--column", "345")
    command = [sys.executable, "-m", "crawler", "crawl", *where, *NO_MANNERS]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_ends_a_crawl_and_keeps_what_was_fetched(
    crawl: Finews, site: SampleSite, output: Path, query: Query, number: signal.Signals
) -> None:
    """Even while a reply hangs that would take longer than anybody waits."""
    codes = site.corpus.in_columns(["345"])
    site.fail(codes[-1], hang(60))
    running = start(site, output)
    waited_for(lambda: len(site.article_requests) == len(codes))
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
    site.fail("article", hang(60))
    running = start(site, output)
    waited_for(lambda: site.article_requests)
    running.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    running.send_signal(signal.SIGTERM)
    running.communicate()
    assert running.returncode == 1
    assert query("SELECT outcome FROM runs") == ["interrupted"]
    assert_books_balance(query)
