"""Made-up articles: number 0 is the newest, and each is a function of the seed and its number.

Nothing is kept, so a hundred thousand of them cost no more than their places in the listings.
Negative numbers are newer than the newest: what the source publishes later.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random
from typing import NamedTuple

from crawler.sample_site import phrases
from crawler.sample_site.articles import SHANGHAI, BodyIn, Listed, SourceArticle
from crawler.sample_site.html_quirks import QUIRKS, Draft, apply_quirks, cut_source_line

NEWEST = datetime(2026, 9, 18, 21, 30, tzinfo=SHANGHAI)
"""A fixed time, so that the same sample gives the same bytes on every day."""

COLUMNS = ("344", "345", "350", "351", "353", "354", "355")
LISTS = ("102", "45", "37", "38", "39")
FAST_COLUMNS = (("101",), (), ("103",), ("105", "107"), ())
IMAGE = "https://np-newspic.dfcfw.com/download/D2546534410{:04d}879549_w210h154.jpg"


class Place(NamedTuple):
    """Where a made-up article stands: all that a listing needs to sort it."""

    code: str
    published: datetime
    columns: tuple[str, ...]
    lists: tuple[str, ...]
    fast: bool
    fast_columns: tuple[str, ...]


class Words(NamedTuple):
    """What is made up of an article before its body is; ``rng`` goes on from there."""

    rng: Random
    companies: tuple[phrases.Company, ...]
    title: str
    media: str
    lead: str


class MadeUp(NamedTuple):
    """The made-up articles of one seed, spread over some columns."""

    seed: int = 1
    newest: datetime = NEWEST
    columns: tuple[str, ...] = COLUMNS

    def place(self, number: int) -> Place:
        """Its code and where it is listed."""
        published = self.newest - timedelta(seconds=number * 300 + number * 97 % 240)
        fast = number % 4 == 0
        return Place(
            _code(number, published, self.seed),
            published,
            _columns(number, self.columns),
            (LISTS[number // 6 % len(LISTS)],) if number % 6 == 2 else (),
            fast,
            FAST_COLUMNS[number // 4 % len(FAST_COLUMNS)] if fast else (),
        )

    def head(self, number: int) -> Listed:
        """What the listings say of it."""
        return _head(self, number)

    def article(self, number: int) -> SourceArticle:
        """The whole article."""
        return _article(self, number)


@lru_cache(4096)
def _head(source: MadeUp, number: int) -> Listed:
    """Words of its own for every number; the fields of ``Place`` as they are."""
    words = _words(source.seed, number)
    place = source.place(number)
    summary = words.lead if number % 3 else f"【{words.title}】{words.lead}"
    return Listed(
        title=words.title,
        media=words.media,
        summary=summary,
        digest=_digest(number, words) if place.fast else "",
        image=IMAGE.format(number % 10000) if number % 5 else "",
        stocks=tuple(company.secid for company in words.companies),
        fast_title=_fast_title(number, words.title) if place.fast else None,
        title_color=3 if number % 5 == 4 else 0,
        **place._asdict(),
    )


@lru_cache(4096)
def _article(source: MadeUp, number: int) -> SourceArticle:
    words = _words(source.seed, number)
    draft = Draft(_blocks(words), words.companies, words.media, number)
    apply_quirks(draft)
    return SourceArticle(**vars(_head(source, number)), content=draft.html(), body_in=_body_in(number))


def _blocks(words: Words) -> list[str]:
    """Most articles are short, a few long: the lengths are spread as those of the source are."""
    characters = min(max(math.exp(words.rng.gauss(6.95, 0.6)), 300), 3900) - len(words.lead)
    names = [company.name for company in words.companies]
    texts = [words.lead, *phrases.paragraphs(words.rng, names, max(characters, 1))]
    return [f"<p>　　{text}</p>" for text in texts]


def _words(seed: int, number: int) -> Words:
    rng = Random(seed * 1_000_003 + number + (1 << 40))
    known = phrases.COMPANIES
    first = int(rng.random() * len(known))
    companies = tuple(known[(first + step * 7) % len(known)] for step in range(1 + number % 3))
    title = _title(number, phrases.title(rng, companies[0].name))
    return Words(rng, companies, title, _media(rng, number), phrases.lead(rng, companies[0].name))


def _code(number: int, published: datetime, seed: int) -> str:
    """The day it was created, which may be the day before, and a serial that grows by and large."""
    created = published - timedelta(minutes=number * 37 % 50)
    scattered = (number * 2_654_435_761 + seed * 40_503) % 3_700
    return f"{created:%Y%m%d}{3_878_840_000 - number * 3_700 + scattered:010d}"


def _columns(number: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """One to three, each of them first by turns."""
    count = len(names)
    return tuple(names[(number + step * 2) % count] for step in range(1 + number // count % 3))


def _title(number: int, title: str) -> str:
    """Some hold quotation marks, in either form, or a full-width space."""
    forms = {3: f"“{title}”意味着什么？", 5: f'"{title}" 引发热议', 7: title.replace(" ", "　") + "　快讯"}
    return forms.get(number % 11, title)


def _media(rng: Random, number: int) -> str:
    """Now and then the source names none."""
    if QUIRKS[number % len(QUIRKS)] is cut_source_line:
        return phrases.pick(rng, phrases.SECURITIES_PAPERS)
    return "" if number % 17 == 16 else phrases.pick(rng, phrases.MEDIA)


def _body_in(number: int) -> BodyIn:
    """A few have an empty body in the JSON detail, and the whole only in their page."""
    forms: dict[int, BodyIn] = {12: "page2022", 23: "page2018"}
    return forms.get(number % 25, "json")


def _fast_title(number: int, title: str) -> str | None:
    """Fast news has rows without title, and rows that begin with a blank."""
    return {12: "", 20: f" {title}"}.get(number % 28)


def _digest(number: int, words: Words) -> str:
    """Some texts of fast news begin with a blank; the others are built from the summary."""
    ending = f"（{words.media}）" if words.media else ""
    return f" 【{words.title}】{words.lead}{ending}" if number % 28 == 24 else ""
