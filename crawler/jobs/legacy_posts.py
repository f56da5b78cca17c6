"""An old site's posts, read as the articles that they were made of. Three forms of them are known:

    2022-01-10-NW202201102242171631.md   an article of a media: its HTML, and the share page
    2022-04-21-202204212352230938.md     rolling news: `> digest`, its HTML, and the page of a column
    2021-12-08-202112082206672930.md     the first fast news: one paragraph of text, a date without zone

The old program wrote front matter by gluing texts together, so that it is read with more patience than our own.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from crawler.content import dates, post_format
from crawler.content.categories import Media
from crawler.content.flash_format import paragraphs, trailing_media
from crawler.content.html_cleaner import source_line
from crawler.content.unicode_text import headline
from crawler.errors import Unreadable
from crawler.items import Entry, RawArticle, Reply
from crawler.spiders.eastmoney import article_url

# Where entries and articles say that they come from here.
COLUMN = "import"

_NAME = re.compile(r"(?:\d{4}-\d\d-\d\d)?-?(NW)?([0-9]{18,24})\.md", re.ASCII)
_LINK = re.compile(r"\s*<([^<>\s]*)>")
# What may follow the link are the ways back, in any of their forms.
_WAY_BACK = "[返回"
_LINK_AND_WAY_BACK = re.compile(r"\s*<([^<>\s]*)>\s*(?:\[返回.*)?")
_SHARE_PAGE = re.compile(r"https?://[^/\s]+/html_News/NewsShare\.html\?infoCode=NW([0-9]+)", re.ASCII)
# The first digit says that a column's id follows.
_COLUMN_PAGE = re.compile(r"https?://[^/\s]+/news/1([0-9]+),([0-9]+)\.html", re.ASCII)
_QUOTE = re.compile(r"((?:>[^\n]*(?:\n|$))+)\s*(.*)", re.DOTALL)
_FRONT = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_FRONT_LINE = re.compile(r"(\w+):[ \t]*(.*)")
_NEWS = "新闻"


@dataclass(frozen=True, slots=True)
class OldPost:
    """A file by what its name says. `code` is empty where it is not named like an article's."""

    path: str
    code: str
    of_media: bool

    @classmethod
    def named(cls, path: str) -> "OldPost":
        name = _NAME.fullmatch(PurePath(path).name)
        return cls(path, name[2] if name else "", bool(name and name[1]))

    @property
    def shown(self) -> str:
        """Its path for a person; a file's name need not be text."""
        return os.fsencode(self.path).decode("utf-8", "replace")

    def rank(self) -> tuple[bool, str, str]:
        """Of two posts of one article the greater is taken: a media's before rolling news, then the newer name."""
        return self.of_media, PurePath(self.path).name, self.path


@dataclass(frozen=True, slots=True)
class _Source:
    """What the end of a post tells: the article's page, whose spider that is, and the column that the link names."""

    url: str
    spider: str
    columns: tuple[str, ...]


def read(old: OldPost, content: bytes, known: Media, at: datetime) -> RawArticle:
    """The article in a file whose name holds a code; `at` is when it is taken in.

    Raises Unreadable, which says what is missing.
    """
    front, text = _front_matter(_decoded(content))
    title, published = _title(front["title"]), _published(front["date"])
    body, link = _body_and_link(text)
    source = _source(old, link)
    digest, body = _digest_and_body(body)
    return RawArticle(
        code=old.code,
        title=title,
        published=published,
        media=_media(old, front, digest, body, known),
        default_media="东方财富",
        summary=digest,
        body=body,
        url=source.url,
        spider=source.spider,
        columns=(COLUMN, *source.columns),
        fetched_at=at,
        reply=Reply(url=source.url, content_type="text/markdown", body=content),
    )


def entry_of(raw: RawArticle) -> Entry:
    """The listing entry that this article would have had, so that a crawl that lists it knows it."""
    return Entry(
        code=raw.code,
        title=raw.title,
        published=raw.published,
        column=COLUMN,
        url=raw.url,
        media=raw.media,
        summary=raw.summary,
    )


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error


def _front_matter(text: str) -> tuple[Mapping[str, str], str]:
    """As YAML; a title with a quote in it is none, and is read line by line."""
    try:
        return post_format.front_matter(text)
    except Unreadable:
        if not (glued := _FRONT.match(text)):
            raise
    lines = (_FRONT_LINE.fullmatch(line) for line in glued[1].split("\n"))
    front = {line[1]: _unquoted(line[2].strip()) for line in lines if line}
    for name in post_format.FRONT:
        if name not in front:
            raise Unreadable(f"its front matter has no {name}")
    return front, glued[2]


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _title(text: str) -> str:
    title = headline(text)
    if not title:
        raise Unreadable("the title is empty")
    return title


def _published(text: str) -> datetime:
    """China time, whether it says so or not."""
    try:
        return dates.parse(text.strip().removesuffix("+0800"))
    except ValueError as error:
        raise Unreadable(f"its date is {error}") from error


def _body_and_link(text: str) -> tuple[str, str]:
    """What stands above the source link, and that link, on a line of its own, before or beside the ways back."""
    above, _, line = f"\n{text}".rstrip().rpartition("\n")
    form = _LINK_AND_WAY_BACK
    if line.lstrip().startswith(_WAY_BACK):
        above, _, line = above.rstrip().rpartition("\n")
        form = _LINK
    link = form.fullmatch(line)
    if not link:
        raise Unreadable("it does not end with a source link")
    return above.strip(), link[1]


def _source(old: OldPost, link: str) -> _Source:
    share, page = _SHARE_PAGE.fullmatch(link), _COLUMN_PAGE.fullmatch(link)
    if old.of_media and share and share[1] == old.code:
        return _Source(link, "choice", ())
    if not old.of_media and page and page[2] == old.code:
        return _Source(article_url(old.code), "eastmoney", (page[1],))
    if link in {article_url(old.code), article_url(old.code, caifuhao=True)}:
        return _Source(link, "eastmoney", ())
    raise Unreadable(f"its source link is not this article's: {link[:80]!r}")


def _digest_and_body(text: str) -> tuple[str, str]:
    """The quote that rolling news begin with, and the HTML; plain text is both."""
    quote = _QUOTE.fullmatch(text)
    digest = "\n".join(line.lstrip("> ") for line in quote[1].strip().split("\n")) if quote else ""
    body = quote[2] if quote else text
    if body.startswith("<"):
        return digest, body
    return digest or body, paragraphs(body or digest)


def _media(old: OldPost, front: Mapping[str, str], digest: str, body: str, known: Media) -> str:
    if old.of_media and (tagged := _tagged(front["tags"].strip(), front["categories"], body, known)):
        return tagged
    return source_line(body) or trailing_media(digest)


def _tagged(tag: str, category: str, body: str, known: Media) -> str:
    """The old program always added 新闻; where the category says that the media's own name ends so, ours did not."""
    name = tag.removesuffix(_NEWS)
    if name.endswith(_NEWS) or not name:
        return name
    found = known.find(category)
    slug = found.slug if found else re.sub(r"[^a-z0-9]", "", category.casefold())
    try:
        return post_format.media_of(post_format.label(name), slug, body, known)
    except Unreadable:
        return name
