"""flash: Eastmoney's 7x24 fast news. A row is the whole article: title, one paragraph, stocks."""

from typing import Any
from urllib.parse import urlencode

from scrapy.http import TextResponse

from crawler.content import clock
from crawler.content.flash_format import paragraphs, split_title, trailing_media
from crawler.content.json_fields import Shape, code_field, moment_field, rows_field, text_field
from crawler.content.stocks import is_secid, quote_link
from crawler.errors import Unreadable
from crawler.items import Entry
from crawler.spiders.base import Listing, Reading, SiteSpider
from crawler.spiders.eastmoney import article_url, list_data

COLUMNS = {
    "100": "焦点", "101": "要闻", "102": "7x24全部", "103": "上市公司", "104": "中国公司", "105": "全球公司",
    "106": "商品", "107": "外汇", "108": "债券", "109": "基金", "110": "中国", "111": "美国", "112": "欧元区",
    "113": "英国", "114": "日本", "115": "加拿大", "116": "澳洲", "117": "新兴市场", "118": "中国央行",
    "119": "美联储", "120": "欧洲央行", "121": "英国央行", "122": "日本央行", "123": "加拿大央行",
    "124": "澳洲央行", "125": "中国数据", "126": "美国数据", "127": "欧元区数据", "128": "英国数据",
    "129": "日本数据", "130": "加拿大数据", "131": "澳洲数据", "zhibo": "股市直播",
}  # fmt: skip

PAGE_SIZE = 50
# An article is about some dozens of stocks and boards at most.
_MOST_STOCKS = 100

# What the endpoint answers, as far as it is read.
_PAGE = Shape(needs={"fastNewsList": list | None, "sortEnd": str | None})
_ROW = Shape(needs={"code": str, "showTime": str, "summary": str | None}, may={"title": str, "stockList": list})


class FlashSpider(SiteSpider):
    name = "flash"
    columns = COLUMNS
    default_columns = ("102",)
    hosts = ("np-weblist.eastmoney.com",)
    default_media = "东方财富网"
    # The first page is asked for with no cursor; each reply names the one of the next, older page.
    first_cursor = ""

    def listing_url(self, column: str, cursor: str) -> str:
        now = clock.milliseconds()
        query = {
            "client": "web", "biz": "web_724", "fastColumn": column, "sortEnd": cursor, "pageSize": PAGE_SIZE,
            "req_trace": now, "_": now,
        }  # fmt: skip
        return "https://np-weblist.eastmoney.com/comm/web/getFastNewsList?" + urlencode(query)

    def read_listing(self, response: TextResponse, cursor: str) -> Listing:
        """`sortEnd` is opaque: it has 13 or 16 digits, and only its change is looked at."""
        data = list_data(response)
        if data is None:
            return Listing([])
        rows = rows_field(_PAGE.check(data), "fastNewsList")
        following = text_field(data, "sortEnd")
        return Listing(rows, following if rows and following not in {"", cursor} else None)

    def read_row(self, row: Any, column: str) -> Entry:
        _ROW.check(row)
        code, text = code_field(row, "code"), text_field(row, "summary")
        title, _ = split_title(text_field(row, "title"), text)
        if not title:
            raise Unreadable("fields 'title' and 'summary' are empty", "title")
        return Entry(
            code=code,
            title=title,
            published=moment_field(row, "showTime"),
            column=column,
            url=article_url(code),
            media=trailing_media(text),
            summary=text,
            stocks=tuple(secid for secid in (row.get("stockList") or ())[:_MOST_STOCKS] if _is_stock(secid)),
        )

    def read_entry(self, entry: Entry) -> Reading:
        """The summary as paragraphs; its stocks, which have no names there, stand below it as links."""
        _, text = split_title(entry.title, entry.summary or entry.title)
        links = "、".join(f'<a href="{quote_link(secid)}">{secid.split(".", 1)[1]}</a>' for secid in entry.stocks)
        return Reading(body=paragraphs(text) + (f"<p>相关：{links}</p>" if links else ""))


def _is_stock(secid: object) -> bool:
    return isinstance(secid, str) and is_secid(secid)
