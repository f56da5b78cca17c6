"""Spider `flash`: Eastmoney's 7x24 fast news. A row is the whole article: title, one paragraph, stocks.

Some rows are cut, and end with a link to the article, which is extracted as by spider `eastmoney`.
"""

import re
from typing import Any, ClassVar
from urllib.parse import urlencode

from crawler.content import clock
from crawler.content.flash_format import extract_trailing_media, split_title, text_to_html
from crawler.content.json_fields import FieldSchema, get_code, get_datetime, get_rows, get_text
from crawler.content.stocks import is_secid
from crawler.errors import ParseError
from crawler.items import QUOTE_URL_PREFIX, SUMMARY_NOTE_HTML, ListingEntry, RawArticle
from crawler.spiders.base import Extractor, ListingPage, SourceSpider
from crawler.spiders.eastmoney import EastmoneySpider, extract_list_data
from crawler.spiders.eastmoney_markup import (
    ARTICLE_URL,
    EASTMONEY_CHALLENGE_MARKS,
    EASTMONEY_MARKUP,
    EASTMONEY_MEDIA,
    EASTMONEY_SITE,
)

COLUMNS = {
    "100": "焦点", "101": "要闻", "102": "7x24全部", "103": "上市公司", "104": "中国公司", "105": "全球公司",
    "106": "商品", "107": "外汇", "108": "债券", "109": "基金", "110": "中国", "111": "美国", "112": "欧元区",
    "113": "英国", "114": "日本", "115": "加拿大", "116": "澳洲", "117": "新兴市场", "118": "中国央行",
    "119": "美联储", "120": "欧洲央行", "121": "英国央行", "122": "日本央行", "123": "加拿大央行",
    "124": "澳洲央行", "125": "中国数据", "126": "美国数据", "127": "欧元区数据", "128": "英国数据",
    "129": "日本数据", "130": "加拿大数据", "131": "澳洲数据", "zhibo": "股市直播",
}  # fmt: skip

# Rows of a page, the most that the source returns; they span about five hours.
PAGE_SIZE = 200
# Stocks and boards of an article; real ones have a few dozen at most.
_MAX_STOCKS = 100

_CUT_MARK = re.compile(r"\s*[\[【（(]点击查看全文[^\]】）)]{0,3}[\]】）)]\s*$")

# Schemas of the response, with the fields that are read.
_LISTING_SCHEMA = FieldSchema(required={"fastNewsList": list | None}, optional={"sortEnd": str})
_CURSOR_SCHEMA = FieldSchema(required={"realSort": str})
_ROW_SCHEMA = FieldSchema(
    required={"code": str, "showTime": str, "summary": str | None}, optional={"title": str, "stockList": list}
)


class FlashSpider(SourceSpider):
    """Extract articles from listing rows, and those behind cut rows from the responses of `eastmoney`."""

    name = "flash"
    columns = COLUMNS
    default_columns = ("102",)
    hosts = ("np-weblist.eastmoney.com",)
    rows_are_articles = True
    article_spider = EastmoneySpider
    extractors: ClassVar[tuple[Extractor, ...]] = EastmoneySpider.extractors
    default_media = EASTMONEY_MEDIA
    markup = EASTMONEY_MARKUP
    site = EASTMONEY_SITE
    challenge_marks = EASTMONEY_CHALLENGE_MARKS
    # The first page has no cursor; each response has the cursor of the next, older page.
    first_cursor = ""

    def listing_url(self, column: str, cursor: str) -> str:
        """Return the URL of the page after a cursor."""
        now_ms = clock.epoch_milliseconds()
        query = {
            "client": "web", "biz": "web_724", "fastColumn": column, "sortEnd": cursor, "pageSize": PAGE_SIZE,
            "req_trace": now_ms, "_": now_ms,
        }  # fmt: skip
        return "https://np-weblist.eastmoney.com/comm/web/getFastNewsList?" + urlencode(query)

    def extract_listing(self, text: str, cursor: str) -> ListingPage:
        """Return the rows and the next cursor; a page after the last one has no rows.

        The cursor is `sortEnd`, an opaque number of 13 or 16 digits, or else the equal `realSort` of the last row.
        """
        data = extract_list_data(text)
        if data is None:
            return ListingPage([])
        rows = get_rows(_LISTING_SCHEMA.validate(data), "fastNewsList")
        real_sorts = (row.get("realSort") for row in reversed(rows) if isinstance(row, dict))
        last_real_sort = next((value for value in real_sorts if isinstance(value, str) and value), "")
        cursors = (get_text(data, "sortEnd"), last_real_sort)
        if rows and not any(cursors):
            _CURSOR_SCHEMA.validate(rows[-1])
        return ListingPage(
            rows, next((found for found in cursors if found not in {"", cursor}), cursor) if rows else None
        )

    def parse_row(self, row: Any, column: str) -> ListingEntry:
        """Return a row as an entry. Raises ParseError for missing or invalid fields, or without a title."""
        _ROW_SCHEMA.validate(row)
        code, row_text = get_code(row, "code"), get_text(row, "summary")
        summary = _CUT_MARK.sub("", row_text)
        title, _ = split_title(get_text(row, "title"), summary)
        if not title:
            raise ParseError("fields 'title' and 'summary' are empty", "title")
        return ListingEntry(
            code=code,
            title=title,
            published=get_datetime(row, "showTime", zone=self.markup.zone),
            column=column,
            url=ARTICLE_URL.format(code),
            media=extract_trailing_media(summary),
            summary=summary,
            stocks=tuple(
                secid
                for secid in (row.get("stockList") or ())[:_MAX_STOCKS]
                if isinstance(secid, str) and is_secid(secid)
            ),
            is_cut=summary != row_text,
        )

    def extract_from_entry(self, entry: ListingEntry) -> RawArticle:
        """Return the article in a row: the summary as paragraphs, and links to its stocks, by their codes."""
        _, summary = split_title(entry.title, entry.summary or entry.title)
        links = "、".join(f'<a href="{QUOTE_URL_PREFIX}{secid}">{secid.split(".", 1)[1]}</a>' for secid in entry.stocks)
        body = text_to_html(summary) + (f"<p>相关：{links}</p>" if links else "")
        return RawArticle(entry, body=body + SUMMARY_NOTE_HTML if entry.is_cut else body)
