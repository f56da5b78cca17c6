"""Legacy posts: the posts of the old site, converted back to the articles of the source.

A media post (``…-NW<code>.md``) is an article with its body; an emnews post (``…-<code>.md``) is a row of list
102 with its text. ``2021-12-01-init.md`` is neither.
"""

from __future__ import annotations

import re
from datetime import datetime
from importlib.resources import files
from typing import NamedTuple

from crawler.sample_site.articles import SHANGHAI_TIME, SourceArticle

_FILE_NAME = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)?-(?P<prefix>NW)?(?P<code>\d{18})\.md")
_LEGACY_LINK = re.compile(r"<http://finance\.eastmoney\.com/news/1(\d+),\d+\.html>")
_MEDIA_SUFFIX = re.compile(r"（(?P<media>[^（）]+)）$")
_PARAGRAPH_WITHOUT_INDENT = re.compile(r"<p>(?=[^<]|<strong>|<span )")
_STOCK_SPAN_ID = re.compile(r'id="(?:stock|bk)_([^"]+)"')

# No post records the 2022 list and the columns of a media's article; known are only the digests of list 102 and,
# in their links, the primary columns. These are invented.
_LISTS_BY_MEDIA = {"中国农网": ("37",), "每日经济新闻": ("38",), "财联社": ("45",)}
_COLUMNS_BY_MEDIA = {"中国农网": ("355", "350"), "每日经济新闻": ("354", "349")}
# One of the posts is also in the recorded fast news of the PC client, in red.
_RED_TITLE_CODE = "202205302396671291"


class LegacyPostFile(NamedTuple):
    """A parsed post file."""

    code: str
    is_media_post: bool
    front_matter: dict[str, str]
    quote: str
    body: str
    columns: tuple[str, ...]


def load_legacy_posts() -> list[SourceArticle]:
    """Return an article for each code; a code posted twice is in both lists."""
    posts: dict[str, list[LegacyPostFile]] = {}
    folder = files("crawler.sample_site") / "posts"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if name_match := _FILE_NAME.fullmatch(file.name):
            post = _parse_post(name_match, file.read_text(encoding="utf-8"))
            posts.setdefault(post.code, []).append(post)
    return [_build_article(group) for group in posts.values()]


def restore_indents(body: str) -> str:
    """Restore the two full-width spaces before each paragraph of the source, which the old script removed."""
    return _PARAGRAPH_WITHOUT_INDENT.sub("<p>　　", body)


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
    linked_columns = tuple(column for post in posts for column in post.columns)
    legacy_lists = [name for post in posts for name in (_LISTS_BY_MEDIA[media] if post.is_media_post else ("102",))]
    paragraph_texts = (re.sub(r"<[^>]*>", "", paragraph) for paragraph in re.findall(r"<p>.*?</p>", post.body))
    first_text = next(filter(None, paragraph_texts), "")
    content = post.body if post.body.startswith("<") else f"<p>{post.body.strip()}</p>"
    return SourceArticle(
        code=post.code,
        title=title,
        media=media,
        published_at=_parse_published_at(post),
        summary=_MEDIA_SUFFIX.sub("", flash_body) or first_text[:200],
        flash_override=(f"【{title}】{flash_body}" if title else flash_body) if flash else "",
        content=restore_indents(content),
        columns=linked_columns or _COLUMNS_BY_MEDIA.get(media, ()),
        legacy_lists=tuple(legacy_lists),
        secids=tuple(dict.fromkeys(_STOCK_SPAN_ID.findall(post.body))),
        is_fast_news=not post.body.startswith("<") or post.code == _RED_TITLE_CODE,
        title_color=3 if post.code == _RED_TITLE_CODE else 0,
        is_blank=not title,
    )


def _parse_published_at(post: LegacyPostFile) -> datetime:
    """Return the time of a post, or the day of its code where it has no time."""
    date_parts = post.front_matter["date"].split()
    if len(date_parts) < 2:
        return datetime.strptime(post.code[:8], "%Y%m%d").replace(tzinfo=SHANGHAI_TIME)
    return datetime.fromisoformat(" ".join(date_parts[:2])).replace(tzinfo=SHANGHAI_TIME)


def _extract_media(post: LegacyPostFile, flash_body: str) -> str:
    """Return the media of the body's source line or of the digest's end."""
    source_lines = re.findall(r'<p class="em_media">(.*?)</p>', post.body)
    source_line = re.sub(r"<[^>]*>", "", source_lines[-1]) if source_lines else ""
    if source_line:
        return source_line.removeprefix("（文章来源：").removesuffix("）")
    suffix_match = _MEDIA_SUFFIX.search(flash_body)
    return suffix_match["media"] if suffix_match else ""
