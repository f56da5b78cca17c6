"""Spider `eastmoney`: today's public column lists of Eastmoney, and their articles."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode

from lxml import etree
from scrapy.selector import Selector

from crawler.content import clock
from crawler.content.html_limits import MAX_BODY_ELEMENTS, check_elements
from crawler.content.json_fields import (
    CountType,
    FieldSchema,
    get_code,
    get_count,
    get_datetime,
    get_rows,
    get_text,
    get_title,
    parse_json,
)
from crawler.content.unicode_text import clean_title, collapse_whitespace
from crawler.crawl.policy.pagination import count_pages
from crawler.errors import EmptyBodyError, IncompleteResponseError, ParseError, SourceError
from crawler.items import ListingEntry, ListingSize, Outcome, PageWindow, RawArticle
from crawler.spiders.base import Extractor, ListingPage, SourceSpider
from crawler.spiders.eastmoney_markup import (
    ARTICLE_URL,
    CAIFUHAO_URL,
    EASTMONEY_CHALLENGE_MARKS,
    EASTMONEY_MARKUP,
    EASTMONEY_MEDIA,
    EASTMONEY_SITE,
)

COLUMNS = {
    "344": "财经导读", "345": "资讯精华", "348": "财经要闻", "349": "沪深公司", "350": "国内经济", "351": "国际经济",
    "352": "宏观研究", "353": "证券聚焦", "354": "公司资讯", "355": "产经新闻", "363": "纵深调查",
    "365": "热点扫描", "371": "经济时评", "372": "产业透视", "373": "商业观察", "374": "股市评论",
    "398": "最新公告", "407": "大盘分析", "408": "板块聚焦", "415": "热门股追踪", "421": "行业研究",
    "423": "主力动态", "436": "美股聚焦", "437": "中概股公司", "440": "欧美公司", "448": "新股聚焦",
    "449": "新股策略", "450": "新股评论", "532": "港股聚焦", "535": "港股公司", "583": "理财资讯",
    "627": "再融资动态", "628": "再融资公司聚焦", "670": "商业资讯", "683": "创业研究", "745": "PC弹窗热门",
    "781": "欧洲市场", "782": "亚太市场", "830": "期指导读", "1138": "财富观察", "1205": "晚间要闻",
    "1207": "财经早餐",
}  # fmt: skip

# Rows: of the first page, which is all that a crawl of every few minutes reads, and of the largest page there is.
PAGE_SIZE, MAX_PAGE_SIZE = 100, 200
# `totle_hits`, the source's own spelling, never says more than this, whatever there is.
_MAX_REPORTED_HITS = 5_000
# What the endpoints answer, as far as it is read.
ENVELOPE_SCHEMA = FieldSchema(required={"code": CountType})
DATA_SCHEMA = FieldSchema(required={"data": dict | None})
_LISTING_SCHEMA = FieldSchema(
    required={"list": list | None, "totle_hits": CountType | None}, optional={"page_size": CountType}
)
_ROW_SCHEMA = FieldSchema(
    required={"code": str, "title": str, "showTime": str}, optional={"mediaName": str, "summary": str, "np_dst": str}
)
_DETAIL_SCHEMA = FieldSchema(
    required={"Art_Code": str, "Art_Content": str | None},
    optional=dict.fromkeys(("Art_Title", "Art_ShowTime", "Art_Media_Name", "Art_Description", "Art_Digest"), str),
)
_LISTING_FIELDS = "code,showTime,title,mediaName,summary,image,url,uniqueUrl,Np_dst"
# An article is in some dozens of columns; ids have four digits.
_MAX_COLUMN_IDS = 200
_COLUMN_ID = re.compile(r"[0-9]{1,6}", re.ASCII)
# The element that holds the text: of the layouts since 2018, then of the plain ones, which have no name for their foot.
_BODY_SELECTOR, _PLAIN_BODY_SELECTORS = "#ContentBody", ("div.content_text", "div.contentbox")
# What is in or around a body and belongs to the page.
_PAGE_PARTS = ".abstract, .sublab, .sourcebox, .topbox, .zwothers, .mainright, .res-edit"
_REMOVE_SUBTREE = "tree-gone"
# The first line below a text: (文章来源：X), 责任编辑: 9, 郑重声明：…
_FOOT_LINE = re.compile(r"[（(]?(?P<label>文章来源|责任编辑|郑重声明)[：:]\s*(?P<name>[^）)]*)")
_SOURCE_LABEL = re.compile(r"来源[：:]\s*(.*)")
_SOURCE_BOX_MEDIA = re.compile(r"文章来源[：:]\s*(.*?)\s*(?:责任编辑|郑重声明|原标题|$)")
# A head of one text: `标题 2026年06月15日 11:32 来源： 某报`.
_HEAD_TEXT = re.compile(
    r"(?P<title>.*?)\s*(?P<time>\d{4}年\d{1,2}月\d{1,2}日\s*\d{1,2}:\d\d)(?:.*?\s来源[：:]\s*(?P<media>\S*))?"
)
# Characters; what a page's title ends with is shorter by far.
_MAX_TITLE_SUFFIX = 60
# Among so many last characters a whole page says that it ends.
_PAGE_END_CHARS = 2_000
# What is around an article has some thousands.
_MAX_PAGE_ELEMENTS = MAX_BODY_ELEMENTS + 10_000


def extract_list_data(text: str) -> Mapping[str, Any] | None:
    """The `data` of a list response, None past its end. Raises SourceError for an error shell, also HTTP 200."""
    payload = ENVELOPE_SCHEMA.validate(parse_json(text))
    if str(payload["code"]) != "1":
        message = payload.get("message") or payload.get("msg") or f"code {payload['code']}"
        raise SourceError(f"the source answers: {clean_title(str(message))[:120]}")
    data: Mapping[str, Any] | None = DATA_SCHEMA.validate(payload)["data"]
    return data


def detail_url(_spider: SourceSpider, entry: ListingEntry) -> str:
    return f"https://newsinfo.eastmoney.com/kuaixun/v2/api/article/{entry.code}?guid=finews"


def page_url(_spider: SourceSpider, entry: ListingEntry) -> str:
    """Return the page of an article; of a 财富号 post none: those pages meet a check for humans."""
    return "" if is_caifuhao(entry) else entry.url


def find_next_page(text: str, entry: ListingEntry, page_number: int) -> str:
    """Return the page that an article goes on at, where the text of a page links to it."""
    name = f"{entry.code}_{page_number + 1}"
    is_linked = re.search(rf"""href\s{{0,9}}=\s{{0,9}}["']?[^"'>\s]{{0,200}}(?<![0-9]){name}\.html""", text)
    return ARTICLE_URL.format(name) if is_linked else ""


def is_caifuhao(entry: ListingEntry) -> bool:
    """Return whether an entry is a post of a blog."""
    return entry.url.startswith(CAIFUHAO_URL.format(""))


def extract_from_detail(text: str, entry: ListingEntry) -> RawArticle:
    """The JSON detail: every field of `data` is text, times have slashes, the body has no source line."""
    if (data := DATA_SCHEMA.validate(parse_json(text))["data"]) is None:
        raise EmptyBodyError("the article reply holds no article")
    _DETAIL_SCHEMA.validate(data)
    if get_text(data, "Art_Code") != entry.code:
        raise ParseError(f"the article reply is about {get_text(data, 'Art_Code')!r}")
    body = get_text(data, "Art_Content")
    if not body.strip():
        raise EmptyBodyError("Art_Content is empty")
    return RawArticle(
        entry,
        body=body,
        title=get_text(data, "Art_Title"),
        published=get_datetime(data, "Art_ShowTime", zone=EASTMONEY_MARKUP.zone)
        if get_text(data, "Art_ShowTime")
        else None,
        media=get_text(data, "Art_Media_Name"),
        summary=get_text(data, "Art_Description", "Art_Digest"),
        columns=_parse_column_ids(data.get("Art_Column_List")),
        ends_with_source_line=True,
    )


def extract_from_page(text: str, entry: ListingEntry) -> RawArticle:
    """The HTML page, in any of its layouts. Its time has no seconds."""
    if "</html" not in text[-_PAGE_END_CHARS:].lower():
        raise IncompleteResponseError("the page is cut: it has no end")
    check_elements(text, _MAX_PAGE_ELEMENTS)
    # Parsed as HTML in any case: what looks like JSON, as the source may answer, would raise.
    page = Selector(text=text, type="html")
    head = _read_head(page)
    body, foot_media = _extract_body(page)
    return RawArticle(
        entry,
        body=body,
        title=_choose_title(head.title, entry.title),
        published=_published_with_seconds(head.time, entry),
        media=head.media or entry.media or foot_media,
        summary=head.summary,
        ends_with_source_line=True,
    )


class EastmoneySpider(SourceSpider):
    """Extracts articles from the detail endpoint, else from the HTML page."""

    name = "eastmoney"
    columns = COLUMNS
    default_columns = ("344", "345", "350", "351", "353", "354", "355")
    site = EASTMONEY_SITE
    hosts = ("np-listapi.eastmoney.com", "newsinfo.eastmoney.com", "finance.eastmoney.com")
    default_media = EASTMONEY_MEDIA
    markup = EASTMONEY_MARKUP
    challenge_marks = EASTMONEY_CHALLENGE_MARKS
    supersedes = frozenset({"flash"})
    extractors: ClassVar[tuple[Extractor, ...]] = (
        Extractor(detail_url, extract_from_detail),
        Extractor(page_url, extract_from_page, find_next_page),
    )

    def listing_url(self, column: str, cursor: str) -> str:
        window = PageWindow.from_cursor(cursor, PAGE_SIZE)
        query = {
            "client": "web", "biz": "web_news_col", "column": column, "order": 1, "needInteractData": 0,
            "page_index": window.index, "page_size": window.size, "req_trace": clock.epoch_milliseconds(), "fields":
            _LISTING_FIELDS, "types": "1,20",
        }  # fmt: skip
        return "https://np-listapi.eastmoney.com/comm/web/getNewsByColumns?" + urlencode(query, safe=",")

    def extract_listing(self, text: str, cursor: str) -> ListingPage:
        """Past the last page `list` is empty or `data` null; the count of hits stops at 5,000."""
        data = extract_list_data(text)
        if data is None:
            return ListingPage([])
        rows = get_rows(_LISTING_SCHEMA.validate(data), "list")
        hits = min(get_count(data, "totle_hits"), _MAX_REPORTED_HITS)
        requested = PageWindow.from_cursor(cursor, PAGE_SIZE, MAX_PAGE_SIZE)
        size = get_count(data, "page_size") or requested.size
        # A source that answers with another size than it was asked for has pages of that size only.
        window = replace(requested, size=size, max_size=requested.max_size if size == requested.size else size)
        is_last_page = window.end >= hits if hits else len(rows) < window.size
        next_cursor = None if is_last_page or not rows else str(replace(window, index=window.index + 1))
        first_window = PageWindow(1, min(PAGE_SIZE, window.max_size), window.max_size)
        listing_size = ListingSize(hits, count_pages(hits, first_window)) if hits else None
        return ListingPage(rows, next_cursor, listing_size, window)

    def parse_row(self, row: Any, column: str) -> ListingEntry:
        _ROW_SCHEMA.validate(row)
        code = get_code(row, "code")
        return ListingEntry(
            code=code,
            title=get_title(row, "title"),
            published=get_datetime(row, "showTime", zone=self.markup.zone),
            column=column,
            url=(CAIFUHAO_URL if get_text(row, "np_dst") == "CFH" else ARTICLE_URL).format(code),
            media=get_text(row, "mediaName"),
            summary=get_text(row, "summary"),
        )

    def outcome_without_text(self, entry: ListingEntry) -> Outcome:
        """A 财富号 post is a blog's, and whether these responses carry its text is the source's to say."""
        return Outcome.FILTERED if is_caifuhao(entry) else Outcome.QUARANTINED


def _published_with_seconds(page_time: str | None, entry: ListingEntry) -> datetime:
    """The page's time; the listing's, which has seconds, where both name the same minute or the page names none."""
    published = get_datetime({"time": page_time}, "time", zone=EASTMONEY_MARKUP.zone) if page_time else entry.published
    return entry.published if published == entry.published.replace(second=0) else published


class _PageHead(NamedTuple):
    """What a page says above and next to its text; empty, or None, where it does not."""

    title: str
    time: str | None
    media: str
    summary: str


def _read_head(page: Selector) -> _PageHead:
    """Return the head of a page. Its title is not in `.title`: side bars have that class, too."""
    items = page.css(".infos .item")
    plain_head = None if items else _HEAD_TEXT.match(_text_of(page.css(".topbox")[:1]))
    title = page.css(".newsContent h1::text").get() or page.css("title::text").get()
    page_time = page.css(".infos .item::text, .time-source .time::text").re_first(r"\d{4}年.*\d")
    return _PageHead(
        title=_strip_site_name(clean_title(title or (plain_head["title"] if plain_head else ""))),
        time=page_time or (plain_head["time"] if plain_head else None),
        media=_read_media(page, items) or (plain_head["media"] or "" if plain_head else ""),
        summary=_text_of(page.css(".abstract .txt, .b-review")[:1]),
    )


def _read_media(page: Selector, items: Sequence[Any]) -> str:
    """Of the items in a head only the one that is labelled so names the media; others name the author, or no one."""
    labelled = (_SOURCE_LABEL.match(_text_of(item)) for item in items)
    if media := next((match[1] for match in labelled if match and match[1]), ""):
        return media
    if media := page.css(".data-source::attr(data-source)").get("").strip().removeprefix("来源："):
        return media
    # Some pages never close this box, so that the text lies in it.
    box_text = _text_of(page.css(".sourcebox")[:1], "not(ancestor::*[@id='ContentBody'])")
    box_media = _SOURCE_BOX_MEDIA.search(box_text)
    return box_media[1] if box_media else ""


def _strip_site_name(title: str) -> str:
    assert EASTMONEY_MARKUP.title_suffix is not None
    start, end = title[:-_MAX_TITLE_SUFFIX], title[-_MAX_TITLE_SUFFIX:]
    return start + EASTMONEY_MARKUP.title_suffix.sub("", end)


def _choose_title(title: str, listed_title: str) -> str:
    """The title of the page, in the spelling of the listing where they differ in blanks alone."""
    return listed_title if "".join(title.split()) == "".join(listed_title.split()) else title


def _parse_column_ids(text: object) -> tuple[str, ...]:
    """Where else the source lists an article. It is no part of it, so that what is no list of ids is none at all."""
    ids = text.split(",", _MAX_COLUMN_IDS) if isinstance(text, str) else []
    return tuple(column_id for column_id in ids[:_MAX_COLUMN_IDS] if _COLUMN_ID.fullmatch(column_id))


def _extract_body(page: Selector) -> tuple[str, str]:
    """The body as HTML, and the media that the line at its foot names. Raises ParseError where there is no body."""
    if bodies := page.css(_BODY_SELECTOR):
        return _cut_after_source_line(_nodes_of_text(bodies[0]))
    for selector in _PLAIN_BODY_SELECTORS:
        if bodies := page.css(selector):
            return _cut_plain_foot(_nodes_of_text(bodies[0]))
    raise ParseError("no article page of a known layout: it has no body")


def _nodes_of_text(body: Selector) -> list[Selector]:
    for part in body.css(_PAGE_PARTS):
        if part.root is not body.root:
            part.root.tag = _REMOVE_SUBTREE
    # All together: one by one, the text before each would be copied.
    etree.strip_elements(body.root, _REMOVE_SUBTREE, with_tail=False)
    return list(body.xpath("./node()"))


def _cut_after_source_line(nodes: list[Selector]) -> tuple[str, str]:
    """An article ends with its source line; the editor's name and the share buttons after it are the page's."""
    html = [node.get() for node in nodes]
    source_line_indexes = [
        index
        for index, node in enumerate(html)
        if node.startswith("<p") and EASTMONEY_MARKUP.source_line_class in node[: node.find(">")]
    ]
    if not source_line_indexes:
        return "".join(html), ""
    foot_index = source_line_indexes[-1]
    return "".join(html[: foot_index + 1]), _named_media([_FOOT_LINE.match(_text_of(nodes[foot_index]))])


def _cut_plain_foot(nodes: list[Selector]) -> tuple[str, str]:
    """The body above its foot, whose lines have no class there, and the media that the foot names."""
    foot_lines = [_FOOT_LINE.match(_text_of(node)) for node in nodes]
    foot_index = next((index for index, match in enumerate(foot_lines) if match), len(nodes))
    return "".join(node.get() for node in nodes[:foot_index]), _named_media(foot_lines)


def _named_media(foot_lines: Iterable[re.Match[str] | None]) -> str:
    """Return the media that the first line with its label names; other lines name the editor."""
    return next((match["name"].strip() for match in foot_lines if match and match["label"] == "文章来源"), "")


def _text_of(nodes: Any, condition: str = "true()") -> str:
    """The text of nodes on one line, as far as it meets a condition of XPath."""
    if isinstance(nodes, Selector) and isinstance(nodes.root, str):  # a text, which answers no XPath
        return collapse_whitespace(nodes.root)
    return collapse_whitespace("".join(nodes.xpath(f"descendant-or-self::text()[{condition}]").getall()))
