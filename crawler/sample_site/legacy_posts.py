"""The posts of the old site, turned back into the articles that they were made of.

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

from crawler.sample_site.articles import SHANGHAI, SourceArticle

_NAME = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)?-(?P<prefix>NW)?(?P<code>\d{18})\.md")
_OLD_LINK = re.compile(r"<http://finance\.eastmoney\.com/news/1(\d+),\d+\.html>")
_ENDING = re.compile(r"（(?P<media>[^（）]+)）$")
_INDENTED = re.compile(r"<p>(?=[^<]|<strong>|<span )")
_STOCK = re.compile(r'id="(?:stock|bk)_([^"]+)"')

# Which list of 2022 had a media's article, and in which columns it stood, no post tells; only the digests
# of list 102 and, in their links, the primary columns are evidence. These are our choice.
_LISTS = {"中国农网": ("37",), "每日经济新闻": ("38",), "财联社": ("45",)}
_COLUMNS = {"中国农网": ("355", "350"), "每日经济新闻": ("354", "349")}
# One of the posts also stands in the recorded fast news of the PC client, in red.
_RED = "202205302396671291"


class Post(NamedTuple):
    """A post file, taken apart."""

    code: str
    named_by_media: bool
    front: dict[str, str]
    quote: str
    body: str
    columns: tuple[str, ...]


def old_posts() -> list[SourceArticle]:
    """One article for each code; the one that was posted twice stands in both lists."""
    posts: dict[str, list[Post]] = {}
    for post in _read():
        posts.setdefault(post.code, []).append(post)
    return [_article(group) for group in posts.values()]


def put_indents_back(body: str) -> str:
    """Every paragraph of the source begins with two full-width spaces; the old script removed them."""
    return _INDENTED.sub("<p>　　", body)


def _read() -> Iterator[Post]:
    folder = files("crawler.sample_site") / "posts"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if name := _NAME.fullmatch(file.name):
            yield _post(name, file.read_text(encoding="utf-8"))


def _post(name: re.Match[str], text: str) -> Post:
    _, front, rest = text.split("---\n", 2)
    body = re.split(r"\n\n<\S*>\n", rest, maxsplit=1)[0].lstrip("\n")
    quote, _, quoted_body = body.partition("\n\n") if body.startswith("> ") else ("", "", body)
    link = _OLD_LINK.search(rest)
    columns = (link[1],) if link else ()
    fields = dict(line.split(": ", 1) for line in front.splitlines())
    return Post(name["code"], bool(name["prefix"]), fields, quote[2:], quoted_body, columns)


def _article(posts: list[Post]) -> SourceArticle:
    post = max(posts, key=lambda post: post.named_by_media)
    flash = next((post for post in posts if not post.named_by_media), None)
    title = post.front["title"].strip('"')
    text = (flash.quote or flash.body) if flash else ""
    media = _media(post, text)
    return SourceArticle(
        code=post.code,
        title=title,
        media=media,
        published=_published(post),
        summary=_ENDING.sub("", text) or _first_words(post.body),
        digest=(f"【{title}】{text}" if title else text) if flash else "",
        content=put_indents_back(_paragraphs(post.body)),
        columns=_columns(posts, media),
        lists=tuple(_lists(posts, media)),
        stocks=tuple(dict.fromkeys(_STOCK.findall(post.body))),
        fast=not post.body.startswith("<") or post.code == _RED,
        title_color=3 if post.code == _RED else 0,
        blank=not title,
    )


def _published(post: Post) -> datetime:
    """The first posts have no offset; the blank row has no time at all: it gets the day of its code."""
    words = post.front["date"].split()
    if len(words) < 2:
        return datetime.strptime(post.code[:8], "%Y%m%d").replace(tzinfo=SHANGHAI)
    return datetime.fromisoformat(" ".join(words[:2])).replace(tzinfo=SHANGHAI)


def _media(post: Post, digest: str) -> str:
    """From the source line of the body, where stock links may cut it, or the end of the digest."""
    lines = re.findall(r'<p class="em_media">(.*?)</p>', post.body)
    plain = re.sub(r"<[^>]*>", "", lines[-1]) if lines else ""
    if plain:
        return plain.removeprefix("（文章来源：").removesuffix("）")
    ending = _ENDING.search(digest)
    return ending["media"] if ending else ""


def _columns(posts: Iterable[Post], media: str) -> tuple[str, ...]:
    linked = tuple(column for post in posts for column in post.columns)
    return linked or _COLUMNS.get(media, ())


def _lists(posts: Iterable[Post], media: str) -> Iterator[str]:
    for post in posts:
        yield from _LISTS[media] if post.named_by_media else ("102",)


def _paragraphs(body: str) -> str:
    return body if body.startswith("<") else f"<p>{body.strip()}</p>"


def _first_words(body: str) -> str:
    texts = (re.sub(r"<[^>]*>", "", part) for part in re.findall(r"<p>.*?</p>", body))
    return next(filter(None, texts), "")[:200]
