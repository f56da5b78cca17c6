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
from tests.conftest import Finews

# JSON Feed 1.1: what https://www.jsonfeed.org/version/1.1/ demands of what we write.
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$"}
_ADDRESS = {"type": "string", "pattern": "^https?://"}
_ITEM = {
    "type": "object",
    "required": ["id", "content_html"],
    "properties": {
        "id": {"type": "string", "minLength": 1}, "url": _ADDRESS, "title": {"type": "string"}, "content_html": {"type": "string"},
        "summary": {"type": "string"}, "date_published": _TIME, "date_modified": _TIME,
        "authors": {"type": "array", "items": {"type": "object", "required": ["name"]}, "minItems": 1},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "additionalProperties": False,
}  # fmt: skip
JSON_FEED = {
    "type": "object",
    "required": ["version", "title", "items"],
    "properties": {
        "version": {"const": "https://jsonfeed.org/version/1.1"}, "title": {"type": "string", "minLength": 1},
        "home_page_url": _ADDRESS, "feed_url": _ADDRESS, "language": {"type": "string"}, "items": {"type": "array", "items": _ITEM},
    },
    "additionalProperties": False,
}  # fmt: skip


@pytest.fixture
def ask(crawl: Finews, finews: Finews, output: Path) -> Finews:
    assert crawl("choice").code == 3
    connection = sqlite3.connect(output / "news.db")
    connection.execute("UPDATE articles SET title = '=cmd()|1' WHERE code = (SELECT min(code) FROM articles)")
    connection.execute(
        "UPDATE articles SET changed_at = '2030-01-02T03:04:05+08:00' WHERE code = (SELECT max(code) FROM articles)"
    )
    connection.commit()
    connection.close()
    return lambda *words: finews(words[0], "--output", str(output), *words[1:])


@pytest.fixture
def rows(ask: Finews) -> list[dict[str, Any]]:
    answer = ask("search", "--since", "1990-01-01", "--json", "--limit", "1000")
    assert answer.code == 0
    return [{name: row[name] for name in EXPORT_COLUMNS} for row in answer.value]


def test_each_form_holds_every_row(ask: Finews, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        answer = ask("export", str(tmp_path / name))
        assert (answer.code, answer.err) == (0, "")
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == rows
    assert parquet.read_table(tmp_path / "a.parquet").to_pylist() == rows
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as stream:
        read = list(csv.DictReader(stream))
    assert [row["body_text"] for row in read] == [row["body_text"] for row in rows]
    assert [row["title"] for row in read] == [
        row["title"] if row["title"] != "=cmd()|1" else "'=cmd()|1" for row in rows
    ]
    assert not [row for row in read if any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())]
    assert {file.name for file in tmp_path.iterdir() if file.is_file()} == {"a.csv", "a.jsonl", "a.parquet"}


def test_an_export_shows_how_far_it_is_on_a_terminal_and_nowhere_else(
    ask: Finews, rows: list[dict[str, Any]], output: Path, tmp_path: Path
) -> None:
    assert ask("export", str(tmp_path / "a.jsonl")).err == ""
    ours, theirs = pty.openpty()
    command = (sys.executable, "-m", "crawler", "export", str(tmp_path / "b.jsonl"), "--output", str(output))
    environment = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env=environment, timeout=60, check=True)
    shown = os.read(ours, 65536).decode()
    os.close(theirs)
    os.close(ours)
    assert "100%" in shown
    assert done.stdout.decode() == f"{len(rows)} articles in {tmp_path / 'b.jsonl'}\n"


@pytest.mark.usefixtures("ask")
def test_a_full_disk_is_told_in_a_line(output: Path, tmp_path: Path) -> None:
    for words in (
        ("search", "公司"),
        ("search", "公司", "--json"),
        ("categories",),
        ("export", str(tmp_path / "a.csv")),
    ):
        command = (sys.executable, "-m", "crawler", *words, "--output", str(output))
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (1, "finews: cannot write the answer: No space left on device\n"), (
            words
        )


