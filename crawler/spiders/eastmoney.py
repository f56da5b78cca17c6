"""eastmoney: today's public column lists of Eastmoney, and their articles."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from scrapy.http import TextResponse
from scrapy.selector import Selector

from crawler.content import clock
from crawler.content.html_cleaner import check_words
from crawler.content.json_fields import (
    Count,
    Shape,
    code_field,
    moment_field,
    number_field,
    read,
    rows_field,
    text_field,
    title_field,
)
from crawler.content.unicode_text import headline
from crawler.errors import NoBody, Refused, Rejected, Unreadable
from crawler.items import Entry, Extent, Outcome
from crawler.spiders.base import Listing, Reader, Reading, SiteSpider

COLUMNS = {
    "344": "财经导读", "345": "资讯精华", "349": "沪深公司", "350": "国内经济", "351": "国际经济",
    "352": "宏观研究", "353": "证券聚焦", "354": "公司资讯", "355": "产经新闻", "363": "纵深调查",
    "365": "热点扫描", "371": "经济时评", "372": "产业透视", "373": "商业观察", "374": "股市评论",
    "398": "最新公告", "407": "大盘分析", "408": "板块聚焦", "415": "热门股追踪", "421": "行业研究",
    "423": "主力动态", "436": "美股聚焦", "437": "中概股公司", "440": "欧美公司", "448": "新股聚焦",
    "449": "新股策略", "450": "新股评论", "532": "港股聚焦", "535": "港股公司", "583": "理财资讯",
    "627": "再融资动态", "628": "再融资公司聚焦", "670": "商业资讯", "683": "创业研究", "745": "PC弹窗热门",
    "781": "欧洲市场", "782": "亚太市场", "830": "期指导读", "1138": "财富观察", "1205": "财经晚报",
    "1207": "财经早餐",
}  # fmt: skip

PAGE_SIZE = 100
# `totle_hits`, the source's own spelling, never says more than this, whatever there is.
_MOST_HITS = 5_000
# What the endpoints answer, as far as it is read.
REPLY = Shape(needs={"code": Count})
DATA = Shape(needs={"data": dict | None})
_PAGE = Shape(needs={"list": list | None, "totle_hits": Count | None}, may={"page_size": Count})
_ROW = Shape(needs={"code": str, "title": str, "showTime": str}, may={"mediaName": str, "summary": str, "np_dst": str})
_DETAIL = Shape(
    needs={"Art_Code": str, "Art_Content": str | None},
    may=dict.fromkeys(("Art_Title", "Art_ShowTime", "Art_Media_Name", "Art_Description", "Art_Digest"), str),
)
_FIELDS = "code,showTime,title,mediaName,summary,image,url,uniqueUrl,Np_dst"
_TITLE_SUFFIX = "_东方财富网"
# An article is in some dozens of columns; ids have four digits.
_MOST_COLUMNS = 200
_COLUMN_ID = re.compile(r"[0-9]{1,6}", re.ASCII)
# Among so many last characters a whole page says that it ends.
_END_OF_PAGE = 2_000
# A page of the source has some thousands of tags; one of megabytes of them takes the better part of a minute to read.
_MOST_TAGS = 50_000
# What is around an article has words too: recorded pages have one for nine characters.
_MOST_WORDS = 60_000


def article_url(code: str, *, caifuhao: bool = False) -> str:
    """The public page of an article; 财富号 posts have a host of their own.

    >>> article_url("202201102242171631")
    'https://finance.eastmoney.com/a/202201102242171631.html'
    """
    if caifuhao:
        return f"https://caifuhao.eastmoney.com/news/{code}"
    return f"https://finance.eastmoney.com/a/{code}.html"


def list_data(response: TextResponse) -> Mapping[str, Any] | None:
    """The `data` of a list reply, None past its end. Raises Refused for an error shell, which is HTTP 200 too."""
    reply = REPLY.check(read(response.text))
    if str(reply["code"]) != "1":
        raise Refused(f"the source answers: {headline(str(reply.get('message')))[:120]}")
    data: Mapping[str, Any] | None = DATA.check(reply)["data"]
    return data


def detail_url(_spider: SiteSpider, entry: Entry) -> str:
    return f"https://newsinfo.eastmoney.com/kuaixun/v2/api/article/{entry.code}?guid=finews"


def page_url(_spider: SiteSpider, entry: Entry) -> str:
    return entry.url


def read_detail(response: TextResponse, entry: Entry) -> Reading:
    """The JSON detail: every field of `data` is text, times have slashes, the body has no source line."""
    if (data := DATA.check(read(response.text))["data"]) is None:
        raise NoBody("the article reply holds no article")
    _DETAIL.check(data)
    if text_field(data, "Art_Code") != entry.code:
        raise Unreadable(f"the article reply is about {text_field(data, 'Art_Code')!r}")
    body = text_field(data, "Art_Content")
    if not body.strip():
        raise NoBody("Art_Content is empty")
    return Reading(
        body=body,
        title=text_field(data, "Art_Title"),
        published=moment_field(data, "Art_ShowTime") if text_field(data, "Art_ShowTime") else None,
        media=text_field(data, "Art_Media_Name"),
        summary=text_field(data, "Art_Description", "Art_Digest"),
        columns=_column_ids(data.get("Art_Column_List")),
    )


def read_page(response: TextResponse, entry: Entry) -> Reading:
    """The HTML page: the layout since 2022, then that of 2018 to 2021. Its time has no seconds."""
    if "</html" not in response.text[-_END_OF_PAGE:].lower():
        raise Refused("the page is cut: it has no end")
    if response.text.count("<") > _MOST_TAGS:
        raise Rejected(f"too complex: the page has over {_MOST_TAGS:,} tags")
    check_words(response.text, _MOST_WORDS)
    # Told that it is HTML: what looks like JSON, as the source may answer, would raise.
    page = Selector(response, type="html")
    body = page.css("#ContentBody")
    if not body:
        raise NoBody("the page has no #ContentBody")
    page_time = page.css(".infos .item::text, .time-source .time::text").re_first(r"\d{4}年.*\d")
    return Reading(
        body=_up_to_source_line(body[0].xpath("./node()[not(self::p[@class='res-edit'])]").getall()),
        title=headline(page.css(".newsContent h1::text").get() or page.css("title::text").get() or "").removesuffix(
            _TITLE_SUFFIX
        ),
        published=_with_seconds(page_time, entry),
        media=_page_media(page),
        summary=page.css(".b-review::text").get(""),
    )


class EastmoneySpider(SiteSpider):
    name = "eastmoney"
    columns = COLUMNS
    default_columns = ("344", "345", "350", "351", "353", "354", "355")
    hosts = ("np-listapi.eastmoney.com", "newsinfo.eastmoney.com", "finance.eastmoney.com", "caifuhao.eastmoney.com")
    default_media = "东方财富网"
    supersedes = frozenset({"flash"})
    readers: ClassVar[tuple[Reader, ...]] = (Reader(detail_url, read_detail), Reader(page_url, read_page))

    def listing_url(self, column: str, cursor: str) -> str:
        query = {
            "client": "web", "biz": "web_news_col", "column": column, "order": 1, "needInteractData": 0,
            "page_index": cursor, "page_size": PAGE_SIZE, "req_trace": clock.milliseconds(), "fields": _FIELDS,
            "types": "1,20",
        }  # fmt: skip
        return "https://np-listapi.eastmoney.com/comm/web/getNewsByColumns?" + urlencode(query, safe=",")

    def read_listing(self, response: TextResponse, cursor: str) -> Listing:
        """Past the last page `list` is empty or `data` null; the count of hits stops at 5,000."""
        data = list_data(response)
        if data is None:
            return Listing([])
        rows = rows_field(_PAGE.check(data), "list")
        hits = min(number_field(data, "totle_hits"), _MOST_HITS)
        last_page = -(-hits // (number_field(data, "page_size") or PAGE_SIZE))
        following = str(int(cursor) + 1) if rows and int(cursor) < last_page else None
        return Listing(rows, following, Extent(hits, last_page))

    def read_row(self, row: Any, column: str) -> Entry:
        _ROW.check(row)
        code = code_field(row, "code")
        return Entry(
            code=code,
            title=title_field(row, "title"),
            published=moment_field(row, "showTime"),
            column=column,
            url=article_url(code, caifuhao=text_field(row, "np_dst") == "CFH"),
            media=text_field(row, "mediaName"),
            summary=text_field(row, "summary"),
        )

    def without_text(self, entry: Entry) -> Outcome:
        """A 财富号 post is a blog's, and whether these replies carry its text is the source's to say."""
        return Outcome.FILTERED if entry.url.startswith("https://caifuhao.") else Outcome.QUARANTINED


def _with_seconds(page_time: str | None, entry: Entry) -> datetime:
    """The page's time; the listing's, which has seconds, where both name the same minute or the page names none."""
    published = moment_field({"time": page_time}, "time") if page_time else entry.published
    return entry.published if published == entry.published.replace(second=0) else published


def _page_media(page: Selector) -> str:
    named = page.css(".data-source::attr(data-source)").get() or page.css(".infos .item + .item::text").get() or ""
    return named.strip().removeprefix("来源：")


def _column_ids(text: object) -> tuple[str, ...]:
    """Where else the source lists an article. It is no part of it, so that what is no list of ids is none at all."""
    parts = text.split(",", _MOST_COLUMNS) if isinstance(text, str) else []
    return tuple(part for part in parts[:_MOST_COLUMNS] if _COLUMN_ID.fullmatch(part))


def _up_to_source_line(nodes: list[str]) -> str:
    """An article ends with its source line; the editor's name and the share buttons after it are the page's."""
    feet = [index for index, node in enumerate(nodes) if node.startswith("<p") and "em_media" in node[: node.find(">")]]
    return "".join(nodes[: feet[-1] + 1] if feet else nodes)
