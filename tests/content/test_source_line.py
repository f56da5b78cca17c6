"""The line that names the media at a post's foot: added once, and left out of what is compared."""

import pytest
from hypothesis import given, settings

from crawler.content.html_cleaner import clean_html
from crawler.content.html_text import html_to_text
from crawler.content.markup import PLAIN_MARKUP
from crawler.content.normalise import clean_media_name
from crawler.content.source_line import ensure_source_line, without_source_line
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from tests.support.articles import HOSTILE_MEDIA_NAMES
from tests.support.html import BASE, HTML_BODIES

LINE = '<p class="em_media">（文章来源：林业周报）</p>'


def with_line(html: str, media: str = "林业周报") -> str:
    return ensure_source_line(html, html_to_text(html), media, EASTMONEY_MARKUP)


@pytest.mark.parametrize(
    "html",
    [
        "<p>正文。</p>",
        "<div><p>正文。</p></div>",
        "<table><tbody><tr><td>来源：林业周报</td></tr></tbody></table><p>正文。</p>",
        "<p>（来源：造纸协会）</p><p>正文。</p>",
        "<p>（文章来源：造纸协会）</p><p>正文。</p>",
        "<p>正文。</p><p>（图片来源：造纸协会）</p>",
        "<p>正文。</p><p>数据来源：造纸协会</p>",
        "<p>资金来源：自筹</p>",
        "<p>正文。（林业周报）</p>",
        "<p>正文。</p><p>免责声明：本文基于AI生产，仅供参考。</p>",
        "<p>来源：一位知情人士说，纸价会涨。</p>",
    ],
)
def test_a_body_without_a_source_line_gets_one(html: str) -> None:
    assert with_line(html) == html + LINE


@pytest.mark.parametrize(
    "html",
    [
        LINE,
        f"<p>正文。</p>{LINE}",
        '<p>正文。</p><p class="em_media">（文章来源：别的报）</p>',
        "<p>正文。</p><p>（来源：别的报）</p>",
        "<p>正文。</p><p>(文章来源:别的报)</p>",
        "<p>正文。</p><p>文章来源：别的报</p>",
        "<p>正文。</p><p>来源：别的报（客户端）</p>",
        "<p>正文。（文章来源：别的报）</p>",
        "<p>正文。【来源：别的报】</p>",
        f"<p>正文。</p>{LINE}<p>（编辑：甲）</p>",
        f"<p>正文。</p>{LINE}<p>免责声明：仅供参考。</p><p>郑重声明：无关。</p>",
        f"<p>正文。</p>{LINE}<p>更多资讯请看别处</p>",
    ],
)
def test_a_body_with_a_source_line_keeps_it(html: str) -> None:
    assert with_line(html) == html


def test_a_source_that_has_no_such_line_gets_none() -> None:
    assert ensure_source_line("<p>正文。</p>", "正文。", "甲", PLAIN_MARKUP) == "<p>正文。</p>"


@pytest.mark.parametrize("media", [*HOSTILE_MEDIA_NAMES, "<b>甲</b>&乙", "{{x}}", "{%x", "{:x"])
def test_the_line_is_as_clean_as_the_rest(media: str) -> None:
    if name := clean_media_name(media):
        html = with_line("<p>正文。</p>", name)
        assert html.startswith("<p>正文。</p><p class=")
        assert clean_html(html, BASE, EASTMONEY_MARKUP) == html


@pytest.mark.parametrize("blocks", [1, 499, 500, 501, 1200])
def test_a_long_body_stays_clean(blocks: int) -> None:
    html = clean_html("<p>甲</p>" * blocks, BASE, EASTMONEY_MARKUP)
    lined = with_line(html)
    assert clean_html(lined, BASE, EASTMONEY_MARKUP) == lined
    assert lined.replace("\n", "") == "<p>甲</p>" * blocks + LINE


@given(body=HTML_BODIES)
@settings(max_examples=200, deadline=None)
def test_any_body_gets_it_at_most_once_and_stays_clean(body: str) -> None:
    html = clean_html(body, BASE, EASTMONEY_MARKUP)
    if not html:
        return
    lined = with_line(html)
    assert lined in {html, html + LINE}
    assert with_line(lined) == lined
    assert clean_html(lined, BASE, EASTMONEY_MARKUP) == lined
    text = without_source_line(html_to_text(html), EASTMONEY_MARKUP)
    assert without_source_line(html_to_text(lined), EASTMONEY_MARKUP) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("正文。\n（文章来源：甲报）", "正文。"),
        ("正文。\n来源：甲报", "正文。"),
        ("正文。（来源：甲报）", "正文。"),
        ("正文。\n（文章来源：甲报）\n免责声明：无。", "正文。\n免责声明：无。"),
        ("（来源：甲报）\n正文。", "（来源：甲报）\n正文。"),
        ("正文。（甲报）", "正文。（甲报）"),
        ("（文章来源：甲报）", ""),
        ("", ""),
    ],
)
def test_what_is_compared_leaves_the_line_out(text: str, left: str) -> None:
    assert without_source_line(text, EASTMONEY_MARKUP) == left
