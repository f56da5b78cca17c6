"""Exports, read back by the libraries that others read them with."""

import csv
import json
import os
import pty
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from tests.support.commands import CommandRunner


def test_each_export_format_has_every_row(
    run_on_output: CommandRunner, all_rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        result = run_on_output("export", str(tmp_path / name))
        assert (result.exit_code, result.stderr) == (0, "")
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == all_rows
    assert parquet.read_table(tmp_path / "a.parquet").to_pylist() == all_rows
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as stream:
        csv_rows = list(csv.DictReader(stream))
    assert [row["body_text"] for row in csv_rows] == [row["body_text"] for row in all_rows]
    assert [row["title"] for row in csv_rows] == [
        row["title"] if row["title"] != "=cmd()|1" else "'=cmd()|1" for row in all_rows
    ]
    assert not [row for row in csv_rows if any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())]
    assert {file.name for file in tmp_path.iterdir() if file.is_file()} == {"a.csv", "a.jsonl", "a.parquet"}


def test_export_shows_progress_only_on_a_terminal(
    run_on_output: CommandRunner, all_rows: list[dict[str, Any]], output: Path, tmp_path: Path
) -> None:
    assert run_on_output("export", str(tmp_path / "a.jsonl")).stderr == ""
    master_fd, slave_fd = pty.openpty()
    command = (sys.executable, "-m", "crawler", "export", str(tmp_path / "b.jsonl"), "--output", str(output))
    environment = {**os.environ, "TERM": "xterm"}
    completed = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=slave_fd, env=environment, timeout=60, check=True
    )
    terminal_output = os.read(master_fd, 65536).decode()
    os.close(slave_fd)
    os.close(master_fd)
    assert "100%" in terminal_output
    assert completed.stdout.decode() == f"{len(all_rows)} articles in {tmp_path / 'b.jsonl'}\n"


@pytest.mark.usefixtures("run_on_output")
def test_full_disk_is_one_line(output: Path, tmp_path: Path) -> None:
    for args in (
        ("search", "公司"),
        ("search", "公司", "--json"),
        ("categories",),
        ("export", str(tmp_path / "a.csv")),
    ):
        command = (sys.executable, "-m", "crawler", *args, "--output", str(output))
        with Path("/dev/full").open("w") as full_device:
            completed = subprocess.run(
                command, stdout=full_device, stderr=subprocess.PIPE, text=True, timeout=60, check=False
            )
        assert (completed.returncode, completed.stderr) == (
            1,
            "finews: cannot write the answer: No space left on device\n",
        ), args


@pytest.mark.usefixtures("run_on_output")
def test_export_failing_half_way_is_one_line(output: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(output / "news.db")
    connection.execute("UPDATE articles SET summary = ?", ("长" * 100_000,))
    connection.commit()
    connection.close()
    command = (sys.executable, "-m", "crawler", "export", str(tmp_path / "a.jsonl"), "--output", str(output))
    limit = (200_000, 200_000)
    completed = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip
    assert completed.returncode == 1
    assert completed.stderr == f"finews: cannot write {tmp_path / 'a.jsonl'}: File too large\n"
    assert not list(tmp_path.glob("*a.jsonl*"))


def test_export_takes_search_filters(
    run_on_output: CommandRunner, all_rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    category = all_rows[0]["category"]
    assert run_on_output("export", str(tmp_path / "a.jsonl"), "--category", category).exit_code == 0
    exported_rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert exported_rows == [row for row in all_rows if row["category"] == category]
    wrong_format = run_on_output("export", str(tmp_path / "a.xls"))
    assert (wrong_format.exit_code, len(wrong_format.stderr.splitlines())) == (2, 1)
    assert run_on_output("export", str(tmp_path / "nowhere" / "a.csv")).exit_code == 1


@pytest.mark.parametrize("query", ["", " ", '"', '""', "\udcff", "\u3000"])
def test_query_without_a_word_is_a_usage_error(run_on_output: CommandRunner, tmp_path: Path, query: str) -> None:
    for args in (("search", query), ("export", str(tmp_path / "e.csv"), "--query", query), ("feed", "--query", query)):
        result = run_on_output(*args)
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1), args
        assert "holds no word" in result.stderr
    assert not (tmp_path / "e.csv").exists()
