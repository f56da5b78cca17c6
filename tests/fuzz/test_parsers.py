"""Every parser of outside data accepts any input: it returns, or raises a FinewsError, and never hangs.

A few hundred inputs each by default; `make fuzz` tries more.
"""

import html
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scrapy.crawler import Crawler
from scrapy.settings import Settings

from crawler import settings as our_settings
from crawler.content import dates, flash_format, json_fields, post_format, slugs, stocks, unicode_text
from crawler.content.categories import CategoryRegistry
from crawler.content.dates import CHINA_TZ
from crawler.content.encoding import decode_body
from crawler.content.html_cleaner import clean_html, find_secid
from crawler.content.html_text import find_source_line_media, html_to_text
from crawler.content.markup import PLAIN_MARKUP
from crawler.content.media_names import find_media_name
from crawler.content.near_names import find_near_names
from crawler.content.normalise import clean_media_name, normalise_article
from crawler.crawl.policy.selection import parse_selection
from crawler.errors import ItemError, UsageError
from crawler.items import ListingEntry
from crawler.jobs import legacy_posts
from crawler.jobs.spider_lookup import find_markup_by_url
from crawler.spiders.base import SourceSpider
from crawler.spiders.choice import ChoiceSpider
from crawler.spiders.eastmoney import EastmoneySpider
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from crawler.spiders.flash import FlashSpider
from tests.support.articles import LEGACY_POSTS_DIR, RECORDED_DIR, create_hostile_article
from tests.support.injection_payloads import all_payloads

INPUTS_PER_PARSER = int(os.environ.get("FINEWS_FUZZ", "150"))
# Milliseconds for one input: far more than any needs, far less than a hang.
FUZZ_SETTINGS = settings(max_examples=INPUTS_PER_PARSER, deadline=5_000, suppress_health_check=list(HealthCheck))

NOW = datetime(2022, 1, 10, 17, 0, tzinfo=CHINA_TZ)
ENTRY = ListingEntry(
    "202201102242171631", "题", NOW, "350", "https://finance.eastmoney.com/a/202201102242171631.html", summary="摘要"
)

HOSTILE_STRINGS = st.sampled_from(list(all_payloads()))
TEXTS = st.one_of(
    HOSTILE_STRINGS, st.text(max_size=200), st.lists(HOSTILE_STRINGS, max_size=4).map("".join), st.characters().map(str)
)
TIME_STRINGS = st.one_of(
    TEXTS,
    st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S")),
    st.tuples(*[st.integers(0, 9999)] * 6).map(lambda parts: "{}-{}-{} {}:{:02}:{:02}".format(*parts)),
    st.integers(0, 99_999).map("{}d".format),
)
FIELD_NAMES = st.sampled_from(
    [
        "code",
        "data",
        "list",
        "message",
        "title",
        "showTime",
        "mediaName",
        "summary",
        "np_dst",
        "totle_hits",
        "page_size",
        "fastNewsList",
        "sortEnd",
        "stockList",
        "records",
        "nodeList",
        "record",
        "infoCode",
        "id",
        "digest",
        "showtime",
        "datetime",
        "from",
        "medianame",
        "text",
        "content",
        "Art_Code",
        "Art_Content",
        "Art_Title",
        "Art_ShowTime",
        "Art_Media_Name",
        "Art_Description",
        "Art_Column_List",
    ]
)
CODES = st.sampled_from([ENTRY.code, "NW" + ENTRY.code, "1", 1])
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, TIME_STRINGS, CODES),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(FIELD_NAMES | TEXTS, values, max_size=6),
    max_leaves=20,
)
LISTING_ROWS = st.dictionaries(FIELD_NAMES, JSON_VALUES, max_size=12)
WRAPPED_JSON_PARTS = st.tuples(st.sampled_from(["", "cb(", "var x=", "\ufeff", "<!DOCTYPE html>"]), LISTING_ROWS | JSON_VALUES, st.sampled_from(["", ")", ");", ";", "x"]))  # fmt: skip
RESPONSE_TEXTS = WRAPPED_JSON_PARTS.map(lambda parts: parts[0] + json.dumps(parts[1]) + parts[2])
SITE = post_format.SiteLinks("//finews.withounder.com")


@st.composite
def mutated_files(draw: st.DrawFn, folder: Path) -> bytes:
    """Return a real file with parts cut, doubled or overwritten."""
    content = draw(st.sampled_from(sorted(path for path in folder.iterdir() if path.is_file()))).read_bytes()[:60_000]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 60)))
        content = content[:start] + draw(st.binary(max_size=8) | HOSTILE_STRINGS.map(lambda text: text.encode("utf-8", "replace"))) + content[draw(st.sampled_from([start, end])) :]  # fmt: skip
    return content


def parse_or_reject(parser: Callable[[], Any], *allowed_errors: type[Exception]) -> Any:
    allowed: tuple[type[Exception], ...] = (ItemError, *allowed_errors)
    try:
        return parser()
    except allowed:
        return None


@FUZZ_SETTINGS
@given(TEXTS)
def test_text_functions(text: str) -> None:
    for parser in (unicode_text.strip_invisible, unicode_text.collapse_whitespace, unicode_text.clean_title, flash_format.extract_trailing_media, flash_format.text_to_html, find_media_name, slugs.name_key, slugs.make_slug, stocks.extract_mentions, clean_media_name):  # fmt: skip
        parser(text)
    flash_format.split_title(text, text)
    flash_format.drop_false_media(text, text)
    find_near_names(text, ["财联社", "21Tech", text])
    find_secid({"href": text, "data-code": text, "id": text}, EASTMONEY_MARKUP)
    assert slugs.SLUG_PATTERN.fullmatch(slugs.make_slug(text))


