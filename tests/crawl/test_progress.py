"""Progress display: the time left, the plain lines, and the live line on a real terminal."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest

from crawler.sample_site import SampleSite
from tests.support.commands import FAST_SETTINGS, CommandRunner, build_crawl_command
from tests.support.database import Query, execute_sql

pytestmark = pytest.mark.slow


@pytest.fixture
def backfill_args(sample_site: SampleSite, output: Path) -> list[str]:
    """Return the arguments of a crawl of three pages of one column."""
    sample_site.corpus.publish(900)
    head = sample_site.corpus.find_listed(sample_site.corpus.codes_in_columns(["345"])[250])
    assert head
    since = f"{head.published_at:%Y-%m-%d}"
    return [
        "crawl",
        "--column",
        "345",
        "--since",
        since,
        "--mirror",
        sample_site.url,
        "--output",
        str(output),
        *FAST_SETTINGS,
    ]


def test_plain_progress_line_shows_date_and_eta(finews: CommandRunner, backfill_args: list[str]) -> None:
    since = backfill_args[4]
    lines = finews(*backfill_args).stderr.splitlines()
    expected_line = rf"eastmoney: \d+ of \d+ entries: [a-z0-9, ]+; at \d{{4}}-\d\d-\d\d of {since}, about \d+ s left"
    assert [line for line in lines if re.fullmatch(expected_line, line)]
    assert [line for line in lines if not line.startswith("eastmoney: ")] == []


@pytest.mark.parametrize("quiet", [False, True])
def test_building_the_search_index_again_is_reported(
    crawl: CommandRunner, output: Path, query: Query, quiet: bool
) -> None:
    assert crawl().exit_code == 0
    (count,) = query("SELECT count(*) FROM articles")
    # As after an update, with enough articles for a report.
    execute_sql(output, "INSERT INTO search_pending SELECT code FROM articles")
    program = """
from crawler.cli import main
from crawler.storage.search import index
index._ARTICLES_PER_BATCH = index._ARTICLES_PER_REPORT = 4
main()
"""
    words = [sys.executable, "-c", program, *build_crawl_command("http://127.0.0.1:9", output, "eastmoney")[3:]]
    words = words if quiet else [word for word in words if word != "--quiet"]
    stderr = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False).stderr
    lines = [line for line in stderr.splitlines() if line.startswith("search index")]
    expected = [f"search index: {done} articles indexed, {count - done} to go" for done in range(0, count, 4)]
    assert lines == ([] if quiet else expected)
    assert query("SELECT count(*) FROM search_pending") == [0]


def run_on_terminal(args: Sequence[str], columns: int) -> str:
    """Return the stderr of a command on a terminal of the given width in columns."""
    master_fd, slave_fd = pty.openpty()
    fcntl.ioctl(slave_fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler", *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=slave_fd,
        env={**environment, "TERM": "xterm-256color"},
    )
    os.close(slave_fd)
    output = b""
    # Reading fails when the other end is closed.
    while chunk := _read_chunk(master_fd):
        output += chunk
    os.close(master_fd)
    assert process.wait() == 0
    return output.decode()


def _read_chunk(master_fd: int) -> bytes:
    try:
        return os.read(master_fd, 65536)
    except OSError:
        return b""


def test_live_progress_line_shows_date_and_eta(backfill_args: list[str]) -> None:
    output = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", run_on_terminal(backfill_args, columns=160))
    assert re.search(
        rf"eastmoney .*\d+/\d+ .*new.* at \d{{4}}-\d\d-\d\d of {backfill_args[4]}, about \d+ s left \d:\d\d:\d\d",
        output,
    )


def test_live_progress_line_fits_a_narrow_terminal(backfill_args: list[str]) -> None:
    output = run_on_terminal(backfill_args, columns=80)
    lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in re.split(r"[\r\n]+", output)]
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if re.search(r"\d+/\d+ .*about \d+ s left \d:\d\d:\d\d", line)]
    # The cursor goes up once, when the line is removed; until then it is overwritten.
    assert output.count("\x1b[1A") == 1
