"""Articles: what is known of them, and how one is taken in."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from crawler.content.dates import iso
from crawler.content.post_format import Site, path_of, render
from crawler.errors import Ending, Unreadable
from crawler.items import NO_COLUMN, Article, Entry, Known, Outcome, Post, Recorded
from crawler.storage.categories import Categories
from crawler.storage.connection import errors_told, rows_of
from crawler.storage.reprints.queries import Reprints
from crawler.storage.search.index import Index, Pairs

_INSERTED = """
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
        self._index = Index(db)

    # what is known

    def known(self, codes: Iterable[str], spider: str) -> dict[str, Known]:
        """What is known of these codes; one query for a whole listing page. Codes never met are left out."""
        with errors_told():
            rows = self._db.query(
                """
                SELECT listed.value AS code, source, withdrawn_at IS NOT NULL AS withdrawn,
                       sightings.title, sightings.published_at, coalesce(refused, '') AS refused
                FROM json_each(?) AS listed
                LEFT JOIN articles ON articles.code = listed.value
                LEFT JOIN sightings ON sightings.code = listed.value AND sightings.spider = ?
                WHERE source IS NOT NULL OR sightings.code IS NOT NULL
                """,
                [json.dumps(list(codes)), spider],
            )
            return {row.pop("code"): Known(**row) for row in rows}

    def count_listed(
        self, column: str, since: datetime | None, before: datetime, supersedes: Iterable[str] = ()
    ) -> int:
        """How many articles of a column were published in a time, but for those of the spiders named last."""
        row = self._one(
            """
            SELECT count(*) AS articles FROM article_columns JOIN articles USING (code)
            WHERE column_id = ? AND published_at >= ? AND published_at < ?
              AND source NOT IN (SELECT value FROM json_each(?))
            """,
            column,
            iso(since) if since else "",
            iso(before),
            json.dumps(sorted(supersedes)),
        )
        return int(row["articles"]) if row else 0

    def get(self, code: str) -> dict[str, Any] | None:
        """The row of one article; None when there is none."""
        return self._one("SELECT * FROM articles WHERE code = ?", code)

    def revisions(self, code: str) -> list[dict[str, Any]]:
        """What the article said before, oldest first."""
        return self._rows("SELECT * FROM revisions WHERE code = ? ORDER BY revision", code)

    def mentions(self, code: str) -> list[dict[str, Any]]:
        """The stocks and boards it links to, most often named first."""
        return self._rows(
            "SELECT secid, kind, name, count FROM mentions WHERE code = ? ORDER BY count DESC, secid", code
        )

    def columns(self, code: str) -> list[str]:
        """The ids of the columns that list it."""
        rows = self._rows("SELECT column_id FROM article_columns WHERE code = ? ORDER BY column_id", code)
        return [row["column_id"] for row in rows]

    def column_counts(self) -> dict[str, dict[str, Any]]:
        """By column id: `articles` (how many) and `latest` (publication time)."""
        rows = self._rows(
            """
            SELECT column_id, count(*) AS articles, max(published_at) AS latest
            FROM article_columns JOIN articles USING (code) GROUP BY column_id
            """
        )
        return {row.pop("column_id"): row for row in rows}

    def whole(self, code: str) -> dict[str, Any] | None:
        """One article with its `revisions`, `mentions` and `columns`, and its `story`; None when there is none."""
        row = self.get(code)
        if row is None:
            return None
        parts = {"revisions": self.revisions(code), "mentions": self.mentions(code), "columns": self.columns(code)}
        return {**row, **parts, "story": Reprints(self._db).story(code)}

    def most_mentioning(self) -> str:
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
        with errors_told():
            yield from self._db.query("SELECT * FROM articles ORDER BY post_path")

    def at(self, path: str) -> dict[str, Any] | None:
        """The row whose post stands at this path, whose name may be any file's; None when there is none."""
        return self._one("SELECT * FROM articles WHERE post_path = ?", path.encode("utf-8", "replace").decode())

    def count(self) -> int:
        with errors_told():
            return self._db.table("articles").count

    # taking in

    def save(self, article: Article, entry: Entry, site: Site, *, markup_too: bool = False) -> Recorded:
        """Take an article in, in one transaction, and say what it is owed.

        Title, time and text are compared as text: a change of markup alone keeps the old row, unless `markup_too`. A
        real change keeps the old version in `revisions`, and the post its first path.
        """
        with errors_told(), self._db.atomic():
            recorded, pairs = self._save(article, entry, site, markup_too=markup_too)
            self._index.write(pairs)
            return recorded

    def save_all(self, articles: Iterable[tuple[Article, Entry]], site: Site) -> list[Recorded | Exception]:
        """Likewise, many in one transaction; in place of one that met a fault of ours, and is not taken in, that."""
        articles = list(articles)
        try:
            with errors_told(), self._db.atomic():
                saved = [self._save(article, entry, site) for article, entry in articles]
                self._index.write(itertools.chain.from_iterable(pairs for _, pairs in saved))
        except Ending:
            raise
        except Exception:  # each by itself tells whose fault it is
            return [self._saved_or_fault(article, entry, site) for article, entry in articles]
        return [recorded for recorded, _ in saved]

    def _saved_or_fault(self, article: Article, entry: Entry, site: Site) -> Recorded | Exception:
        try:
            return self.save(article, entry, site)
        except Ending:
            raise
        except Exception as fault:
            return fault

    def refused(self, entry: Entry, spider: str, reason: str) -> None:
        """Remember that this entry, as listed, led to nothing that can be published."""
        with errors_told():
            self._sighted(entry, spider, reason)

    def failed(self, entry: Entry, spider: str) -> int:
        """Remember that an entry could not be had; how often in a row by now. What its listing said is not taken."""
        with errors_told(), self._db.atomic():
            self._db.execute(
                """
                INSERT INTO sightings (code, spider, title, published_at, failures) VALUES (?, ?, '', '', 1)
                ON CONFLICT (code, spider) DO UPDATE SET failures = failures + 1
                """,
                [entry.code, spider],
            )
            row = self._one("SELECT failures FROM sightings WHERE code = ? AND spider = ?", entry.code, spider)
            return int(row["failures"]) if row else 0

    def withdrawn(self, code: str, at: datetime) -> None:
        """The source has taken the article away; what it said stays."""
        with errors_told():
            self._db.table("articles").update(code, {"withdrawn_at": iso(at)})

    def to_recheck(self, spider: str, since: datetime) -> list[Entry]:
        """The articles of a spider published since then that the source still had, as its listing said them last."""
        rows = self._rows(
            """
            SELECT code, sightings.title, sightings.published_at, url, media, summary
            FROM articles JOIN sightings USING (code)
            WHERE source = ? AND spider = source AND articles.published_at >= ? AND withdrawn_at IS NULL
              AND sightings.published_at != ''
            ORDER BY articles.published_at DESC
            """,
            spider,
            iso(since),
        )
        return [
            Entry(
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

    def owed(self, site: Site) -> list[tuple[str, int, str, str]]:
        """The posts that a killed crawl left unwritten: code, revision, path and text of each."""
        rows = self._rows("SELECT * FROM articles WHERE published_revision IS NOT revision")
        return [(row["code"], row["revision"], row["post_path"], render(post_of(row), site)) for row in rows]

    def published(self, code: str, revision: int) -> None:
        """The post file of this revision stands on disk."""
        with errors_told():
            self._db.execute("UPDATE articles SET published_revision = ? WHERE code = ?", [revision, code])

    def put_right(self, code: str, revision: int, text: str) -> None:
        """The post file of this revision has been written anew, with this text."""
        with errors_told():
            values = {"published_revision": revision, "post_sha256": _sha256(text)}
            self._db.table("articles").update(code, values)

    def restore(self, article: Article, path: str, text: str, *, stands: bool) -> None:
        """Take an article in from its post, which has this text; `stands` says that it is at its path already.

        Raises Unreadable when the article is there already.
        """
        with errors_told(), self._db.atomic():
            if old := self.get(article.code):
                raise Unreadable(f"another post of the same article is {old['post_path']}")
            self._insert(article, path, text)
            if stands:
                self._db.table("articles").update(article.code, {"published_revision": 1})
            self._index.write(self._index.file(article.code))

    def _save(
        self, article: Article, entry: Entry, site: Site, *, markup_too: bool = False
    ) -> tuple[Recorded, list[Pairs]]:
        """What the article is owed, and the pairs that the index of words is owed."""
        old = self.get(article.code)
        recorded = self._insert_new(article, site) if old is None else self._update(article, old, site, markup_too)
        self._add_columns(article)
        self._sighted(entry, article.spider)
        return recorded, self._index.file(article.code)

    def _insert_new(self, article: Article, site: Site) -> Recorded:
        post = _post(article)
        return self._insert(article, path_of(post), render(post, site))

    def _insert(self, article: Article, path: str, text: str) -> Recorded:
        self._categories.register(article.category)
        row = {
            "code": article.code,
            **_content(article),
            "post_path": path,
            "post_sha256": _sha256(text),
            "first_seen_at": iso(article.fetched_at),
        }
        self._db.execute(_INSERTED, row)
        self._add_mentions(article)
        return Recorded(article, Outcome.NEW, 1, path, text)

    def _update(self, article: Article, old: Mapping[str, Any], site: Site, markup_too: bool) -> Recorded:
        changed = _says(old) != (article.title, iso(article.published_at), article.body_text)
        as_it_is = old["source"] == article.spider and not (markup_too and differences(article, old))
        if not changed and as_it_is:
            return self._unchanged(article, old, site)
        revision = old["revision"] + int(changed)
        text = render(_post(article), site)
        values = {
            **_content(article),
            "post_sha256": _sha256(text),
            "revision": revision,
            "published_revision": None,
            "withdrawn_at": None,
        }
        if changed:
            self._keep_revision(old)
            values["changed_at"] = iso(article.fetched_at)
        self._categories.register(article.category)
        self._db.table("articles").update(article.code, values)
        self._set_mentions(article)
        return Recorded(article, Outcome.UPDATED if changed else Outcome.UNCHANGED, revision, old["post_path"], text)

    def _unchanged(self, article: Article, old: Mapping[str, Any], site: Site) -> Recorded:
        if old["withdrawn_at"]:
            self._db.table("articles").update(article.code, {"withdrawn_at": None})
        owed = old["published_revision"] != old["revision"]
        text = render(post_of(old), site) if owed else ""
        return Recorded(article, Outcome.UNCHANGED, old["revision"], old["post_path"], text)

    def _keep_revision(self, old: Mapping[str, Any]) -> None:
        kept = {name: old[name] for name in ("code", "revision", "title", "published_at", "body_html")}
        self._db.table("revisions").insert({**kept, "seen_at": old["changed_at"] or old["first_seen_at"]})

    def _set_mentions(self, article: Article) -> None:
        self._db.execute("DELETE FROM mentions WHERE code = ?", [article.code])
        self._add_mentions(article)

    def _add_mentions(self, article: Article) -> None:
        for found in article.mentions:
            row = [article.code, found.secid, found.kind, found.name, found.count]
            self._db.execute("INSERT INTO mentions (code, secid, kind, name, count) VALUES (?, ?, ?, ?, ?)", row)

    def _add_columns(self, article: Article) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO article_columns (code, column_id) SELECT ?, value FROM json_each(?)",
            [article.code, json.dumps(article.columns)],
        )

    def _sighted(self, entry: Entry, spider: str, refused: str = "") -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO sightings (code, spider, title, published_at, refused) VALUES (?, ?, ?, ?, ?)",
            [entry.code, spider, entry.title, iso(entry.published), refused],
        )

    def _one(self, sql: str, *values: object) -> dict[str, Any] | None:
        return next(iter(self._rows(sql, *values)), None)

    def _rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        with errors_told():
            return rows_of(self._db, sql, values)


def post_of(row: Mapping[str, Any]) -> Post:
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


def _post(article: Article) -> Post:
    return Post(
        code=article.code,
        title=article.title,
        published_at=article.published_at,
        category=article.category.slug,
        media=article.media,
        body_html=article.body_html,
        url=article.url,
    )


def differences(article: Article, row: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """By column, what a row says and what an article says, where they differ."""
    return {name: (str(row[name]), str(value)) for name, value in _content(article).items() if row[name] != value}


def _content(article: Article) -> dict[str, object]:
    return {
        "title": article.title,
        "published_at": iso(article.published_at),
        "media": article.media,
        "category": article.category.slug,
        "source": article.spider,
        "url": article.url,
        "summary": article.summary,
        "body_html": article.body_html,
        "body_text": article.body_text,
    }


def _says(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["title"], row["published_at"], row["body_text"]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
