"""Legacy posts: parser for the post files of an old site, of which three forms are known.

    2022-01-10-NW202201102242171631.md   an article of a media: its HTML, and the share page
    2022-04-21-202204212352230938.md     rolling news: `> digest`, its HTML, and the page of a column
    2021-12-08-202112082206672930.md     the first fast news: one paragraph of text, a date without zone

The old program wrote front matter without quoting values, so the parser accepts more than YAML.
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

# Column of imported entries and articles.
IMPORT_COLUMN = "import"

_POST_FILE_NAME = re.compile(rf"(?:\d{{4}}-\d\d-\d\d)?-?({CODE_PREFIX})?({CODE_PATTERN.pattern})\.md", re.ASCII)
_SOURCE_LINK_LINE = re.compile(r"\s*<([^<>\s]*)>")
# Back links, in any form, may follow the source link.
_BACK_LINK_START = "[返回"
_SOURCE_LINK_AND_BACK_LINKS = re.compile(r"\s*<([^<>\s]*)>\s*(?:\[返回.*)?")
# The digit 1 is not part of the column's id.
_COLUMN_PAGE_URL = re.compile(r"https?://[^/\s]+/news/1([0-9]+),([0-9]+)\.html", re.ASCII)
_DIGEST_QUOTE = re.compile(r"((?:>[^\n]*(?:\n|$))+)\s*(.*)", re.DOTALL)
_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_FRONT_MATTER_LINE = re.compile(r"(\w+):[ \t]*(.*)")
_NEWS_SUFFIX = "新闻"


@dataclass(frozen=True, slots=True)
class LegacyPost:
    """File of an old site, with the parts of its name; `code` is empty if the name is not that of an article."""

    path: str
    code: str
    is_media_post: bool

    @classmethod
    def from_path(cls, path: str) -> "LegacyPost":
        """Return the file for a path, relative to the imported folder."""
        name_match = _POST_FILE_NAME.fullmatch(PurePath(path).name)
        return cls(path, name_match[2] if name_match else "", bool(name_match and name_match[1]))

    @property
    def display_path(self) -> str:
        """Return the path as text, with invalid bytes of the file name replaced."""
        return os.fsencode(self.path).decode("utf-8", "replace")

    def sort_rank(self) -> tuple[bool, str, str]:
        """Return the rank among posts of one article: a media's post above rolling news, then the newer name."""
        return self.is_media_post, PurePath(self.path).name, self.path


@dataclass(frozen=True, slots=True)
class _SourceLink:
    """Source link of a post: the page of the article, its spider, and the column if the link names one."""

    url: str
    spider: str
    columns: tuple[str, ...]


def parse_legacy_post(
    legacy_post: LegacyPost, content: bytes, registry: CategoryRegistry, imported_at: datetime
) -> RawArticle:
    """Return the article of a file whose name holds a code, with a listing entry made from the file.

    Raises ParseError, which names the missing part.
    """
    metadata, text = _parse_front_matter(post_format.decode_post(content))
    title = clean_title(metadata["title"])
    if not title:
        raise ParseError("the title is empty")
    try:
        published = dates.parse_post_datetime(metadata["date"], EASTMONEY_MARKUP.zone)
    except ValueError as error:
        raise ParseError(f"its date is {error}") from error
    body, source_link = _split_source_link(legacy_post, text)
    # Rolling news begins with a quote, its digest; a body of plain text is also its own digest.
    quote_match = _DIGEST_QUOTE.fullmatch(body)
    digest = "\n".join(line.lstrip("> ") for line in quote_match[1].strip().split("\n")) if quote_match else ""
    body = quote_match[2] if quote_match else body
    if not body.startswith("<"):
        digest, body = digest or body, text_to_html(body or digest)
    tagged_media = _find_tagged_media(metadata, body, registry) if legacy_post.is_media_post else ""
    entry = ListingEntry(
        code=legacy_post.code,
        title=title,
        published=published,
        column=IMPORT_COLUMN,
        url=source_link.url,
        media=tagged_media or find_source_line_media(body, EASTMONEY_MARKUP) or extract_trailing_media(digest),
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
    """Return front matter and body; front matter that is not YAML, as with a quote in the title, is read by line."""
    try:
        return post_format.parse_front_matter(text)
    except ParseError:
        if not (match := _FRONT_MATTER.match(text)):
            raise
    metadata = {}
    for line in match[1].split("\n"):
        if line_match := _FRONT_MATTER_LINE.fullmatch(line):
            value = line_match[2].strip()
            metadata[line_match[1]] = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    for name in post_format.FRONT_MATTER_KEYS:
        if name not in metadata:
            raise ParseError(f"its front matter has no {name}")
    return metadata, match[2]


def _split_source_link(legacy_post: LegacyPost, text: str) -> tuple[str, _SourceLink]:
    """Return the body above the source link, and the link, a line of its own above or next to the back links."""
    body, _, line = f"\n{text}".rstrip().rpartition("\n")
    pattern = _SOURCE_LINK_AND_BACK_LINKS
    if line.lstrip().startswith(_BACK_LINK_START):
        body, _, line = body.rstrip().rpartition("\n")
        pattern = _SOURCE_LINK_LINE
    match = pattern.fullmatch(line)
    if not match:
        raise ParseError("it does not end with a source link")
    code, link = legacy_post.code, match[1]
    column_match = _COLUMN_PAGE_URL.fullmatch(link)
    if legacy_post.is_media_post and parse_share_page_code(link) == code:
        source_link = _SourceLink(link, "choice", ())
    elif not legacy_post.is_media_post and column_match and column_match[2] == code:
        source_link = _SourceLink(ARTICLE_URL.format(code), "eastmoney", (column_match[1],))
    elif link in {ARTICLE_URL.format(code), CAIFUHAO_URL.format(code)}:
        source_link = _SourceLink(link, "eastmoney", ())
    else:
        raise ParseError(f"its source link is not this article's: {link[:80]!r}")
    return body.strip(), source_link


def _find_tagged_media(metadata: Mapping[str, str], body: str, registry: CategoryRegistry) -> str:
    """Return the media that a post is tagged with.

    The old program always appended 新闻; finews does not if the name of the media itself ends with it, as the category
    shows.
    """
    category = metadata["categories"]
    name = metadata["tags"].strip().removesuffix(_NEWS_SUFFIX)
    if name.endswith(_NEWS_SUFFIX) or not name:
        return name
    known_category = registry.find(category)
    slug = known_category.slug if known_category else re.sub(r"[^a-z0-9]", "", category.casefold())
    try:
        return post_format.infer_media(post_format.tag_for_media(name), slug, body, registry, EASTMONEY_MARKUP)
    except ParseError:
        return name
