"""Post <-> file: the only room that knows front matter and writes post files.

The bytes of a post are a pure function of a `Post`: either side of the system can be made anew from the other.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from itertools import zip_longest
from typing import Any

import frontmatter
import yaml
from frontmatter.default_handlers import YAMLHandler

from crawler.content.categories import LONGEST_NAME, Media
from crawler.content.dates import CHINA, jekyll
from crawler.content.html_cleaner import source_line
from crawler.content.slugs import SLUG, fold, slug_of
from crawler.content.unicode_text import headline
from crawler.errors import Unreadable
from crawler.items import POSTS, Post

# What is read of front matter.
FRONT = ("title", "date", "categories", "tags")

_NEWS, _NEWS_READ = "新闻", "xinwen"
# Jekyll splits tags at spaces, as Ruby does, which knows no other space than those of ASCII.
_SPACE, _UNSPLIT_SPACE = " ", "\xa0"
# Front matter longer than this is none of ours: what is read of a stranger's file is bounded.
_LONGEST_FRONT = 4_000
_CODE_IN_URL = re.compile(r"(?:NW|/)([0-9]{18,24})(?:\.html)?", re.ASCII)
_LINK_LINE = re.compile(r"<([^<>\s]+)>")
_PLAIN_SCALAR = re.compile(r"[^\W\d_][\w·（）]*")
# Everything that Markdown could read as markup, inside the text of a link.
_MARKDOWN = re.compile(r"[!-/:-@\[-`{-~]")


class _JekyllHandler(YAMLHandler):
    """The six lines as the first posts have them: keys in their order, the title always in double quotes.

    PyYAML would sort the keys, drop the quotes and write an emoji as an escape. Inside double quotes YAML reads two
    characters only, so that two escapes are enough; control characters and line ends do not get this far.
    """

    def load(self, fm: str, **_kwargs: object) -> Any:
        """Every value as the text that it is; a date is not to be guessed at."""
        if len(fm) > _LONGEST_FRONT:
            raise Unreadable(f"its front matter is over {_LONGEST_FRONT} characters")
        return super().load(fm, Loader=yaml.BaseLoader)

    def export(self, metadata: dict[str, object], **_kwargs: object) -> str:
        return "\n".join(f"{key}: {self._scalar(key, str(value))}" for key, value in metadata.items())

    def format(self, post: frontmatter.Post, **_kwargs: object) -> str:
        return f"---\n{self.export(post.metadata)}\n---\n{post.content}"

    @staticmethod
    def _scalar(key: str, value: str) -> str:
        if key in {"layout", "date", "categories"} or (key == "tags" and _is_plain(value)):
            return value
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'


@lru_cache(1024)  # there are as many media, and YAML is slow to read
def _is_plain(value: str) -> bool:
    return bool(_PLAIN_SCALAR.fullmatch(value)) and yaml.safe_load(value) == value


@dataclass(frozen=True, slots=True)
class Site:
    """Where the posts are published: what a post says of the world outside itself.

    `address` is the site's, without a scheme, e.g. `//finews.withounder.com`.
    """

    address: str

    def category_page(self, slug: str) -> str:
        return f"{self.address}/category/{slug}.html"

    def home_page(self) -> str:
        return f"{self.address}/"


def label(media: str) -> str:
    """What a media's posts are tagged with: its name and 新闻, never 新闻新闻, never a space that Jekyll splits at.

    >>> label("中国农网"), label("每日经济新闻")
    ('中国农网新闻', '每日经济新闻')
    """
    name = _UNSPLIT_SPACE.join(media.split())
    return name if name.endswith(_NEWS) else name + _NEWS


def render(post: Post, site: Site) -> str:
    """The text of a post file; no newline at the end."""
    tag = label(post.media)
    back = f"[返回{_link_text(tag)}]({site.category_page(post.category)})｜[返回首页]({site.home_page()})"
    return frontmatter.dumps(
        frontmatter.Post(
            f"{post.body_html}\n\n<{post.url}>\n\n{back}",
            layout="post",
            title=post.title,
            date=jekyll(post.published_at),
            categories=post.category,
            tags=tag,
        ),
        handler=_JekyllHandler(),
    )


def read(text: str, site: Site, media: Media | None = None) -> Post:
    """The post whose file this is: the inverse of `render`. `media` is asked which media stands behind a tag.

    Raises Unreadable for all that `render` would not write, and says where it differs.
    """
    front, content = front_matter(text)
    body_html, url = _body_and_url(content)
    category = front["categories"]
    if not SLUG.fullmatch(category):
        raise Unreadable(f"its category is no slug: {category[:40]!r}")
    post = Post(
        code=_code_in(url),
        title=front["title"],
        published_at=_moment(front["date"]),
        category=category,
        media=media_of(front["tags"], category, body_html, media or _shipped_media()),
        body_html=body_html,
        url=url,
    )
    if (rendered := render(post, site)) != text:
        raise Unreadable(_difference(rendered, text))
    return post


def front_matter(text: str) -> tuple[Mapping[str, str], str]:
    """Front matter's `title`, `date`, `categories` and `tags`, and what stands below. Raises Unreadable.

    Each of them is one text. What else stands there is not looked at: a few aliases of YAML's can stand for gigabytes.
    """
    try:
        front, content = frontmatter.parse(text, handler=_JekyllHandler())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unreadable(f"its front matter is not YAML: {' '.join(str(error).split())[:120]}") from error
    for name in FRONT:
        if not isinstance(front.get(name), str):
            raise Unreadable(f"its front matter has no {name}" if front else "it has no front matter")
    return {name: str(front[name]) for name in FRONT}, content


def media_of(tag: str, category: str, body_html: str, known: Media) -> str:
    """The media that is tagged so and filed under this category.

    `X新闻` tags the posts of X, and those of X新闻, which is another media with another slug. Where the slug does not
    tell, the source line at the foot of the body does. Raises Unreadable rather than to guess.
    """
    candidates = _media_with(tag)
    if not candidates:
        raise Unreadable(f"its tag is not a media's: {tag[:40]!r}")
    found = _only(candidates) or _only([media for media in candidates if _is_filed(media, category, known)])
    found = found or _only([media for media in candidates if _is_spelt(media, category)])
    if not found:
        foot = headline(source_line(body_html))
        found = _only([media for media in candidates if media == foot]) or _only_ending(candidates, category)
    if not found:
        raise Unreadable(f"whether {' or '.join(candidates)} is filed under {category} cannot be told")
    return found


def _media_with(tag: str) -> list[str]:
    name = tag.replace(_UNSPLIT_SPACE, _SPACE)
    names = (name, name.removesuffix(_NEWS))
    return [media for media in names if 0 < len(media) <= LONGEST_NAME and label(media) == tag]


def _only(media: list[str]) -> str:
    return media[0] if len(media) == 1 else ""


def _is_filed(media: str, category: str, known: Media) -> bool:
    found = known.find(media)
    return found is not None and found.slug == category


def _is_spelt(media: str, category: str) -> bool:
    """Whether this is the media's slug, or that of a homophone; a spelling without spaces may have been met first."""
    slugs = {slug_of(media), slug_of(fold(media))}
    return any(re.fullmatch(rf"{slug}(?:[2-9]|[1-9][0-9]+)?", category) for slug in slugs)


