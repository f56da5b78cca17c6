"""Markup rules of one source are defined with its spiders; other sources have none of them."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import crawler
from crawler.content.html_cleaner import clean_html
from crawler.content.html_text import find_source_line_media
from crawler.content.json_fields import get_datetime
from crawler.content.markup import PLAIN_MARKUP, SourceMarkup
from crawler.items import QUOTE_URL_PREFIX, SOURCE_LINE_CLASS
from crawler.jobs.spider_lookup import find_markup, find_markup_by_url
from crawler.spiders.base import SourceSpider
from crawler.spiders.eastmoney_markup import ARTICLE_URL, CAIFUHAO_URL, EASTMONEY_MARKUP, share_page_url

CONTENT = Path(crawler.__file__).parent / "content"
BASE = "https://a.cn/news/1.html"
CODE = "202201102242171631"
# Texts that Eastmoney's rules change, and the results without these rules.
ONLY_EASTMONEYS = {
    "advert by its class": ('<p class="toplink">字</p>', "<p>字</p>"),
    "advert by its host": (
        '<p><a href="https://acttg.eastmoney.com/x">字</a></p>',
        '<p><a href="https://acttg.eastmoney.com/x">字</a></p>',
    ),
    "advert by its text": (
        "<p>在东方财富看资讯行情，选东方财富证券一站式开户交易</p>",
        "<p>在东方财富看资讯行情，选东方财富证券一站式开户交易</p>",
    ),
    "live chart": (
        '<p><img src="http://a.cn/GetPic.aspx" alt="图"></p>',
        '<p><img src="http://a.cn/GetPic.aspx" alt="图"></p>',
    ),
    "stock": ('<p><span id="stock_1.600160">巨化</span></p>', "<p>巨化</p>"),
    "stock by its address": (
        '<p><a href="//quote.eastmoney.com/r/1.600160">巨化</a></p>',
        '<p><a href="https://quote.eastmoney.com/r/1.600160">巨化</a></p>',
    ),
    "source line that a link cuts": (
        '<p>（文章来源：<a href="http://b.cn/">甲报</a>）</p>',
        '<p>（文章来源：<a href="http://b.cn/">甲报</a>）</p>',
    ),
    "picture on http": (
        '<p><img src="http://a.dfcfw.com/b.jpg" alt="图"></p>',
        '<p><img src="http://a.dfcfw.com/b.jpg" alt="图"></p>',
    ),
}


def test_content_knows_no_source() -> None:
    names = re.compile(r"eastmoney|\bem_|dfcf|东方财富|EM_StockImg|\bNW", re.IGNORECASE)
    assert {path.name: names.findall(path.read_text("utf-8")) for path in CONTENT.glob("*.py")} == {
        path.name: [] for path in CONTENT.glob("*.py")
    }


@pytest.mark.parametrize(("body", "plain"), ONLY_EASTMONEYS.values(), ids=ONLY_EASTMONEYS.keys())
def test_plain_markup_has_no_eastmoney_rules(body: str, plain: str) -> None:
    assert clean_html(body, BASE, PLAIN_MARKUP) == plain
    assert clean_html(body, BASE, EASTMONEY_MARKUP) != plain
    assert find_source_line_media(body, PLAIN_MARKUP) == ""


@pytest.mark.parametrize("markup", [PLAIN_MARKUP, EASTMONEY_MARKUP], ids=["plain", "Eastmoney"])
def test_published_body_is_unchanged_by_any_markup(markup: SourceMarkup) -> None:
    body = f'<p>今日<a href="{QUOTE_URL_PREFIX}1.600160">巨化</a>上涨</p><p class="{SOURCE_LINE_CLASS}">（文章来源：甲）</p>'
    assert clean_html(body, BASE, markup) == body


def test_another_source_has_rules_of_its_own() -> None:
    markup = SourceMarkup(
        zone=timezone(timedelta(hours=-5)),
        advert_hosts=frozenset({"ads.example.org"}),
        source_line_class="byline",
        stock_attributes={"href": re.compile(r"/stock/(\d+)/(\w+)")},
    )
    body = (
        '<p><a href="/stock/105/NVDA">英伟达</a><a href="//ads.example.org/x">开户</a></p>'
        '<p class="byline">By <a href="/a">A</a></p>'
    )
    assert clean_html(body, BASE, markup) == (
        f'<p><a href="{QUOTE_URL_PREFIX}105.NVDA">英伟达</a></p><p class="{SOURCE_LINE_CLASS}">By A</p>'
    )
    assert get_datetime({"time": "2022-01-10 16:20:36"}, "time", zone=markup.zone) == datetime(
        2022, 1, 10, 21, 20, 36, tzinfo=UTC
    )


def test_markup_is_found_by_spider_name() -> None:
    assert SourceSpider.markup is PLAIN_MARKUP
    assert [find_markup(name) for name in ("eastmoney", "flash", "choice")] == [EASTMONEY_MARKUP] * 3
    with pytest.raises(KeyError):
        find_markup("no-spider")


@pytest.mark.parametrize(
    "url", [ARTICLE_URL.format(CODE), CAIFUHAO_URL.format(CODE), share_page_url("http://a.cn", CODE)]
)
def test_markup_is_found_by_article_url(url: str) -> None:
    assert find_markup_by_url(url) is EASTMONEY_MARKUP
