"""Spider `eastmoney`: today's public column lists of Eastmoney, and their articles."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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

# Rows of the first page, which is enough for a crawl every few minutes, and of the largest page of the source.
PAGE_SIZE, MAX_PAGE_SIZE = 100, 200
# The largest `totle_hits` (sic) that the source reports, however long a listing is.
_MAX_REPORTED_HITS = 5_000
# Schemas of the responses, with the fields that are read.
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
# Columns of an article; real ones have a few dozen, with ids of four digits.
_MAX_COLUMN_IDS = 200
_COLUMN_ID = re.compile(r"[0-9]{1,6}", re.ASCII)
# The body: in the layouts since 2018, then in the plain ones, whose foot has no class.
_BODY_SELECTOR, _PLAIN_BODY_SELECTORS = "#ContentBody", ("div.content_text", "div.contentbox")
# Parts of a page that are not of the article, in or around its body.
_PAGE_PARTS = ".abstract, .sublab, .sourcebox, .topbox, .zwothers, .mainright, .res-edit"
_REMOVE_SUBTREE = "tree-gone"
# The first line below a body: (文章来源：X), 责任编辑: 9, 郑重声明：…
_FOOT_LINE = re.compile(r"[（(]?(?P<label>文章来源|责任编辑|郑重声明)[：:]\s*(?P<name>[^）)]*)")
_SOURCE_LABEL = re.compile(r"来源[：:]\s*(.*)")
_SOURCE_BOX_MEDIA = re.compile(r"文章来源[：:]\s*(.*?)\s*(?:责任编辑|郑重声明|原标题|$)")
# A head in one string: `标题 2026年06月15日 11:32 来源： 某报`.
_HEAD_TEXT = re.compile(
    r"(?P<title>.*?)\s*(?P<time>\d{4}年\d{1,2}月\d{1,2}日\s*\d{1,2}:\d\d)(?:.*?\s来源[：:]\s*(?P<media>\S*))?"
)
# Characters at the end of a title that are searched for the site's name, which is far shorter.
_MAX_TITLE_SUFFIX = 60
# Characters at the end of a page that are searched for its end tag.
_PAGE_END_CHARS = 2_000
# Elements of a page; those around an article are a few thousand.
_MAX_PAGE_ELEMENTS = MAX_BODY_ELEMENTS + 10_000


def extract_list_data(text: str) -> Mapping[str, Any] | None:
    """Return `data` of a listing response, None after the last page. Raises SourceError for an error with HTTP 200."""
    payload = ENVELOPE_SCHEMA.validate(parse_json(text))
    if str(payload["code"]) != "1":
        message = payload.get("message") or payload.get("msg") or f"code {payload['code']}"
        raise SourceError(f"error of the source: {clean_title(str(message))[:120]}")
    data: Mapping[str, Any] | None = DATA_SCHEMA.validate(payload)["data"]
    return data


def detail_url(_spider: SourceSpider, entry: ListingEntry) -> str:
    """Return the URL of an article's JSON detail."""
    return f"https://newsinfo.eastmoney.com/kuaixun/v2/api/article/{entry.code}?guid=finews"


def page_url(_spider: SourceSpider, entry: ListingEntry) -> str:
    """Return the URL of an article's page; empty for a 财富号 post, whose page requires a check for humans."""
    return "" if is_caifuhao(entry) else entry.url


def find_next_page(text: str, entry: ListingEntry, page_number: int) -> str:
    """Return the URL of the next page, if a page of an article links to it."""
    name = f"{entry.code}_{page_number + 1}"
    is_linked = re.search(rf"""href\s{{0,9}}=\s{{0,9}}["']?[^"'>\s]{{0,200}}(?<![0-9]){name}\.html""", text)
    return ARTICLE_URL.format(name) if is_linked else ""


def is_caifuhao(entry: ListingEntry) -> bool:
    """Return whether an entry is a 财富号 post, which is of a blog."""
    return entry.url.startswith(CAIFUHAO_URL.format(""))


