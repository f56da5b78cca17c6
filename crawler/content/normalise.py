"""Normalisation: RawArticle -> Article, or the error that rejects it. Pure: no network, no disk, no clock."""

import html
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from crawler.content.categories import MAX_MEDIA_NAME_CHARS
from crawler.content.html_cleaner import add_block, clean_html, disarm_template_braces
from crawler.content.html_text import html_to_text
from crawler.content.markup import SourceMarkup
from crawler.content.source_line import ensure_source_line
from crawler.content.stocks import extract_mentions
from crawler.content.unicode_text import clean_title, collapse_whitespace
from crawler.errors import EmptyBodyError, NoArticleError, RejectedArticleError
from crawler.items import CODE_PATTERN, NO_COLUMN, Article, Category, RawArticle

# What is longer is cut there at the latest; the whole is a paragraph of the post then.
MAX_TITLE_CHARS = 300
# Where a title is cut, the best first: behind a sentence, a clause, a word. What is left is no shorter than this.
_TITLE_CUTS = tuple(
    re.compile(f".*{mark}", re.DOTALL) for mark in ("[。！？!?][”’」』）]?", "[；;]", "[，,、：:]", r"(?=\s)")
)
_MIN_CUT_TITLE_CHARS = 20
# Elements that show a video or another page.
_PLAYER = re.compile(r"<(?:video|iframe|embed|object)\b", re.IGNORECASE)
MAX_SUMMARY_CHARS = 5_000
# Editors date an article a little ahead to pin it; what is dated further ahead is a mistake.
MAX_FUTURE_OFFSET = timedelta(hours=24)
_EARLIEST_YEAR = 1990


class CleanBody(NamedTuple):
    """An article's body as a post may hold it, and what a reader reads of it."""

    html: str
    text: str


def normalise_article(raw: RawArticle, get_category: Callable[[str], Category], markup: SourceMarkup) -> Article:
    """Return the article as it is published.

    `get_category` gives the category of a media name, `markup` is the source's.

    Raises RejectedArticleError with the reason when the article must not be published, and EmptyBodyError when its
    body holds nothing to read: NoArticleError when the body is only a video.
    """
    entry, title = raw.entry, clean_title(raw.title or raw.entry.title)
    body_html = clean_html(raw.body, entry.url, markup)
    if not body_html:
        if _PLAYER.search(raw.body):
            raise NoArticleError(f"a video without text: {entry.url}")
        raise EmptyBodyError("the body holds nothing to read")
    body = CleanBody(body_html, html_to_text(body_html))
    if not CODE_PATTERN.fullmatch(entry.code):
        raise RejectedArticleError(f"the code is not 18 to 24 digits: {entry.code[:40]!r}")
    if not title:
        raise RejectedArticleError("the title is empty")
    if len(title) > MAX_TITLE_CHARS:
        if "".join(title.split()) not in "".join(body.text.split()):
            paragraph = disarm_template_braces(f"<p>{html.escape(title, quote=False)}</p>")
            body_html = add_block(body.html, paragraph, at_start=True)
            body = CleanBody(body_html, html_to_text(body_html))
        title = cut_title(title)
    named_media = clean_media_name(raw.media or entry.media)
    media = named_media or raw.default_media
    if raw.ends_with_source_line and named_media:
        body_html = ensure_source_line(body.html, body.text, named_media, markup)
        body = body if body_html is body.html else CleanBody(body_html, html_to_text(body_html))
    return Article(
        entry=entry,
        code=entry.code,
        title=title,
        published_at=check_date(raw.published or entry.published, raw.fetched_at),
        media=media,
        category=get_category(media),
        spider=raw.spider,
        url=entry.url,
        summary=collapse_whitespace(entry.summary if raw.summary is None else raw.summary)[:MAX_SUMMARY_CHARS],
        body_html=body.html,
        body_text=body.text,
        mentions=extract_mentions(body.html),
        columns=tuple(dict.fromkeys(column for column in (entry.column, *raw.columns) if column != NO_COLUMN)),
        fetched_at=raw.fetched_at,
    )


def cut_title(title: str) -> str:
    """Return as much of a long title as a post may have, up to the end of a sentence if there is one.

    >>> cut_title("央行宣布下调金融机构存款准备金率0.5个百分点。" + "长" * 400)
    '央行宣布下调金融机构存款准备金率0.5个百分点。'
    """
    start = title[: MAX_TITLE_CHARS - 1]
    for cut in _TITLE_CUTS:
        if (match := cut.match(start)) and len(match[0]) >= _MIN_CUT_TITLE_CHARS:
            return match[0] if cut is _TITLE_CUTS[0] else match[0].rstrip("；;，,、：: ") + "…"
    return start + "…"


def clean_media_name(text: str) -> str:
    """Return a media's clean name; empty for a missing one, or a text of over MAX_MEDIA_NAME_CHARS."""
    name = clean_title(text)
    return name if len(name) <= MAX_MEDIA_NAME_CHARS else ""


def check_date(moment: datetime, now: datetime) -> datetime:
    """Return the time; raise RejectedArticleError for one too far ahead or before 1990."""
    if moment > now + MAX_FUTURE_OFFSET:
        raise RejectedArticleError(f"dated more than 24 hours ahead: {moment.isoformat()}")
    if moment.year < _EARLIEST_YEAR:
        raise RejectedArticleError(f"dated before {_EARLIEST_YEAR}: {moment.isoformat()}")
    return moment