@pytest.mark.usefixtures("ask")
def test_an_export_that_fails_half_way_is_told_in_a_line(output: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(output / "news.db")
    connection.execute("UPDATE articles SET summary = ?", ("长" * 100_000,))
    connection.commit()
    connection.close()
    command = (sys.executable, "-m", "crawler", "export", str(tmp_path / "a.jsonl"), "--output", str(output))
    limit = (200_000, 200_000)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"finews: cannot write {tmp_path / 'a.jsonl'}: File too large\n"
    assert not list(tmp_path.glob("*a.jsonl*"))


def test_an_export_is_chosen_as_a_search_is(ask: Finews, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    category = rows[0]["category"]
    assert ask("export", str(tmp_path / "a.jsonl"), "--category", category).code == 0
    found = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert found == [row for row in rows if row["category"] == category]
    wrong = ask("export", str(tmp_path / "a.xls"))
    assert (wrong.code, len(wrong.err.splitlines())) == (2, 1)
    assert ask("export", str(tmp_path / "nowhere" / "a.csv")).code == 1


@pytest.mark.parametrize("query", ["", " ", '"', '""', "\udcff", "\u3000"])
def test_a_query_without_a_word_is_a_mistake_and_not_everything(ask: Finews, tmp_path: Path, query: str) -> None:
    for words in (("search", query), ("export", str(tmp_path / "e.csv"), "--query", query), ("feed", "--query", query)):
        answer = ask(*words)
        assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1), words
        assert "holds no word" in answer.err
    assert not (tmp_path / "e.csv").exists()


def test_an_atom_feed_is_well_formed_and_whole(ask: Finews, rows: list[dict[str, Any]]) -> None:
    text = ask("feed").out
    read = feedparser.parse(text.encode())
    assert not read.bozo
    assert read.version == "atom10"
    assert [entry.title for entry in read.entries] == [row["title"] for row in rows]
    assert [entry.published for entry in read.entries] == [row["published_at"] for row in rows]
    assert len({entry.id for entry in read.entries}) == len(rows)
    assert [entry.id.rpartition(":")[2] for entry in read.entries] == [row["code"] for row in rows]
    assert read.feed.updated == "2030-01-02T03:04:05+08:00"
    assert ask("feed").out == text
    contents = etree.fromstring(text.encode()).findall(".//{*}content")
    assert [content.text for content in contents] == [row["body_html"] for row in rows]


def test_an_atom_feed_keeps_the_grammar_of_its_rfc(ask: Finews) -> None:
    grammar = etree.RelaxNG(file=Path(__file__).parent / "schemas" / "atom.rng")
    feed = etree.fromstring(ask("feed", "--url", "https://example.org/atom.xml").out.encode())
    grammar.assertValid(feed)
    # What the RFC demands beyond its grammar: absolute ids that are all different, and an author and a link for each.
    ids = [each.text for each in feed.findall(".//{*}id")]
    assert len(set(ids)) == len(ids)
    assert all(str(text).startswith("tag:") for text in ids)
    assert [link.get("href") for link in feed.findall("{*}link[@rel='self']")] == ["https://example.org/atom.xml"]
    for entry in feed.findall("{*}entry"):
        # A link that does not say what it is leads to the same in another form: "alternate".
        assert [link.get("rel", "alternate") for link in entry.findall("{*}link")] == ["alternate"]
        assert len(entry.findall("{*}author")) == 1
    feed.remove(feed.findall("{*}id")[0])
    assert not grammar.validate(feed)


def test_a_json_feed_is_valid_and_whole(ask: Finews, rows: list[dict[str, Any]]) -> None:
    feed = ask("feed", "--format", "json", "--url", "https://example.org/feed.json").value
    jsonschema.validate(feed, JSON_FEED)
    assert feed["feed_url"] == "https://example.org/feed.json"
    assert [item["content_html"] for item in feed["items"]] == [row["body_html"] for row in rows]


def test_a_feed_is_of_a_category_or_of_a_search_and_without_what_was_withdrawn(
    ask: Finews, rows: list[dict[str, Any]], output: Path
) -> None:
    category = rows[0]["category"]
    items = ask("feed", "--format", "json", "--category", category).value["items"]
    assert [item["title"] for item in items] == [row["title"] for row in rows if row["category"] == category]
    connection = sqlite3.connect(output / "news.db")
    connection.execute("UPDATE articles SET withdrawn_at = published_at WHERE code = ?", [rows[0]["code"]])
    connection.commit()
    connection.close()
    word = rows[0]["title"][:2]
    found = ask("search", word, "--json", "--limit", "1000").value
    feed = ask("feed", "--format", "json", "--query", word).value
    assert feed["title"] == f"finews {word}"
    items = feed["items"]
    assert [item["title"] for item in items] == [row["title"] for row in found if row["code"] != rows[0]["code"]]
    assert len(items) == len(found) - 1
