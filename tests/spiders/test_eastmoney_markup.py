"""Eastmoney's stock links and source lines: all spellings become one form."""

import re

import pytest

from tests.support.html import BASE, clean_html, find_source_line_media

QUOTE_PAGE_URL = "https://quote.eastmoney.com/unify/r"
STOCK_CASES = {
    "keytip": (
        '<span id="stock_0.002752"><a href="http://quote.eastmoney.com/unify/r/0.002752" class="keytip" '
        'data-code="0,002752">昇兴股份</a></span><span id="quote_0.002752"></span>',
        "0.002752",
    ),
    "keytip without address": (
        '<span id="stock_0.002752"><a class="keytip" data-code="0,002752">昇兴</a></span>',
        "0.002752",
    ),
    "keytip with a bare code": (
        '<span id="stock_0.002353"><a href="http://quote.eastmoney.com/r/0.002353" class="keytip" data-code="002353">杰瑞</a></span>',
        "0.002353",
    ),
    "short address": (
        '<a class="em_stock_key_common" href="http://quote.eastmoney.com/r/0.002353">杰瑞</a>',
        "0.002353",
    ),
    "repeated span": (
        '<span web="1" href="http://quote.eastmoney.com/unify/r/116.01315" class="em_stock_key_common" '
        'data-code="116,01315">绿色经济</span>',
        "116.01315",
    ),
    "board": (
        '<span id="bk_90.BK0493"><a href="http://quote.eastmoney.com/unify/r/90.BK0493" class="keytip" '
        'data-code="90,BK0493">新能源</a></span><span id="bkquote_90.BK0493"></span>',
        "90.BK0493",
    ),
    "span that only has an id": ('<span id="Info.116.00700">腾讯控股</span>', "116.00700"),
    "American stock": ('<span id="stock_106.NIO"><a data-code="106,NIO" class="keytip">蔚来</a></span>', "106.NIO"),
}


@pytest.mark.parametrize(("marked", "secid"), STOCK_CASES.values(), ids=STOCK_CASES.keys())
def test_every_stock_markup_becomes_one_link(marked: str, secid: str) -> None:
    name = re.sub(r"<[^>]*>", "", marked)
    cleaned = clean_html(f"<p>　　今日{marked}上涨。</p>", BASE)
    assert cleaned == f'<p>今日<a href="{QUOTE_PAGE_URL}/{secid}">{name}</a>上涨。</p>'
    assert clean_html(cleaned, BASE) == cleaned


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (
            '<span id="Info.3332"><a href="http://data.eastmoney.com/bbsj/" class="infokey">业绩</a></span>',
            '<a href="http://data.eastmoney.com/bbsj/">业绩</a>',
        ),
        ('<span id="Info.3332">业绩</span>', "业绩"),
        ('<span id="stock_1.600160"></span>', ""),
        ('<span data-code="600160">巨化</span>', "巨化"),
        ('<span id="stock_1.600160"><b>巨化</b></span>', f'<a href="{QUOTE_PAGE_URL}/1.600160"><b>巨化</b></a>'),
        (
            '<a href="http://a.cn/"><span id="stock_1.600160">巨化</span></a>',
            '<a href="http://a.cn/">巨化</a>',
        ),
        ('<span data-code=\'1,600160"><script>\'>巨化</span>', "巨化"),
    ],
    ids=[
        "glossary", "glossary without link", "empty", "no market", "bold", "inside a link", "hostile code",
    ],
)  # fmt: skip
def test_what_is_no_stock_gets_no_quote_link(marked: str, expected: str) -> None:
    assert clean_html(f"<p>今日{marked}。</p>", BASE) == f"<p>今日{expected}。</p>"


TRUNCATED_LINK = '<span id="Info.1"><a href="http://a.cn/" class="infokey">证券</a></span><span id="quote_"></span>'
SOURCE_LINE_CASES = {
    "plain": ('<p class="em_media">（文章来源：财联社）</p>', '<p class="em_media">（文章来源：财联社）</p>', "财联社"),
    "cut by a link": (
        f'<p class="em_media">（文章来源：{TRUNCATED_LINK}时报）</p>',
        '<p class="em_media">（文章来源：证券时报）</p>',
        "证券时报",
    ),
    "cut by a link, without class": (
        f"<p>　　（文章来源：上海{TRUNCATED_LINK}报）</p>",
        "<p>（文章来源：上海证券报）</p>",
        "上海证券报",
    ),
    "cut by a stock": (
        '<p class="em_media">（文章来源：<span id="stock_0.300059"><a data-code="0,300059">东方财富</a></span>网）</p>',
        '<p class="em_media">（文章来源：东方财富网）</p>',
        "东方财富网",
    ),
    "among other classes": (
        '<p class="a em_media b">（文章来源：A）</p>',
        '<p class="em_media">（文章来源：A）</p>',
        "A",
    ),
    "ASCII brackets": ("<p>(来源:Wind)</p>", "<p>(来源:Wind)</p>", "Wind"),
    "blanks": ("<p>（ 文章来源： 财联社 ）</p>", "<p>（ 文章来源： 财联社 ）</p>", "财联社"),
    "not at the end of its line": ("<p>x（文章来源：财联社）</p>", "<p>x（文章来源：财联社）</p>", ""),
    "of a fact": ("<p>（来源：公司公告）</p>", "<p>（来源：公司公告）</p>", ""),
    "in the source's own form": ("<p>(文章来源:读特)</p>", "<p>(文章来源:读特)</p>", "读特"),
    "of a picture": ("<p>图片来源：官网</p>", "<p>图片来源：官网</p>", ""),
}


@pytest.mark.parametrize(("foot", "expected", "media"), SOURCE_LINE_CASES.values(), ids=SOURCE_LINE_CASES.keys())
def test_source_line_is_plain_text_with_the_media(foot: str, expected: str, media: str) -> None:
    assert clean_html("<p>正文</p>" + foot, BASE) == "<p>正文</p>" + expected
    assert find_source_line_media("<p>正文</p>" + foot) == media


def test_the_last_of_several_source_lines_counts() -> None:
    body = "<p>（来源：甲报）</p><p>正文</p><p>（文章来源：乙报）</p><p>（责任编辑：1）</p>"
    assert find_source_line_media(body) == "乙报"


def test_source_of_a_fact_below_does_not_hide_the_media() -> None:
    assert find_source_line_media("<p>正文</p><p>（文章来源：乙报）</p><p>（来源：公司公告）</p>") == "乙报"


def test_links_of_a_quoted_source_line_in_the_text_stay() -> None:
    body = '<p>（来源：<a href="http://a.cn/">甲报</a>）</p><p>正文</p>'
    assert clean_html(body, BASE) == body
