"""Rows of fast news, whole and cut."""

from typing import Any

import pytest
from scrapy.crawler import Crawler
from scrapy.settings import Settings

from crawler import settings as our_settings
from crawler.content import clock
from crawler.content.html_text import html_to_text
from crawler.items import ROW, SUMMARY_NOTE_HTML, ListingEntry, RawResponse
from crawler.spiders.eastmoney import EastmoneySpider
from crawler.spiders.flash import FlashSpider
from crawler.storage.raw_responses import entry_from_json, entry_to_json

CODE = "202606303789054621"
SETTINGS = Settings()
SETTINGS.setmodule(our_settings)
FLASH = FlashSpider.from_crawler(Crawler(FlashSpider, SETTINGS))


def parse_row(summary: str, **fields: Any) -> ListingEntry:
    row = {"code": CODE, "showTime": "2026-06-30 13:58:00", "title": "纸价走弱", "summary": summary, **fields}
    return FLASH.parse_row(row, "102")


@pytest.mark.parametrize(
    ("summary", "text", "media"),
    [
        ("【纸价走弱】纸价震荡走弱。[点击查看全文]", "【纸价走弱】纸价震荡走弱。", ""),
        ("纸价震荡走弱。 [点击查看全文] ", "纸价震荡走弱。", ""),
        ("纸价震荡走弱。（林业周报）[点击查看全文]", "纸价震荡走弱。（林业周报）", "林业周报"),
        ("纸价震荡走弱…【点击查看全文】", "纸价震荡走弱…", ""),
        ("纸价震荡走弱 [点击查看全文>>]", "纸价震荡走弱", ""),
        ("纸价震荡走弱（点击查看全文）", "纸价震荡走弱", ""),
        ("[点击查看全文]", "", ""),
    ],
)
def test_mark_of_a_cut_row_is_no_part_of_its_text(summary: str, text: str, media: str) -> None:
    entry = parse_row(summary)
    assert (entry.summary, entry.media, entry.is_cut) == (text, media, True)
    assert "全文]" not in FLASH.extract_from_entry(entry).body


@pytest.mark.parametrize("summary", ["", "纸价走弱。", "[点击查看全文]的链接失效。", "请点击查看全文"])
def test_other_rows_are_whole(summary: str) -> None:
    entry = parse_row(summary)
    assert (entry.summary, entry.is_cut) == (summary, False)
    assert SUMMARY_NOTE_HTML not in FLASH.extract_from_entry(entry).body


def test_summary_without_title_has_its_first_sentence() -> None:
    assert parse_row("纸价走弱。[点击查看全文]", title="").title == "纸价走弱"


def test_cut_row_ends_with_a_note_that_is_no_text() -> None:
    body = FLASH.extract_from_entry(parse_row("纸价走弱。[点击查看全文]", stockList=["1.600999"])).body
    assert body.endswith("600999</a></p><p>（摘要，全文见原文）</p>")
    assert html_to_text(body) == "纸价走弱。\n相关：600999"


def test_only_a_cut_row_has_a_request() -> None:
    assert FLASH.first_article_url(parse_row("纸价走弱。")) == ""
    url = FLASH.first_article_url(parse_row("纸价走弱。[点击查看全文]"))
    assert url.startswith(f"https://newsinfo.eastmoney.com/kuaixun/v2/api/article/{CODE}")


def test_hosts_are_those_of_its_articles_too() -> None:
    assert {*EastmoneySpider.hosts} < {url.removeprefix("https://") for url in FLASH.server_urls()}


def test_stored_responses_are_read_again_as_they_were() -> None:
    """An older finews stored rows as of extractor 0, like responses of the first extractor."""
    entry = entry_from_json(entry_to_json(parse_row("纸价走弱。[点击查看全文]")))
    response = f'{{"data": {{"Art_Code": "{CODE}", "Art_Content": "<p>全文。</p>"}}}}'.encode()
    article = FLASH.extract_article(RawResponse("", "application/json", response), entry, clock.now())
    assert (article.spider, article.body) == ("eastmoney", "<p>全文。</p>")
    summary = FLASH.extract_article(RawResponse(entry.url, "text/plain", b"", ROW), entry, clock.now())
    assert (summary.spider, summary.body) == ("flash", f"<p>纸价走弱。</p>{SUMMARY_NOTE_HTML}")
    old_entry = entry_from_json(entry_to_json(parse_row("纸价走弱。")).replace(', "is_cut": false', ""))
    row = FLASH.extract_article(RawResponse(entry.url, "text/plain", b""), old_entry, clock.now())
    assert (row.spider, row.body) == ("flash", "<p>纸价走弱。</p>")
