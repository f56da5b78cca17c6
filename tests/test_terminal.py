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
from tests.conftest import Finews
from tests.injection.grammar import terminals

HOSTILE = [text.replace("\n", " ") for text in terminals()] + ["涨\x9b31m跌", "涨\u202e跌", "涨\x7f跌", "涨\ud83d跌"]
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

PRINTERS: dict[str, Callable[[str], None]] = {
    "a line": print_line,
    "a line on stderr": lambda text: print_line(text, err=True),
    "a value": lambda text: print_json([{text: text}]),
    "a line of marked parts": lambda text: print_highlighted_line([(text, False), (text, True)], ("【", "】")),
    "a cell": lambda text: print_table([{"a": text, "b": [text, 1], "c": None}], ("a", "b", "c")),
}


@pytest.mark.parametrize("printer", PRINTERS.values(), ids=PRINTERS.keys())
def test_no_printer_lets_a_control_character_through(
    printer: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for text in HOSTILE:
        printer(text)
    printed = "".join(capsys.readouterr())
    assert "涨" in printed
    assert OBEYED.findall(printed) == []


def test_a_value_is_still_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(HOSTILE)
    assert json.loads(capsys.readouterr().out) == HOSTILE


@pytest.mark.parametrize(
    "words",
    [("show", "\x1b[31mx"), ("crawl", "\x1b]0;x\x07"), ("crawl", "--set", "\x1b[2J=1"), ("\x9b2J",), ("diff", "\x1b[H"), ("explain", "\x1b[H"), ("crawl", "--since", "\x1b[H")],
    ids=lambda words: words[0].strip("\x9b"),
)  # fmt: skip
def test_a_message_quotes_what_was_typed_without_obeying_it(words: tuple[str, ...], finews: Finews) -> None:
    answer = finews(*words)
    assert answer.code in {1, 2}
    assert OBEYED.findall(answer.err + answer.out) == []
    assert answer.err.startswith("finews: ")


@pytest.mark.parametrize("question", ["show", "diff", "explain", "search", "categories", "columns", "runs"])
@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
def test_a_database_that_holds_escapes_is_shown_without_them(question: str, as_json: tuple[str, ...], crawl: Finews, finews: Finews, output: Path) -> None:  # fmt: skip
    """Rows of ours hold none; those of an older release, or of another program, may."""
    assert crawl("eastmoney", "--limit", "3").code in {0, 3}
    code = make_hostile(output)
    words = [question, *{"show": [code], "diff": [code], "explain": [code], "search": ["涨"]}.get(question, [])]
    answer = finews(*words, *as_json, "--output", str(output))
    assert answer.code == 0, answer.err
    assert OBEYED.findall(answer.out + answer.err) == []


@pytest.mark.parametrize(("number", "told"), [(0, "0 replies"), (1, "1 reply"), (2, "2 replies")])
def test_one_thing_is_not_told_as_many(number: int, told: str) -> None:
    assert pluralise(number, "reply", "replies") == told
    assert pluralise(1, "page") == "1 page"


def test_a_terminal_is_shown_our_marks_and_no_others(crawl: Finews, output: Path) -> None:
    assert crawl("eastmoney", "--limit", "3").code in {0, 3}
    make_hostile(output)
    ours, theirs = pty.openpty()
    command = (sys.executable, "-m", "crawler", "search", "涨", "--limit", "1", "--output", str(output))
    subprocess.run(command, stdout=theirs, env={**os.environ, "TERM": "xterm"}, timeout=60, check=True)
    shown = os.read(ours, 65536).decode()
    os.close(theirs)
    os.close(ours)
    assert shown.count("\x1b[1;33m涨\x1b[0m[31m2J") == 2
    assert OBEYED.findall(shown.replace("\x1b[1;33m", "").replace("\x1b[0m", "").replace("\r\n", "")) == []


def make_hostile(output: Path) -> str:
    """Have another program write escapes into every text; the code of an article."""
    connection = sqlite3.connect(output / "news.db")
    (code,) = connection.execute("select code from articles limit 1").fetchone()
    connection.execute(
        "update articles set title = ?, body_text = ?, media = ?, url = ?", ("涨\x1b[31m\x9b2J\u202e",) * 4
    )
    connection.execute("update categories set media = ?", ("涨\x1b[31m",))
    connection.execute("update entries set detail = ?", ("涨\x1b[31m",))
    connection.commit()
    connection.close()
    return str(code)
