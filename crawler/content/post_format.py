"""Post format: Post <-> Markdown file; the only module that serializes and parses front matter.

The bytes of a post are a pure function of a `Post`: either side of the system can be rebuilt from the other.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import zip_longest
from typing import Any, NamedTuple

import frontmatter
import yaml
from frontmatter.default_handlers import YAMLHandler

from crawler.content.categories import MAX_MEDIA_NAME_CHARS, CategoryRegistry, bundled_registry
from crawler.content.dates import CHINA_TZ, format_jekyll, parse_post_datetime
from crawler.content.encoding import decode_body
from crawler.content.html_text import find_source_line_media
from crawler.content.markup import SourceMarkup
from crawler.content.slugs import SLUG_PATTERN, make_slug, name_key
from crawler.content.unicode_text import clean_title
from crawler.errors import ParseError
from crawler.items import CODE_PATTERN, CODE_PREFIX, POSTS_DIR, Post

# What is read of front matter.
FRONT_MATTER_KEYS = ("title", "date", "categories", "tags")

_NEWS_SUFFIX, _NEWS_PINYIN = "新闻", "xinwen"
# Jekyll splits tags at spaces, as Ruby does, which knows no other space than those of ASCII.
_SPACE, _NO_BREAK_SPACE = " ", "\xa0"
# Longer front matter is not a finews post's: what is read of a foreign file is bounded.
_MAX_FRONT_MATTER_CHARS = 4_000
_CODE_IN_URL = re.compile(rf"(?:{CODE_PREFIX}|/)({CODE_PATTERN.pattern})(?:\.html)?", re.ASCII)
_SOURCE_LINK_LINE = re.compile(r"<([^<>\s]+)>")
_LINK_HOME = re.compile(r"｜\[返回首页\]\((\S+)/\)\Z")
_DATE_LINE = re.compile(r"^date:.*$", re.MULTILINE)
_PLAIN_SCALAR = re.compile(r"[^\W\d_][\w·（）]*")
_POST_PATH = re.compile(
    rf"{POSTS_DIR}/((\d{{4}})/(\d\d)/(\d\d))/\2-\3-\4-{CODE_PREFIX}({CODE_PATTERN.pattern})\.md", re.ASCII
)
# Everything that Markdown could read as markup, inside the text of a link.
_MARKDOWN_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


class _TextHandler(YAMLHandler):
    """Front matter of a bounded length whose values are the text that they are; a date is not to be guessed at."""

    def load(self, fm: str, **_kwargs: object) -> Any:
        """Return the front matter; raise ParseError when it is too long."""
        if len(fm) > _MAX_FRONT_MATTER_CHARS:
            raise ParseError(f"its front matter is over {_MAX_FRONT_MATTER_CHARS} characters")
        return super().load(fm, Loader=yaml.BaseLoader)


@lru_cache(1024)  # there are as many media, and YAML is slow to read
def _is_plain_scalar(value: str) -> bool:
    return bool(_PLAIN_SCALAR.fullmatch(value)) and yaml.safe_load(value) == value


@dataclass(frozen=True, slots=True)
class SiteLinks:
    """Links of a post to the published site.

    `address` is the site's, without a scheme, e.g. `//finews.withounder.com`.
    """

    address: str


def tag_for_media(media: str) -> str:
    """Return the tag of a media's posts: its name and 新闻, never 新闻新闻, without spaces, where Jekyll splits.

    >>> tag_for_media("中国农网"), tag_for_media("每日经济新闻")
    ('中国农网新闻', '每日经济新闻')
    """
    name = _NO_BREAK_SPACE.join(media.split())
    return name if name.endswith(_NEWS_SUFFIX) else name + _NEWS_SUFFIX


def render_post(post: Post, site_links: SiteLinks) -> str:
    """Return the text of a post file; no newline at the end.

    The front matter is not left to PyYAML, which would sort the keys, drop the quotes of a title and write an emoji as
    an escape.
    """
    tag = tag_for_media(post.media)
    # Inside double quotes YAML reads two characters only; control characters and line ends do not get this far.
    title, quoted_tag = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in (post.title, tag))
    link_text = _MARKDOWN_PUNCTUATION.sub(lambda match: f"&#{ord(match[0])};", tag)
    return (
        "---\n"
        "layout: post\n"
        f"title: {title}\n"
        f"date: {format_jekyll(post.published_at)}\n"
        f"categories: {post.category}\n"
        f"tags: {tag if _is_plain_scalar(tag) else quoted_tag}\n"
        "---\n"
        f"{post.body_html}\n\n"
        f"<{post.url}>\n\n"
        f"[返回{link_text}]({site_links.address}/category/{post.category}.html)｜[返回首页]({site_links.address}/)"
    )


def decode_post(content: bytes) -> str:
    """Return the text of a post that another system may have written again.

    A clone may have CRLF line ends, and an editor may save with a byte order mark or in GB 18030. Raises ParseError.
    """
    try:
        return decode_body(content).replace("\r\n", "\n")
    except ParseError as error:
        raise ParseError("not UTF-8, and not GB 18030") from error


def parse_post(
    text: str,
    site_links: SiteLinks,
    find_markup: Callable[[str], SourceMarkup],
    registry: CategoryRegistry | None = None,
) -> Post:
    """Return the post of a file: the inverse of `render_post`.

    `registry` knows the media of tags, `find_markup` returns the markup of the source of a URL. The date may have
    another form. Raises ParseError for any other difference from `render_post`, with the line.
    """
    metadata, content = parse_front_matter(text)
    sections = content.rsplit("\n\n", 2)
    link_match = _SOURCE_LINK_LINE.fullmatch(sections[1]) if len(sections) == 3 else None
    if not link_match:
        raise ParseError("it does not end with a source link and the way back")
    body_html, url = sections[0], link_match[1]
    category = metadata["categories"]
    if not SLUG_PATTERN.fullmatch(category):
        raise ParseError(f"its category is no slug: {category[:40]!r}")
    codes = _CODE_IN_URL.findall(url)
    if not codes:
        raise ParseError(f"its source link names no article: {url[:80]!r}")
    post = Post(
        code=codes[-1],
        title=metadata["title"],
        published_at=_parse_date(metadata["date"]),
        category=category,
        media=infer_media(metadata["tags"], category, body_html, registry or bundled_registry(), find_markup(url)),
        body_html=body_html,
        url=url,
    )
    text = _DATE_LINE.sub(f"date: {format_jekyll(post.published_at)}", text, count=1)
    if (rendered := render_post(post, site_links)) != text:
        pairs = enumerate(zip_longest(rendered.split("\n"), text.split("\n")), 1)
        number, line = next((number, actual) for number, (expected, actual) in pairs if expected != actual)
        raise ParseError(f"line {number} is not as this program writes it: {(line or '')[:40]!r}")
    return post


def find_site_address(text: str) -> str:
    """Return the address that a post links back to; an empty text where it does not end as `render_post` ends it."""
    match = _LINK_HOME.search(text)
    return match[1] if match else ""


def parse_front_matter(text: str) -> tuple[Mapping[str, str], str]:
    """Return front matter's `title`, `date`, `categories` and `tags`, and the text below; raise ParseError.

    Each of them is one text. Other keys are ignored: a few YAML aliases can expand to gigabytes.
    """
    try:
        metadata, content = frontmatter.parse(text, handler=_TextHandler())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ParseError(f"its front matter is not YAML: {' '.join(str(error).split())[:120]}") from error
    for name in FRONT_MATTER_KEYS:
        if not isinstance(metadata.get(name), str):
            raise ParseError(f"its front matter has no {name}" if metadata else "it has no front matter")
    return {name: str(metadata[name]) for name in FRONT_MATTER_KEYS}, content


def infer_media(tag: str, category: str, body_html: str, registry: CategoryRegistry, markup: SourceMarkup) -> str:
    """Return the media with this tag and this category.

    `X新闻` is the tag of the media X and of the media X新闻, which has another slug. If the slug fits both, the source
    line at the end of the body decides. Raises ParseError when none of these decides.
    """
    name = tag.replace(_NO_BREAK_SPACE, _SPACE)
    candidates = [
        media
        for media in (name, name.removesuffix(_NEWS_SUFFIX))
        if 0 < len(media) <= MAX_MEDIA_NAME_CHARS and tag_for_media(media) == tag
    ]
    if not candidates:
        raise ParseError(f"its tag is not a media's: {tag[:40]!r}")
    chosen = _single_or_empty(candidates) or _single_or_empty(
        [media for media in candidates if (known := registry.find(media)) and known.slug == category]
    )
    if not chosen:
        # The slug of a homophone has a number; a spelling without spaces may have got the slug first.
        slugs = {media: {make_slug(media), make_slug(name_key(media))} for media in candidates}
        ending = r"(?:[2-9]|[1-9][0-9]+)?"
        chosen = _single_or_empty(
            [media for media in candidates if any(re.fullmatch(slug + ending, category) for slug in slugs[media])]
        )
    if not chosen:
        source_media = clean_title(find_source_line_media(body_html, markup))
        chosen = _single_or_empty([media for media in candidates if media == source_media])
    if not chosen:
        # The slug of a name that ends in 新闻 ends in xinwen, whatever the reading of the rest.
        is_news = category.rstrip("0123456789").endswith(_NEWS_PINYIN)
        chosen = _single_or_empty([media for media in candidates if make_slug(media).endswith(_NEWS_PINYIN) is is_news])
    if not chosen:
        raise ParseError(f"media unknown: {' or '.join(candidates)} may be the one of category {category}")
    return chosen


def _single_or_empty(candidates: list[str]) -> str:
    return candidates[0] if len(candidates) == 1 else ""


def _parse_date(text: str) -> datetime:
    try:
        return parse_post_datetime(text, CHINA_TZ).astimezone(CHINA_TZ)
    except (ValueError, OverflowError) as error:
        raise ParseError(f"its date is not like 2022-01-10 16:20:36 +0800: {text[:40]!r}") from error


def make_post_path(post: Post) -> str:
    """Return the path of a new post, below the output folder: by day of publication and code."""
    day = post.published_at.date().isoformat()
    return f"{POSTS_DIR}/{day.replace('-', '/')}/{day}-{CODE_PREFIX}{post.code}.md"


class PostPath(NamedTuple):
    """Day, such as `2022/01/10`, and article code in the path of a post."""

    day: str
    code: str


def parse_post_path(path: str) -> PostPath | None:
    """Return the parts of a post's path; None for a path that finews never writes to.

    >>> parse_post_path(f"_posts/2022/01/10/2022-01-10-{CODE_PREFIX}202201102242171631.md")
    PostPath(day='2022/01/10', code='202201102242171631')
    >>> parse_post_path("_posts/../x.md") is parse_post_path("news.db") is None
    True
    """
    match = _POST_PATH.fullmatch(path)
    return PostPath(match[1], match[5]) if match else None
