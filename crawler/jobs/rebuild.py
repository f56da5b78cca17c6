"""Either side from the other: posts from rows, byte for byte, and a database from posts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from crawler.content import clock, post_format
from crawler.content.categories import Media
from crawler.content.html_cleaner import plain
from crawler.content.post_format import Site
from crawler.content.stocks import mentions
from crawler.errors import Failed, Unreadable, Unusable, UsageError
from crawler.items import Article, Category, Post
from crawler.storage import Store, met_categories, post_files
from crawler.storage.articles import post_of
from crawler.storage.database_swap import fold_in, renewed
from crawler.storage.output_dir import hold, prepare
from crawler.storage.post_files import is_unfinished, posts_below
from crawler.storage.recovery import finish_what_was_left

_PATH = re.compile(r"_posts/(\d{4})/(\d\d)/(\d\d)/\1-\2-\3-NW(\d+)\.md", re.ASCII)
_SHARE_PAGE = "/html_News/NewsShare.html?"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuilt database: how many articles it has, whether the old one's knowledge was carried over, what was left."""

    articles: int
    carried: bool
    unreadable: Mapping[str, str]


@dataclass(slots=True)
class _Taken:
    """Articles are taken in from a folder of posts; what cannot be read is left, with the reason."""

    source: Path
    site: Site
    media: Media
    stand: bool
    articles: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)

    def all_into(self, store: Store) -> None:
        for path in posts_below(self.source):
            if is_unfinished(path):
                continue
            try:
                text = _text(post_files.standing(self.source, path))
                store.articles.restore(self._article(path, text), path, text, stands=self.stand)
                self.articles += 1
            except Unusable as error:
                self.unreadable[path] = str(error)

    def _article(self, path: str, text: str) -> Article:
        post = post_format.read(text, self.site, self.media)
        where = _PATH.fullmatch(path)
        if where is None or where[4] != post.code:
            raise Unreadable(
                f"a post of {post.code} stands in the wrong place: {post_format.path_of(post)} would be right"
            )
        return _article(post, self._category(post))

    def _category(self, post: Post) -> Category:
        known = self.media.find(post.media)
        return known if known and known.slug == post.category else Category(post.category, post.media)


def rebuild_posts(output: Path, site: Site, into: Path | None = None) -> int:
    """Write every post from its row, into another folder that is empty, or where they belong; how many were written.

    A post that is right already is not touched. Raises UsageError, Busy and Failed.
    """
    if into is None:
        with Store.reading(output), hold(output), Store.writing(output) as store:
            return _write(store, output, site, mark=True)
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise UsageError(f"--into {into}: not an empty folder; name one, or leave the option out")
    with Store.reading(output) as store:
        prepare(into)
        return _write(store, into, site, mark=False)


def rebuild_db(output: Path, site: Site, source: Path | None = None) -> Rebuilt:
    """Make the database anew from the posts of a folder, this one's own unless another is named.

    Raises Busy and Failed: then the old database stays as it is.
    """
    if not (output / "_posts").is_dir() and source is None:
        raise Failed(f"no posts in {output}: `--from DIR` names a folder that holds _posts")
    prepare(output)
    with hold(output):
        carry = _settle_old(output, site)
        taken = _Taken(source or output, site, Media(met_categories(output) if carry else ()), stand=source is None)
        with renewed(output, clock.now(), carry=carry) as store:
            taken.all_into(store)
            if not taken.articles:
                raise Failed(f"no post of ours in {taken.source}/_posts: the old database stays")
    return Rebuilt(taken.articles, carry, taken.unreadable)


def rebuild_search(output: Path) -> int:
    """Make the index of words anew; how many articles it holds. Raises Busy and Failed."""
    Store.reading(output).close()  # there is one, or the reader is told
    with hold(output), Store.writing(output) as store:
        return store.index.rebuild()


def rebuild_reprints(output: Path) -> int:
    """Look for the reprints of all articles anew; how many articles there are. Raises Busy and Failed."""
    Store.reading(output).close()  # there is one, or the reader is told
    with hold(output), Store.writing(output) as store:
        return store.stories.rebuild()


def _settle_old(output: Path, site: Site) -> bool:
    """Whether there is an old database to carry over from; the posts that it still owes are written first."""
    if not fold_in(output):
        return False
    with Store.writing(output) as store:
        finish_what_was_left(output, store, site, clock.now())
    return fold_in(output)


def _write(store: Store, folder: Path, site: Site, *, mark: bool) -> int:
    written = 0
    for row in store.articles.rows():
        text = post_format.render(post_of(row), site)
        if not _stands(post_files.standing(folder, row["post_path"]), text):
            post_files.put(folder, row["post_path"], text)
            written += 1
        if mark and not _marked(row, text):
            store.articles.put_right(row["code"], row["revision"], text)
    return written


def _marked(row: Mapping[str, Any], text: str) -> bool:
    marks = (row["published_revision"], row["post_sha256"])
    return marks == (row["revision"], sha256(text.encode()).hexdigest())


def _stands(file: Path, text: str) -> bool:
    try:
        return not file.is_symlink() and file.read_bytes() == text.encode()
    except OSError:
        return False


def _text(file: Path) -> str:
    try:
        return post_files.file_content(file).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error


def _article(post: Post, category: Category) -> Article:
    """What a post says of an article; what it does not say is what the help of `finews rebuild db` tells."""
    return Article(
        code=post.code,
        title=post.title,
        published_at=post.published_at,
        media=post.media,
        category=category,
        spider="choice" if _SHARE_PAGE in post.url else "eastmoney",
        url=post.url,
        summary="",
        body_html=post.body_html,
        body_text=plain(post.body_html),
        mentions=mentions(post.body_html),
        columns=(),
        fetched_at=post.published_at,
    )
