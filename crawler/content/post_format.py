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
        """Return what it says; raise ParseError where it is too long."""
        if len(fm) > _MAX_FRONT_MATTER_CHARS:
            raise ParseError(f"its front matter is over {_MAX_FRONT_MATTER_CHARS} characters")
        return super().load(fm, Loader=yaml.BaseLoader)


@lru_cache(1024)  # there are as many media, and YAML is slow to read
def _is_plain_scalar(value: str) -> bool:
    return bool(_PLAIN_SCALAR.fullmatch(value)) and yaml.safe_load(value) == value


@dataclass(frozen=True, slots=True)
class SiteLinks:
    """Where the posts are published: what a post says of the world outside itself.

    `address` is the site's, without a scheme, e.g. `//finews.withounder.com`.
    """

    address: str


def tag_for_media(media: str) -> str:
    """What a media's posts are tagged with: its name and 新闻, never 新闻新闻, never a space that Jekyll splits at.

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
    """The post whose file this is: the inverse of `render_post`. `registry` says which media a tag means,
    `find_markup` what the source of an article, whose page has this URL, adds to its texts.

    The date may have another form. Raises ParseError for all else that `render_post` would not write, with its line.
    """
    metadata, content = parse_front_matter(text)
    body_html, url = _split_body_and_url(content)
    category = metadata["categories"]
    if not SLUG_PATTERN.fullmatch(category):
        raise ParseError(f"its category is no slug: {category[:40]!r}")
    post = Post(
        code=_code_from_url(url),
        title=metadata["title"],
        published_at=_parse_date(metadata["date"]),
        category=category,
        media=infer_media(metadata["tags"], category, body_html, registry or bundled_registry(), find_markup(url)),
        body_html=body_html,
        url=url,
    )
    text = _DATE_LINE.sub(f"date: {format_jekyll(post.published_at)}", text, count=1)
    if (rendered := render_post(post, site_links)) != text:
        raise ParseError(_describe_difference(rendered, text))
    return post


def find_site_address(text: str) -> str:
    """Return the address that a post links back to; an empty text where it does not end as `render_post` ends it."""
    match = _LINK_HOME.search(text)
    return match[1] if match else ""


def parse_front_matter(text: str) -> tuple[Mapping[str, str], str]:
    """Front matter's `title`, `date`, `categories` and `tags`, and the text below. Raises ParseError.

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
    """The media that is tagged so and filed under this category.

    `X新闻` tags the posts of X, and those of X新闻, which is another media with another slug. Where the slug does not
    tell, the source line at the foot of the body does. Raises ParseError rather than to guess.
    """
    candidates = _media_candidates(tag)
    if not candidates:
        raise ParseError(f"its tag is not a media's: {tag[:40]!r}")
    chosen = _single_or_empty(candidates) or _single_or_empty(
        [media for media in candidates if _is_registered_under(media, category, registry)]
    )
    chosen = chosen or _single_or_empty([media for media in candidates if _slug_matches(media, category)])
    if not chosen:
        source_media = clean_title(find_source_line_media(body_html, markup))
        chosen = _single_or_empty([media for media in candidates if media == source_media]) or _choose_by_news_ending(
            candidates, category
        )
    if not chosen:
        raise ParseError(f"whether {' or '.join(candidates)} is filed under {category} cannot be told")
    return chosen


def _media_candidates(tag: str) -> list[str]:
    name = tag.replace(_NO_BREAK_SPACE, _SPACE)
    names = (name, name.removesuffix(_NEWS_SUFFIX))
    return [media for media in names if 0 < len(media) <= MAX_MEDIA_NAME_CHARS and tag_for_media(media) == tag]


def _single_or_empty(candidates: list[str]) -> str:
    return candidates[0] if len(candidates) == 1 else ""


def _is_registered_under(media: str, category: str, registry: CategoryRegistry) -> bool:
    registered_category = registry.find(media)
    return registered_category is not None and registered_category.slug == category


def _slug_matches(media: str, category: str) -> bool:
    """Whether this is the media's slug, or that of a homophone; a spelling without spaces may have been met first."""
    slugs = {make_slug(media), make_slug(name_key(media))}
    return any(re.fullmatch(rf"{slug}(?:[2-9]|[1-9][0-9]+)?", category) for slug in slugs)


def _choose_by_news_ending(candidates: list[str], category: str) -> str:
    """The slug of a name that ends in 新闻 ends in xinwen, however the rest of it was read."""
    news_names = [media for media in candidates if make_slug(media).endswith(_NEWS_PINYIN)]
    if category.rstrip("0123456789").endswith(_NEWS_PINYIN):
        return _single_or_empty(news_names)
    return _single_or_empty([media for media in candidates if media not in news_names])


def _split_body_and_url(content: str) -> tuple[str, str]:
    sections = content.rsplit("\n\n", 2)
    link_match = _SOURCE_LINK_LINE.fullmatch(sections[1]) if len(sections) == 3 else None
    if not link_match:
        raise ParseError("it does not end with a source link and the way back")
    return sections[0], link_match[1]


def _code_from_url(url: str) -> str:
    codes = _CODE_IN_URL.findall(url)
    if not codes:
        raise ParseError(f"its source link names no article: {url[:80]!r}")
    return str(codes[-1])


def _parse_date(text: str) -> datetime:
    try:
        return parse_post_datetime(text, CHINA_TZ).astimezone(CHINA_TZ)
    except (ValueError, OverflowError) as error:
        raise ParseError(f"its date is not like 2022-01-10 16:20:36 +0800: {text[:40]!r}") from error


def _describe_difference(expected: str, actual: str) -> str:
    pairs = enumerate(zip_longest(expected.split("\n"), actual.split("\n")), 1)
    number, line = next(
        (number, actual_line) for number, (expected_line, actual_line) in pairs if expected_line != actual_line
    )
    return f"line {number} is not as this program writes it: {(line or '')[:40]!r}"


def make_post_path(post: Post) -> str:
    """Where a post is first written, below the output folder: by day of publication and code."""
    day = post.published_at.date().isoformat()
    return f"{POSTS_DIR}/{day.replace('-', '/')}/{day}-{CODE_PREFIX}{post.code}.md"


class PostPath(NamedTuple):
    """What a path says of its post: the day, such as `2022/01/10`, and the article's code."""

    day: str
    code: str


def parse_post_path(path: str) -> PostPath | None:
    """Return what the path of a post says; None for a path that no post of finews has, and finews never writes to.

    >>> parse_post_path(f"_posts/2022/01/10/2022-01-10-{CODE_PREFIX}202201102242171631.md")
    PostPath(day='2022/01/10', code='202201102242171631')
    >>> parse_post_path("_posts/../x.md") is parse_post_path("news.db") is None
    True
    """
    match = _POST_PATH.fullmatch(path)
    return PostPath(match[1], match[5]) if match else None
