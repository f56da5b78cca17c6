"""Standard streams and arguments: any locale, and any stream closed, full, or without a reader."""

import os
import pty
import shlex
import shutil
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click
import pytest

from crawler.cli import _is_output_needed
from crawler.cli import finews as finews_group
from crawler.cli.streams import StandardStream, _are_utf8_arguments, _as_text
from crawler.sample_site import SampleSite
from crawler.storage import Store
from crawler.storage.output_dir import create_output_dir
from tests.support.commands import PROJECT_ROOT, CommandResult, CommandRunner, build_crawl_command
from tests.support.database import Query
from tests.support.output_checks import post_paths

pytestmark = pytest.mark.slow

FINEWS = [sys.executable, "-m", "crawler"]


def run_redirected(command: list[str], redirection: str) -> CommandResult:
    """Run a command as a shell does; what it prints comes back where it is not redirected."""
    script = f"{shlex.join(command)} {redirection}"
    completed = subprocess.run(
        ["/bin/sh", "-c", script], cwd=PROJECT_ROOT, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    return CommandResult(completed.returncode, completed.stdout, completed.stderr)


# Streams that cannot be written


def test_crawl_does_its_work_whatever_becomes_of_its_output(
    sample_site: SampleSite, output: Path, query: Query
) -> None:
    command = build_crawl_command(sample_site.url, output, "choice", "--json")
    assert run_redirected(command, ">/dev/full 2>/dev/full") == CommandResult(3, "", "")  # a row is in quarantine
    assert len(post_paths(output)) == len(query("SELECT code FROM articles")) > 0


@pytest.mark.parametrize(
    ("args", "redirection", "reason"),
    [
        (["--help"], ">/dev/full", "No space left on device"),
        (["categories", "--all"], ">&-", "Bad file descriptor"),
    ],
)
def test_command_whose_answer_is_lost_fails_with_one_line(args: list[str], redirection: str, reason: str) -> None:
    result = run_redirected([*FINEWS, *args], redirection)
    assert result == CommandResult(1, "", f"finews: cannot write the output: {reason}\n")


def test_scrapy_crawl_keeps_its_exit_code() -> None:
    command = [sys.executable, "-m", "scrapy", "crawl", "nothing"]
    assert run_redirected(command, ">&- 2>/dev/full") == CommandResult(2, "", "")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("crawl", False),
        ("rebuild posts", False),
        ("site build", False),
        ("site check", True),
        ("search", True),
        ("", True),
    ],
)
def test_output_is_needed_where_it_is_the_purpose(names: str, expected: bool) -> None:
    with ExitStack() as contexts:
        context = contexts.enter_context(click.Context(finews_group, info_name="python -m crawler"))
        for name in names.split():
            context = contexts.enter_context(click.Context(click.Command(name), context, info_name=name))
        assert _is_output_needed() is expected


def test_reader_that_has_gone_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    completed = subprocess.run(
        [*FINEWS, "--help"], cwd=PROJECT_ROOT, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writing)
    assert (completed.returncode, completed.stderr) == (0, b"")


def test_lost_stream_raises_once_where_it_is_needed() -> None:
    with Path("/dev/full").open("wb") as full:
        ignored, needed = (StandardStream(full.fileno(), partial(bool, is_needed)) for is_needed in (False, True))
        assert ignored.write(b"abc") == 3
        with pytest.raises(OSError, match="No space left"):
            needed.write(b"abc")
        assert needed.write(b"abc") == 3
        assert (ignored.error, str(needed.error)) == (None, "[Errno 28] No space left on device")


# Encodings


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal: ours, and that of the program in it."""
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # no carriage returns
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("encoding", "expected"), [("ascii", "??? ?"), ("gb18030", "央行é 😀"), ("gbk", "央行é ?"), ("latin-1", "??é ?")]
)
def test_terminal_gets_its_encoding_with_what_it_cannot_show_replaced(
    terminal: tuple[int, int], encoding: str, expected: str
) -> None:
    ours, theirs = terminal
    _as_text(StandardStream(theirs, lambda: True), encoding, line_buffering=True).write("央行é 😀\n")
    assert os.read(ours, 100).decode(encoding) == f"{expected}\n"


@pytest.mark.parametrize(
    ("arguments", "encoding", "expected"),
    [
        (["--category", "中国农网"], "ascii", True),
        ([], "ascii", True),
        (["--category", "中国农网"], "latin-1", True),
        (["--category", "中国农网"], "gb18030", True),
        ([], "gb18030", False),
        (["--category", "中国农网".encode("gb18030")], "gb18030", False),
        (["--output", b"\xff"], "ascii", False),
    ],
)
def test_arguments_are_utf8_unless_they_are_of_the_locale(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str | bytes], encoding: str, expected: bool
) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["finews", *map(os.fsdecode, arguments)])
    assert _are_utf8_arguments(encoding) is expected


def test_ascii_locale_takes_chinese_names_and_words_without_standard_error(
    sample_site: SampleSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Output that does not go to a terminal is UTF-8."""
    output = tmp_path / "财经新闻"
    for name, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    result = run_redirected(
        build_crawl_command(sample_site.url, output, "choice", "--category", "中国农网", "--json"), "2>&- <&-"
    )
    assert result.exit_code == 3  # a row is in quarantine
    assert (result.json["output"], result.json["arguments"]["category"]) == (str(output), "中国农网")
    assert result.json["new"] == len(post_paths(output)) > 0


def test_word_that_is_no_text_is_wrong_usage(finews: CommandRunner, output: Path) -> None:
    create_output_dir(output)
    Store.open_rw(output).close()
    result = finews("show", "\udcff", "--output", str(output))
    assert result == CommandResult(2, "", "finews: '\\udcff' is not UTF-8, nor in the locale's encoding\n")


@pytest.fixture
def gbk_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["localedef", "-i", "POSIX", "-f", "GBK", str(tmp_path / "chinese.GBK")]
    if not shutil.which(command[0]) or subprocess.run(command, capture_output=True, check=False).returncode > 1:
        pytest.skip("no locales can be made here: apt-get install locales")
    monkeypatch.setenv("LOCPATH", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "chinese.GBK")


@pytest.mark.usefixtures("gbk_locale")
@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_argument_may_be_in_the_encoding_of_the_locale(encoding: str) -> None:
    command: list[str | bytes] = [*FINEWS, "runs", "--output", "新闻".encode(encoding)]
    completed = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, timeout=60, check=False)
    assert (completed.returncode, completed.stdout) == (1, b"")
    assert "no finews database at 新闻/news.db" in completed.stderr.decode("utf-8")