def extract_from_detail(text: str, entry: ListingEntry) -> RawArticle:
    """Return the article of a JSON detail, whose fields are text; the body has no source line."""
    if (data := DATA_SCHEMA.validate(parse_json(text))["data"]) is None:
        raise EmptyBodyError("the response has no article")
    _DETAIL_SCHEMA.validate(data)
    if get_text(data, "Art_Code") != entry.code:
        raise ParseError(f"the response is of article {get_text(data, 'Art_Code')!r}")
    body = get_text(data, "Art_Content")
    if not body.strip():
        raise EmptyBodyError("Art_Content is empty")
    # Not part of the article, so an invalid list of column ids is ignored.
    column_list = data.get("Art_Column_List")
    column_ids = column_list.split(",", _MAX_COLUMN_IDS) if isinstance(column_list, str) else []
    return RawArticle(
        entry,
        body=body,
        title=get_text(data, "Art_Title"),
        published=get_datetime(data, "Art_ShowTime", zone=EASTMONEY_MARKUP.zone)
        if get_text(data, "Art_ShowTime")
        else None,
        media=get_text(data, "Art_Media_Name"),
        summary=get_text(data, "Art_Description", "Art_Digest"),
        columns=tuple(column_id for column_id in column_ids[:_MAX_COLUMN_IDS] if _COLUMN_ID.fullmatch(column_id)),
        ends_with_source_line=True,
    )


def extract_from_page(text: str, entry: ListingEntry) -> RawArticle:
    """Return the article of an HTML page, in any of its layouts."""
    if "</html" not in text[-_PAGE_END_CHARS:].lower():
        raise IncompleteResponseError("the page is truncated: it has no end tag")
    check_elements(text, _MAX_PAGE_ELEMENTS)
    # With a type, because Selector would parse a text that looks like JSON as such.
    page = Selector(text=text, type="html")
    head = _read_head(page)
    body, foot_media = _extract_body(page)
    # The listing has the spelling of a title that differs only in spaces, and the seconds of the same minute.
    is_listed_title = "".join(head.title.split()) == "".join(entry.title.split())
    page_time = get_datetime({"time": head.time}, "time", zone=EASTMONEY_MARKUP.zone) if head.time else None
    is_listed_time = page_time in {None, entry.published.replace(second=0)}
    return RawArticle(
        entry,
        body=body,
        title=entry.title if is_listed_title else head.title,
        published=entry.published if is_listed_time else page_time,
        media=head.media or entry.media or foot_media,
        summary=head.summary,
        ends_with_source_line=True,
    )


class EastmoneySpider(SourceSpider):
    """Extract articles from the detail endpoint, else from the HTML page."""

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
        """Return the URL of the page that a cursor `INDEX/SIZE` names."""
        window = PageWindow.from_cursor(cursor, PAGE_SIZE)
        query = {
            "client": "web", "biz": "web_news_col", "column": column, "order": 1, "needInteractData": 0,
            "page_index": window.index, "page_size": window.size, "req_trace": clock.epoch_milliseconds(), "fields":
            _LISTING_FIELDS, "types": "1,20",
        }  # fmt: skip
        return "https://np-listapi.eastmoney.com/comm/web/getNewsByColumns?" + urlencode(query, safe=",")

    def extract_listing(self, text: str, cursor: str) -> ListingPage:
        """Return a listing page; after the last page `list` is empty or `data` null."""
        data = extract_list_data(text)
        if data is None:
            return ListingPage([])
        rows = get_rows(_LISTING_SCHEMA.validate(data), "list")
        hits = min(get_count(data, "totle_hits"), _MAX_REPORTED_HITS)
        requested = PageWindow.from_cursor(cursor, PAGE_SIZE, MAX_PAGE_SIZE)
        size = get_count(data, "page_size") or requested.size
        # A source that returns pages of another size than requested has only that size.
        window = replace(requested, size=size, max_size=requested.max_size if size == requested.size else size)
        is_last_page = window.end >= hits if hits else len(rows) < window.size
        next_cursor = None if is_last_page or not rows else str(replace(window, index=window.index + 1))
        first_window = PageWindow(1, min(PAGE_SIZE, window.max_size), window.max_size)
        listing_size = ListingSize(hits, count_pages(hits, first_window)) if hits else None
        return ListingPage(rows, next_cursor, listing_size, window)

    def parse_row(self, row: Any, column: str) -> ListingEntry:
        """Return a row as an entry. Raises ParseError for missing or invalid fields."""
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
        """Return FILTERED for a 财富号 post, which is of a blog and may have no text in these responses."""
        return Outcome.FILTERED if is_caifuhao(entry) else Outcome.QUARANTINED


