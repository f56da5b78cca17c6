"""Legacy posts: the posts of the old site, turned back into the articles that they were made of.

A post of a media (``…-NW<code>.md``) is an article with its body; an emnews post (``…-<code>.md``) is a
record of list 102: a digest and its text. ``2021-12-01-init.md`` is neither: its author wrote it to open
the site, the source never had it, and its name holds no code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.resources import files
from typing import NamedTuple

from crawler.sample_site.articles import SHANGHAI_TIME, SourceArticle

_FILE_NAME = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)?-(?P<prefix>NW)?(?P<code>\d{18})\.md")
_LEGACY_LINK = re.compile(r"<http://finance\.eastmoney\.com/news/1(\d+),\d+\.html>")
_MEDIA_SUFFIX = re.compile(r"（(?P<media>[^（）]+)）$")
_PARAGRAPH_WITHOUT_INDENT = re.compile(r"<p>(?=[^<]|<strong>|<span )")
_STOCK_SPAN_ID = re.compile(r'id="(?:stock|bk)_([^"]+)"')

# Which list of 2022 had a media's article, and in which columns it stood, no post says; only the digests
# of list 102 and, in their links, the primary columns are evidence. These are our choice.
_LISTS_BY_MEDIA = {"中国农网": ("37",), "每日经济新闻": ("38",), "财联社": ("45",)}
_COLUMNS_BY_MEDIA = {"中国农网": ("355", "350"), "每日经济新闻": ("354", "349")}
# One of the posts is also in the recorded fast news of the PC client, in red.
_RED_TITLE_CODE = "202205302396671291"


class LegacyPostFile(NamedTuple):
    """A post file, taken apart."""

    code: str
    is_media_post: bool
    front_matter: dict[str, str]
    quote: str
    body: str
    columns: tuple[str, ...]


def load_legacy_posts() -> list[SourceArticle]:
    """One article for each code; the one that was posted twice is in both lists."""
    posts: dict[str, list[LegacyPostFile]] = {}
    for post in _read_posts():
        posts.setdefault(post.code, []).append(post)
    return [_build_article(group) for group in posts.values()]


def restore_indents(body: str) -> str:
    """Every paragraph of the source begins with two full-width spaces; the old script removed them."""
    return _PARAGRAPH_WITHOUT_INDENT.sub("<p>　　", body)


def _read_posts() -> Iterator[LegacyPostFile]:
    folder = files("crawler.sample_site") / "posts"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if name_match := _FILE_NAME.fullmatch(file.name):
            yield _parse_post(name_match, file.read_text(encoding="utf-8"))


def _parse_post(name_match: re.Match[str], text: str) -> LegacyPostFile:
    _, front_matter, after_front_matter = text.split("---\n", 2)
    body = re.split(r"\n\n<\S*>\n", after_front_matter, maxsplit=1)[0].lstrip("\n")
    quote, _, quoted_body = body.partition("\n\n") if body.startswith("> ") else ("", "", body)
    link_match = _LEGACY_LINK.search(after_front_matter)
    columns = (link_match[1],) if link_match else ()
    fields = dict(line.split(": ", 1) for line in front_matter.splitlines())
    return LegacyPostFile(name_match["code"], bool(name_match["prefix"]), fields, quote[2:], quoted_body, columns)


def _build_article(posts: list[LegacyPostFile]) -> SourceArticle:
    post = max(posts, key=lambda post: post.is_media_post)
    flash = next((post for post in posts if not post.is_media_post), None)
    title = post.front_matter["title"].strip('"')
    flash_body = (flash.quote or flash.body) if flash else ""
    media = _extract_media(post, flash_body)
    return SourceArticle(
        code=post.code,
        title=title,
        media=media,
        published_at=_parse_published_at(post),
        summary=_MEDIA_SUFFIX.sub("", flash_body) or _extract_summary(post.body),
        flash_override=(f"【{title}】{flash_body}" if title else flash_body) if flash else "",
        content=restore_indents(_wrap_in_paragraph(post.body)),
        columns=_choose_columns(posts, media),
        legacy_lists=tuple(_choose_lists(posts, media)),
        secids=tuple(dict.fromkeys(_STOCK_SPAN_ID.findall(post.body))),
        is_fast_news=not post.body.startswith("<") or post.code == _RED_TITLE_CODE,
        title_color=3 if post.code == _RED_TITLE_CODE else 0,
        is_blank=not title,
    )


def _parse_published_at(post: LegacyPostFile) -> datetime:
    """The first posts have no offset; the blank row has no time at all: it gets the day of its code."""
    date_parts = post.front_matter["date"].split()
    if len(date_parts) < 2:
        return datetime.strptime(post.code[:8], "%Y%m%d").replace(tzinfo=SHANGHAI_TIME)
    return datetime.fromisoformat(" ".join(date_parts[:2])).replace(tzinfo=SHANGHAI_TIME)


def _extract_media(post: LegacyPostFile, flash_body: str) -> str:
    """From the source line of the body, where stock links may cut it, or the end of the digest."""
    source_lines = re.findall(r'<p class="em_media">(.*?)</p>', post.body)
    source_line = re.sub(r"<[^>]*>", "", source_lines[-1]) if source_lines else ""
    if source_line:
        return source_line.removeprefix("（文章来源：").removesuffix("）")
    suffix_match = _MEDIA_SUFFIX.search(flash_body)
    return suffix_match["media"] if suffix_match else ""


def _choose_columns(posts: Iterable[LegacyPostFile], media: str) -> tuple[str, ...]:
    linked_columns = tuple(column for post in posts for column in post.columns)
    return linked_columns or _COLUMNS_BY_MEDIA.get(media, ())


def _choose_lists(posts: Iterable[LegacyPostFile], media: str) -> Iterator[str]:
    for post in posts:
        yield from _LISTS_BY_MEDIA[media] if post.is_media_post else ("102",)


def _wrap_in_paragraph(body: str) -> str:
    return body if body.startswith("<") else f"<p>{body.strip()}</p>"


def _extract_summary(body: str) -> str:
    paragraph_texts = (re.sub(r"<[^>]*>", "", paragraph) for paragraph in re.findall(r"<p>.*?</p>", body))
    return next(filter(None, paragraph_texts), "")[:200]
