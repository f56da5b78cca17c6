"""Article restore: write rows from posts into a database that may know more than the posts."""

import json
from dataclasses import asdict

from sqlite_utils import Database

from crawler.content.dates import format_iso
from crawler.errors import ParseError
from crawler.items import Article
from crawler.storage.article_upsert import INSERT_ARTICLE, content_columns
from crawler.storage.post_files import hash_post
from crawler.storage.table import Table

# The columns that a post determines; an existing post is of the newest revision. Equal rows are not written, which
# would fire triggers.
_UPDATE_ARTICLE = """
    UPDATE articles SET (
        title, published_at, media, category, url, body_html, body_text, post_path, post_sha256, published_revision
    ) = (
        :title, :published_at, :media, :category, :url, :body_html, :body_text, :post_path, :post_sha256,
        iif(:post_exists, revision, NULL)
    )
    WHERE code = :code AND (
        title, published_at, media, category, url, body_html, body_text, post_path, post_sha256, published_revision
    ) IS NOT (
        :title, :published_at, :media, :category, :url, :body_html, :body_text, :post_path, :post_sha256,
        iif(:post_exists, revision, NULL)
    )
"""
# A path belongs to the article whose post is at the path.
_DISPLACE_OTHER = """
    UPDATE articles SET post_path = 'displaced ' || rowid, published_revision = revision
    WHERE post_path = :path AND code IS NOT :code
"""
_UPDATE_MENTION = """
    UPDATE mentions SET (kind, name, count) = (:kind, :name, :count)
    WHERE code = :code AND secid = :secid AND (kind, name, count) IS NOT (:kind, :name, :count)
"""
_INSERT_MENTION = """
    INSERT INTO mentions (code, secid, kind, name, count) SELECT :code, :secid, :kind, :name, :count
    WHERE NOT EXISTS (SELECT 1 FROM mentions WHERE code = :code AND secid = :secid)
"""
# Rows whose post is not written yet stay: the post file, if there is one, is older.
_DELETE_OTHERS = (
    """
    CREATE TEMP TABLE others AS SELECT rowid AS id, code FROM articles
    WHERE published_revision IS revision AND coalesce(code NOT IN (SELECT code FROM temp.restored), 1)
    """,
    "DELETE FROM article_columns WHERE code IN (SELECT code FROM temp.others)",
    "DELETE FROM mentions WHERE code IN (SELECT code FROM temp.others)",
    "DELETE FROM revisions WHERE code IN (SELECT code FROM temp.others)",
    "DELETE FROM articles WHERE rowid IN (SELECT id FROM temp.others)",
)


class ArticleRestorer(Table):
    """Writes articles that were read from their posts, each once; then removes articles without a post."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._has_started = False

    def restore(self, article: Article, post_path: str, post_text: str, *, post_exists: bool) -> None:
        """Insert an article, or update the columns of its row that its post determines.

        `post_exists`: the file is at its path already. The caller updates the search index.

        Raises:
            ParseError: the article was already restored from another post.
        """
        self._start()
        if previous := self._fetch_one("SELECT path FROM temp.restored WHERE code = ?", article.code):
            raise ParseError(f"another post of the same article is {previous['path']}")
        with self.transaction():
            self._execute("INSERT INTO temp.restored (code, path) VALUES (?, ?)", article.code, post_path)
            stored = self._fetch_one("SELECT published_revision, revision FROM articles WHERE code = ?", article.code)
            if post_exists and stored and stored["published_revision"] != stored["revision"]:
                return
            self._execute(_DISPLACE_OTHER, path=post_path, code=article.code)
            self._execute(
                "INSERT OR IGNORE INTO categories (slug, media, aliases) VALUES (?, ?, ?)",
                article.category.slug,
                article.category.media,
                json.dumps(article.category.aliases, ensure_ascii=False),
            )
            self._execute(
                _UPDATE_ARTICLE if stored else INSERT_ARTICLE,
                code=article.code,
                **content_columns(article),
                post_path=post_path,
                post_sha256=hash_post(post_text),
                post_exists=post_exists,
                published_revision=1 if post_exists else None,
                fetched_at=format_iso(article.published_at),
            )
            self._execute(
                "DELETE FROM mentions WHERE code = ? AND secid NOT IN (SELECT value FROM json_each(?))",
                article.code,
                json.dumps([mention.secid for mention in article.mentions]),
            )
            for mention in article.mentions:
                for statement in (_UPDATE_MENTION, _INSERT_MENTION):
                    self._execute(statement, code=article.code, **asdict(mention))

    def remove_others(self) -> None:
        """Remove the articles that were not restored, with their columns, mentions and revisions."""
        self._start()
        for statement in _DELETE_OTHERS:
            self._execute(statement)

    def _start(self) -> None:
        if not self._has_started:
            self._execute("CREATE TEMP TABLE restored (code TEXT PRIMARY KEY, path TEXT NOT NULL) WITHOUT ROWID")
            self._has_started = True
