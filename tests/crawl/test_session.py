"""Session of a crawl, and items of its pipelines."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
from scrapy.settings import Settings

from crawler import settings as our_settings
from crawler.crawl import session as session_module
from crawler.crawl.session import CrawlSession
from crawler.errors import OutputLockedError, StoreError
from crawler.items import ListingEntry, RawArticle
from crawler.pipelines import to_raw_article
from crawler.spiders.eastmoney import EastmoneySpider
from crawler.storage.output_dir import OutputDir

NOON = datetime.fromisoformat("2022-01-10T12:00:00+08:00")
ENTRY = ListingEntry("202201102242171631", "题", NOON, "350", "https://finance.eastmoney.com/a/202201102242171631.html")


@pytest.fixture
def crawler(tmp_path: Path) -> Crawler:
    settings = Settings()
    settings.setmodule(our_settings)
    settings.set("OUTPUT_DIR", str(tmp_path / "output"))
    crawler = Crawler(EastmoneySpider, settings)
    crawler.spider = EastmoneySpider.from_crawler(crawler)
    return crawler


def open_session(crawler: Crawler) -> CrawlSession:
    session = CrawlSession(crawler)
    assert crawler.spider is not None
    session.spider_opened(crawler.spider)
    return session


def test_a_session_holds_the_folder_until_its_spider_is_closed(crawler: Crawler, tmp_path: Path) -> None:
    session = open_session(crawler)
    with pytest.raises(CloseSpider):
        open_session(crawler)
    session.spider_closed("finished")
    assert session.result is not None
    assert session.result.run["outcome"] == "done"
    with OutputDir.lock(tmp_path / "output"):
        pass


def test_why_a_session_cannot_open_is_kept_for_the_exit_code(crawler: Crawler, tmp_path: Path) -> None:
    with OutputDir.open_for_writing(tmp_path / "output"):
        session = CrawlSession(crawler)
        assert crawler.spider is not None
        with pytest.raises(CloseSpider):
            session.spider_opened(crawler.spider)
    assert isinstance(session.fatal_error, OutputLockedError)


def test_a_session_that_can_open_a_part_only_lets_go_of_the_folder(
    crawler: Crawler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_context: object) -> None:
        raise StoreError("the database refuses")

    monkeypatch.setattr(session_module, "CoverageTracker", refuse)
    session = CrawlSession(crawler)
    assert crawler.spider is not None
    with pytest.raises(CloseSpider):
        session.spider_opened(crawler.spider)
    session.spider_closed("cannot_start")
    assert str(session.fatal_error) == "the database refuses"
    with OutputDir.lock(tmp_path / "output"):
        pass


@pytest.mark.parametrize("item", [{"entry": ENTRY}, {"entry": None}, "no item"], ids=str)
def test_a_bug_with_any_item_ends_neither_the_crawl_nor_another_entry(crawler: Crawler, item: Any) -> None:
    session = open_session(crawler)
    assert session.tracker is not None
    (listed,), _ = session.tracker.record_listing_page("350", [ENTRY], is_last_page=True)
    failure: Any = SimpleNamespace(value=ValueError("a bug"))
    session.item_error(item, failure)
    session.spider_closed("finished")
    assert session.result is not None
    (reported,) = session.result.failures
    is_its_own = isinstance(item, dict) and item["entry"] is not None
    assert (reported["code"], reported["reason"]) == (listed.code, "bug" if is_its_own else "request_dropped")


@dataclass
class SomebodysItem:
    entry: ListingEntry
    body: str
    note: str = "ours alone"


@pytest.mark.parametrize(
    "item",
    [{"entry": ENTRY, "body": "<p>正文</p>", "title": "另一个题"}, SomebodysItem(ENTRY, "<p>正文</p>")],
    ids=["dict", "dataclass"],
)
def test_an_item_of_another_class_is_read_through_itemadapter(item: Any) -> None:
    raw = to_raw_article(item)
    assert isinstance(raw, RawArticle)
    assert (raw.entry, raw.body) == (ENTRY, "<p>正文</p>")
    assert raw.title == (item["title"] if isinstance(item, dict) else "")
    assert not hasattr(raw, "note")


@pytest.mark.parametrize("item", [{"url": "x"}, {"entry": "text", "body": "x"}, {"entry": ENTRY, "body": b"x"}])
def test_an_item_that_is_no_article_is_passed_on(item: dict[str, Any]) -> None:
    assert to_raw_article(item) is None
