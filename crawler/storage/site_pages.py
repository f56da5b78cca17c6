"""Site pages: which pages of the published site are stale, and the articles on each."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from crawler.storage.migrations import MARK_ALL_PAGES_STALE
from crawler.storage.row_rules import find_bad_values
from crawler.storage.table import Table


class PageKind(StrEnum):
    """Kinds of pages that show articles, as in the `stale_pages` table."""

    CATEGORY = "category"
    DAY = "day"
    STOCK = "stock"


@dataclass(frozen=True, slots=True)
class SitePage:
    """Page of a category (named by its slug), a day (such as `2022/01/10`), or a stock (by its secid)."""

    kind: PageKind
    name: str


_SELECT_ARTICLE_LINKS = "SELECT code, title, published_at, media, category, post_path FROM articles"


class SitePages(Table):
    """Articles on each page of the published site, and the pages that are out of date (`stale_pages`)."""

    # pages that are out of date

    def stale_pages(self) -> list[SitePage]:
        """Return the pages whose articles have changed since the pages were written."""
        rows = self._fetch_all("SELECT kind, name FROM stale_pages ORDER BY kind, name")
        return _pages_of(rows)

    def all(self) -> list[SitePage]:
        """Return all pages that show articles."""
        rows = self._fetch_all(
            """
            SELECT DISTINCT 'category' AS page_kind, category AS page_name FROM articles
            UNION ALL SELECT DISTINCT 'day', substr(post_path, 8, 10) FROM articles
            UNION ALL SELECT DISTINCT 'stock', secid FROM mentions WHERE kind = 'stock'
            """
        )
        return _pages_of({"kind": row["page_kind"], "name": row["page_name"]} for row in rows)

    def mark_all_stale(self) -> None:
        """Mark all pages as out of date."""
        for statement in MARK_ALL_PAGES_STALE:
            self._execute(statement)

    def mark_written(self, pages: Iterable[SitePage]) -> None:
        """Mark pages as up to date. Requires the lock of the output folder."""
        self._execute(
            """
            DELETE FROM stale_pages WHERE (kind, name) IN
                (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))
            """,
            json.dumps([[page.kind, page.name] for page in pages]),
        )

    def mark_stale(self, pages: Iterable[SitePage]) -> None:
        """Mark pages as out of date."""
        self._execute(
            """
            INSERT OR IGNORE INTO stale_pages (kind, name)
                SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)
            """,
            json.dumps([[page.kind, page.name] for page in pages]),
        )

    # articles on pages, as `code`, `title`, `published_at`, `media`, `category`, `post_path`

    def latest_articles(self, limit: int) -> list[dict[str, Any]]:
        """Return the newest articles with all columns."""
        return self._fetch_all("SELECT * FROM articles ORDER BY published_at DESC, code LIMIT ?", limit)

    def articles_in_category(self, slug: str, limit: int) -> list[dict[str, Any]]:
        """Return the newest articles of a category, newest first."""
        return self._fetch_all(
            f"{_SELECT_ARTICLE_LINKS} WHERE category = ? ORDER BY published_at DESC LIMIT ?", slug, limit
        )

    def articles_on_day(self, period: str) -> Iterator[dict[str, Any]]:
        """Yield the articles whose posts are in the folder of a day, or a month such as `2022/01`; newest first."""
        return self._iter_rows(
            f"{_SELECT_ARTICLE_LINKS} WHERE post_path >= ? AND post_path < ? ORDER BY published_at DESC, code",
            *_path_range(period),
        )

    def articles_with_stock(self, secid: str, limit: int) -> list[dict[str, Any]]:
        """Return the newest articles that link to a stock, newest first; `name` is the stock's in the article.

        The index is ordered by codes, which begin with a day, so only the last ones are read.
        """
        return self._fetch_all(
            """
            SELECT code, title, published_at, media, category, post_path, name FROM (
                SELECT code, name FROM mentions WHERE secid = ? ORDER BY code DESC LIMIT ?
            ) AS mentions JOIN articles USING (code) ORDER BY published_at DESC
            """,
            secid,
            limit,
        )

    # lists of pages

    def periods_with_articles(self, prefix_length: int, limit: int = -1) -> list[str]:
        """Return the newest days, months or years with articles (`prefix_length` 10, 7 or 4), newest first.

        Each takes one step in the index of paths, however many articles it has. The limits of the paths leave out other
        programs' paths that are not posts', at which the steps would not end.
        """
        rows = self._fetch_all(
            """
            WITH RECURSIVE found(period) AS (
                SELECT substr(max(post_path), 8, :length) FROM articles
                WHERE post_path >= '_posts/0' AND post_path < '_posts/:'
                UNION ALL
                SELECT (
                    SELECT substr(max(post_path), 8, :length) FROM articles
                    WHERE post_path >= '_posts/0' AND post_path < '_posts/' || period
                )
                FROM found WHERE period IS NOT NULL
            )
            SELECT period FROM found WHERE period IS NOT NULL LIMIT :limit
            """,
            prefix_length,
            limit,
        )
        return [row["period"] for row in rows]

    def article_counts_by_day(self, year: str) -> list[dict[str, Any]]:
        """Return each `day` of a year that has articles, newest first, with the number of `articles`."""
        return self._fetch_all(
            """
            SELECT substr(post_path, 8, 10) AS day, count(*) AS articles FROM articles
            WHERE post_path >= ? AND post_path < ? GROUP BY day ORDER BY day DESC
            """,
            *_path_range(year),
        )

    def most_linked_stocks(self, min_articles: int, limit: int) -> list[dict[str, Any]]:
        """Return the stocks that at least `min_articles` articles link to: `secid`, `name`, `articles`; most first.

        Counted in the index alone; the name is the newest article's.
        """
        return self._fetch_all(
            """
            SELECT secid, name, articles FROM (
                SELECT secid, max(code) AS code, count(*) AS articles FROM mentions GROUP BY secid HAVING articles >= ?
            ) JOIN mentions USING (code, secid) WHERE kind = 'stock' ORDER BY articles DESC, secid LIMIT ?
            """,
            min_articles,
            limit,
        )

    def article_headings(self) -> Iterator[dict[str, str]]:
        """Yield `post_path`, `title` and `published_at` of all articles, which their pages must show, by path."""
        return self._iter_rows("SELECT post_path, title, published_at FROM articles ORDER BY post_path")

    def reprints_by_path(self, first_path: str, last_path: str) -> Iterator[dict[str, Any]]:
        """Yield the reprints of each article (`of`) whose post path is in this range, the oldest first."""
        sql = """
            SELECT here.code AS of, there.code, there.title, there.published_at, there.media, there.category,
                   there.post_path
            FROM articles AS here
            JOIN story_articles AS one ON one.code = here.code
            JOIN story_articles AS other ON other.story = one.story AND other.code != one.code
            JOIN articles AS there ON there.code = other.code
            WHERE here.post_path BETWEEN ? AND ?
            ORDER BY here.post_path, there.published_at, there.code
            """
        return self._iter_rows(sql, first_path, last_path)


def _pages_of(rows: Iterable[Mapping[str, Any]]) -> list[SitePage]:
    """Return the pages of rows, without invalid ones: another program may have written any name."""
    return [SitePage(PageKind(row["kind"]), row["name"]) for row in rows if not find_bad_values("stale_pages", row)]


def _path_range(period: str) -> tuple[str, str]:
    """Return the lower and the upper limit of the post paths of a day, a month or a year."""
    return f"_posts/{period}/", f"_posts/{period}/\uffff"
