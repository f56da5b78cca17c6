"""Corpus of the sample site: articles by code, and the listings over them, newest first.

Of a made-up article only the position in the listings is stored; its text is generated on request. Added or
changed articles are stored whole.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from threading import RLock
from typing import Any, NamedTuple

from crawler.sample_site.articles import ListedArticle, SourceArticle, compute_real_sort
from crawler.sample_site.legacy_posts import load_legacy_posts
from crawler.sample_site.recorded_articles import load_recorded_articles
from crawler.sample_site.synthetic import NEWEST_AT, SAMPLE_COLUMNS, ArticleGenerator, ListingPlacement

__all__ = ["NEWEST_AT", "Corpus", "ListedArticle", "SourceArticle"]


class ListingPosition(NamedTuple):
    """Position of an article in the listings."""

    sort_key: tuple[int, str]
    columns: tuple[str, ...]
    legacy_lists: tuple[str, ...]
    fast_columns: tuple[str, ...]


class Corpus:
    """Articles by code. Safe to change while a site serves it."""

    def __init__(self, articles: Iterable[SourceArticle] = (), generator: ArticleGenerator | None = None) -> None:
        self._generator = generator or ArticleGenerator()
        self._stored: dict[str, SourceArticle] = {}
        self._number_by_code: dict[str, int] = {}
        self._positions: dict[str, ListingPosition] = {}
        self._listings: dict[object, list[str]] = {}
        self._published_count = 0
        self._lock = RLock()
        for article in articles:
            self.add(article)

    @classmethod
    def sample(
        cls,
        article_count: int = 50,
        newest_at: datetime | None = None,
        seed: int = 1,
        columns: tuple[str, ...] = SAMPLE_COLUMNS,
    ) -> Corpus:
        """Return the real posts, the recorded articles, and made-up articles in these columns."""
        corpus = cls(
            [*load_legacy_posts(), *load_recorded_articles()], ArticleGenerator(seed, newest_at or NEWEST_AT, columns)
        )
        for number in range(article_count):
            corpus._add_synthetic(number)
        return corpus

    def __len__(self) -> int:
        return len(self._positions)

    def __contains__(self, code: object) -> bool:
        return code in self._positions

    def __iter__(self) -> Iterator[str]:
        """Yield all codes, newest first."""
        return iter(self._get_listing("all", lambda _: True))

    def find_listed(self, code: str) -> ListedArticle | None:
        """Return an article as a listing has it; None for an unknown code."""
        number = self._number_by_code.get(code)
        return self._stored.get(code) if number is None else self._generator.generate_listed(number)

    def find_article(self, code: str) -> SourceArticle | None:
        """Return an article with its body; None for an unknown code."""
        number = self._number_by_code.get(code)
        return self._stored.get(code) if number is None else self._generator.generate_article(number)

    def add(self, article: SourceArticle) -> None:
        """Add an article. Raises ValueError when its code exists."""
        with self._lock:
            if article.code in self:
                raise ValueError(f"{article.code} is already there: replace it")
            self._stored[article.code] = article
            self._add_to_listings(article)

    def replace(self, code: str, **changes: Any) -> SourceArticle:
        """Change fields of an article, as an edit at the source does. Raises KeyError for an unknown code."""
        with self._lock:
            article = replace(self._get_article(code), **changes)
            self.remove(code)
            self.add(article)
        return article

    def remove(self, code: str) -> None:
        """Remove an article from every listing, and its detail and page. Raises KeyError for an unknown code."""
        with self._lock:
            self._get_article(code)
            del self._positions[code]
            self._stored.pop(code, None)
            self._number_by_code.pop(code, None)
            self._listings = {}

    def publish(self, count: int = 1) -> list[str]:
        """Add made-up articles, each newer than the one before, and return their codes, oldest first."""
        with self._lock:
            first = self._published_count + 1
            self._published_count += count
            return [self._add_synthetic(-number) for number in range(first, first + count)]

    def codes_in_columns(self, columns: Iterable[str]) -> Sequence[str]:
        """Return the codes of one or more columns, newest first, each once."""
        wanted = frozenset(columns)
        return self._get_listing(wanted, lambda slot: not wanted.isdisjoint(slot.columns))

    def codes_in_list(self, name: str) -> Sequence[str]:
        """Return the codes of a 2022 list: "102", "45", "37", "38" or "39"."""
        return self._get_listing(("list", name), lambda slot: name in slot.legacy_lists)

    def codes_in_fast_news(self, column: str = "102", older_than: int | None = None) -> Sequence[str]:
        """Return the codes of a column of fast news (102: all), optionally older than a cursor."""
        codes = self._get_listing(("fast", column), lambda slot: column in slot.fast_columns)
        if older_than is None:
            return codes
        return codes[bisect_right(codes, -older_than, key=lambda code: -self._positions[code].sort_key[0]) :]

    def _get_article(self, code: str) -> SourceArticle:
        article = self.find_article(code)
        if article is None:
            raise KeyError(code)
        return article

    def _add_synthetic(self, number: int) -> str:
        placement = self._generator.generate_placement(number)
        self._number_by_code[placement.code] = number
        self._add_to_listings(placement)
        return placement.code

    def _add_to_listings(self, article: ListedArticle | ListingPlacement) -> None:
        fast_columns = ("102", *article.fast_columns) if article.is_fast_news else ()
        sort_key = (compute_real_sort(article.code, article.published_at), article.code)
        self._positions[article.code] = ListingPosition(sort_key, article.columns, article.legacy_lists, fast_columns)
        self._listings = {}

    def _get_listing(self, key: object, is_member: Callable[[ListingPosition], bool]) -> list[str]:
        """Return a listing, cached until the corpus changes."""
        with self._lock:
            listing = self._listings.get(key)
            if listing is None:
                keyed_codes = [
                    (position.sort_key, code) for code, position in self._positions.items() if is_member(position)
                ]
                listing = self._listings[key] = [code for _, code in sorted(keyed_codes, reverse=True)]
            return listing