def _only_ending(candidates: list[str], category: str) -> str:
    """The slug of a name that ends in 新闻 ends in xinwen, however the rest of it was read."""
    ends = [media for media in candidates if slug_of(media).endswith(_NEWS_READ)]
    if category.rstrip("0123456789").endswith(_NEWS_READ):
        return _only(ends)
    return _only([media for media in candidates if media not in ends])


@cache
def _shipped_media() -> Media:
    return Media()


def _body_and_url(content: str) -> tuple[str, str]:
    parts = content.rsplit("\n\n", 2)
    link = _LINK_LINE.fullmatch(parts[1]) if len(parts) == 3 else None
    if not link:
        raise Unreadable("it does not end with a source link and the way back")
    return parts[0], link[1]


def _code_in(url: str) -> str:
    codes = _CODE_IN_URL.findall(url)
    if not codes:
        raise Unreadable(f"its source link names no article: {url[:80]!r}")
    return str(codes[-1])


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").astimezone(CHINA)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"its date is not like 2022-01-10 16:20:36 +0800: {text[:40]!r}") from error


def _difference(ours: str, theirs: str) -> str:
    pairs = enumerate(zip_longest(ours.split("\n"), theirs.split("\n")), 1)
    number, line = next((number, theirs) for number, (ours, theirs) in pairs if ours != theirs)
    return f"line {number} is not as this program writes it: {(line or '')[:40]!r}"


def _link_text(text: str) -> str:
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", text)


def path_of(post: Post) -> str:
    """Where a post first stands, below the output folder: by day of publication and code."""
    day = post.published_at.date().isoformat()
    return f"{POSTS}/{day.replace('-', '/')}/{day}-NW{post.code}.md"
