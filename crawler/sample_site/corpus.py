"""What the sample site holds: articles by code, and the listings over them, newest first.

Of a made-up article only the place in the listings is kept, its words are written when asked for; articles
that were added or changed are kept as they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from threading import RLock
from typing import Any, NamedTuple

from crawler.sample_site.articles import Listed, SourceArticle, real_sort
from crawler.sample_site.legacy_posts import old_posts
from crawler.sample_site.recorded_articles import recorded_articles
from crawler.sample_site.synthetic import COLUMNS, NEWEST, MadeUp, Place

__all__ = ["NEWEST", "Corpus", "Listed", "SourceArticle"]


class Slot(NamedTuple):
    """Where an article stands in the listings."""

    order: tuple[int, str]
    columns: tuple[str, ...]
    lists: tuple[str, ...]
    fast: tuple[str, ...]


class Corpus:
    """Articles by code. Safe to change while a site serves it."""

    def __init__(self, articles: Iterable[SourceArticle] = (), made_up: MadeUp | None = None) -> None:
        self._made_up = made_up or MadeUp()
        self._kept: dict[str, SourceArticle] = {}
        self._indexes: dict[str, int] = {}
        self._slots: dict[str, Slot] = {}
        self._listings: dict[object, list[str]] = {}
        self._published = 0
        self._lock = RLock()
        for article in articles:
            self.add(article)

    @classmethod
    def sample(
        cls, articles: int = 50, newest: datetime | None = None, seed: int = 1, columns: tuple[str, ...] = COLUMNS
    ) -> Corpus:
        """The real posts, the recorded articles, and this many made-up ones, which stand in these columns."""
        corpus = cls([*old_posts(), *recorded_articles()], MadeUp(seed, newest or NEWEST, columns))
        for index in range(articles):
            corpus._make(index)
        return corpus

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, code: object) -> bool:
        return code in self._slots

    def __iter__(self) -> Iterator[str]:
        """The codes of everything, newest first."""
        return iter(self._listing("all", lambda _: True))

    def head(self, code: str) -> Listed | None:
        """What the listings say of an article."""
        index = self._indexes.get(code)
        return self._kept.get(code) if index is None else self._made_up.head(index)

    def article(self, code: str) -> SourceArticle | None:
        """The article with its body."""
        index = self._indexes.get(code)
        return self._kept.get(code) if index is None else self._made_up.article(index)

    def add(self, article: SourceArticle) -> None:
        """A new article."""
        with self._lock:
            if article.code in self:
                raise ValueError(f"{article.code} is already there: replace it")
            self._kept[article.code] = article
            self._place(article)

    def replace(self, code: str, **changes: Any) -> SourceArticle:
        """The article with other values, as after an edit at the source."""
        with self._lock:
            article = replace(self._known(code), **changes)
            self.remove(code)
            self.add(article)
        return article

    def remove(self, code: str) -> None:
        """Takes an article out of every listing; its detail and page are gone, too."""
        with self._lock:
            self._known(code)
            del self._slots[code]
            self._kept.pop(code, None)
            self._indexes.pop(code, None)
            self._listings = {}

    def publish(self, count: int = 1) -> list[str]:
        """Adds made-up articles, each newer than all made-up ones before it; their codes, oldest first."""
        with self._lock:
            first = self._published + 1
            self._published += count
            return [self._make(-number) for number in range(first, first + count)]

    def in_columns(self, columns: Iterable[str]) -> Sequence[str]:
        """The codes of one or more columns, newest first, each once."""
        wanted = frozenset(columns)
        return self._listing(wanted, lambda slot: not wanted.isdisjoint(slot.columns))

    def in_list(self, name: str) -> Sequence[str]:
        """The codes of a 2022 list: "102", "45", "37", "38" or "39"."""
        return self._listing(("list", name), lambda slot: name in slot.lists)

    def in_fast_news(self, column: str = "102", before: int | None = None) -> Sequence[str]:
        """The codes of a column of fast news (102 holds all), all or those strictly older than a cursor."""
        codes = self._listing(("fast", column), lambda slot: column in slot.fast)
        return codes if before is None else codes[bisect_right(codes, -before, key=self._age) :]

    def _age(self, code: str) -> int:
        return -self._slots[code].order[0]

    def _known(self, code: str) -> SourceArticle:
        article = self.article(code)
        if article is None:
            raise KeyError(code)
        return article

    def _make(self, index: int) -> str:
        place = self._made_up.place(index)
        self._indexes[place.code] = index
        self._place(place)
        return place.code

    def _place(self, at: Listed | Place) -> None:
        fast = ("102", *at.fast_columns) if at.fast else ()
        order = (real_sort(at.code, at.published), at.code)
        self._slots[at.code] = Slot(order, at.columns, at.lists, fast)
        self._listings = {}

    def _listing(self, name: object, wanted: Callable[[Slot], bool]) -> list[str]:
        """A listing is made when first asked for, and kept until the corpus changes."""
        with self._lock:
            listing = self._listings.get(name)
            if listing is None:
                found = [(slot.order, code) for code, slot in self._slots.items() if wanted(slot)]
                listing = self._listings[name] = [code for _, code in sorted(found, reverse=True)]
            return listing
