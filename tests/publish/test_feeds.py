"""Atom, RSS and JSON feeds, read back with the usual libraries."""

import re
import sqlite3
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import feedparser
import jsonschema
import pytest
from lxml import etree

from crawler.publish.feeds import FeedInfo
from tests.support.commands import CommandRunner

# JSON Feed 1.1: the rules of https://www.jsonfeed.org/version/1.1/ for the fields that finews writes.
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


def test_atom_feed_is_well_formed_and_complete(run_on_output: CommandRunner, all_rows: list[dict[str, Any]]) -> None:
    text = run_on_output("feed").stdout
    parsed_feed = feedparser.parse(text.encode())
    assert not parsed_feed.bozo
    assert parsed_feed.version == "atom10"
    assert [entry.title for entry in parsed_feed.entries] == [row["title"] for row in all_rows]
    assert [entry.published for entry in parsed_feed.entries] == [row["published_at"] for row in all_rows]
    assert [entry.id for entry in parsed_feed.entries] == [f"tag:finews,2021:{row['code']}" for row in all_rows]
    assert [entry.updated for entry in parsed_feed.entries] == [
        row["changed_at"] or row["published_at"] for row in all_rows
    ]
    assert parsed_feed.feed.updated == "2030-01-02T03:04:05+08:00"
    assert run_on_output("feed").stdout == text
    contents = etree.fromstring(text.encode()).findall(".//{*}content")
    assert [content.text for content in contents] == [row["body_html"] for row in all_rows]


def test_atom_feed_conforms_to_rfc_4287(run_on_output: CommandRunner) -> None:
    schema = etree.RelaxNG(file=Path(__file__).parent / "schemas" / "atom.rng")
    feed = etree.fromstring(run_on_output("feed", "--url", "https://example.org/atom.xml").stdout.encode())
    schema.assertValid(feed)
    # Rules of the RFC that are not in its grammar: absolute and unique ids, and an author and a link for each entry.
    ids = [element.text for element in feed.findall(".//{*}id")]
    assert len(set(ids)) == len(ids)
    assert all(str(text).startswith("tag:") for text in ids)
    assert [link.get("href") for link in feed.findall("{*}link[@rel='self']")] == ["https://example.org/atom.xml"]
    for entry in feed.findall("{*}entry"):
        # The default of `rel` is "alternate".
        assert [link.get("rel", "alternate") for link in entry.findall("{*}link")] == ["alternate"]
        assert len(entry.findall("{*}author")) == 1
    feed.remove(feed.findall("{*}id")[0])
    assert not schema.validate(feed)


def test_rss_feed_is_valid_and_complete(run_on_output: CommandRunner, all_rows: list[dict[str, Any]]) -> None:
    text = run_on_output("feed", "--format", "rss", "--url", "https://example.org/feed.xml").stdout
    parsed_feed = feedparser.parse(text.encode())
    assert not parsed_feed.bozo
    assert parsed_feed.version == "rss20"
    assert [(entry.title, entry.link, entry.author, entry.id) for entry in parsed_feed.entries] == [
        (row["title"], row["url"], row["media"], f"tag:finews,2021:{row['code']}") for row in all_rows
    ]
    channel = etree.fromstring(text.encode()).find("channel")
    assert channel is not None
    # RSS 2.0 requires these three elements of a channel.
    assert all(channel.findtext(name) for name in ("title", "link", "description"))
    assert channel.findtext("link") == parsed_feed.feed.link == "https://finews.withounder.com/"
    assert {guid.get("isPermaLink") for guid in channel.iter("guid")} == {"false"}
    assert [item.findtext("{*}encoded") or item.findtext("description") for item in channel.iter("item")] == [
        row["body_html"] for row in all_rows
    ]
    published = [parsedate_to_datetime(str(item.findtext("pubDate"))) for item in channel.iter("item")]
    assert published == [datetime.fromisoformat(row["published_at"]) for row in all_rows]


@pytest.mark.parametrize(
    "filters",
    [{}, {"q": "公司"}, {"stock": "公司"}, {"q": "公司", "distinct": "1"}, {"q": "a&stock=b"}, {"q": "a", "stock": "b"},
     {"column": ["102", "45"]}, {"column": "102,45"}, {"q": '"a b" [<%#\\^`{|}>'}, {"q": "\ud800\x01\n"}],
)  # fmt: skip
def test_id_of_a_feed_is_a_valid_uri_of_its_own(filters: dict[str, str | list[str]]) -> None:
    feed_id = FeedInfo("//新闻.example.org/finews", filters).id
    assert re.fullmatch(r"tag:finews,2021:feed:([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})+", feed_id)
    others = [{"q": "公司 "}, {"category": "公司"}, {"q": "公司", "stock": "公司"}]
    assert feed_id not in [FeedInfo("//新闻.example.org/finews", other).id for other in others]


def test_command_names_its_filters_in_the_id(run_on_output: CommandRunner) -> None:
    words = ("--query", "公司", "--column", "102", "--column", "45", "--distinct")
    feed_id = feedparser.parse(run_on_output("feed", *words).stdout.encode()).feed.id
    assert parse_qs(feed_id.partition("?")[2]) == {"q": ["公司"], "column": ["102", "45"], "distinct": ["1"]}


def test_json_feed_is_valid_and_complete(run_on_output: CommandRunner, all_rows: list[dict[str, Any]]) -> None:
    feed = run_on_output("feed", "--format", "json", "--url", "https://example.org/feed.json").json
    jsonschema.validate(feed, JSON_FEED_SCHEMA)
    assert feed["feed_url"] == "https://example.org/feed.json"
    assert [(item["id"], item["content_html"]) for item in feed["items"]] == [
        (f"tag:finews,2021:{row['code']}", row["body_html"]) for row in all_rows
    ]


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
