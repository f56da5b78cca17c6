"""Ctrl-C ends every command with one line and exit code 130."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.sample_site import SampleSite
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, CommandResult
from tests.support.held_responses import HeldResponses
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

COMMANDS = (
    ("export", "a.csv"),
    ("import", "."),
    ("rebuild", "db"),
    ("rebuild", "posts"),
    ("replay",),
    ("serve", "--port", "0"),
    ("site", "build"),
    ("verify",),
    ("verify", "--repair"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_ctrl_c_is_one_line_and_exit_code_130(words: tuple[str, ...], output: Path, tmp_path: Path) -> None:
    (output / "_posts").mkdir(parents=True)
    (output / "news.db").write_text("not empty")
    assert run_finews(*words, cwd=tmp_path, ctrl_c=True) == CommandResult(130, "", "finews: stopped\n")


def test_ctrl_c_of_a_plan_is_exit_code_130(sample_site: SampleSite, output: Path) -> None:
    held_responses = HeldResponses(sample_site, "/")
    target_args = ("--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS)
    command = [sys.executable, "-m", "crawler", "crawl", "--plan", *target_args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: held_responses.held_requests)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "finews: stopped before the end\n")
    assert process.returncode == 130
