"""Post <-> file: the only room that knows front matter and writes post files.

The bytes of a post are a pure function of a `Post`: either side of the system can be made anew from the other.
"""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import frontmatter
import yaml
from frontmatter.default_handlers import YAMLHandler

from crawler.errors import OutputError
from crawler.items import Post
from crawler.text.dates import jekyll

_PLAIN_SCALAR = re.compile(r"[^\W\d_][\w·（）]*")
# Everything that Markdown could read as markup, inside the text of a link.
_MARKDOWN = re.compile(r"[!-/:-@\[-`{-~]")


class _JekyllHandler(YAMLHandler):
    """The six lines as the first posts have them: keys in their order, the title always in double quotes.

    PyYAML would sort the keys, drop the quotes and write an emoji as an escape. Inside double quotes YAML reads two
    characters only, so that two escapes are enough; control characters and line ends do not get this far.
    """

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
    """What a media's posts are tagged with: its name and 新闻, never 新闻新闻, never a space (Jekyll splits there).

    >>> label("中国农网"), label("每日经济新闻")
    ('中国农网新闻', '每日经济新闻')
    """
    name = "".join(media.split())
    return name if name.endswith("新闻") else name + "新闻"


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


def _link_text(text: str) -> str:
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", text)


def path_of(post: Post) -> str:
    """Where a post first stands, below the output folder: by day of publication and code."""
    day = post.published_at
    return f"_posts/{day:%Y}/{day:%m}/{day:%d}/{day:%Y-%m-%d}-NW{post.code}.md"


def put(output: Path, path: str, text: str) -> None:
    """Write a post so that a reader sees the old file or the new one, never half of one.

    The unfinished file begins with a dot, which Jekyll passes over. Raises OutputError.
    """
    target = output / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, text.encode("utf-8"))
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror}") from error


def _replace(target: Path, content: bytes) -> None:
    handle, unfinished = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        Path(unfinished).replace(target)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
