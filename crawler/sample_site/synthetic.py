"""Synthetic articles: number 0 is the newest, and each is a function of the seed and its number.

Texts are not stored, so a hundred thousand articles need only the memory of their positions in the listings.
Negative numbers are newer than number 0: articles that the source publishes later.
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
"""Fixed, so the same sample gives the same bytes on every day."""

SAMPLE_COLUMNS = ("344", "345", "350", "351", "353", "354", "355")
LEGACY_LISTS = ("102", "45", "37", "38", "39")
FAST_COLUMN_GROUPS = (("101",), (), ("103",), ("105", "107"), ())
IMAGE_URL_TEMPLATE = "https://np-newspic.dfcfw.com/download/D2546534410{:04d}879549_w210h154.jpg"


class ListingPlacement(NamedTuple):
    """Position of a made-up article: all that a listing needs to sort it."""

    code: str
    published_at: datetime
    columns: tuple[str, ...]
    legacy_lists: tuple[str, ...]
    is_fast_news: bool
    fast_columns: tuple[str, ...]


class GeneratedText(NamedTuple):
    """The generated parts of an article except its body, which is generated with the same ``rng``."""

    rng: Random
    companies: tuple[phrases.Company, ...]
    title: str
    media: str
    lead: str


class ArticleGenerator(NamedTuple):
    """Generator of the articles of one seed, distributed over some columns."""

    seed: int = 1
    newest_at: datetime = NEWEST_AT
    columns: tuple[str, ...] = SAMPLE_COLUMNS

    def generate_placement(self, number: int) -> ListingPlacement:
        """Return the code and the listings of an article, which is in one to three columns."""
        published_at = self.newest_at - timedelta(seconds=number * 300 + number * 97 % 240)
        is_fast_news = number % 4 == 0
        column_count = len(self.columns)
        columns = (self.columns[(number + step * 2) % column_count] for step in range(1 + number // column_count % 3))
        return ListingPlacement(
            _generate_code(number, published_at, self.seed),
            published_at,
            tuple(columns),
            (LEGACY_LISTS[number // 6 % len(LEGACY_LISTS)],) if number % 6 == 2 else (),
            is_fast_news,
            FAST_COLUMN_GROUPS[number // 4 % len(FAST_COLUMN_GROUPS)] if is_fast_news else (),
        )

    def generate_listed(self, number: int) -> ListedArticle:
        """Return an article as the listings have it."""
        return _generate_listed(self, number)

    def generate_article(self, number: int) -> SourceArticle:
        """Return an article with its body."""
        return _generate_article(self, number)


@lru_cache(4096)
def _generate_listed(generator: ArticleGenerator, number: int) -> ListedArticle:
    _, companies, title, media, lead = _generate_text(generator.seed, number)
    placement = generator.generate_placement(number)
    flash_override, fast_title = "", None
    if placement.is_fast_news:
        # Some texts of fast news begin with a blank, and some titles are empty or begin with a blank.
        fast_title = {12: "", 20: f" {title}"}.get(number % 28)
        if number % 28 == 24:
            flash_override = f" 【{title}】{lead}" + (f"（{media}）" if media else "")
    return ListedArticle(
        title=title,
        media=media,
        summary=lead if number % 3 else f"【{title}】{lead}",
        flash_override=flash_override,
        image=IMAGE_URL_TEMPLATE.format(number % 10000) if number % 5 else "",
        secids=tuple(company.secid for company in companies),
        fast_title=fast_title,
        title_color=3 if number % 5 == 4 else 0,
        **placement._asdict(),
    )


@lru_cache(4096)
def _generate_article(generator: ArticleGenerator, number: int) -> SourceArticle:
    rng, companies, _, media, lead = _generate_text(generator.seed, number)
    # Characters; log-normal as at the source, so most articles are short and a few long.
    length = min(max(math.exp(rng.gauss(6.95, 0.6)), 300), 3900)
    names = [company.name for company in companies]
    paragraphs = [lead, *phrases.generate_paragraphs(rng, names, max(length - len(lead), 1))]
    draft = ArticleDraft([f"<p>　　{text}</p>" for text in paragraphs], companies, media, number)
    apply_quirks(draft)
    # Some articles have an empty body in the JSON detail, and the text only in their page.
    location_by_remainder: dict[int, BodyLocation] = {12: "page2022", 23: "page2018"}
    body_location = location_by_remainder.get(number % 25, "json")
    return SourceArticle(
        **vars(_generate_listed(generator, number)), content=draft.render(), body_location=body_location
    )


def _generate_text(seed: int, number: int) -> GeneratedText:
    rng = Random(seed * 1_000_003 + number + (1 << 40))
    all_companies = phrases.COMPANIES
    first_index = int(rng.random() * len(all_companies))
    companies = tuple(all_companies[(first_index + step * 7) % len(all_companies)] for step in range(1 + number % 3))
    plain_title = phrases.generate_title(rng, companies[0].name)
    # Some titles have quotation marks, in either form, or a full-width space.
    title = {
        3: f"“{plain_title}”意味着什么？",
        5: f'"{plain_title}" 引发热议',
        7: plain_title.replace(" ", "　") + "　快讯",
    }.get(number % 11, plain_title)
    if QUIRKS[number % len(QUIRKS)] is add_linked_source_line:
        media = phrases.choose(rng, phrases.SECURITIES_MEDIA_NAMES)
    else:
        media = "" if number % 17 == 16 else phrases.choose(rng, phrases.MEDIA_NAMES)
    return GeneratedText(rng, companies, title, media, phrases.generate_lead(rng, companies[0].name))


def _generate_code(number: int, published_at: datetime, seed: int) -> str:
    """Return the day of creation and a serial that mostly grows with time."""
    created_at = published_at - timedelta(minutes=number * 37 % 50)
    scatter = (number * 2_654_435_761 + seed * 40_503) % 3_700
    return f"{created_at:%Y%m%d}{3_878_840_000 - number * 3_700 + scatter:010d}"