@FUZZ_SETTINGS
@given(TIME_STRINGS)
def test_dates(text: str) -> None:
    parse_or_reject(lambda: dates.parse_source_datetime(text, CHINA_TZ), ValueError)
    parse_or_reject(lambda: dates.parse_bound(text, NOW, end_of_span=True), ValueError)


@FUZZ_SETTINGS
@given(TEXTS | mutated_files(LEGACY_POSTS_DIR).map(lambda content: content.decode("utf-8", "replace")))
def test_bodies(text: str) -> None:
    for markup in (EASTMONEY_MARKUP, PLAIN_MARKUP):
        cleaned_body = parse_or_reject(partial(clean_html, text, ENTRY.url, markup)) or ""
        cleaned_body.encode("utf-8")
        html_to_text(cleaned_body)
    parse_or_reject(lambda: find_source_line_media(text, EASTMONEY_MARKUP))


@FUZZ_SETTINGS
@given(RESPONSE_TEXTS | TEXTS | mutated_files(RECORDED_DIR).map(lambda content: content.decode("utf-8", "replace")))
def test_json_responses(text: str) -> None:
    parse_or_reject(lambda: json_fields.parse_json(text))


@FUZZ_SETTINGS
@given(LISTING_ROWS, FIELD_NAMES)
def test_json_fields(row: dict[str, Any], name: str) -> None:
    for field in (json_fields.get_text, json_fields.get_rows, json_fields.get_title, json_fields.get_code, json_fields.get_datetime, json_fields.get_count):  # fmt: skip
        parse_or_reject(partial(field, row, name, **({"zone": CHINA_TZ} if field is json_fields.get_datetime else {})))


@FUZZ_SETTINGS
@given(st.lists(TEXTS, min_size=3, max_size=3), st.datetimes(), TEXTS)
def test_articles(texts: list[str], published: datetime, code: str) -> None:
    article = create_hostile_article(texts[0], 1)
    hostile_article = replace(article, title=texts[1], body=texts[2], published=published.replace(tzinfo=CHINA_TZ))
    parse_or_reject(lambda: normalise_article(hostile_article, CategoryRegistry().get_or_create, EASTMONEY_MARKUP))
    parse_or_reject(
        lambda: normalise_article(
            replace(article, entry=replace(article.entry, code=code)),
            CategoryRegistry().get_or_create,
            EASTMONEY_MARKUP,
        )
    )


@FUZZ_SETTINGS
@given(TEXTS | mutated_files(LEGACY_POSTS_DIR).map(lambda content: content.decode("utf-8", "replace")))
def test_post_files(text: str) -> None:
    parse_or_reject(lambda: post_format.parse_post(text, SITE, find_markup_by_url))
    parse_or_reject(
        lambda: post_format.parse_post(
            f'---\nlayout: post\ntitle: "{text}"\ndate: {text}\ncategories: a\ntags: b\n---\n{text}',
            SITE,
            find_markup_by_url,
        )
    )


@FUZZ_SETTINGS
@given(mutated_files(LEGACY_POSTS_DIR) | st.binary(max_size=200), st.sampled_from(["2022-01-10-NW202201102242171631.md", "2021-12-08-202112082206672930.md"]) | TEXTS)  # fmt: skip
def test_legacy_posts(content: bytes, name: str) -> None:
    old_post = legacy_posts.LegacyPost.from_path(name)
    parse_or_reject(lambda: legacy_posts.parse_legacy_post(old_post, content, CategoryRegistry(), NOW))


@FUZZ_SETTINGS
@given(
    st.dictionaries(
        st.sampled_from(["category", "column", "since", "until", "limit", "refresh", "x"]), TEXTS | TIME_STRINGS
    )
)
def test_arguments(arguments: dict[str, str]) -> None:
    columns = EastmoneySpider.columns
    parse_or_reject(
        lambda: parse_selection(
            arguments, columns=columns, default_columns=("350",), registry=CategoryRegistry(), now=NOW
        ),
        UsageError,
    )


def create_spider(spider_class: type[SourceSpider]) -> SourceSpider:
    project_settings = Settings()
    project_settings.setmodule(our_settings)
    return spider_class.from_crawler(Crawler(spider_class, project_settings))


SPIDERS = [create_spider(kind) for kind in (ChoiceSpider, EastmoneySpider, FlashSpider)]


@pytest.mark.parametrize("spider", SPIDERS, ids=lambda spider: str(spider.name))
@FUZZ_SETTINGS
@given(
    text=RESPONSE_TEXTS | TEXTS | mutated_files(RECORDED_DIR).map(lambda content: content.decode("utf-8", "replace")),
    row=LISTING_ROWS,
)
def test_spiders(spider: SourceSpider, text: str, row: dict[str, Any]) -> None:
    # Decoded like the bytes of any response.
    response_text = parse_or_reject(lambda: decode_body(text.encode("utf-8", "replace"))) or ""
    page_text = f'<div id="ContentBody">{response_text}'
    column = next(iter(spider.columns))
    parse_or_reject(lambda: spider.extract_listing(response_text, spider.first_cursor))
    listing_row = {
        "code": ENTRY.code,
        "title": "题",
        "showTime": "2022-01-10 16:20:36",
        "showtime": "2022-01-10 16:20:36",
        **row,
    }
    entry = parse_or_reject(lambda: spider.parse_row(listing_row, column)) or ENTRY
    for extractor in spider.extractors:
        parse_or_reject(partial(extractor.extract, response_text, entry))
        parse_or_reject(partial(extractor.extract, page_text, entry))
    if spider.rows_are_articles:
        assert html.unescape(parse_or_reject(lambda: spider.extract_from_entry(entry)).body) is not None
