"""Article writer: crash-safe, idempotent saving of rows, search index, post files and outcomes, in batches."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crawler.content.markup import PLAIN_MARKUP, SourceMarkup
from crawler.content.post_format import render_post
from crawler.errors import CommandError, StoredRowError
from crawler.items import Article, Post, Reason, SavedArticle
from crawler.storage.post_files import hash_post, write_posts

if TYPE_CHECKING:  # output_dir imports this module
    from crawler.storage.output_dir import OutputDir

# Articles per batch; a commit and the sync of a folder take as long for one article as for this many.
BATCH_SIZE = 32


def save_articles(
    out: "OutputDir",
    articles: Sequence[Article],
    *,
    markup: SourceMarkup = PLAIN_MARKUP,
    compare_markup: bool = False,
) -> list[SavedArticle | Exception]:
    """Save articles in batches, in an order that survives a kill at any point.

    Rows first, then post files, then outcomes:

        1. one commit: all rows, marked as "post not written yet" (`published_revision`)
        2. the post files, each complete and synced before it gets its name; then their folders
        3. one commit: the marks that the posts are written, and the outcomes of the entries

    A kill before 1 loses the articles fetched since the last batch; their entries are still open, and the next crawl
    fetches them again. After 1, the next opening of the folder writes the missing posts (`write_unwritten_posts`).
    After 2, it writes the same bytes again: a post is a function of its row. A mark is never committed before its file
    is on disk, nor an outcome before both. The database file is checked before and after 2: a post in a folder that was
    moved away must not be marked as written. Files before rows would not work: nothing would show whether a file
    without a row is an article.

    Recovery also closes the run: an entry without an outcome fails as interrupted, though its article may be stored.
    The next crawl then finds the article unchanged.

    Return, for each article, the saved article or the exception that it raised: that article is rolled back, the others
    are saved. The outcome is recorded for the crawl's entry (`article.entry.entry_id`); other callers record outcomes
    themselves. `markup` and `compare_markup` are explained at `ArticleUpserter.upsert`.

    Raises:
        StoreError, OutputError: nothing more can be written.
    """
    results = _save_rows(out, articles, markup, compare_markup=compare_markup)
    saved_articles = [result for result in results if isinstance(result, SavedArticle)]
    out.db.check_in_place()
    write_posts(out.path, {saved.post_path: saved.post_text for saved in saved_articles if saved.post_text})
    out.db.check_in_place()
    with out.db.transaction():
        for saved_article in saved_articles:
            out.db.articles.mark_post_written(saved_article.article.code, saved_article.revision)
            if entry_id := saved_article.article.entry.entry_id:
                out.db.runs.set_outcome(entry_id, saved_article.outcome, Reason.SCRAPED)
    return results


def save_article(
    out: "OutputDir", article: Article, *, markup: SourceMarkup = PLAIN_MARKUP, compare_markup: bool = False
) -> SavedArticle:
    """Save one article as `save_articles` does; raise its exception."""
    (result,) = save_articles(out, [article], markup=markup, compare_markup=compare_markup)
    if isinstance(result, Exception):
        raise result
    return result


def write_unwritten_posts(out: "OutputDir", rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the post files of rows, then mark them as written: steps 2 and 3 of `save_articles`.

    For rows whose post is missing, of an older revision, or changed by other programs. `post_sha256` is updated: the
    site's address may have changed since the row was written.

    Raises:
        StoreError, OutputError: nothing more can be written.
    """
    texts = {row["post_path"]: render_post(Post.from_row(row), out.links) for row in rows}
    out.db.check_in_place()
    write_posts(out.path, texts)
    out.db.check_in_place()
    with out.db.transaction():
        for row in rows:
            out.db.articles.mark_post_written(row["code"], row["revision"], hash_post(texts[row["post_path"]]))


def _save_rows(
    out: "OutputDir", articles: Sequence[Article], markup: SourceMarkup, *, compare_markup: bool
) -> list[SavedArticle | Exception]:
    """Write the rows in one transaction; if an article raises an exception, in one transaction per article."""
    try:
        with out.db.transaction():
            results = [
                out.db.article_upserter.upsert(article, out.links, markup=markup, compare_markup=compare_markup)
                for article in articles
            ]
            out.db.search_index.index_articles([article.code for article in articles])
            return [*results]
    except CommandError:
        raise
    except StoredRowError as stored_row_error:
        if out.db.repair_rows(out.path, out.links):  # the bad row is repaired or set aside now
            return _save_rows(out, articles, markup, compare_markup=compare_markup)
        error: Exception = stored_row_error
    except Exception as bug:
        error = bug
    if len(articles) == 1:
        return [error]
    return [_save_rows(out, [article], markup, compare_markup=compare_markup)[0] for article in articles]
