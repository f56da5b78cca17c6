"""Ctrl-C ends every command with one line and exit code 130."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.sample_site import SampleSite
from tests.support.commands import FAST_SETTINGS, PROJECT_ROOT
from tests.support.held_responses import HeldResponses
from tests.support.waiting import wait_until

COMMANDS = (
    ("categories",),
    ("export", "a.csv"),
    ("feed",),
    ("import", "."),
    ("rebuild", "db"),
    ("rebuild", "posts"),
    ("rebuild", "search"),
    ("replay",),
    ("search", "公司"),
    ("serve", "--port", "0"),
    ("site", "build"),
    ("site", "check"),
    ("verify",),
    ("verify", "--repair"),
)
# Each command has a process, in which Ctrl-C comes when it opens the database.
RUN_ALL = """
import json, os, signal, sqlite3, sys
from tests.support.command_server import preload, run_command

def interrupt(*_, **__):
    signal.raise_signal(signal.SIGINT)

preload()
folder = os.getcwd()
endings = []
for words in json.loads(sys.argv[1]):
    request = {"args": words, "cwd": folder, "env": {**os.environ}, "stdout": "stdout", "stderr": "stderr"}
    if (process_id := os.fork()) == 0:
        sqlite3.connect = interrupt
        run_command(request)
    exit_code = os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1])
    endings.append((exit_code, open("stdout").read(), open("stderr").read()))
    os.unlink("stdout")
    os.unlink("stderr")
print(json.dumps(endings))
"""


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], list[object]]:
    """Exit code, standard output and standard error of each command."""
    folder = tmp_path_factory.mktemp("ctrl-c")
    (folder / "output" / "_posts").mkdir(parents=True)
    (folder / "output" / "news.db").write_text("not empty")
    command = [sys.executable, "-c", RUN_ALL, json.dumps(COMMANDS)]
    environment = {"PYTHONPATH": str(PROJECT_ROOT), "PATH": "/usr/bin:/bin"}
    completed = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return dict(zip(COMMANDS, json.loads(completed.stdout), strict=True))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_ctrl_c_is_one_line_and_exit_code_130(
    words: tuple[str, ...], endings: dict[tuple[str, ...], list[object]]
) -> None:
    assert endings[words] == [130, "", "finews: stopped\n"]


def test_ctrl_c_of_a_plan_is_exit_code_130(sample_site: SampleSite, output: Path) -> None:
    held_responses = HeldResponses(sample_site, "/")
    target_args = ("--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS)
    command = [sys.executable, "-m", "crawler", "crawl", "--plan", *target_args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: held_responses.held_requests)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "finews: stopped before the end\n")
    assert process.returncode == 130
