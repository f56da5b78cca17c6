"""HTML pages: an article's page in the layout of its time, the share page, and the 404 page.

They have the parts of a real page that a parser must distinguish (wire contract, section c3).
"""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape

from crawler.sample_site.api_responses import ensure_source_line, strip_source_line
from crawler.sample_site.articles import SourceArticle
from crawler.sample_site.corpus import Corpus

ROBOTS_TXT = b"User-agent: *\nAllow: /\n"
NOT_FOUND_PAGE = b"<!DOCTYPE html><html><head><title>404</title></head><body>404 Not Found</body></html>"

_MENU_SECTIONS = (
    ("ccjdd", "财经导读"),
    ("cgnjj", "国内经济"),
    ("cgjjj", "国际经济"),
    ("czqyw", "证券聚焦"),
    ("ccjxw", "产经新闻"),
    ("cjjsp", "经济时评"),
    ("cjzc", "财经早餐"),
)
_MENU_HTML = "".join(
    f'<li><a href="https://finance.eastmoney.com/a/{slug}.html">{name}</a></li>' for slug, name in _MENU_SECTIONS
)
_HEAD_TEMPLATE = """<!DOCTYPE html>
<html lang="zh-CN"><head><meta charset="utf-8" />
<title>{title}{site_name}</title>
<meta name="description" content="{summary}" />
<script>var newsid = "{code}";</script></head>
<body><div class="nav"><ul>{menu}</ul></div>
"""
_FOOTER_HTML = '<div class="footer"><p>东方财富网</p><script>window.loaded = true;</script></div>\n</body></html>\n'
_SHARE_HINT_HTML = "<p>打开微信，</p><p>点击底部的“发现”</p><p>使用“扫一扫”即可将网页分享至朋友圈。</p>"
# The boxes of the side bar have the same class as the title.
_LAYOUT_2022 = """<div class="main"><div class="mainright"><div class="title">行情中心</div></div>
<div class="mainleft">
<div class="title">{title}</div>
<div class="tipbox"><div class="infos"><div class=" item">{time}</div>{items}</div></div>
<div class="contentbox"><div class="zwinfos">{abstract}
<div class="txtinfos" id="ContentBody" style="margin-top:0;"><!--文章主体-->
{body}
{ending}{pager}
<div class="zwothers"><p>郑重声明：东方财富发布此内容旨在传播更多信息，与本站立场无关。</p></div>
</div></div><div class="share">{share}</div>
</div><div class="mainright"><ul>{menu}</ul></div></div>
"""
_LAYOUT_2018 = """<div class="newsContent"><h1>{title}</h1>
<div class="time-source"><div class="time">{time}</div>
<div class="source data-source" data-source="{source}">来源：{source}</div></div>
<div class="b-review">{summary}</div>
<div id="ContentBody" class="Body">
{body}
<p class="res-edit">（责任编辑：DF11）</p>
</div>{pager}
{share}</div>
"""
_PARAGRAPH = re.compile(r"<p[ >].*?</p>", re.DOTALL)
_SHARE_PAGE_TEMPLATE = """<!DOCTYPE html>
<html><head><meta charset="utf-8" /><title>{title}</title></head>
<body><h1>{title}</h1><p>{time}　{source}</p></body></html>
"""


def render_article_page(article: SourceArticle, page_number: int = 1) -> bytes:
    """Return a full page in the layout of 2022 or before; its time has no seconds."""
    values = _template_values(article) | {
        "body": _render_body_of_page(article, page_number),
        "pager": _render_pager(article, page_number),
    }
    if article.body_location == "page2018" or article.local_time.year < 2022:
        layout = _LAYOUT_2018.format(**values, share=_SHARE_HINT_HTML)
    else:
        # Both forms of the editor's line occur, and the share hint is after the text or still within it.
        ending, share = '<p class="res-edit">（责任编辑：11）</p>\n</div>', _SHARE_HINT_HTML
        if article.code[-1:] in "13579":
            ending, share = f"<p>（责任编辑：11）</p>\n{_SHARE_HINT_HTML}</div>", ""
        abstract = f'<div class="abstract"><div class="txt">{values["summary"]}</div></div>' if article.summary else ""
        items = _render_items(article, values["source"])
        layout = _LAYOUT_2022.format(**values, items=items, abstract=abstract, ending=ending, share=share)
    return "".join((_HEAD_TEMPLATE.format(**values), layout, _FOOTER_HTML)).encode()


def _render_body_of_page(article: SourceArticle, page_number: int) -> str:
    """Return the paragraphs of one page. Assumed: each page ends with the media."""
    if article.page_count == 1:
        return ensure_source_line(article)
    paragraphs = _PARAGRAPH.findall(strip_source_line(article.content))
    size = -(-len(paragraphs) // article.page_count)
    part = paragraphs[(page_number - 1) * size : page_number * size]
    return ensure_source_line(replace(article, content="".join(part)))


def _render_pager(article: SourceArticle, page_number: int) -> str:
    """Return links to the previous and next page. Assumed: only that pages are linked is known."""
    suffixes = {number: f"_{number}" if number > 1 else "" for number in range(1, article.page_count + 1)}
    links = (
        f'<a href="/a/{article.code}{suffix}.html">{number}</a>'
        for number, suffix in suffixes.items()
        if abs(number - page_number) == 1
    )
    return f'<div class="page">{"".join(links)}</div>' if article.page_count > 1 else ""


def render_share_page(article: SourceArticle) -> bytes:
    """Return the page behind the 2022 links. Assumed: no such page was recorded."""
    return _SHARE_PAGE_TEMPLATE.format(**_template_values(article)).encode()


def find_article_with_page(corpus: Corpus, code: str) -> SourceArticle | None:
    """Return an article that has a page; a blank row has none."""
    article = corpus.find_article(code)
    return None if article is None or article.is_blank else article


def _template_values(article: SourceArticle) -> dict[str, str]:
    return {
        "code": article.code,
        "title": escape(article.title, quote=False),
        "summary": escape(article.summary),
        "time": f"{article.local_time:%Y年%m月%d日 %H:%M}",
        "source": escape(article.media),
        "body": ensure_source_line(article),
        # Since 2026 there are blanks around the underscore.
        "site_name": " _ 东方财富网" if article.local_time.year >= 2026 else "_东方财富网",
        "menu": _MENU_HTML,
    }


def _render_items(article: SourceArticle, source: str) -> str:
    """Return the items below the title: the media, since 2026 with a label, as a link or after an author."""
    last_digit = article.code[-1:]
    if article.local_time.year < 2026:
        label = "来源：" if last_digit in "048" else ""
        return f'<div class="item">{label}{source}</div>'
    if last_digit in "147":
        source = source and f'<a href="https://www.example.com/">{source}</a>'
    author = '<div class="item">作者：甲乙</div>' if last_digit in "0369" else ""
    return author + (f'<div class="item">来源：{source}</div>' if source else "")
