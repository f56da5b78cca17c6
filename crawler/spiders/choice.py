"""choice: the lists, texts and share pages of the site that the first posts came from."""

from typing import Any, ClassVar

from scrapy.http import TextResponse

from crawler.content.flash_format import trailing_media
from crawler.content.html_cleaner import source_line
from crawler.content.json_fields import Shape, code_field, moment_field, read, rows_field, text_field, title_field
from crawler.errors import NoBody
from crawler.items import Entry
from crawler.spiders.base import Listing, Reader, Reading, SiteSpider

# The one list whose rows name no media: the foot of the text does, else the end of the digest.
ROLLING_NEWS = "102"
# The lists have no names there but these: the ids are those of the addresses.
COLUMNS = {"102": "type=102", "45": "type=45", "37": "marketType=37", "38": "marketType=38", "39": "marketType=39"}

_PATHS = {
    "102": ("list", "/web/webapi?type=102&count=100&newsid=1"),
    "45": ("list", "/web/webapi?type=45&count=100&newsid=1"),
    "37": ("market", "/information/newmarket/web/webapi?marketType=37&count=100"),
    "38": ("market", "/information/newmarket/web/webapi?marketType=38&count=100"),
    "39": ("market", "/information/newmarket/web/webapi?marketType=39&count=100"),
}

# What the endpoints answer, as far as it is read. Each list has its own names: `records` and `infoCode` of type 102,
# `nodeList` and `infocode` of type 45, `record` and `datetime` of the markets.
_LIST = Shape(needs={"records|nodeList|record": list | None})
_ROW = Shape(
    needs={"infoCode|infocode|id": str, "title": str, "showtime|datetime": str},
    may={"from": str, "medianame": str, "digest": str, "simdigest": str},
)
_TEXT = Shape(needs={"text|content": str | None})


def text_url(spider: SiteSpider, entry: Entry) -> str:
    return f"{spider.settings.getdict('CHOICE_HOSTS')['text']}/NewsData/GetNewsText.do?id=NW{entry.code}"


def read_text(response: TextResponse, entry: Entry) -> Reading:
    """`text` is the article with its source line; the rolling news have `content` instead."""
    body = text_field(_TEXT.check(read(response.text)), "text", "content")
    if not body.strip():
        raise NoBody("neither text nor content holds anything")
    foot = source_line(body) if entry.column == ROLLING_NEWS else ""
    return Reading(body=body, media=foot or entry.media or source_line(body))


class ChoiceSpider(SiteSpider):
    name = "choice"
    columns = COLUMNS
    default_columns = tuple(COLUMNS)
    default_media = "东方财富"
    supersedes = frozenset({"flash"})
    readers: ClassVar[tuple[Reader, ...]] = (Reader(text_url, read_text),)

    def addresses(self) -> list[str]:
        return list(self.settings.getdict("CHOICE_HOSTS").values())

    def listing_url(self, column: str, cursor: str) -> str:
        host, path = _PATHS[column]
        return f"{self.settings.getdict('CHOICE_HOSTS')[host]}{path}"

    def read_listing(self, response: TextResponse, cursor: str) -> Listing:
        """There are no further pages."""
        reply = _LIST.check(read(response.text))
        name = next(name for name in ("records", "nodeList", "record") if name in reply)
        return Listing(rows_field(reply, name))

    def read_row(self, row: Any, column: str) -> Entry:
        _ROW.check(row)
        code = code_field(row, "infoCode", "infocode", "id")
        digest = text_field(row, "digest", "simdigest")
        return Entry(
            code=code,
            title=title_field(row, "title"),
            published=moment_field(row, "showtime", "datetime"),
            column=column,
            url=f"{self.settings['SHARE_HOST']}/html_News/NewsShare.html?infoCode=NW{code}",
            media=text_field(row, "from", "medianame") or trailing_media(digest),
            summary=digest,
        )