class _PageHead(NamedTuple):
    """Fields of a page above and next to its body; empty or None if missing."""

    title: str
    time: str | None
    media: str
    summary: str


def _read_head(page: Selector) -> _PageHead:
    """Return the head of a page. Its title is not `.title`, a class of side bars too."""
    items = page.css(".infos .item")
    plain_head = None if items else _HEAD_TEXT.match(_text_of(page.css(".topbox")[:1]))
    title = page.css(".newsContent h1::text").get() or page.css("title::text").get()
    page_time = page.css(".infos .item::text, .time-source .time::text").re_first(r"\d{4}年.*\d")
    title = clean_title(title or (plain_head["title"] if plain_head else ""))
    assert EASTMONEY_MARKUP.title_suffix is not None
    title_end = EASTMONEY_MARKUP.title_suffix.sub("", title[-_MAX_TITLE_SUFFIX:])
    return _PageHead(
        title=title[:-_MAX_TITLE_SUFFIX] + title_end,
        time=page_time or (plain_head["time"] if plain_head else None),
        media=_read_media(page, items) or (plain_head["media"] or "" if plain_head else ""),
        summary=_text_of(page.css(".abstract .txt, .b-review")[:1]),
    )


def _read_media(page: Selector, items: Sequence[Any]) -> str:
    """Return the media in a head; empty without one. Only a labelled item is the media, others may be the author."""
    labelled = (_SOURCE_LABEL.match(_text_of(item)) for item in items)
    if media := next((match[1] for match in labelled if match and match[1]), ""):
        return media
    if media := page.css(".data-source::attr(data-source)").get("").strip().removeprefix("来源："):
        return media
    # Some pages do not close this box, so the body is in it.
    box_text = _text_of(page.css(".sourcebox")[:1], "not(ancestor::*[@id='ContentBody'])")
    box_media = _SOURCE_BOX_MEDIA.search(box_text)
    return box_media[1] if box_media else ""


def _extract_body(page: Selector) -> tuple[str, str]:
    """Return the body as HTML, and the media in the line at its foot. Raises ParseError without a body."""
    if bodies := page.css(_BODY_SELECTOR):
        return _cut_after_source_line(_nodes_of_text(bodies[0]))
    for selector in _PLAIN_BODY_SELECTORS:
        if bodies := page.css(selector):
            # The body is above its foot, whose lines have no class.
            nodes = _nodes_of_text(bodies[0])
            foot_lines = [_FOOT_LINE.match(_text_of(node)) for node in nodes]
            foot_index = next((index for index, match in enumerate(foot_lines) if match), len(nodes))
            return "".join(node.get() for node in nodes[:foot_index]), _named_media(foot_lines)
    raise ParseError("no article page of a known layout: it has no body")


def _nodes_of_text(body: Selector) -> list[Selector]:
    """Return the nodes of a body without the parts of the page."""
    for part in body.css(_PAGE_PARTS):
        if part.root is not body.root:
            part.root.tag = _REMOVE_SUBTREE
    # All at once, because removing one copies the text before it.
    etree.strip_elements(body.root, _REMOVE_SUBTREE, with_tail=False)
    return list(body.xpath("./node()"))


def _cut_after_source_line(nodes: list[Selector]) -> tuple[str, str]:
    """Return the HTML up to the source line, and its media; the editor and share buttons follow it."""
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


def _named_media(foot_lines: Iterable[re.Match[str] | None]) -> str:
    """Return the media in the first line with its label; other lines have the editor."""
    return next((match["name"].strip() for match in foot_lines if match and match["label"] == "文章来源"), "")


def _text_of(nodes: Any, condition: str = "true()") -> str:
    """Return the text of nodes that meets an XPath condition, on one line."""
    if isinstance(nodes, Selector) and isinstance(nodes.root, str):  # a text node, which has no XPath
        return collapse_whitespace(nodes.root)
    return collapse_whitespace("".join(nodes.xpath(f"descendant-or-self::text()[{condition}]").getall()))
