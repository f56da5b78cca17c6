"""Entries to fetch, and the outcomes of the others."""

from datetime import datetime
from typing import Any

import pytest

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.entry_filter import EntryFilter
from crawler.crawl.policy.selection import Selection
from crawler.items import ListingEntry, Reason

DEFAULT_COLUMNS = ("344", "345")


def china_time(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=CHINA_TZ)  # type: ignore[misc,arg-type]  # three to six ints


def create_entry(**changes: Any) -> ListingEntry:
    fields: dict[str, Any] = {
        "code": "202201102242171631",
        "title": "题",
        "published": china_time(2022, 1, 10, 16, 20, 36),
        "column": "350",
        "url": "https://finance.eastmoney.com/a/202201102242171631.html",
        "media": "中国农网",
    }
    return ListingEntry(**{**fields, **changes})


EVERYTHING = Selection(columns=DEFAULT_COLUMNS)
REGISTRY = CategoryRegistry()
TWO_CATEGORIES = Selection(
    columns=DEFAULT_COLUMNS, categories=(REGISTRY.get_or_create("中国农网"), REGISTRY.get_or_create("21世纪经济报道"))
)
ONE_DAY = Selection(columns=DEFAULT_COLUMNS, since=china_time(2022, 1, 10), until=china_time(2022, 1, 10, 23, 59, 59))
SKIP_REASON_CASES: dict[str, tuple[Selection, dict[str, Any], tuple[Reason, str] | None]] = {
    "all": (EVERYTHING, {}, None),
    "all, without media": (EVERYTHING, {"media": ""}, None),
    "category asked": (TWO_CATEGORIES, {}, None),
    "category asked, other spelling": (TWO_CATEGORIES, {"media": " <em>中国</em>农网"}, None),
    "category asked, by its alias": (TWO_CATEGORIES, {"media": "21世界经济报道"}, None),
    "another category": (TWO_CATEGORIES, {"media": "财联社"}, (Reason.OTHER_CATEGORY, "category: 财联社")),
    "an unknown media": (
        TWO_CATEGORIES,
        {"media": "不存在的新报纸"},
        (Reason.OTHER_CATEGORY, "category: 不存在的新报纸"),
    ),
    "no media": (TWO_CATEGORIES, {"media": ""}, (Reason.OTHER_CATEGORY, "category: the listing names no media")),
    "media of blanks": (
        TWO_CATEGORIES,
        {"media": " \u200b"},
        (Reason.OTHER_CATEGORY, "category: the listing names no media"),
    ),
    "media that is no name": (
        TWO_CATEGORIES,
        {"media": "报" * 41},
        (Reason.OTHER_CATEGORY, "category: the listing names no media"),
    ),
    "first second": (ONE_DAY, {"published": china_time(2022, 1, 10)}, None),
    "last second": (ONE_DAY, {"published": china_time(2022, 1, 10, 23, 59, 59)}, None),
    "a second before": (
        ONE_DAY,
        {"published": china_time(2022, 1, 9, 23, 59, 59)},
        (Reason.BEFORE_SINCE, "before --since"),
    ),
    "a second after": (ONE_DAY, {"published": china_time(2022, 1, 11)}, (Reason.AFTER_UNTIL, "after --until")),
    "both wrong": (
        Selection(columns=DEFAULT_COLUMNS, categories=TWO_CATEGORIES.categories, since=china_time(2022, 1, 11)),
        {"media": "财联社"},
        (Reason.OTHER_CATEGORY, "category: 财联社"),
    ),
}


@pytest.mark.parametrize(("selection", "changes", "reason"), SKIP_REASON_CASES.values(), ids=SKIP_REASON_CASES.keys())
def test_skip_reason(selection: Selection, changes: dict[str, Any], reason: tuple[Reason, str] | None) -> None:
    assert selection.skip_reason(create_entry(**changes), REGISTRY) == reason


@pytest.mark.parametrize(("media", "is_listed"), [("不存在的 新报纸", True), ("财联社", False), ("", False)])
def test_media_that_is_new_is_found_by_its_name(media: str, is_listed: bool) -> None:
    """A new media is in the registry once its first article is saved."""
    new_media = CategoryRegistry().get_or_create("不存在的新报纸")
    selection = Selection(columns=DEFAULT_COLUMNS, categories=(new_media,))
    entry_filter = EntryFilter("eastmoney", frozenset(), selection, CategoryRegistry())
    decision = entry_filter.decide(create_entry(media=media), None, is_duplicate=False)
    assert (decision.outcome is None) is is_listed
    assert entry_filter.listed_slugs == ({new_media.slug} if is_listed else set())


def test_entry_that_another_filter_leaves_out_is_listed() -> None:
    selection = Selection(columns=DEFAULT_COLUMNS, categories=TWO_CATEGORIES.categories, since=china_time(2022, 1, 11))
    entry_filter = EntryFilter("eastmoney", frozenset(), selection, REGISTRY)
    assert entry_filter.decide(create_entry(), None, is_duplicate=False).reason is Reason.BEFORE_SINCE
    assert entry_filter.listed_slugs == {"zhongguonongwang"}


def test_skip_reason_creates_no_category() -> None:
    registry = CategoryRegistry()
    TWO_CATEGORIES.skip_reason(create_entry(media="不存在的新报纸"), registry)
    assert registry.find("不存在的新报纸") is None
