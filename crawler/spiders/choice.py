"""Spider `choice`: lists, texts and share pages of the site that the first posts came from."""

from typing import Any, ClassVar

from crawler.content.flash_format import extract_trailing_media
from crawler.content.html_text import find_source_line_media
from crawler.content.json_fields import FieldSchema, get_code, get_datetime, get_rows, get_text, get_title, parse_json
from crawler.errors import EmptyBodyError
from crawler.items import CODE_PREFIX, ListingEntry, RawArticle
from crawler.spiders.base import Extractor, ListingPage, SourceSpider
from crawler.spiders.eastmoney_markup import (
    CHOICE_MEDIA,
    EASTMONEY_CHALLENGE_MARKS,
    EASTMONEY_MARKUP,
    EASTMONEY_SITE,
    share_page_url,
)

# The list whose rows have no media: it is in the last line of the text, else at the end of the digest.
ROLLING_NEWS = "102"
# The lists have no names; ids and names are those of the URLs.
COLUMNS = {"102": "type=102", "45": "type=45", "37": "marketType=37", "38": "marketType=38", "39": "marketType=39"}

_LISTING_PATHS = {
    "102": ("list", "/web/webapi?type=102&count=100&newsid=1"),
    "45": ("list", "/web/webapi?type=45&count=100&newsid=1"),
    "37": ("market", "/information/newmarket/web/webapi?marketType=37&count=100"),
    "38": ("market", "/information/newmarket/web/webapi?marketType=38&count=100"),
    "39": ("market", "/information/newmarket/web/webapi?marketType=39&count=100"),
}

_SETTINGS: dict[str, Any] = {
    # The host of the share pages that posts link to as their source.
    "SHARE_HOST": "http://finews.zning.xyz",
    # The hosts of the lists, of the market lists, and of the texts.
    "CHOICE_HOSTS": {
        "list": "http://183.136.162.242",
        "market": "http://43.240.125.15:1818",
        "text": "http://choicewzp1.eastmoney.com",
    },
}

# Schemas of the responses, with the fields that are read. Lists have different names: `records` and `infoCode` in type
# 102, `nodeList` and `infocode` in type 45, `record` and `datetime` in the markets.
_LISTING_SCHEMA = FieldSchema(required={"records|nodeList|record": list | None})
_ROW_SCHEMA = FieldSchema(
    required={"infoCode|infocode|id": str, "title": str, "showtime|datetime": str},
    optional={"from": str, "medianame": str, "digest": str, "simdigest": str},
)
_TEXT_SCHEMA = FieldSchema(required={"text|content": str | None})


def text_url(spider: SourceSpider, entry: ListingEntry) -> str:
    """Return the URL of an article's text."""
    return f"{spider.settings.getdict('CHOICE_HOSTS')['text']}/NewsData/GetNewsText.do?id={CODE_PREFIX}{entry.code}"


def extract_from_text(text: str, entry: ListingEntry) -> RawArticle:
    """Return the article of a text response; rolling news have the field `content` instead of `text`."""
    body = get_text(_TEXT_SCHEMA.validate(parse_json(text)), "text", "content")
    if not body.strip():
        raise EmptyBodyError("fields 'text' and 'content' are empty")
    media_at_end = find_source_line_media(body, EASTMONEY_MARKUP) if entry.column == ROLLING_NEWS else ""
    media = media_at_end or entry.media or find_source_line_media(body, EASTMONEY_MARKUP)
    return RawArticle(entry, body=body, media=media, ends_with_source_line=True)


class ChoiceSpider(SourceSpider):
    """Extract articles from the text endpoint of the site."""

    name = "choice"
    columns = COLUMNS
    default_columns = tuple(COLUMNS)
    default_media = CHOICE_MEDIA
    markup = EASTMONEY_MARKUP
    site = EASTMONEY_SITE
    challenge_marks = EASTMONEY_CHALLENGE_MARKS
    supersedes = frozenset({"flash"})
    extractors: ClassVar[tuple[Extractor, ...]] = (Extractor(text_url, extract_from_text),)
    custom_settings = _SETTINGS

    def server_urls(self) -> list[str]:
        """Return the URLs of the servers in the setting CHOICE_HOSTS."""
        return list(self.settings.getdict("CHOICE_HOSTS").values())

    def listing_url(self, column: str, cursor: str) -> str:
        """Return the URL of a list."""
        host, path = _LISTING_PATHS[column]
        return f"{self.settings.getdict('CHOICE_HOSTS')[host]}{path}"

    def extract_listing(self, text: str, cursor: str) -> ListingPage:
        """Return the rows of a list, which has no further pages."""
        payload = _LISTING_SCHEMA.validate(parse_json(text))
        name = next(name for name in ("records", "nodeList", "record") if name in payload)
        return ListingPage(get_rows(payload, name))

    def parse_row(self, row: Any, column: str) -> ListingEntry:
        """Return a row as an entry. Raises ParseError for missing or invalid fields."""
        _ROW_SCHEMA.validate(row)
        code = get_code(row, "infoCode", "infocode", "id")
        summary = get_text(row, "digest", "simdigest")
        return ListingEntry(
            code=code,
            title=get_title(row, "title"),
            published=get_datetime(row, "showtime", "datetime", zone=self.markup.zone),
            column=column,
            url=share_page_url(self.settings["SHARE_HOST"], code),
            media=get_text(row, "from", "medianame") or extract_trailing_media(summary),
            summary=summary,
        )
