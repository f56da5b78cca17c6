"""Synthetic articles: number 0 is the newest, and each is a function of the seed and its number.

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
from crawler.sample_site.articles import SHANGHAI_TIME, BodyLocation, ListedArticle, SourceArticle
from crawler.sample_site.html_quirks import QUIRKS, ArticleDraft, add_linked_source_line, apply_quirks

NEWEST_AT = datetime(2026, 9, 18, 21, 30, tzinfo=SHANGHAI_TIME)
"""A fixed time, so that the same sample gives the same bytes on every day."""

SAMPLE_COLUMNS = ("344", "345", "350", "351", "353", "354", "355")
LEGACY_LISTS = ("102", "45", "37", "38", "39")
FAST_COLUMN_GROUPS = (("101",), (), ("103",), ("105", "107"), ())
IMAGE_URL_TEMPLATE = "https://np-newspic.dfcfw.com/download/D2546534410{:04d}879549_w210h154.jpg"


class ListingPlacement(NamedTuple):
    """A made-up article's place: all that a listing needs to sort it."""

    code: str
    published_at: datetime
    columns: tuple[str, ...]
    legacy_lists: tuple[str, ...]
    is_fast_news: bool
    fast_columns: tuple[str, ...]


class GeneratedText(NamedTuple):
    """What is made up of an article before its body is; ``rng`` goes on from there."""

    rng: Random
    companies: tuple[phrases.Company, ...]
    title: str
    media: str
    lead: str


class ArticleGenerator(NamedTuple):
    """The made-up articles of one seed, spread over some columns."""

    seed: int = 1
    newest_at: datetime = NEWEST_AT
    columns: tuple[str, ...] = SAMPLE_COLUMNS

    def generate_placement(self, number: int) -> ListingPlacement:
        """Its code and where it is listed."""
        published_at = self.newest_at - timedelta(seconds=number * 300 + number * 97 % 240)
        is_fast_news = number % 4 == 0
        return ListingPlacement(
            _generate_code(number, published_at, self.seed),
            published_at,
            _choose_columns(number, self.columns),
            (LEGACY_LISTS[number // 6 % len(LEGACY_LISTS)],) if number % 6 == 2 else (),
            is_fast_news,
            FAST_COLUMN_GROUPS[number // 4 % len(FAST_COLUMN_GROUPS)] if is_fast_news else (),
        )

    def generate_listed(self, number: int) -> ListedArticle:
        """What the listings say of it."""
        return _generate_listed(self, number)

    def generate_article(self, number: int) -> SourceArticle:
        """The whole article."""
        return _generate_article(self, number)


@lru_cache(4096)
def _generate_listed(generator: ArticleGenerator, number: int) -> ListedArticle:
    """Words of its own for every number; the fields of ``Place`` as they are."""
    generated = _generate_text(generator.seed, number)
    placement = generator.generate_placement(number)
    summary = generated.lead if number % 3 else f"【{generated.title}】{generated.lead}"
    return ListedArticle(
        title=generated.title,
        media=generated.media,
        summary=summary,
        flash_override=_generate_flash_override(number, generated) if placement.is_fast_news else "",
        image=IMAGE_URL_TEMPLATE.format(number % 10000) if number % 5 else "",
        secids=tuple(company.secid for company in generated.companies),
        fast_title=_choose_fast_title(number, generated.title) if placement.is_fast_news else None,
        title_color=3 if number % 5 == 4 else 0,
        **placement._asdict(),
    )


@lru_cache(4096)
def _generate_article(generator: ArticleGenerator, number: int) -> SourceArticle:
    generated = _generate_text(generator.seed, number)
    draft = ArticleDraft(_generate_paragraphs(generated), generated.companies, generated.media, number)
    apply_quirks(draft)
    return SourceArticle(
        **vars(_generate_listed(generator, number)), content=draft.render(), body_location=_choose_body_location(number)
    )


def _generate_paragraphs(generated: GeneratedText) -> list[str]:
    """Most articles are short, a few long: the lengths are spread as those of the source are."""
    characters = min(max(math.exp(generated.rng.gauss(6.95, 0.6)), 300), 3900) - len(generated.lead)
    names = [company.name for company in generated.companies]
    paragraphs = [generated.lead, *phrases.generate_paragraphs(generated.rng, names, max(characters, 1))]
    return [f"<p>　　{text}</p>" for text in paragraphs]


def _generate_text(seed: int, number: int) -> GeneratedText:
    rng = Random(seed * 1_000_003 + number + (1 << 40))
    all_companies = phrases.COMPANIES
    first_index = int(rng.random() * len(all_companies))
    companies = tuple(all_companies[(first_index + step * 7) % len(all_companies)] for step in range(1 + number % 3))
    title = _decorate_title(number, phrases.generate_title(rng, companies[0].name))
    return GeneratedText(
        rng, companies, title, _choose_media(rng, number), phrases.generate_lead(rng, companies[0].name)
    )


def _generate_code(number: int, published_at: datetime, seed: int) -> str:
    """The day it was created, which may be the day before, and a serial that grows by and large."""
    created_at = published_at - timedelta(minutes=number * 37 % 50)
    scatter = (number * 2_654_435_761 + seed * 40_503) % 3_700
    return f"{created_at:%Y%m%d}{3_878_840_000 - number * 3_700 + scatter:010d}"


def _choose_columns(number: int, columns: tuple[str, ...]) -> tuple[str, ...]:
    """One to three, each of them first by turns."""
    count = len(columns)
    return tuple(columns[(number + step * 2) % count] for step in range(1 + number // count % 3))


def _decorate_title(number: int, title: str) -> str:
    """Some hold quotation marks, in either form, or a full-width space."""
    title_by_remainder = {3: f"“{title}”意味着什么？", 5: f'"{title}" 引发热议', 7: title.replace(" ", "　") + "　快讯"}
    return title_by_remainder.get(number % 11, title)


def _choose_media(rng: Random, number: int) -> str:
    """Now and then the source names none."""
    if QUIRKS[number % len(QUIRKS)] is add_linked_source_line:
        return phrases.choose(rng, phrases.SECURITIES_MEDIA_NAMES)
    return "" if number % 17 == 16 else phrases.choose(rng, phrases.MEDIA_NAMES)


def _choose_body_location(number: int) -> BodyLocation:
    """A few have an empty body in the JSON detail, and the whole only in their page."""
    location_by_remainder: dict[int, BodyLocation] = {12: "page2022", 23: "page2018"}
    return location_by_remainder.get(number % 25, "json")


def _choose_fast_title(number: int, title: str) -> str | None:
    """Fast news has rows without title, and rows that begin with a blank."""
    return {12: "", 20: f" {title}"}.get(number % 28)


def _generate_flash_override(number: int, generated: GeneratedText) -> str:
    """Some texts of fast news begin with a blank; the others are built from the summary."""
    media_suffix = f"（{generated.media}）" if generated.media else ""
    return f" 【{generated.title}】{generated.lead}{media_suffix}" if number % 28 == 24 else ""
