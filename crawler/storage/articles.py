"""Articles: what is known of them, and how one is taken in."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from crawler.content.dates import format_iso
from crawler.content.post_format import SiteLinks, make_post_path, render_post
from crawler.errors import CommandError, ParseError
from crawler.items import NO_COLUMN, Article, KnownArticle, ListingEntry, Outcome, Post, SavedArticle
from crawler.storage.categories import Categories
from crawler.storage.connection import as_store_error, query_rows
from crawler.storage.reprints.queries import ReprintQueries
from crawler.storage.search.index import DocumentBigrams, SearchIndex

_INSERT_ARTICLE = """
    INSERT INTO articles (
        code, title, published_at, media, category, source, url, summary, body_html, body_text,
        post_path, post_sha256, first_seen_at, revision
    ) VALUES (
        :code, :title, :published_at, :media, :category, :source, :url, :summary, :body_html, :body_text,
        :post_path, :post_sha256, :first_seen_at, 1
    )
"""


class Articles:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._categories = Categories(db)
        self._index = SearchIndex(db)

    # what is known

    def get_known(self, codes: Iterable[str], spider: str) -> dict[str, KnownArticle]:
        """What is known of these codes; one query for a whole listing page. Codes never met are left out."""
        with as_store_error():
            rows = self._db.query(
                """
                SELECT listed.value AS code, source, withdrawn_at IS NOT NULL AS withdrawn,
                       sightings.title, sightings.published_at, coalesce(refused, '') AS rejection_reason
                FROM json_each(?) AS listed
                LEFT JOIN articles ON articles.code = listed.value
                LEFT JOIN sightings ON sightings.code = listed.value AND sightings.spider = ?
                WHERE source IS NOT NULL OR sightings.code IS NOT NULL
                """,
                [json.dumps(list(codes)), spider],
            )
            return {row.pop("code"): KnownArticle(**row) for row in rows}

    def count_in_column(
        self, column: str, since: datetime | None, before: datetime, excluded_spiders: Iterable[str] = ()
    ) -> int:
        """How many articles of a column were published in a time, but for those of the spiders named last."""
        row = self._one(
            """
            SELECT count(*) AS articles FROM article_columns JOIN articles USING (code)
            WHERE column_id = ? AND published_at >= ? AND published_at < ?
              AND source NOT IN (SELECT value FROM json_each(?))
            """,
            column,
            format_iso(since) if since else "",
            format_iso(before),
            json.dumps(sorted(excluded_spiders)),
        )
        return int(row["articles"]) if row else 0

    def get(self, code: str) -> dict[str, Any] | None:
        """The row of one article; None when there is none."""
        return self._one("SELECT * FROM articles WHERE code = ?", code)

    def revisions(self, code: str) -> list[dict[str, Any]]:
        """What the article said before, oldest first."""
        return self._all("SELECT * FROM revisions WHERE code = ? ORDER BY revision", code)

    def mentions(self, code: str) -> list[dict[str, Any]]:
        """The stocks and boards it links to, most often named first."""
        return self._all(
            "SELECT secid, kind, name, count FROM mentions WHERE code = ? ORDER BY count DESC, secid", code
        )

    def column_ids(self, code: str) -> list[str]:
        """The ids of the columns that list it."""
        rows = self._all("SELECT column_id FROM article_columns WHERE code = ? ORDER BY column_id", code)
        return [row["column_id"] for row in rows]

    def counts_by_column(self) -> dict[str, dict[str, Any]]:
        """By column id: `articles` (how many) and `latest` (publication time)."""
        rows = self._all(
            """
            SELECT column_id, count(*) AS articles, max(published_at) AS latest
            FROM article_columns JOIN articles USING (code) GROUP BY column_id
            """
        )
        return {row.pop("column_id"): row for row in rows}

    def get_full(self, code: str) -> dict[str, Any] | None:
        """One article with its `revisions`, `mentions` and `column_ids`, and its `story`; None when there is none."""
        row = self.get(code)
        if row is None:
            return None
        relations = {
            "revisions": self.revisions(code),
            "mentions": self.mentions(code),
            "columns": self.column_ids(code),
        }
        return {**row, **relations, "story": ReprintQueries(self._db).cluster_articles(code)}

    def code_with_most_mentions(self) -> str:
        """The code of the article that links to most stocks and boards, the newest of those; empty without articles."""
        row = self._one(
            """
            SELECT code FROM articles LEFT JOIN mentions USING (code)
            GROUP BY code ORDER BY count(secid) DESC, published_at DESC LIMIT 1
            """
        )
        return str(row["code"]) if row else ""

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row, in the order of the posts' paths, one at a time."""
        with as_store_error():
            yield from self._db.query("SELECT * FROM articles ORDER BY post_path")

    def get_by_post_path(self, post_path: str) -> dict[str, Any] | None:
        """The row whose post stands at this path, whose name may be any file's; None when there is none."""
        return self._one("SELECT * FROM articles WHERE post_path = ?", post_path.encode("utf-8", "replace").decode())

    def count(self) -> int:
        with as_store_error():
            return self._db.table("articles").count

    # taking in

    def save(
        self, article: Article, entry: ListingEntry, site_links: SiteLinks, *, compare_markup: bool = False
    ) -> SavedArticle:
        """Take an article in, in one transaction, and say what it is owed.

        Title, time and text are compared as text: a change of markup alone keeps the old row, unless
        `compare_markup`. A real change keeps the old version in `revisions`, and the post its first path.
        """
        with as_store_error(), self._db.atomic():
            saved, bigrams = self._upsert(article, entry, site_links, compare_markup=compare_markup)
            self._index.write_bigrams(bigrams)
            return saved

    def save_all(
        self, articles: Iterable[tuple[Article, ListingEntry]], site_links: SiteLinks
    ) -> list[SavedArticle | Exception]:
        """Likewise, many in one transaction; in place of one that met a fault of ours, and is not taken in, that."""
        articles = list(articles)
        try:
            with as_store_error(), self._db.atomic():
                results = [self._upsert(article, entry, site_links) for article, entry in articles]
                self._index.write_bigrams(itertools.chain.from_iterable(bigrams for _, bigrams in results))
        except CommandError:
            raise
        except Exception:  # each by itself tells whose fault it is
            return [self._save_or_return_error(article, entry, site_links) for article, entry in articles]
        return [saved for saved, _ in results]

    def _save_or_return_error(
        self, article: Article, entry: ListingEntry, site_links: SiteLinks
    ) -> SavedArticle | Exception:
        try:
            return self.save(article, entry, site_links)
        except CommandError:
            raise
        except Exception as error:
            return error

    def mark_rejected(self, entry: ListingEntry, spider: str, reason: str) -> None:
        """Remember that this entry, as listed, led to nothing that can be published."""
        with as_store_error():
            self._record_sighting(entry, spider, reason)

    def record_failure(self, entry: ListingEntry, spider: str) -> int:
        """Remember that an entry could not be had; how often in a row by now. What its listing said is not taken."""
        with as_store_error(), self._db.atomic():
            self._db.execute(
                """
                INSERT INTO sightings (code, spider, title, published_at, failures) VALUES (?, ?, '', '', 1)
                ON CONFLICT (code, spider) DO UPDATE SET failures = failures + 1
                """,
                [entry.code, spider],
            )
            row = self._one("SELECT failures FROM sightings WHERE code = ? AND spider = ?", entry.code, spider)
            return int(row["failures"]) if row else 0

    def mark_withdrawn(self, code: str, withdrawn_at: datetime) -> None:
        """The source has taken the article away; what it said stays."""
        with as_store_error():
            self._db.table("articles").update(code, {"withdrawn_at": format_iso(withdrawn_at)})

    def entries_to_refresh(self, spider: str, since: datetime) -> list[ListingEntry]:
        """The articles of a spider published since then that the source still had, as its listing said them last."""
        rows = self._all(
            """
            SELECT code, sightings.title, sightings.published_at, url, media, summary
            FROM articles JOIN sightings USING (code)
            WHERE source = ? AND spider = source AND articles.published_at >= ? AND withdrawn_at IS NULL
              AND sightings.published_at != ''
            ORDER BY articles.published_at DESC
            """,
            spider,
            format_iso(since),
        )
        return [
            ListingEntry(
                code=row["code"],
                title=row["title"],
                published=datetime.fromisoformat(row["published_at"]),
                column=NO_COLUMN,
                url=row["url"],
                media=row["media"],
                summary=row["summary"],
            )
            for row in rows
        ]

    def unwritten_posts(self, site_links: SiteLinks) -> list[tuple[str, int, str, str]]:
        """The posts that a killed crawl left unwritten: code, revision, path and text of each."""
        rows = self._all("SELECT * FROM articles WHERE published_revision IS NOT revision")
        return [
            (row["code"], row["revision"], row["post_path"], render_post(post_from_row(row), site_links))
            for row in rows
        ]

    def mark_post_written(self, code: str, revision: int) -> None:
        """The post file of this revision stands on disk."""
        with as_store_error():
            self._db.execute("UPDATE articles SET published_revision = ? WHERE code = ?", [revision, code])

    def mark_post_repaired(self, code: str, revision: int, post_text: str) -> None:
        """The post file of this revision has been written anew, with this text."""
        with as_store_error():
            values = {"published_revision": revision, "post_sha256": _sha256_hex(post_text)}
            self._db.table("articles").update(code, values)

    def restore_from_post(self, article: Article, post_path: str, post_text: str, *, post_exists: bool) -> None:
        """Take an article in from its post, which has this text; `post_exists` says that it is at its path already.

        Raises ParseError when the article is there already.
        """
        with as_store_error(), self._db.atomic():
            if existing := self.get(article.code):
                raise ParseError(f"another post of the same article is {existing['post_path']}")
            self._insert_row(article, post_path, post_text)
            if post_exists:
                self._db.table("articles").update(article.code, {"published_revision": 1})
            self._index.write_bigrams(self._index.add_missing_documents(article.code))

    def _upsert(
        self, article: Article, entry: ListingEntry, site_links: SiteLinks, *, compare_markup: bool = False
    ) -> tuple[SavedArticle, list[DocumentBigrams]]:
        """What the article is owed, and the pairs that the index of words is owed."""
        stored = self.get(article.code)
        saved = (
            self._insert_with_post(article, site_links)
            if stored is None
            else self._update(article, stored, site_links, compare_markup)
        )
        self._add_columns(article)
        self._record_sighting(entry, article.spider)
        return saved, self._index.add_missing_documents(article.code)

    def _insert_with_post(self, article: Article, site_links: SiteLinks) -> SavedArticle:
        post = _post_from_article(article)
        return self._insert_row(article, make_post_path(post), render_post(post, site_links))

    def _insert_row(self, article: Article, post_path: str, post_text: str) -> SavedArticle:
        self._categories.add_if_missing(article.category)
        row = {
            "code": article.code,
            **_content_columns(article),
            "post_path": post_path,
            "post_sha256": _sha256_hex(post_text),
            "first_seen_at": format_iso(article.fetched_at),
        }
        self._db.execute(_INSERT_ARTICLE, row)
        self._add_mentions(article)
        return SavedArticle(article, Outcome.NEW, 1, post_path, post_text)

    def _update(
        self, article: Article, stored: Mapping[str, Any], site_links: SiteLinks, compare_markup: bool
    ) -> SavedArticle:
        changed = _compared_columns(stored) != (article.title, format_iso(article.published_at), article.body_text)
        is_same_row = stored["source"] == article.spider and not (compare_markup and find_differences(article, stored))
        if not changed and is_same_row:
            return self._keep_unchanged(article, stored, site_links)
        revision = stored["revision"] + int(changed)
        post_text = render_post(_post_from_article(article), site_links)
        values = {
            **_content_columns(article),
            "post_sha256": _sha256_hex(post_text),
            "revision": revision,
            "published_revision": None,
            "withdrawn_at": None,
        }
        if changed:
            self._save_revision(stored)
            values["changed_at"] = format_iso(article.fetched_at)
        self._categories.add_if_missing(article.category)
        self._db.table("articles").update(article.code, values)
        self._replace_mentions(article)
        return SavedArticle(
            article, Outcome.UPDATED if changed else Outcome.UNCHANGED, revision, stored["post_path"], post_text
        )

    def _keep_unchanged(self, article: Article, stored: Mapping[str, Any], site_links: SiteLinks) -> SavedArticle:
        if stored["withdrawn_at"]:
            self._db.table("articles").update(article.code, {"withdrawn_at": None})
        is_post_unwritten = stored["published_revision"] != stored["revision"]
        post_text = render_post(post_from_row(stored), site_links) if is_post_unwritten else ""
        return SavedArticle(article, Outcome.UNCHANGED, stored["revision"], stored["post_path"], post_text)

    def _save_revision(self, stored: Mapping[str, Any]) -> None:
        old_values = {name: stored[name] for name in ("code", "revision", "title", "published_at", "body_html")}
        self._db.table("revisions").insert({**old_values, "seen_at": stored["changed_at"] or stored["first_seen_at"]})

    def _replace_mentions(self, article: Article) -> None:
        self._db.execute("DELETE FROM mentions WHERE code = ?", [article.code])
        self._add_mentions(article)

    def _add_mentions(self, article: Article) -> None:
        for mention in article.mentions:
            row = [article.code, mention.secid, mention.kind, mention.name, mention.count]
            self._db.execute("INSERT INTO mentions (code, secid, kind, name, count) VALUES (?, ?, ?, ?, ?)", row)

    def _add_columns(self, article: Article) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO article_columns (code, column_id) SELECT ?, value FROM json_each(?)",
            [article.code, json.dumps(article.columns)],
        )

    def _record_sighting(self, entry: ListingEntry, spider: str, rejection_reason: str = "") -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO sightings (code, spider, title, published_at, refused) VALUES (?, ?, ?, ?, ?)",
            [entry.code, spider, entry.title, format_iso(entry.published), rejection_reason],
        )

    def _one(self, sql: str, *values: object) -> dict[str, Any] | None:
        return next(iter(self._all(sql, *values)), None)

    def _all(self, sql: str, *values: object) -> list[dict[str, Any]]:
        with as_store_error():
            return query_rows(self._db, sql, values)


def post_from_row(row: Mapping[str, Any]) -> Post:
    """What the post file of a row is made of."""
    return Post(
        code=row["code"],
        title=row["title"],
        published_at=datetime.fromisoformat(row["published_at"]),
        category=row["category"],
        media=row["media"],
        body_html=row["body_html"],
        url=row["url"],
    )


def _post_from_article(article: Article) -> Post:
    return Post(
        code=article.code,
        title=article.title,
        published_at=article.published_at,
        category=article.category.slug,
        media=article.media,
        body_html=article.body_html,
        url=article.url,
    )


def find_differences(article: Article, row: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """By column, what a row says and what an article says, where they differ."""
    return {
        name: (str(row[name]), str(value)) for name, value in _content_columns(article).items() if row[name] != value
    }


def _content_columns(article: Article) -> dict[str, object]:
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


def _compared_columns(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["title"], row["published_at"], row["body_text"]


def _sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
