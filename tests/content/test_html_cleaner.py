"""A body of the source becomes one that Jekyll shows unchanged: the quirks that were seen, and anything else."""

import html
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings

import crawler
from crawler.content.html_text import html_to_text
from tests.support.html import (
    BASE,
    HTML_BODIES,
    PROMOTION_TEXT,
    clean_html,
    find_faults,
    find_source_line_media,
    remove_whitespace,
)

POSTS_DIR = Path(crawler.__file__).parent / "sample_site" / "posts"
POSTS_WITHOUT_CHARTS = ["2022-01-10-NW202201102242171631.md", "2022-04-21-NW202204212352230938.md"]

HIDDEN_PARAGRAPH = '<p style="display:none;height:1px;overflow:hidden;"><br /></p>'
CHART_START, CHART_END = "<!-- EM_StockImg_Start -->", "<!-- EM_StockImg_End -->"
CHART_HTML = (
    '<p style="text-align:center;"><a href="http://quote.eastmoney.com/unify/r/0.000338" data-code="000338|0|2" '
    'class="EmImageRemark" target="_blank"><img src="https://webquoteklinepic.eastmoney.com/GetPic.aspx?nid=0.000338'
    '&imageType=k&token=28dfeb41d35cc81d84b4664d7c23c49f&at=1" border="0" alt="K图 000338_0" width="578" height="276" '
    "/></a></p>"
)


def body_of_post(name: str) -> str:
    """Return the body of a post as the old site published it, without front matter and links."""
    return re.split("\n\n<(?:http[^>]*)?>\n", (POSTS_DIR / name).read_text("utf-8").split("---\n", 2)[2])[0]


# The first posts


@pytest.mark.parametrize("name", POSTS_WITHOUT_CHARTS)
def test_first_posts_are_cleaned_byte_for_byte(name: str) -> None:
    assert clean_html(body_of_post(name), BASE) == body_of_post(name)


@pytest.mark.parametrize("name", POSTS_WITHOUT_CHARTS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<p>", "<p>　　"),
        ("<p>", "<p>\u3000\u3000\n"),
        ("<p>", "<p>&nbsp;&nbsp;"),
        ("</p><p>", "</p>\n <p>"),
        ("</p><p>", "</p>\r\n\t<p>"),
        ("</p><p>", "</p>\u200b\n <p>"),
        ("</p>", "<br /></p>"),
        ("</p>", " </p>"),
        ("<p>", HIDDEN_PARAGRAPH + "<p>"),
        ("<p>", CHART_START + CHART_HTML + CHART_END + "<p>"),
        ("<p>", '<p style="text-align:justify" class="x" id="y" onclick="z()">'),
    ],
    ids=[
        "indented", "indented on a line of its own", "indented by nbsp", "newline and blank between paragraphs",
        "CRLF and tab between", "zero-width space between", "br at the ends", "blank at the ends",
        "hidden paragraphs", "live charts", "attributes",
    ],
)  # fmt: skip
def test_source_additions_to_first_posts_are_removed(name: str, old: str, new: str) -> None:
    body = body_of_post(name)
    assert new not in body
    assert clean_html(body.replace(old, new), BASE) == body


@pytest.mark.parametrize("path", sorted(POSTS_DIR.glob("*.md")), ids=lambda path: path.stem)
def test_legacy_posts_become_clean_and_keep_their_words(path: Path) -> None:
    body = body_of_post(path.name)
    cleaned = clean_html(body, BASE)
    assert find_faults(cleaned) == []
    assert clean_html(cleaned, BASE) == cleaned
    assert "GetPic" not in cleaned
    without_tags = html.unescape(re.sub(r"<[^>]*>", "", body))
    assert remove_whitespace(html_to_text(cleaned)) == remove_whitespace(without_tags)


# The quirks

