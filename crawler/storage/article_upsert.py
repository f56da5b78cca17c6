"""Article upsert: insert an article, or update its row and keep the old version as a revision."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from sqlite_utils import Database

from crawler.content.dates import format_iso
from crawler.content.markup import PLAIN_MARKUP, SourceMarkup
from crawler.content.post_format import SiteLinks, make_post_path, render_post
from crawler.content.source_line import are_same_bodies, are_same_titles
from crawler.errors import StoredRowError
from crawler.items import Article, Outcome, Post, SavedArticle
from crawler.storage.post_files import hash_post
from crawler.storage.quarantine import Quarantine
from crawler.storage.search.index import SearchIndex
from crawler.storage.sightings import Sightings
from crawler.storage.table import Table

INSERT_ARTICLE = """
    INSERT INTO articles (
        code, title, published_at, media, category, source, url, summary, body_html, body_text,
        post_path, post_sha256, first_seen_at, revision, published_revision
    ) VALUES (
        :code, :title, :published_at, :media, :category, :source, :url, :summary, :body_html, :body_text,
        :post_path, :post_sha256, :fetched_at, 1, :published_revision
    )
"""
_UPDATE_ARTICLE = """
    UPDATE articles SET
        title = :title, published_at = :published_at, media = :media, category = :category, source = :source,
        url = :url, summary = :summary, body_html = :body_html, body_text = :body_text,
        post_sha256 = :post_sha256, changed_at = :changed_at, revision = :revision, published_revision = NULL,
        withdrawn_at = :withdrawn_at
    WHERE code = :code
"""
_INSERT_REVISION = """
    INSERT OR REPLACE INTO revisions (code, revision, seen_at, title, published_at, body_html)
    SELECT code, revision, coalesce(changed_at, first_seen_at), title, published_at, body_html
    FROM articles WHERE code = ?
"""


class ArticleUpserter(Table):
    """Writes articles and their categories, mentions, columns and revisions, in the caller's transaction."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._search_index = SearchIndex(db)
        self._quarantine = Quarantine(db)
        self._sightings = Sightings(db)

    def upsert(
        self,
        article: Article,
        site_links: SiteLinks,
        *,
        markup: SourceMarkup = PLAIN_MARKUP,
        compare_markup: bool = False,
    ) -> SavedArticle:
        """Insert an article or update its row, and return the post to write.

        An article is updated if its title, time or text differs from the row, after the rules of `markup` are applied
        to both. Otherwise the row stays, unless another spider's text replaces it. `compare_markup`, for articles that
        were not fetched again, also replaces it where only the markup or the rules changed. The path of a post never
        changes. The caller updates the search index at the end of the transaction (`SearchIndex.index_articles`).

        Raises:
            StoredRowError: the article's row, or the row with its post's path, is not as finews writes it.
        """
        stored = self._fetch_one("SELECT * FROM articles WHERE code = ?", article.code)
        if stored is None:
            self._check_no_row(article)
        differences = find_differences(article, stored) if stored else {}
        if stored is None:
            outcome, revision = Outcome.NEW, 1
        elif _is_correction(article, stored, differences.keys(), markup):
            outcome, revision = Outcome.UPDATED, stored["revision"] + 1
        else:
            outcome, revision = Outcome.UNCHANGED, stored["revision"]
        keeps_row = (
            outcome is Outcome.UNCHANGED and "source" not in differences and not (compare_markup and differences)
        )
        post = Post.from_row(stored) if stored and keeps_row else Post.from_article(article)
        is_post_written = stored is not None and keeps_row and stored["published_revision"] == revision
        post_text = "" if is_post_written else render_post(post, site_links)
        post_path = stored["post_path"] if stored else make_post_path(post)

        if stored is None:
            self._write(INSERT_ARTICLE, article, post_text, post_path=post_path, published_revision=None)
        elif not keeps_row:
            changed_at = stored["changed_at"]
            if outcome is Outcome.UPDATED:
                self._execute(_INSERT_REVISION, article.code)
                changed_at = format_iso(article.fetched_at)
            self._execute("DELETE FROM mentions WHERE code = ?", article.code)
            withdrawn_at = stored["withdrawn_at"] if compare_markup else None
            self._write(
                _UPDATE_ARTICLE,
                article,
                post_text,
                revision=revision,
                changed_at=changed_at,
                withdrawn_at=withdrawn_at,
            )
        elif stored["withdrawn_at"] and not compare_markup:
            self._execute("UPDATE articles SET withdrawn_at = NULL WHERE code = ?", article.code)
        self._execute(
            "INSERT OR IGNORE INTO article_columns (code, column_id) SELECT ?, value FROM json_each(?)",
            article.code,
            json.dumps(article.columns),
        )
        if not article.is_summary:  # the next crawl must fetch the full article
            self._quarantine.resolve_article(article.code, article.fetched_at)
            self._sightings.record(article.entry, article.spider, has_changed=outcome is not Outcome.UNCHANGED)
        return SavedArticle(article, outcome, revision, post_path, post_text)

    def _check_no_row(self, article: Article) -> None:
        """Raise StoredRowError if the article has an unreadable row, or another row has the path of its post."""
        path = make_post_path(Post.from_article(article))
        if self._fetch_one("SELECT 1 AS found FROM articles WHERE code = ? OR post_path = ?", article.code, path):
            raise StoredRowError(f"the row of {article.code} in articles is not as finews writes it")

    def _write(self, sql: str, article: Article, post_text: str, **values: object) -> None:
        """Insert or update the row of an article, insert its category if it is new, and its mentions."""
        category = article.category
        self._execute(
            "INSERT OR IGNORE INTO categories (slug, media, aliases) VALUES (?, ?, ?)",
            category.slug,
            category.media,
            json.dumps(category.aliases, ensure_ascii=False),
        )
        self._execute(
            sql,
            code=article.code,
            **content_columns(article),
            post_sha256=hash_post(post_text),
            fetched_at=format_iso(article.fetched_at),
            **values,
        )
        for mention in article.mentions:
            # An existing mention is left of an article that another program has deleted.
            self._execute(
                "INSERT OR REPLACE INTO mentions (code, secid, kind, name, count) VALUES (?, ?, ?, ?, ?)",
                article.code,
                mention.secid,
                mention.kind,
                mention.name,
                mention.count,
            )


def _is_correction(
    article: Article, stored: Mapping[str, Any], differing_columns: AbstractSet[str], markup: SourceMarkup
) -> bool:
    """Return whether title, time or text were changed at the source; other columns are updated without a revision."""
    if "published_at" in differing_columns:
        return True
    if "title" in differing_columns and not are_same_titles(stored["title"], article.title, markup):
        return True
    return "body_text" in differing_columns and not are_same_bodies(
        stored["body_html"], stored["body_text"], article.body_text, markup
    )


def find_differences(article: Article, row: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the old and the new value of each column in which an article differs from its row."""
    return {
        name: (str(row[name]), str(value)) for name, value in content_columns(article).items() if row[name] != value
    }


def content_columns(article: Article) -> dict[str, object]:
    """Return the columns of `articles` that follow from an article alone."""
    return {
        "title": article.title,
        "published_at": format_iso(article.published_at),
        "media": article.media,
        "category": article.category.slug,
        "source": article.spider,
        "url": article.url,
        "summary": article.summary,
        "body_html": article.body_html,
        "body_text": article.body_text,
    }
