"""Nothing that came from outside moves the cursor, colours the terminal or turns a line round, however it is printed."""

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.cli.output import pluralise, print_highlighted_line, print_json, print_line, print_table
from tests.support.commands import CommandRunner
from tests.support.injection_payloads import terminal_payloads

HOSTILE_TEXTS = [text.replace("\n", " ") for text in terminal_payloads()] + [
    "涨\x9b31m跌",
    "涨\u202e跌",
    "涨\x7f跌",
    "涨\ud83d跌",
]
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

PRINTERS: dict[str, Callable[[str], None]] = {
    "a line": print_line,
    "a line on stderr": lambda text: print_line(text, err=True),
    "a value": lambda text: print_json([{text: text}]),
    "a line of marked parts": lambda text: print_highlighted_line([(text, False), (text, True)], ("【", "】")),
    "a cell": lambda text: print_table([{"a": text, "b": [text, 1], "c": None}], ("a", "b", "c")),
}


@pytest.mark.parametrize("printer", PRINTERS.values(), ids=PRINTERS.keys())
def test_no_output_function_prints_control_characters(
    printer: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for text in HOSTILE_TEXTS:
        printer(text)
    printed = "".join(capsys.readouterr())
    assert "涨" in printed
    assert CONTROL_CHARACTERS.findall(printed) == []


def test_json_output_keeps_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(HOSTILE_TEXTS)
    assert json.loads(capsys.readouterr().out) == HOSTILE_TEXTS


@pytest.mark.parametrize(
    "args",
    [("show", "\x1b[31mx"), ("crawl", "\x1b]0;x\x07"), ("crawl", "--set", "\x1b[2J=1"), ("\x9b2J",), ("diff", "\x1b[H"), ("explain", "\x1b[H"), ("crawl", "--since", "\x1b[H")],
    ids=lambda args: args[0].strip("\x9b"),
)  # fmt: skip
def test_usage_error_quotes_arguments_without_escapes(args: tuple[str, ...], finews: CommandRunner) -> None:
    result = finews(*args)
    assert result.exit_code in {1, 2}
    assert CONTROL_CHARACTERS.findall(result.stderr + result.stdout) == []
    assert result.stderr.startswith("finews: ")


@pytest.mark.parametrize("question", ["show", "diff", "explain", "search", "categories", "columns", "runs"])
@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
def test_escapes_in_the_database_are_not_printed(question: str, as_json: tuple[str, ...], crawl: CommandRunner, finews: CommandRunner, output: Path) -> None:  # fmt: skip
    """Rows of finews hold none; those of an older release, or of another program, may."""
    assert crawl("eastmoney", "--limit", "3").exit_code in {0, 3}
    code = insert_escapes(output)
    args = [question, *{"show": [code], "diff": [code], "explain": [code], "search": ["涨"]}.get(question, [])]
    result = finews(*args, *as_json, "--output", str(output))
    assert result.exit_code == 0, result.stderr
    assert CONTROL_CHARACTERS.findall(result.stdout + result.stderr) == []


@pytest.mark.parametrize(("number", "expected"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries")])
def test_pluralise(number: int, expected: str) -> None:
    assert pluralise(number, "entry", "entries") == expected
    assert pluralise(1, "page") == "1 page"


def test_terminal_gets_only_our_highlight_escapes(crawl: CommandRunner, output: Path) -> None:
    assert crawl("eastmoney", "--limit", "3").exit_code in {0, 3}
    insert_escapes(output)
    master_fd, slave_fd = pty.openpty()
    command = (sys.executable, "-m", "crawler", "search", "涨", "--limit", "1", "--output", str(output))
    subprocess.run(command, stdout=slave_fd, env={**os.environ, "TERM": "xterm"}, timeout=60, check=True)
    terminal_output = os.read(master_fd, 65536).decode()
    os.close(slave_fd)
    os.close(master_fd)
    assert terminal_output.count("\x1b[1;33m涨\x1b[0m31m2J") == 2
    assert (
        CONTROL_CHARACTERS.findall(terminal_output.replace("\x1b[1;33m", "").replace("\x1b[0m", "").replace("\r\n", ""))
        == []
    )


# What a page can show, and a terminal obeys; of C0 controls, rows are left out (storage/row_rules.py).
ESCAPES = "涨\x9b31m\x9b2J\u202e"


def insert_escapes(output: Path) -> str:
    """Have another program write escapes into every text; the code of an article."""
    connection = sqlite3.connect(output / "news.db")
    (code,) = connection.execute("select code from articles limit 1").fetchone()
    connection.execute("update articles set title = ?, body_text = ?, media = ?, url = ?", (ESCAPES,) * 4)
    connection.execute("update categories set media = ?", (ESCAPES,))
    connection.execute("update entries set detail = ?", ("涨\x1b[31m",))
    connection.commit()
    connection.close()
    return str(code)
