"""Legacy posts: parser for the post files of an old site. Three forms of them are known:

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
from crawler.content.categories import CategoryRegistry
from crawler.content.flash_format import extract_trailing_media, text_to_html
from crawler.content.html_text import find_source_line_media
from crawler.content.unicode_text import clean_title
from crawler.errors import ParseError
from crawler.items import CODE_PATTERN, CODE_PREFIX, ListingEntry, RawArticle, RawResponse
from crawler.spiders.eastmoney_markup import (
    ARTICLE_URL,
    CAIFUHAO_URL,
    CHOICE_MEDIA,
    EASTMONEY_MARKUP,
    parse_share_page_code,
)

# Where entries and articles say that they come from here.
IMPORT_COLUMN = "import"

_POST_FILE_NAME = re.compile(rf"(?:\d{{4}}-\d\d-\d\d)?-?({CODE_PREFIX})?({CODE_PATTERN.pattern})\.md", re.ASCII)
_SOURCE_LINK_LINE = re.compile(r"\s*<([^<>\s]*)>")
# What may follow the link are the ways back, in any of their forms.
_BACK_LINK_START = "[返回"
_SOURCE_LINK_AND_BACK_LINKS = re.compile(r"\s*<([^<>\s]*)>\s*(?:\[返回.*)?")
# The first digit says that a column's id follows.
_COLUMN_PAGE_URL = re.compile(r"https?://[^/\s]+/news/1([0-9]+),([0-9]+)\.html", re.ASCII)
_DIGEST_QUOTE = re.compile(r"((?:>[^\n]*(?:\n|$))+)\s*(.*)", re.DOTALL)
_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_FRONT_MATTER_LINE = re.compile(r"(\w+):[ \t]*(.*)")
_NEWS_SUFFIX = "新闻"


@dataclass(frozen=True, slots=True)
class LegacyPost:
    """A file by what its name says. `code` is empty where it is not named like an article's."""

    path: str
    code: str
    is_media_post: bool

    @classmethod
    def from_path(cls, path: str) -> "LegacyPost":
        name_match = _POST_FILE_NAME.fullmatch(PurePath(path).name)
        return cls(path, name_match[2] if name_match else "", bool(name_match and name_match[1]))

    @property
    def display_path(self) -> str:
        """Its path for a person; a file's name need not be text."""
        return os.fsencode(self.path).decode("utf-8", "replace")

    def sort_rank(self) -> tuple[bool, str, str]:
        """Of two posts of one article the greater is taken: a media's before rolling news, then the newer name."""
        return self.is_media_post, PurePath(self.path).name, self.path


@dataclass(frozen=True, slots=True)
class _SourceLink:
    """What the end of a post says: the article's page, whose spider that is, and the column that the link names."""

    url: str
    spider: str
    columns: tuple[str, ...]


def parse_legacy_post(
    legacy_post: LegacyPost, content: bytes, registry: CategoryRegistry, imported_at: datetime
) -> RawArticle:
    """Return the article in a file whose name holds a code, with the entry that a listing would have had for it.

    `imported_at` is when it is imported.

    Raises ParseError, which says what is missing.
    """
    metadata, text = _parse_front_matter(post_format.decode_post(content))
    title, published = _parse_title(metadata["title"]), _parse_date(metadata["date"])
    body, link = _split_body_and_link(text)
    source_link = _parse_source_link(legacy_post, link)
    digest, body = _split_digest_and_body(body)
    entry = ListingEntry(
        code=legacy_post.code,
        title=title,
        published=published,
        column=IMPORT_COLUMN,
        url=source_link.url,
        media=_find_media(legacy_post, metadata, digest, body, registry),
        summary=digest,
    )
    return RawArticle(
        entry,
        body=body,
        columns=source_link.columns,
        spider=source_link.spider,
        default_media=CHOICE_MEDIA,
        response=RawResponse(url=source_link.url, content_type="text/markdown", body=content),
        fetched_at=imported_at,
    )


