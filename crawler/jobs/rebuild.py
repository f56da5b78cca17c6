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
    """Result of rebuilding the database; `carried_over` is whether the old one's data was copied.

    `unreadable_posts` maps the paths of rejected posts to the reason, `faults` has a line for each part of the old
    database that could not be copied.
    """

    article_count: int
    carried_over: bool
    unreadable_posts: Mapping[str, str]
    faults: Sequence[str]


@dataclass(slots=True)
class _PostRestorer:
    """Restorer of articles from a folder of posts."""

    source_dir: Path
    site_links: SiteLinks
    registry: CategoryRegistry
    in_place: bool
    article_count: int = 0
    unreadable_posts: dict[str, str] = field(default_factory=dict)

    def restore_all(self, store: Store) -> None:
        """Restore the article of every post; rejected posts are added to `unreadable_posts`."""
        for path in iter_post_paths(self.source_dir):
            if is_partial_file(path):
                continue
            try:
                text = post_format.decode_post(post_files.read_file(post_files.locate_post(self.source_dir, path)))
                post = post_format.parse_post(text, self.site_links, find_markup_by_url, self.registry)
                post_path = post_format.parse_post_path(path)
                if post_path is None or post_path.code != post.code:
                    right_path = post_format.make_post_path(post)
                    raise ParseError(f"a post of {post.code} is in the wrong place: move it to {right_path}")
                category = self.registry.find(post.media)
                if category is None or category.slug != post.category:
                    category = Category(post.category, post.media)
                # Rendered, since the file may have other line ends.
                text = post_format.render_post(post, self.site_links)
                article = _article_from_post(post, category)
                store.article_restorer.restore(article, path, text, post_exists=self.in_place)
                self.article_count += 1
            except ItemError as error:
                self.unreadable_posts[path] = str(error)


def rewrite_posts(output: Path, address: str, target_dir: Path | None = None) -> int:
    """Write every post from its row, to the output folder or an empty one, and return the number of posts written.

    Up-to-date posts are not changed. Raises UsageError, OutputLockedError and FatalError.
    """
    if target_dir is None:
        written_count = 0
        # Recovery comes last, so the posts that an interrupted crawl did not write are counted, too.
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
    """Rebuild the database from the posts of a folder, by default the output folder.

    The new database is a copy of the readable parts of the old one, with its articles replaced by those of the posts.
    Raises OutputLockedError and FatalError, and then keeps the old database.
    """
    if not (output / "_posts").is_dir() and source_dir is None:
        raise FatalError(f"no posts in {output}: name a folder that contains _posts with --from")
    create_output_dir(output)
    with OutputDir.lock(output):
        with replacement_database(output, clock.now()) as replacement:
            store = replacement.store
            site_links = load_site_links(output, address)
            # Repair rows of other programs, but keep rows without an article: its post may restore it.
            replacement.faults.extend(map(str, store.repair_rows(output, site_links, keep_orphans=True)))
            restorer = _PostRestorer(
                source_dir or output,
                site_links,
                CategoryRegistry(store.categories.all()),
                in_place=source_dir is None,
            )
            restorer.restore_all(store)
            if not restorer.article_count:
                raise FatalError(f"no finews post in {restorer.source_dir}/_posts: the old database is kept")
            store.article_restorer.remove_others()
        if source_dir is None:
            # Opening the folder writes the posts that an interrupted crawl left unwritten.
            OutputDir.open_for_writing(output, address=address, already_locked=True).close()
    return RebuildResult(
        restorer.article_count, replacement.carried_over, restorer.unreadable_posts, replacement.faults
    )


def rebuild_search_index(output: Path) -> int:
    """Rebuild the search index and return the number of articles. Raises OutputLockedError and FatalError."""
    with OutputDir.open_for_writing(output, must_exist=True) as out:
        return out.db.search_index.rebuild()


def rebuild_reprint_clusters(output: Path) -> int:
    """Search all articles for reprints again and return the number of articles.

    Raises OutputLockedError and FatalError.
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
    """Return whether a post file agrees with its row and the row records the file as written."""
    text = post_format.render_post(Post.from_row(row), out.links)
    if row["published_revision"] != row["revision"] or row["post_sha256"] != post_files.hash_post(text):
        return False  # the file, if any, may not be on disk yet
    file = post_files.locate_post(out.path, row["post_path"])
    try:
        return not file.is_symlink() and file.read_bytes() == text.encode()
    except OSError:
        return False


def _article_from_post(post: Post, category: Category) -> Article:
    """Return the article of a post; the help of `finews rebuild db` lists the defaults of fields that posts lack."""
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
