"""Rebuild: posts from rows, byte for byte; a database from posts; the search index; the reprint clusters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from crawler.content import clock, post_format
from crawler.content.categories import CategoryRegistry
from crawler.content.html_text import html_to_text
from crawler.content.post_format import SiteLinks
from crawler.content.stocks import extract_mentions
from crawler.errors import FatalError, ItemError, ParseError, UsageError
from crawler.items import NO_COLUMN, Article, Category, ListingEntry, Post
from crawler.jobs.spider_lookup import find_markup_by_url
from crawler.publish.jekyll.pages import has_pages
from crawler.publish.jekyll.site_source import update_site_source
from crawler.spiders.eastmoney_markup import find_spider_name
from crawler.storage import Store, post_files
from crawler.storage.article_writer import BATCH_SIZE, write_unwritten_posts
from crawler.storage.database_swap import replacement_database
from crawler.storage.output_dir import OutputDir, create_output_dir
from crawler.storage.post_files import is_partial_file, iter_post_paths
from crawler.storage.recovery import recover_interrupted_crawl
from crawler.storage.site_links import load_site_links


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """A rebuilt database: how many articles were read from posts, and whether what the old one held was carried over.

    `unreadable_posts` names the posts that were left out, with the reason, and `faults` in a line each what could not
    be carried over.
    """

    article_count: int
    carried_over: bool
    unreadable_posts: Mapping[str, str]
    faults: Sequence[str]


@dataclass(slots=True)
class _PostRestorer:
    """Restores articles from a folder of posts; what cannot be read is left, with the reason."""

    source_dir: Path
    site_links: SiteLinks
    registry: CategoryRegistry
    in_place: bool
    article_count: int = 0
    unreadable_posts: dict[str, str] = field(default_factory=dict)

    def restore_all(self, store: Store) -> None:
        for path in iter_post_paths(self.source_dir):
            if is_partial_file(path):
                continue
            try:
                post = self._parse_post(path)
                article = _article_from_post(post, self._category_for(post))
                text = post_format.render_post(post, self.site_links)  # the file may have other line ends
                store.article_restorer.restore(article, path, text, post_exists=self.in_place)
                self.article_count += 1
            except ItemError as error:
                self.unreadable_posts[path] = str(error)

    def _parse_post(self, path: str) -> Post:
        text = post_format.decode_post(post_files.read_file(post_files.locate_post(self.source_dir, path)))
        post = post_format.parse_post(text, self.site_links, find_markup_by_url, self.registry)
        post_path = post_format.parse_post_path(path)
        if post_path is None or post_path.code != post.code:
            raise ParseError(
                f"a post of {post.code} stands in the wrong place: {post_format.make_post_path(post)} would be right"
            )
        return post

    def _category_for(self, post: Post) -> Category:
        registered = self.registry.find(post.media)
        return registered if registered and registered.slug == post.category else Category(post.category, post.media)


def rewrite_posts(output: Path, address: str, target_dir: Path | None = None) -> int:
    """Write every post from its row, into another folder that is empty, or where they belong; how many were written.

    A post that is right already is not touched. Raises UsageError, OutputLockedError and FatalError.
    """
    if target_dir is None:
        written_count = 0
        # The posts that an interrupted crawl did not write are counted with the rest.
        with OutputDir.open_for_writing(output, address=address, must_exist=True, recover=False) as out:
            for rows in _batches(row for row in out.db.articles.iter_rows_by_path() if not _is_post_current(out, row)):
                write_unwritten_posts(out, rows)
                written_count += len(rows)
            recover_interrupted_crawl(out, clock.now())
        return written_count
    if target_dir.exists() and (not target_dir.is_dir() or any(target_dir.iterdir())):
        raise UsageError(f"--into {target_dir}: not an empty folder; name one, or leave the option out")
    with OutputDir.open_for_reading(output, address=address) as out:
        create_output_dir(target_dir)
        for rows in _batches(out.db.articles.iter_rows_by_path()):
            texts = {row["post_path"]: post_format.render_post(Post.from_row(row), out.links) for row in rows}
            post_files.write_posts(target_dir, texts)
        return out.db.articles.count()


def rebuild_database(output: Path, address: str, source_dir: Path | None = None) -> RebuildResult:
    """Rebuild the database from the posts of a folder, this one's own unless another is named.

    It is a copy of the old one, as far as that can be read, in which the articles are as their posts say. Raises
    OutputLockedError and FatalError: then the old database stays as it is.
    """
    if not (output / "_posts").is_dir() and source_dir is None:
        raise FatalError(f"no posts in {output}: `--from DIR` names a folder that holds _posts")
    create_output_dir(output)
    with OutputDir.lock(output):
        with replacement_database(output, clock.now()) as replacement:
            store = replacement.store
            site_links = load_site_links(output, address)
            # What another program wrote in the old one. Rows of an article that it lost wait for the article's post.
            replacement.faults.extend(map(str, store.repair_rows(output, site_links, keep_orphans=True)))
            restorer = _PostRestorer(
                source_dir or output,
                site_links,
                CategoryRegistry(store.categories.all()),
                in_place=source_dir is None,
            )
            restorer.restore_all(store)
            if not restorer.article_count:
                raise FatalError(f"no post of ours in {restorer.source_dir}/_posts: the old database stays")
            store.article_restorer.remove_others()
        if source_dir is None:
            # What an interrupted crawl left: its posts are not written yet.
            OutputDir.open_for_writing(output, address=address, already_locked=True).close()
    return RebuildResult(
        restorer.article_count, replacement.carried_over, restorer.unreadable_posts, replacement.faults
    )


def rebuild_search_index(output: Path) -> int:
    """Rebuild the search index; how many articles it holds. Raises OutputLockedError and FatalError."""
    with OutputDir.open_for_writing(output, must_exist=True) as out:
        return out.db.search_index.rebuild()


def rebuild_reprint_clusters(output: Path) -> int:
    """Look for the reprints of all articles again; how many articles there are. Raises OutputLockedError and
    FatalError.
    """
    with OutputDir.open_for_writing(output, must_exist=True) as out:
        article_count = out.db.reprint_clusters.rebuild()
        if has_pages(out.db):  # they list reprints
            update_site_source(out, everything=True)
        return article_count


def _batches(rows: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    while batch := list(islice(rows, BATCH_SIZE)):
        yield batch


def _is_post_current(out: OutputDir, row: Mapping[str, Any]) -> bool:
    """Whether the post file is what the row says, and marked so.

    A file without its mark is written again: nothing says that it is on disk yet.
    """
    text = post_format.render_post(Post.from_row(row), out.links)
    is_marked = row["published_revision"] == row["revision"] and row["post_sha256"] == post_files.hash_post(text)
    return is_marked and _is_current_file(post_files.locate_post(out.path, row["post_path"]), text)


def _is_current_file(file: Path, text: str) -> bool:
    try:
        return not file.is_symlink() and file.read_bytes() == text.encode()
    except OSError:
        return False


def _article_from_post(post: Post, category: Category) -> Article:
    """What a post says of an article; what it does not say is in the help of `finews rebuild db`."""
    entry = ListingEntry(post.code, post.title, post.published_at, NO_COLUMN, post.url, post.media)
    return Article(
        entry=entry,
        code=post.code,
        title=post.title,
        published_at=post.published_at,
        media=post.media,
        category=category,
        spider=find_spider_name(post.url, post.body_html),
        url=post.url,
        summary="",
        body_html=post.body_html,
        body_text=html_to_text(post.body_html),
        mentions=extract_mentions(post.body_html),
        columns=(),
        fetched_at=post.published_at,
    )
