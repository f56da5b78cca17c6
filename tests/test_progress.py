"""How far a crawl tells that it is: the estimate, the plain lines, and the live line on a real terminal."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.eta import EtaEstimator
from crawler.crawl.policy.pagination import ListingPaginator
from crawler.items import ListingEntry, ListingSize, Outcome
from crawler.sample_site import SampleSite
from tests.conftest import NO_MANNERS, Finews

NOON = datetime(2026, 9, 18, 12, 0, tzinfo=CHINA_TZ)
MINUTE = timedelta(minutes=1)


def take_page(
    outlook: EtaEstimator,
    walk: ListingPaginator,
    outcomes: Sequence[Outcome | None],
    *,
    last: bool = False,
    known: int | None = None,
) -> None:
    """A page with so many entries, one a minute."""
    numbers = range(walk.rows_read, walk.rows_read + len(outcomes))
    page = [ListingEntry(f"{number:018}", "题", NOON - number * MINUTE, "345", "http://x") for number in numbers]
    goes_on = walk.wants_next_page(
        page,
        has_new_entries=bool(page),
        all_known=False,
        is_last_page=last,
        listing_size=walk.listing_size or ListingSize(1000, 10),
    )
    for outcome in outcomes:
        outlook.count_entry(outcome, newly_listed=True)
    outlook.count_page("345", walk if goes_on else None, known)


def settle(outlook: EtaEstimator, entries: int) -> None:
    for _ in range(entries):
        outlook.count_entry(Outcome.NEW, newly_listed=False)


def test_an_estimate_counts_the_pages_that_are_still_to_be_walked() -> None:
    """Ten pages of 100 articles: of 1,010 requests 51 are done after 51 seconds."""
    outlook, walk = EtaEstimator(["345"]), ListingPaginator()
    take_page(outlook, walk, [None] * 100)
    settle(outlook, 50)
    assert outlook.estimate_seconds_left(51.0) == pytest.approx(1010 - 51)


def test_it_ends_at_nothing() -> None:
    outlook, walk = EtaEstimator(["345"]), ListingPaginator()
    take_page(outlook, walk, [None] * 100, last=True)
    settle(outlook, 100)
    assert outlook.estimate_seconds_left(101.0) == 0
    assert outlook.reached() is None


def test_what_is_known_ahead_takes_no_time_but_its_pages() -> None:
    """A backfill that goes on: the first five pages are known."""
    outlook, walk = EtaEstimator(["345"]), ListingPaginator()
    take_page(outlook, walk, [Outcome.UNCHANGED] * 100, known=400)
    for _ in range(4):
        take_page(outlook, walk, [Outcome.UNCHANGED] * 100)
    take_page(outlook, walk, [None] * 100)
    settle(outlook, 94)
    assert outlook.estimate_seconds_left(100.0) == pytest.approx(6 + 4 + 400)


def test_it_ends_where_the_backfill_does() -> None:
    outlook, walk = EtaEstimator(["345"]), ListingPaginator(since=NOON - 250 * MINUTE)
    take_page(outlook, walk, [None] * 100)
    settle(outlook, 99)
    assert outlook.reached() == NOON - 99 * MINUTE
    # One article, two pages, and what is on them since then.
    assert outlook.estimate_seconds_left(100.0) == pytest.approx(1 + 2 + 153, abs=2)


def test_listings_that_have_not_come_are_as_long_as_those_that_have() -> None:
    outlook, walk = EtaEstimator(["345", "350"]), ListingPaginator()
    take_page(outlook, walk, [None] * 100)
    settle(outlook, 99)
    assert outlook.estimate_seconds_left(100.0) == pytest.approx(1 + 909 + 910)


def test_duplicates_and_what_is_filtered_take_no_time() -> None:
    outlook, walk = EtaEstimator(["345"]), ListingPaginator()
    take_page(outlook, walk, [None] * 20 + [Outcome.DUPLICATE] * 50 + [Outcome.FILTERED] * 30)
    settle(outlook, 20)
    assert outlook.estimate_seconds_left(21.0) == pytest.approx(9 + 900 * 0.2)


def test_a_limit_is_the_most_that_is_still_to_come() -> None:
    outlook, walk = EtaEstimator(["345"], limit=130), ListingPaginator()
    take_page(outlook, walk, [None] * 100)
    settle(outlook, 100)
    assert outlook.estimate_seconds_left(101.0) == pytest.approx(31)


def test_where_nobody_knows_the_end_nothing_is_said_of_it() -> None:
    outlook, walk = EtaEstimator(["102"]), ListingPaginator()
    page = [ListingEntry(f"{number:018}", "题", NOON - number * MINUTE, "102", "http://x") for number in range(50)]
    assert walk.wants_next_page(page, has_new_entries=True, all_known=False, is_last_page=False)
    for _ in page:
        outlook.count_entry(None, newly_listed=True)
    outlook.count_page("102", walk, 0)
    settle(outlook, 50)
    assert outlook.estimate_seconds_left(51.0) is None


def test_it_says_nothing_before_there_is_a_pace() -> None:
    outlook, walk = EtaEstimator(["345"]), ListingPaginator()
    take_page(outlook, walk, [None] * 100)
    settle(outlook, 3)
    assert outlook.estimate_seconds_left(4.0) is None


# the whole command


@pytest.fixture
def backfill(site: SampleSite, output: Path) -> list[str]:
    """The words of a crawl of three pages of one column."""
    site.corpus.publish(900)
    head = site.corpus.find_listed(site.corpus.codes_in_columns(["345"])[250])
    assert head
    since = f"{head.published_at:%Y-%m-%d}"
    return ["crawl", "--column", "345", "--since", since, "--mirror", site.url, "--output", str(output), *NO_MANNERS]


def test_a_plain_line_tells_how_far_back_a_backfill_is_and_how_long_it_takes(
    finews: Finews, backfill: list[str]
) -> None:
    since = backfill[4]
    lines = finews(*backfill).err.splitlines()
    told = rf"eastmoney: \d+ of \d+ entries: [a-z0-9, ]+; at \d{{4}}-\d\d-\d\d of {since}, about \d+ s left"
    assert [line for line in lines if re.fullmatch(told, line)]
    assert [line for line in lines if not line.startswith("eastmoney: ")] == []


def on_a_terminal(words: Sequence[str], columns: int) -> str:
    """What a command writes to stderr where that is a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**environment, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    seen = b""
    # Reading fails when nobody has the other end open any more.
    while chunk := _read(ours):
        seen += chunk
    os.close(ours)
    assert process.wait() == 0
    return seen.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_the_live_line_tells_it_too(backfill: list[str]) -> None:
    seen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", on_a_terminal(backfill, columns=160))
    assert re.search(
        rf"eastmoney .*\d+/\d+ .*new.* at \d{{4}}-\d\d-\d\d of {backfill[4]}, about \d+ s left \d:\d\d:\d\d", seen
    )


def test_the_live_line_is_one_whole_line_on_a_narrow_terminal(backfill: list[str]) -> None:
    seen = on_a_terminal(backfill, columns=80)
    shown = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in re.split(r"[\r\n]+", seen)]
    assert max(map(len, shown)) <= 80
    assert [line for line in shown if re.search(r"\d+/\d+ .*about \d+ s left \d:\d\d:\d\d", line)]
    # The cursor goes up once, when the line is taken away: until then it is drawn over itself.
    assert seen.count("\x1b[1A") == 1