QUIRK_CASES = {
    # what hides
    "hidden paragraph with a break": (HIDDEN_PARAGRAPH + "<p>x</p>", "<p>x</p>"),
    "hidden paragraph with a blank": ('<p style="display: none;"> </p><p>x</p>', "<p>x</p>"),
    "hidden paragraph with words": ('<p style="DISPLAY:NONE">ad</p><p>x</p>', "<p>x</p>"),
    "hidden by visibility": ('<p>x<span style="visibility:hidden">ad</span></p>', "<p>x</p>"),
    "hidden by attribute": ("<div hidden>ad</div><p>x</p>", "<p>x</p>"),
    "a colour hides nothing": ('<p><span style="color:red">x</span></p>', "<p>x</p>"),
    # charts
    "chart in comments": (HIDDEN_PARAGRAPH + CHART_START + CHART_HTML + CHART_END + "<p>x</p>", "<p>x</p>"),
    "several charts": ((HIDDEN_PARAGRAPH + CHART_START + CHART_HTML + CHART_END) * 8 + "<p>x</p>", "<p>x</p>"),
    "nested comments": (CHART_START + CHART_START + CHART_HTML + CHART_END + "<p>x</p>" + CHART_END, "<p>x</p>"),
    "comment that never ends": (f"<p>x{CHART_START}</p>{CHART_HTML}<p>y</p>", "<p>x</p><p>y</p>"),
    "comment that never began": (f"<p>x</p>{CHART_END}{CHART_END}<p>y</p>", "<p>x</p><p>y</p>"),
    "comment inside a paragraph": (
        f"<p>x{CHART_START}</p>{CHART_HTML}{CHART_END}{CHART_START}{HIDDEN_PARAGRAPH}{CHART_END}<p>y</p>",
        "<p>x</p><p>y</p>",
    ),
    "chart of 2026": (CHART_HTML.replace("webquoteklinepic", "webquotepic") + "<p>x</p>", "<p>x</p>"),
    "chart without scheme": ('<p><img src="//webquotepic.eastmoney.com/GetPic.aspx?nid=1.1">x</p>', "<p>x</p>"),
    "chart within a paragraph": (
        '<p>x<img src="http://webquotepic.eastmoney.com/GetPic.aspx?nid=1.1&imageType=r">y</p>',
        "<p>xy</p>",
    ),
    # adverts
    "promotion paragraph": (f"<p>　　{PROMOTION_TEXT}</p><p>x</p>", "<p>x</p>"),
    "promotion link": (
        f'<p>　　<a class="toplink" href="https://acttg.eastmoney.com/x">{PROMOTION_TEXT}</a></p>x',
        "<p>x</p>",
    ),
    "promotion link on another host": ('<p>　　<a class="a toplink" href="http://b.cn/">妙想</a></p>x', "<p>x</p>"),
    "promotion next to the text": ('<p>x<a class="toplink" href="http://b.cn/">开户&gt;&gt;</a></p>', "<p>x</p>"),
    "advert picture": (
        '<p>x</p><p><a href="https://acttg.eastmoney.com/pub/x"><img src="https://np-newspic.dfcfw.com/ad.jpg" '
        'class="em_handle_adv_close" /></a></p>',
        "<p>x</p>",
    ),
    "advert picture without link": (
        '<p>x<img src="https://np-newspic.dfcfw.com/ad.jpg" class="em_handle_adv_close"></p>',
        "<p>x</p>",
    ),
    "advert link without scheme": ('<p>x<a href="//acttg.eastmoney.com/x">ad</a></p>', "<p>x</p>"),
    "advert box": ('<div class="ad_context3"><script>ads()</script><p>广告</p></div><p>x</p>', "<p>x</p>"),
    "sentence about opening accounts": ("<p>一站式开户交易受到欢迎。</p>", "<p>一站式开户交易受到欢迎。</p>"),
    "another house's link": (
        '<p><a href="http://acttg.example.com/">x</a></p>',
        '<p><a href="http://acttg.example.com/">x</a></p>',
    ),
    "class that only sounds alike": ('<p class="nottoplink">x</p>', "<p>x</p>"),
    # white space
    "newline and blank between": ("<p>a</p>\n <p>b</p>", "<p>a</p><p>b</p>"),
    "newline inside": ("<p>a\r\n   b</p>", "<p>a b</p>"),
    "blank lines inside": ("<p>a\n\n \nb</p>", "<p>a b</p>"),
    "newline between inline elements": ("<p><b>a</b>\n<i>b</i></p>", "<p><b>a</b> <i>b</i></p>"),
    "indent": ("<p>　　x</p>", "<p>x</p>"),
    "indent in a span": ("<p><span>　　x</span></p>", "<p>x</p>"),
    "indent before and in strong": ("<p>　　<strong>　　x</strong></p>", "<p><strong>x</strong></p>"),
    "indent after an empty span": ('<p><span id="quote_1.1"></span>　　x</p>', "<p>x</p>"),
    "indent after a line break": ("<p>a<br />　　b</p>", "<p>a<br>b</p>"),
    "gap that aligns names": ("<p>李　四　　张三丰</p>", "<p>李　四　　张三丰</p>"),
    "pseudo heading": ("<p><strong>小标题 </strong></p><p>x</p>", "<p><strong>小标题 </strong></p><p>x</p>"),
    "trailing breaks": ("<p>x<br /><br> </p>", "<p>x</p>"),
    "only breaks": ("<p><br /></p><p>x</p>", "<p>x</p>"),
    "zero-width characters": ("<p>a\u200bb\ufeffc\u2060</p>", "<p>abc</p>"),
    "control characters": ("<p>a\x00b\x0bc\x7f\x9fd</p>", "<p>abcd</p>"),
    "half a character": ("<p>a\ud83db</p>", "<p>ab</p>"),
    "emoji": ("<p>👨‍👩‍👧❤️</p>", "<p>👨‍👩‍👧❤️</p>"),
    # links
    "relative link": (
        '<p><a href="/a/1.html">x</a></p>',
        '<p><a href="https://finance.eastmoney.com/a/1.html">x</a></p>',
    ),
    "link next to the page": (
        '<p><a href="1.html">x</a></p>',
        '<p><a href="https://finance.eastmoney.com/a/1.html">x</a></p>',
    ),
    "link without scheme": ('<p><a href="//a.cn/b">x</a></p>', '<p><a href="https://a.cn/b">x</a></p>'),
    "link on http": ('<p><a href=" http://a.cn/b ">x</a></p>', '<p><a href="http://a.cn/b">x</a></p>'),
    "javascript": ('<p><a href="javascript:alert(1)">x</a></p>', "<p>x</p>"),
    "javascript, disguised": ('<p><a href=" jAva&#10;script&colon;alert(1)">x</a></p>', "<p>x</p>"),
    "data": ('<p><a href="data:text/html,<b>">x</a></p>', "<p>x</p>"),
    "mail": ('<p><a href="mailto:a@b.cn">x</a></p>', "<p>x</p>"),
    "anchor": ('<p><a name="top">x</a><a href="#top">y</a></p>', "<p>xy</p>"),
    "address with a broken host": ('<p><a href="http://[x">x</a></p>', "<p>x</p>"),
    "address with a broken port": ('<p><a href="http://a.cn:port/">x</a></p>', "<p>x</p>"),
    "address without a host": ('<p><a href="http:///a">x</a></p>', "<p>x</p>"),
    "nested links": (
        '<p><a href="http://a.cn/">x <a href="http://b.cn/">y</a></a></p>',
        '<p><a href="http://a.cn/">x </a><a href="http://b.cn/">y</a></p>',
    ),
    "link with two and-signs": (
        '<p><a href="http://a.cn/?a=1&b=2">x</a></p>',
        '<p><a href="http://a.cn/?a=1&amp;b=2">x</a></p>',
    ),
    "attributes of links": (
        '<p><a href="http://a.cn/" target="_blank" rel="x" onclick="y()" style="z">x</a></p>',
        '<p><a href="http://a.cn/">x</a></p>',
    ),
    # pictures
    "centred picture": (
        '<center><img src="https://dfscdn.dfcfw.com/download/D2_w800h555.jpg" alt="Image" width="552" '
        'style="border:#d1d1d1 1px solid;padding:3px;margin:5px 0;" /></center>'
        '<p style="text-align:center;">图片来源：官网</p>',
        '<div><img src="https://dfscdn.dfcfw.com/download/D2_w800h555.jpg" alt="Image"></div><p>图片来源：官网</p>',
    ),
    "source's picture on http": (
        '<p><img src="http://np-newspic.dfcfw.com/a.jpg"></p>',
        '<p><img src="https://np-newspic.dfcfw.com/a.jpg"></p>',
    ),
    "another's picture on http": (
        '<p><img src="http://notdfcfw.com/a.jpg"></p>',
        '<p><img src="http://notdfcfw.com/a.jpg"></p>',
    ),
    "picture without scheme": ('<p><img src="//a.cn/b.jpg"></p>', '<p><img src="https://a.cn/b.jpg"></p>'),
    "picture in the address": ('<p>x<img src="data:image/png;base64,AA=="></p>', "<p>x</p>"),
    "picture without address": ('<p>x<img alt="y"></p>', "<p>x</p>"),
    "pixel": ('<p>x<img src="http://a.cn/p.gif" width="1" height="1"></p>', "<p>x</p>"),
    "picture with other sizes": (
        '<p><img src="http://a.cn/p.gif" srcset="b.gif 2x" width="10"></p>',
        '<p><img src="http://a.cn/p.gif"></p>',
    ),
    "picture on its own": ('<img src="https://a.cn/b.jpg">', '<p><img src="https://a.cn/b.jpg"></p>'),
    # entities, Liquid, kramdown
    "entities stay escaped": ("<p>&lt;蒙特利尔议定书&gt; a&amp;b</p>", "<p>&lt;蒙特利尔议定书&gt; a&amp;b</p>"),
    "escaped markup stays text": (
        "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>",
        "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>",
    ),
    "escaped twice is unescaped not once": ("<p>&amp;lt;b&amp;gt;</p>", "<p>&amp;lt;b&amp;gt;</p>"),
    "bare signs": ("<p>a < b & c > d</p>", "<p>a &lt; b &amp; c &gt; d</p>"),
    "Liquid": ("<p>{{ site.secret }}{% raw %}</p>", "<p>&#123;{ site.secret }}&#123;% raw %}</p>"),
    "Liquid as entities": ("<p>&#123;&#123; x }}&lbrace;% y</p>", "<p>&#123;{ x }}&#123;% y</p>"),
    "Liquid across elements": ("<p>{<b></b>{ x }}</p>", "<p>&#123;{ x }}</p>"),
    "Liquid hidden by zero width": ("<p>{\u200b{ x }}</p>", "<p>&#123;{ x }}</p>"),
    "Liquid in attributes": (
        '<p><img src="http://a.cn/{{b}}" alt="{% c %}"></p>',
        '<p><img src="http://a.cn/&#123;{b}}" alt="&#123;% c %}"></p>',
    ),
    "kramdown attributes": ('<p>x</p>{: onclick="alert(1)"}', '<p>x</p><p>&#123;: onclick="alert(1)"}</p>'),
    "kramdown options": ("{::options parse_block_html='true' /}", "<p>&#123;::options parse_block_html='true' /}</p>"),
    "other braces": ("<p>集合{1, 2}与{a}</p>", "<p>集合{1, 2}与{a}</p>"),
    "Markdown inside a block": ("<p>2*3*4 _x_ `y` [a](b) # c</p>", "<p>2*3*4 _x_ `y` [a](b) # c</p>"),
    # blocks
    "text only": ("涨2*3*4", "<p>涨2*3*4</p>"),
    "text around a block": ("a <b>b</b> c<p>d</p>e <i>f</i>", "<p>a <b>b</b> c</p><p>d</p><p>e <i>f</i></p>"),
    "inline element first": ("<strong>a</strong>b<p>c</p>", "<p><strong>a</strong>b</p><p>c</p>"),
    "line breaks at the top": ("a<br>b<br /><br /><p>c</p>", "<p>a<br>b</p><p>c</p>"),
    "heading": ('<h3 class="emh3">第一</h3><p>x</p>', "<h3>第一</h3><p>x</p>"),
    "nested boxes": ("<div><div> <p>x</p> </div></div>", "<div><div><p>x</p></div></div>"),
    "unclosed paragraph": ("<p>x<p>y", "<p>x</p><p>y</p>"),
    "unclosed box": ("<div><p>x", "<div><p>x</p></div>"),
    "stray ends": ("</div></p><p>x</p></b>", "<p>x</p>"),
    "copied ends": ('<p >x</p ><p>y<a href="http://a.cn/">z</a ></p>', '<p>x</p><p>y<a href="http://a.cn/">z</a></p>'),
    "capitals": ("<P>x<BR>y</P>", "<p>x<br>y</p>"),
    "font, span and names of Word": ('<p><font color="red">a</font><span>b</span><o:p>c</o:p></p>', "<p>abc</p>"),
    "list": ("<ul> <li> a</li>\n<li></li><li>b </li></ul>", "<ul><li>a</li><li>b</li></ul>"),
    "quotation": ("<blockquote>\n<p>x</p>\n</blockquote>", "<blockquote><p>x</p></blockquote>"),
    "rule": ("<p>a</p><hr /><p>b</p>", "<p>a</p><hr><p>b</p>"),
    "preformatted": ("<pre>a\n  b\n</pre>", "<pre>a&#10;  b&#10;</pre>"),
    "preformatted, CRLF": ("<pre>a\r\nb</pre>", "<pre>a&#10;b</pre>"),
    "table": (
        '<table border="0"><tbody><tr><th>证券代码</th><th></th></tr>\n<tr><td>002353</td><td> </td></tr></tbody></table>',
        "<table><tbody><tr><th>证券代码</th><th></th></tr><tr><td>002353</td><td></td></tr></tbody></table>",
    ),
    "table with spans": (
        '<table><tr><td colspan="2" width="9">a</td></tr></table>',
        '<table><tbody><tr><td colspan="2">a</td></tr></tbody></table>',
    ),
    "table of empty cells": ("<table><tr><td> </td><td></td></tr></table><p>x</p>", "<p>x</p>"),
    "empty elements": ("<p><strong></strong>x<b><i> </i></b></p><div><p></p></div>", "<p>x</p>"),
    # what runs
    "script": ("<script>alert(1)</script><p>x</p>", "<p>x</p>"),
    "script in a drawing": ("<svg><script>alert(1)</script><text>y</text></svg><p>x</p>", "<p>x</p>"),
    "style": ("<style>p{display:none}</style><p>x</p>", "<p>x</p>"),
    "frame": ('<iframe src="http://a.cn/">y</iframe><p>x</p>', "<p>x</p>"),
    "form": ('<form action="/x"><input value="y"><button>z</button></form><p>x</p>', "<p>x</p>"),
    "film": ('<video src="http://a.cn/b.mp4">y</video><p>x</p>', "<p>x</p>"),
    "event attribute": ('<p onclick="alert(1)" onmouseover=alert(1)>x</p>', "<p>x</p>"),
    "markdown attribute": ('<div markdown="1">*x*</div>', "<div>*x*</div>"),
    "base address": (
        '<base href="http://evil.cn/"><p><a href="/b">x</a></p>',
        '<p><a href="https://finance.eastmoney.com/b">x</a></p>',
    ),
    "redirection": ('<meta http-equiv="refresh" content="0;url=http://a.cn"><p>x</p>', "<p>x</p>"),
    "unclosed text field": ("<p>x</p><textarea>y", "<p>x</p>"),
    "unclosed comment": ("<p>x</p><!-- y", "<p>x</p>"),
    "CDATA": ("<p>x<![CDATA[y]]>z</p>", "<p>xz</p>"),
    # nothing
    "nothing": ("", ""),
    "blanks": (" \n　　&nbsp;\t", ""),
    "empty paragraphs": ("<p></p><p> </p><p>　　</p><p><br /></p>", ""),
    "chart only": (HIDDEN_PARAGRAPH + CHART_START + CHART_HTML + CHART_END, ""),
    "link around nothing": ('<p><a href="http://a.cn/"></a></p>', ""),
}


