"""Exports, read back with the usual libraries."""

import codecs
import csv
import gzip
import io
import json
import os
import pty
import resource
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from crawler.publish.export import (
    EXPORT_COLUMNS,
    ExportFormat,
    ExportOptions,
    export_to_file,
    export_to_stream,
    parse_export_options,
)
from tests.support.commands import CommandRunner
from tests.support.database import Query

EXCEL_CASES = {
    "202201102242171631": "'202201102242171631",
    "1.600160": "'1.600160",
    "0012": "'0012",
    "2022-01-10": "'2022-01-10",
    "3/4": "'3/4",
    "1E5": "'1E5",
    "=1+1": "'=1+1",
    "+1": "'+1",
    "-1": "'-1",
    "@SUM(1)": "'@SUM(1)",
    "\t=1": "'\t=1",
    "\r=1": "'\r=1",
    "＝1+1": "'＝1+1",
    "350": "350",
    "A股": "A股",
    "": "",
}
"""Stored values, each with its cell for a spreadsheet."""


@pytest.fixture
def exported_rows(all_rows: list[dict[str, Any]], query: Query) -> list[dict[str, Any]]:
    """Return the expected rows of JSON Lines, by independent SQL."""
    stocks, columns = defaultdict(list), defaultdict(list)
    for code, secid, name in query("SELECT code, secid, name FROM mentions ORDER BY code, count DESC, secid"):
        stocks[code].append({"secid": secid, "name": name})
    for code, column_id in query("SELECT code, column_id FROM article_columns ORDER BY code, column_id"):
        columns[code].append(column_id)
    assert stocks
    assert columns
    return [{**row, "stocks": stocks[row["code"]], "columns": columns[row["code"]]} for row in all_rows]


def test_each_export_format_has_every_row(
    run_on_output: CommandRunner, exported_rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        result = run_on_output("export", str(tmp_path / name))
        assert (result.exit_code, result.stderr) == (0, "")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert lines == exported_rows
    assert [*lines[0]] == [*EXPORT_COLUMNS]
    times = ("published_at", "first_seen_at", "changed_at", "withdrawn_at")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert {str(table.schema.field(name).type) for name in times} == {"timestamp[us, tz=Asia/Shanghai]"}
    assert table.to_pylist() == [
        {**row, **{name: row[name] and datetime.fromisoformat(row[name]) for name in times}} for row in exported_rows
    ]
    # The stored values unchanged and no byte order mark: `code` is the first column's name.
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        assert list(csv.DictReader(stream)) == [
            {
                **{name: "" if value is None else str(value) for name, value in row.items()},
                "stocks": ";".join(f"{stock['secid']} {stock['name']}" for stock in row["stocks"]),
                "columns": ";".join(row["columns"]),
            }
            for row in exported_rows
        ]
    assert (tmp_path / "a.csv").read_bytes().split(b"\r\n")[0].decode().split(",") == [*EXPORT_COLUMNS]
    assert {file.name for file in tmp_path.iterdir() if file.is_file()} == {"a.csv", "a.jsonl", "a.parquet"}


def test_export_as_of_a_moment_has_the_stocks_and_columns_of_then(run_on_output: CommandRunner, query: Query) -> None:
    (code,) = query("SELECT code FROM mentions JOIN article_columns USING (code) LIMIT 1")
    (finished_at,) = query("SELECT finished_at FROM runs")
    moment = finished_at[:19].replace("T", " ")
    result = run_on_output("export", "-", "--format", "jsonl", "--as-of", moment, "--query", code)
    (row,) = map(json.loads, result.stdout.splitlines())
    shown = run_on_output("show", code, "--as-of", moment, "--json").json
    assert row["columns"] == shown["columns"]
    assert row["stocks"] == [{name: stock[name] for name in ("secid", "name")} for stock in shown["mentions"]]
    assert row["stocks"]
    assert row["columns"]


def test_excel_export_keeps_codes_and_computes_nothing(
    run_on_output: CommandRunner, all_rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert run_on_output("export", str(tmp_path / "a.csv"), "--excel").exit_code == 0
    content = (tmp_path / "a.csv").read_bytes()
    assert content.startswith(codecs.BOM_UTF8)
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert [row["code"] for row in rows] == [f"'{row['code']}" for row in all_rows]
    assert [row["title"] for row in rows] == [
        row["title"] if row["title"] != "=cmd()|1" else "'=cmd()|1" for row in all_rows
    ]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize("stored", EXCEL_CASES)
def test_excel_cell(stored: str) -> None:
    row: dict[str, Any] = {**dict.fromkeys(EXPORT_COLUMNS, ""), "title": stored, "stocks": [], "columns": []}
    for excel, expected in ((False, stored), (True, EXCEL_CASES[stored])):
        stream = io.BytesIO()
        export_to_stream([row], stream, ExportOptions(ExportFormat.CSV, excel=excel))
        text = stream.getvalue().decode("utf-8-sig" if excel else "utf-8")
        assert next(csv.DictReader(io.StringIO(text, newline="")))["title"] == expected


def test_csv_separates_stocks_and_columns_by_semicolons() -> None:
    stocks = [{"secid": "1.600160", "name": "巨化;股份"}, {"secid": "90.BK0428", "name": ""}]
    row: dict[str, Any] = {**dict.fromkeys(EXPORT_COLUMNS, ""), "stocks": stocks, "columns": ["345", "350"]}
    stream = io.BytesIO()
    export_to_stream([row], stream, ExportOptions(ExportFormat.CSV))
    assert stream.getvalue().decode().splitlines()[1].endswith(",1.600160 巨化；股份;90.BK0428,345;350")


@pytest.mark.parametrize("export_format", [ExportFormat.CSV, ExportFormat.JSONL])
def test_compressed_export_is_the_same_text_and_always_the_same_bytes(
    run_on_output: CommandRunner, tmp_path: Path, export_format: ExportFormat
) -> None:
    first, second, plain = (tmp_path / f"{name}.{export_format}" for name in ("first", "second", "plain"))
    for target in (f"{first}.gz", f"{second}.gz", plain):
        assert run_on_output("export", str(target)).exit_code == 0
    content = Path(f"{first}.gz").read_bytes()
    assert gzip.decompress(content) == plain.read_bytes()
    assert content[3:8] == bytes(5), "no name and no time"
    assert Path(f"{second}.gz").read_bytes() == content


def test_export_to_standard_output(
    run_on_output: CommandRunner, all_rows: list[dict[str, Any]], output: Path, tmp_path: Path
) -> None:
    for words in (("csv",), ("csv", "--excel"), ("jsonl",)):
        result = run_on_output("export", "-", "--format", *words)
        target = tmp_path / f"{len(words)}.{words[0]}"
        assert run_on_output("export", str(target), *words[1:]).exit_code == 0
        assert (result.exit_code, result.stdout.encode(), result.stderr) == (0, read_universal(target), "")
    command = (sys.executable, "-m", "crawler", "export", "-", "--output", str(output), "--format")
    piped = subprocess.run((*command, "parquet"), capture_output=True, timeout=60, check=True)
    table = parquet.read_table(io.BytesIO(piped.stdout))
    assert (table.column("code").to_pylist(), piped.stderr) == ([row["code"] for row in all_rows], b"")
    # A closed pipe is not an error.
    with subprocess.Popen((*command, "jsonl", "--gzip"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert (process.wait(timeout=60), process.stderr.read()) == (0, b"")


def read_universal(path: Path) -> bytes:
    """Return the content of a file, with line ends as in the output of a command."""
    return path.read_text().encode()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-",), "--format csv, jsonl, parquet"),
        (("a.xls",), ".csv, .csv.gz, .jsonl, .jsonl.gz, .parquet"),
        (("a.gz",), ".csv, .csv.gz, .jsonl, .jsonl.gz, .parquet"),
        (("a.parquet.gz",), "compressed already"),
        (("-", "--format", "parquet", "--gzip"), "compressed already"),
        (("a.csv", "--gzip"), "end its name in .gz"),
        (("a.jsonl", "--excel"), "--excel is for CSV"),
    ],
)
def test_export_that_cannot_be_is_a_usage_error(finews: CommandRunner, words: tuple[str, ...], message: str) -> None:
    result = finews("export", *words)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert message in result.stderr


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl", "a.parquet"])
def test_stopped_export_leaves_the_last_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("the last one")

    def rows() -> Iterator[dict[str, Any]]:
        yield {**dict.fromkeys(EXPORT_COLUMNS), "stocks": [], "columns": []}
        raise KeyboardInterrupt

    options = parse_export_options(name, None, compress=False, excel=False)
    with pytest.raises(KeyboardInterrupt):
        export_to_file(rows(), tmp_path / name, options)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "the last one")]


