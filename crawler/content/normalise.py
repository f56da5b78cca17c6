"""RawArticle -> Article, or the reason why not. A pure function: no network, no disk, no clock."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from crawler.content import html_cleaner
from crawler.content.categories import LONGEST_NAME
from crawler.content.json_fields import CODE
from crawler.content.stocks import mentions
from crawler.content.unicode_text import headline, one_line
from crawler.errors import NoBody, Rejected
from crawler.items import Article, Category, RawArticle

LONGEST_TITLE = 300
LONGEST_SUMMARY = 5_000
# Editors date an article a little ahead to pin it; what is dated further ahead is a mistake.
FURTHEST_AHEAD = timedelta(hours=24)
_EARLIEST_YEAR = 1990


class Body(NamedTuple):
    """An article's body as a post may hold it, and what a reader reads of it."""

    html: str
    text: str


def normalise(raw: RawArticle, category_of: Callable[[str], Category]) -> Article:
    """The article as it is published; `category_of` gives the category of a media name.

    Raises Rejected with the reason when it must not be published, and NoBody when nothing is left to read.
    """
    return with_body(raw, body_of(raw.body, raw.url), category_of)


def body_of(body: str, url: str) -> Body:
    """The body of an article whose page is at `url`. Raises Rejected, and NoBody when nothing is left to read."""
    cleaned = html_cleaner.clean(body, base_url=url)
    if not cleaned:
        raise NoBody("the body holds nothing to read")
    return Body(cleaned, html_cleaner.plain(cleaned))


def with_body(raw: RawArticle, body: Body, category_of: Callable[[str], Category]) -> Article:
    """The article as it is published, where its body is clean already. Raises Rejected."""
    media = media_name(raw.media) or raw.default_media
    return Article(
        code=_code(raw.code),
        title=_title(raw.title),
        published_at=check_date(raw.published, raw.fetched_at),
        media=media,
        category=category_of(media),
        spider=raw.spider,
        url=raw.url,
        summary=one_line(raw.summary)[:LONGEST_SUMMARY],
        body_html=body.html,
        body_text=body.text,
        mentions=mentions(body.html),
        columns=raw.columns,
        fetched_at=raw.fetched_at,
    )


def media_name(text: str) -> str:
    """A media's name as it is filed; empty where the source holds none, or something too long to be one."""
    name = headline(text)
    return name if len(name) <= LONGEST_NAME else ""


def check_date(moment: datetime, now: datetime) -> datetime:
    """The time itself; raises Rejected when an article cannot be of it."""
    if moment > now + FURTHEST_AHEAD:
        raise Rejected(f"dated more than 24 hours ahead: {moment.isoformat()}")
    if moment.year < _EARLIEST_YEAR:
        raise Rejected(f"dated before {_EARLIEST_YEAR}: {moment.isoformat()}")
    return moment


def _code(text: str) -> str:
    if not CODE.fullmatch(text):
        raise Rejected(f"the code is not 18 to 24 digits: {text[:40]!r}")
    return text


def _title(text: str) -> str:
    title = headline(text)
    if not title:
        raise Rejected("the title is empty")
    if len(title) > LONGEST_TITLE:
        raise Rejected(f"the title has {len(title)} characters, over {LONGEST_TITLE}")
    return title