@pytest.mark.parametrize(("body", "expected"), QUIRK_CASES.values(), ids=QUIRK_CASES.keys())
def test_each_quirk_is_fixed(body: str, expected: str) -> None:
    cleaned = clean_html(body, BASE)
    assert cleaned == expected
    assert find_faults(cleaned) == []
    assert clean_html(cleaned, BASE) == cleaned


# What is at the top level and must not be, or holds blocks and must not: how it is wrapped is not promised.
AWKWARD_CASES = {
    "link around a paragraph": ('<a href="http://a.cn/"><p>x</p></a>', "x"),
    "bold around paragraphs": ("<b><p>x</p><p>y</p></b>z", "xyz"),
    "list item without a list": ("<li>x</li>", "x"),
    "definition without a list": ("<dt>x</dt><dd>y</dd>", "xy"),
    "caption without a figure": ("<figcaption>x</figcaption>", "x"),
    "cells without a table": ("<tr><td>x</td></tr>", "x"),
    "text in a list": ("<ul>x<li>y</li></ul>", "xy"),
    "empty element before an indent": ("<p><strong></strong>　　x</p>", "x"),
    "empty element at the end": ("<p>x <a href='http://a.cn/'></a></p>", "x"),
    "advert before an indent": (f'<p><a href="https://acttg.eastmoney.com/">{PROMOTION_TEXT}</a>　　x</p>', "x"),
    "joiner as an entity": ("<p>x&zwj;y</p>", "xy"),
    "zero-width space as an entity": ("<p>x&#8203;y&#xFEFF;</p>", "xy"),
    "only a zero-width space as an entity": ("<p>&ZeroWidthSpace;</p>", ""),
    "control character as an entity": ("<p>x&#1;y&#127;</p>", "xy"),
    "line separator": ("<p>x\u2028y\u2029z\x85</p>", "xyz"),
    "promotion in a link that leads nowhere": (f'<p><a href="#">{PROMOTION_TEXT}</a></p>x', "x"),
    "promotion in a span": (f"<p>　　<span>{PROMOTION_TEXT}</span></p>x", "x"),
    "promotion before other words": (f"<p>{PROMOTION_TEXT}<strong>x</strong></p>", None),
    "line breaks in preformatted text": ("<pre>\n\nx</pre>", "x"),
    "line break in a span at the end": ("<span>x<br></span>", "x"),
    "figure in inline code": ("<code>x</code><code><figure>y</figure></code>", "xy"),
}


