"""Exports and feeds, read back by the libraries that others read them with."""

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

import feedparser
import jsonschema
import pytest
from lxml import etree
from pyarrow import parquet

from crawler.publish.export import EXPORT_COLUMNS
from tests.support.commands import CommandRunner

# JSON Feed 1.1: what https://www.jsonfeed.org/version/1.1/ demands of what we write.
_TIME_SCHEMA = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$"}
_URL_SCHEMA = {"type": "string", "pattern": "^https?://"}
_ITEM_SCHEMA = {
    "type": "object",
    "required": ["id", "content_html"],
    "properties": {
        "id": {"type": "string", "minLength": 1}, "url": _URL_SCHEMA, "title": {"type": "string"}, "content_html": {"type": "string"},
        "summary": {"type": "string"}, "date_published": _TIME_SCHEMA, "date_modified": _TIME_SCHEMA,
        "authors": {"type": "array", "items": {"type": "object", "required": ["name"]}, "minItems": 1},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "additionalProperties": False,
}  # fmt: skip
JSON_FEED_SCHEMA = {
    "type": "object",
    "required": ["version", "title", "items"],
    "properties": {
        "version": {"const": "https://jsonfeed.org/version/1.1"}, "title": {"type": "string", "minLength": 1},
        "home_page_url": _URL_SCHEMA, "feed_url": _URL_SCHEMA, "language": {"type": "string"}, "items": {"type": "array", "items": _ITEM_SCHEMA},
    },
    "additionalProperties": False,
}  # fmt: skip


@pytest.fixture
def run_on_output(crawl: CommandRunner, finews: CommandRunner, output: Path) -> CommandRunner:
    assert crawl("choice").exit_code == 3
    connection = sqlite3.connect(output / "news.db")
    connection.execute("UPDATE articles SET title = '=cmd()|1' WHERE code = (SELECT min(code) FROM articles)")
    connection.execute(
        "UPDATE articles SET changed_at = '2030-01-02T03:04:05+08:00' WHERE code = (SELECT max(code) FROM articles)"
    )
    connection.commit()
    connection.close()
    return lambda *words: finews(words[0], "--output", str(output), *words[1:])


@pytest.fixture
def all_rows(run_on_output: CommandRunner) -> list[dict[str, Any]]:
    result = run_on_output("search", "--since", "1990-01-01", "--json", "--limit", "1000")
    assert result.exit_code == 0
    return [{name: row[name] for name in EXPORT_COLUMNS} for row in result.json]


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


def test_atom_feed_is_well_formed_and_complete(run_on_output: CommandRunner, all_rows: list[dict[str, Any]]) -> None:
    text = run_on_output("feed").stdout
    parsed_feed = feedparser.parse(text.encode())
    assert not parsed_feed.bozo
    assert parsed_feed.version == "atom10"
    assert [entry.title for entry in parsed_feed.entries] == [row["title"] for row in all_rows]
    assert [entry.published for entry in parsed_feed.entries] == [row["published_at"] for row in all_rows]
    assert len({entry.id for entry in parsed_feed.entries}) == len(all_rows)
    assert [entry.id.rpartition(":")[2] for entry in parsed_feed.entries] == [row["code"] for row in all_rows]
    assert parsed_feed.feed.updated == "2030-01-02T03:04:05+08:00"
    assert run_on_output("feed").stdout == text
    contents = etree.fromstring(text.encode()).findall(".//{*}content")
    assert [content.text for content in contents] == [row["body_html"] for row in all_rows]


def test_atom_feed_conforms_to_rfc_4287(run_on_output: CommandRunner) -> None:
    schema = etree.RelaxNG(file=Path(__file__).parent / "schemas" / "atom.rng")
    feed = etree.fromstring(run_on_output("feed", "--url", "https://example.org/atom.xml").stdout.encode())
    schema.assertValid(feed)
    # What the RFC demands beyond its grammar: absolute ids that are all different, and an author and a link for each.
    ids = [element.text for element in feed.findall(".//{*}id")]
    assert len(set(ids)) == len(ids)
    assert all(str(text).startswith("tag:") for text in ids)
    assert [link.get("href") for link in feed.findall("{*}link[@rel='self']")] == ["https://example.org/atom.xml"]
    for entry in feed.findall("{*}entry"):
        # A link that does not say what it is leads to the same in another form: "alternate".
        assert [link.get("rel", "alternate") for link in entry.findall("{*}link")] == ["alternate"]
        assert len(entry.findall("{*}author")) == 1
    feed.remove(feed.findall("{*}id")[0])
    assert not schema.validate(feed)


def test_json_feed_is_valid_and_complete(run_on_output: CommandRunner, all_rows: list[dict[str, Any]]) -> None:
    feed = run_on_output("feed", "--format", "json", "--url", "https://example.org/feed.json").json
    jsonschema.validate(feed, JSON_FEED_SCHEMA)
    assert feed["feed_url"] == "https://example.org/feed.json"
    assert [item["content_html"] for item in feed["items"]] == [row["body_html"] for row in all_rows]


def test_feed_takes_filters_and_omits_withdrawn_articles(
    run_on_output: CommandRunner, all_rows: list[dict[str, Any]], output: Path
) -> None:
    category = all_rows[0]["category"]
    items = run_on_output("feed", "--format", "json", "--category", category).json["items"]
    assert [item["title"] for item in items] == [row["title"] for row in all_rows if row["category"] == category]
    connection = sqlite3.connect(output / "news.db")
    connection.execute("UPDATE articles SET withdrawn_at = published_at WHERE code = ?", [all_rows[0]["code"]])
    connection.commit()
    connection.close()
    word = all_rows[0]["title"][:2]
    hits = run_on_output("search", word, "--json", "--limit", "1000").json
    feed = run_on_output("feed", "--format", "json", "--query", word).json
    assert feed["title"] == f"finews {word}"
    items = feed["items"]
    assert [item["title"] for item in items] == [row["title"] for row in hits if row["code"] != all_rows[0]["code"]]
    assert len(items) == len(hits) - 1