@pytest.mark.parametrize("export_format", ExportFormat)
def test_export_holds_one_batch_at_a_time(export_format: ExportFormat) -> None:
    alive = most = 0

    class Row(dict[str, Any]):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def rows() -> Iterator[Row]:
        nonlocal alive, most
        for number in range(3_000):
            alive += 1
            most = max(most, alive)
            yield Row({**dict.fromkeys(EXPORT_COLUMNS), "revision": number, "stocks": [], "columns": []})

    assert export_to_stream(rows(), io.BytesIO(), ExportOptions(export_format)) == 3_000
    assert most <= 1_000, "one batch, and the one that is collected"


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
            "finews: cannot write the output: No space left on device\n",
        ), args


@pytest.mark.usefixtures("run_on_output")
def test_export_failing_half_way_is_one_line(output: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(output / "news.db")
    connection.execute("UPDATE articles SET summary = ?", ("长" * 100_000,))
    connection.commit()
    connection.close()
    command = (sys.executable, "-m", "crawler", "export", str(tmp_path / "a.jsonl"), "--output", str(output))
    (tmp_path / "a.jsonl").write_text("the last one")
    limit = (200_000, 200_000)
    completed = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip
    assert completed.returncode == 1
    assert completed.stderr == f"finews: cannot write {tmp_path / 'a.jsonl'}: File too large\n"
    assert (tmp_path / "a.jsonl").read_text() == "the last one"


def test_export_takes_search_filters(
    run_on_output: CommandRunner, all_rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    category = all_rows[0]["category"]
    assert run_on_output("export", str(tmp_path / "a.jsonl"), "--category", category).exit_code == 0
    codes = [json.loads(line)["code"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert codes == [row["code"] for row in all_rows if row["category"] == category]
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