@pytest.mark.parametrize(("body", "words"), AWKWARD_CASES.values(), ids=AWKWARD_CASES.keys())
def test_awkward_bodies_become_clean_and_keep_their_words(body: str, words: str | None) -> None:
    cleaned = clean_html(body, BASE)
    assert find_faults(cleaned) == []
    assert clean_html(cleaned, BASE) == cleaned
    if words is None:
        assert "x" in html_to_text(cleaned)
    else:
        assert remove_whitespace(html_to_text(cleaned)) == words


# Anything

MANY_EXAMPLES = settings(max_examples=250, deadline=None)


@MANY_EXAMPLES
@given(HTML_BODIES)
@example("<a href='http://a.cn/'><p>x</p></a>")
@example("<li>x</li>")
@example("<p><strong></strong>　　x</p>")
def test_any_body_becomes_balanced_inert_blocks(body: str) -> None:
    assert find_faults(clean_html(body, BASE)) == []


@MANY_EXAMPLES
@given(HTML_BODIES)
@example("&zwj;")
@example('<span id="stock_1.600160">（文章来源：财联社）')
@example('<p><a href="http://dfcfw.com">（文章来源：财联社）</a></p><p>\u3000</p>')
@example("<p>x <b></b></p>")
@example('<b><a href="#"><p><img src="//dfcfw.com/a.jpg">')
@example("<h2><a><h2>x")
@example("<h6><table><h6>x")
@example("<pre><span><ul>x")
@example("<ul><a><pre>x")
@example("<dl><span><li>x")
@example("<h2><dt><a><dl><hr>")
def test_cleaning_is_idempotent(body: str) -> None:
    cleaned = clean_html(body, BASE)
    assert clean_html(cleaned, BASE) == cleaned


@MANY_EXAMPLES
@given(HTML_BODIES)
@example("x&#1;y")
def test_source_line_is_one_line_or_nothing(body: str) -> None:
    line = find_source_line_media(body)
    assert line == line.strip()
    assert "\n" not in line