def _parse_front_matter(text: str) -> tuple[Mapping[str, str], str]:
    """As YAML; a title with a quote in it is none, and is read line by line."""
    try:
        return post_format.parse_front_matter(text)
    except ParseError:
        if not (match := _FRONT_MATTER.match(text)):
            raise
    lines = (_FRONT_MATTER_LINE.fullmatch(line) for line in match[1].split("\n"))
    metadata = {line[1]: _strip_quotes(line[2].strip()) for line in lines if line}
    for name in post_format.FRONT_MATTER_KEYS:
        if name not in metadata:
            raise ParseError(f"its front matter has no {name}")
    return metadata, match[2]


def _strip_quotes(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _parse_title(text: str) -> str:
    title = clean_title(text)
    if not title:
        raise ParseError("the title is empty")
    return title


def _parse_date(text: str) -> datetime:
    """The source's time, whether it says its zone or not."""
    try:
        return dates.parse_post_datetime(text, EASTMONEY_MARKUP.zone)
    except ValueError as error:
        raise ParseError(f"its date is {error}") from error


def _split_body_and_link(text: str) -> tuple[str, str]:
    """What is above the source link, and that link, on a line of its own, before or next to the ways back."""
    body, _, line = f"\n{text}".rstrip().rpartition("\n")
    pattern = _SOURCE_LINK_AND_BACK_LINKS
    if line.lstrip().startswith(_BACK_LINK_START):
        body, _, line = body.rstrip().rpartition("\n")
        pattern = _SOURCE_LINK_LINE
    match = pattern.fullmatch(line)
    if not match:
        raise ParseError("it does not end with a source link")
    return body.strip(), match[1]


def _parse_source_link(legacy_post: LegacyPost, link: str) -> _SourceLink:
    column_match = _COLUMN_PAGE_URL.fullmatch(link)
    if legacy_post.is_media_post and parse_share_page_code(link) == legacy_post.code:
        return _SourceLink(link, "choice", ())
    if not legacy_post.is_media_post and column_match and column_match[2] == legacy_post.code:
        return _SourceLink(ARTICLE_URL.format(legacy_post.code), "eastmoney", (column_match[1],))
    if link in {ARTICLE_URL.format(legacy_post.code), CAIFUHAO_URL.format(legacy_post.code)}:
        return _SourceLink(link, "eastmoney", ())
    raise ParseError(f"its source link is not this article's: {link[:80]!r}")


def _split_digest_and_body(text: str) -> tuple[str, str]:
    """The quote that rolling news begin with, and the HTML; plain text is both."""
    quote_match = _DIGEST_QUOTE.fullmatch(text)
    digest = "\n".join(line.lstrip("> ") for line in quote_match[1].strip().split("\n")) if quote_match else ""
    body = quote_match[2] if quote_match else text
    if body.startswith("<"):
        return digest, body
    return digest or body, text_to_html(body or digest)


def _find_media(
    legacy_post: LegacyPost, metadata: Mapping[str, str], digest: str, body: str, registry: CategoryRegistry
) -> str:
    if legacy_post.is_media_post and (
        tagged_media := _media_from_tag(metadata["tags"].strip(), metadata["categories"], body, registry)
    ):
        return tagged_media
    return find_source_line_media(body, EASTMONEY_MARKUP) or extract_trailing_media(digest)


def _media_from_tag(tag: str, category: str, body: str, registry: CategoryRegistry) -> str:
    """The old program always added 新闻; where the category says that the media's own name ends so, ours did not."""
    name = tag.removesuffix(_NEWS_SUFFIX)
    if name.endswith(_NEWS_SUFFIX) or not name:
        return name
    known_category = registry.find(category)
    slug = known_category.slug if known_category else re.sub(r"[^a-z0-9]", "", category.casefold())
    try:
        return post_format.infer_media(post_format.tag_for_media(name), slug, body, registry, EASTMONEY_MARKUP)
    except ParseError:
        return name
