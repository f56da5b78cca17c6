"""What a person asked to crawl: every slip is told what to type, and every entry whether it is wanted."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.selection import Selection, parse_selection
from crawler.errors import UsageError
from crawler.items import ListingEntry, Reason

NOW = datetime(2022, 1, 12, 12, 0, tzinfo=CHINA_TZ)
COLUMNS = {"344": "财经导读", "345": "资讯精华", "350": "国内经济", "zhibo": "股市直播"}
DEFAULT = ("344", "345")


def china(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=CHINA_TZ)  # type: ignore[misc,arg-type]  # three to six ints


def asked(**arguments: str) -> Selection:
    return parse_selection(arguments, columns=COLUMNS, default_columns=DEFAULT, registry=CategoryRegistry(), now=NOW)


def entry(**changes: Any) -> ListingEntry:
    parts: dict[str, Any] = {
        "code": "202201102242171631",
        "title": "题",
        "published": china(2022, 1, 10, 16, 20, 36),
        "column": "350",
        "url": "https://finance.eastmoney.com/a/202201102242171631.html",
        "media": "中国农网",
    }
    return ListingEntry(**{**parts, **changes})


# Reading


def test_nothing_asked_is_everything_of_the_default_columns() -> None:
    assert asked() == Selection(columns=DEFAULT)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("350", ("350",)),
        ("国内经济", ("350",)),
        ("350,345", ("350", "345")),
        ("350, 资讯精华", ("350", "345")),
        ("350，345", ("350", "345")),
        ("350,350", ("350",)),
        ("350,,345,", ("350", "345")),
        ("zhibo", ("zhibo",)),
    ],
    ids=["id", "name", "two", "id and name", "full-width comma", "twice", "empty parts", "id of letters"],
)
def test_columns_are_ids_or_names(text: str, wanted: tuple[str, ...]) -> None:
    assert asked(column=text).columns == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("zhongguonongwang", ["zhongguonongwang"]),
        ("中国农网", ["zhongguonongwang"]),
        ("中国农网,cailianshe", ["zhongguonongwang", "cailianshe"]),
        ("中国农网，财联社", ["zhongguonongwang", "cailianshe"]),
        ("不存在的新报纸", ["bucunzaidexinbaozhi"]),
    ],
    ids=["slug", "name", "two", "full-width comma", "new name"],
)
def test_categories_are_slugs_or_names(text: str, wanted: list[str]) -> None:
    assert [category.slug for category in asked(category=text).categories] == wanted


@pytest.mark.parametrize(
    ("arguments", "since", "until"),
    [
        ({"since": "2022-01-10"}, china(2022, 1, 10), None),
        ({"until": "2022-01-10"}, None, china(2022, 1, 10, 23, 59, 59)),
        ({"since": "2022-01-10", "until": "2022-01-10"}, china(2022, 1, 10), china(2022, 1, 10, 23, 59, 59)),
        ({"since": "2022-01-10 16:20", "until": "2022-01-10 16:20"}, china(2022, 1, 10, 16, 20), china(2022, 1, 10, 16, 20, 59)),
        ({"since": "2d", "until": "1d"}, NOW - timedelta(days=2), NOW - timedelta(days=1)),
        ({"since": "2d", "until": "2d"}, NOW - timedelta(days=2), NOW - timedelta(days=2)),
    ],
    ids=["since a day", "until a day", "one day", "one minute", "ages", "the same age"],
)  # fmt: skip
def test_bounds_are_the_first_and_the_last_second(
    arguments: dict[str, str], since: datetime | None, until: datetime | None
) -> None:
    selection = asked(**arguments)
    assert (selection.since, selection.until) == (since, until)


def test_refresh_is_a_first_second_too() -> None:
    assert asked(refresh="2022-01-10").refresh == china(2022, 1, 10)
    assert asked(refresh="2d").refresh == NOW - timedelta(days=2)


@pytest.mark.parametrize(("text", "wanted"), [("1", 1), ("007", 7), ("5000", 5000)])
def test_a_limit_is_a_number_from_one_up(text: str, wanted: int) -> None:
    assert asked(limit=text).limit == wanted


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "argument misspelt": ({"categroy": "x"}, "unknown argument 'categroy': did you mean category?"),
    "argument in the plural": ({"columns": "350"}, "unknown argument 'columns': did you mean column?"),
    "argument that is none": (
        {"qqq": "1"},
        "unknown argument 'qqq': there are category, column, since, until, limit",
    ),
    "category misspelt": (
        {"category": "zhongguonongwan"},
        "unknown category 'zhongguonongwan': did you mean zhongguonongwang (中国农网)",
    ),
    "second category misspelt": (
        {"category": "财联社,zhongguonongwan"},
        "unknown category 'zhongguonongwan': did you mean",
    ),
    "category that is none": (
        {"category": "qqqqqqqq"},
        "unknown category 'qqqqqqqq': `finews categories --all` lists them",
    ),
    "category empty": ({"category": ""}, "--category is empty: name one, or leave the option out"),
    "category of commas": ({"category": " , ，"}, "--category is empty: name one, or leave the option out"),
    "column unknown": ({"column": "999"}, "unknown column '999': type an id or a name that `finews columns` lists"),
    "column misspelt": ({"column": "国内经计"}, "unknown column '国内经计': did you mean 国内经济"),
    "column nearly right": ({"column": "3500"}, "unknown column '3500': did you mean 350"),
    "column empty": ({"column": ""}, "--column is empty: name one, or leave the option out"),
    "since that is no date": (
        {"since": "gestern"},
        "--since: 'gestern' is not a date: type 2022-01-10, '2022-01-10 16:20' or an age such as 2d",
    ),
    "until that is no date": ({"until": "2022-02-30"}, "--until: '2022-02-30' is not a date: type 2022-01-10"),
    "refresh that is no date": ({"refresh": "x"}, "--refresh: 'x' is not a date: type 2022-01-10"),
    "since empty": ({"since": ""}, "--since: '' is not a date: type 2022-01-10"),
    "since after until": (
        {"since": "2022-01-11", "until": "2022-01-10"},
        "--since 2022-01-11 is after --until 2022-01-10: swap them",
    ),
    "ages the wrong way round": ({"since": "1d", "until": "2d"}, "--since 1d is after --until 2d: swap them"),
    "limit of words": ({"limit": "ten"}, "--limit 'ten' is not a number: type one from 1 up"),
    "limit zero": ({"limit": "0"}, "--limit '0' is not a number: type one from 1 up"),
    "limit below zero": ({"limit": "-1"}, "--limit '-1' is not a number: type one from 1 up"),
    "limit with a point": ({"limit": "1.5"}, "--limit '1.5' is not a number: type one from 1 up"),
    "limit empty": ({"limit": ""}, "--limit '' is not a number: type one from 1 up"),
    "limit in full width": ({"limit": "５"}, "--limit '５' is not a number: type one from 1 up"),
    "limit of a power": ({"limit": "²"}, "--limit '²' is not a number: type one from 1 up"),
}


@pytest.mark.parametrize(("arguments", "told"), WRONG.values(), ids=WRONG.keys())
def test_every_slip_is_one_line_that_says_what_to_type(arguments: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(**arguments)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_last_day_of_all_can_be_asked_for() -> None:
    assert asked(until="9999-12-31").until == china(9999, 12, 31, 23, 59, 59)


def test_a_limit_of_thousands_of_digits_is_a_slip() -> None:
    with pytest.raises(UsageError, match=r"^--limit "):
        asked(limit="9" * 5_000)


@given(
    st.dictionaries(
        st.sampled_from(["category", "column", "since", "until", "limit", "refresh", "x"]), st.text(max_size=20)
    )
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_typed_is_a_selection_or_a_usage_error(arguments: dict[str, str]) -> None:
    try:
        selection = asked(**arguments)
    except UsageError as error:
        told = str(error)
    else:
        told = ""
        assert set(selection.columns) <= set(COLUMNS)
    assert "\n" not in told


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({}, True),
        ({"column": "350", "since": "2d", "refresh": "2d"}, True),
        ({"category": "中国农网"}, False),
        ({"until": "1d"}, False),
        ({"limit": "5"}, False),
    ],
    ids=["nothing asked", "columns, since, refresh", "category", "until", "limit"],
)
def test_whether_everything_that_is_walked_by_is_taken(arguments: dict[str, str], wanted: bool) -> None:
    assert asked(**arguments).is_unfiltered is wanted


# Entries

ALL = Selection(columns=DEFAULT)
MEDIA = CategoryRegistry()
TWO = Selection(columns=DEFAULT, categories=(MEDIA.get_or_create("中国农网"), MEDIA.get_or_create("21世纪经济报道")))
DAY = Selection(columns=DEFAULT, since=china(2022, 1, 10), until=china(2022, 1, 10, 23, 59, 59))

UNWANTED: dict[str, tuple[Selection, dict[str, Any], tuple[Reason, str] | None]] = {
    "all": (ALL, {}, None),
    "all, without media": (ALL, {"media": ""}, None),
    "category asked": (TWO, {}, None),
    "category asked, other spelling": (TWO, {"media": " <em>中国</em>农网"}, None),
    "category asked, by its alias": (TWO, {"media": "21世界经济报道"}, None),
    "another category": (TWO, {"media": "财联社"}, (Reason.OTHER_CATEGORY, "category: 财联社")),
    "a media that nobody knows": (
        TWO,
        {"media": "不存在的新报纸"},
        (Reason.OTHER_CATEGORY, "category: 不存在的新报纸"),
    ),
    "no media": (TWO, {"media": ""}, (Reason.OTHER_CATEGORY, "category: the listing names no media")),
    "media of blanks": (TWO, {"media": " \u200b"}, (Reason.OTHER_CATEGORY, "category: the listing names no media")),
    "media that is no name": (
        TWO,
        {"media": "报" * 41},
        (Reason.OTHER_CATEGORY, "category: the listing names no media"),
    ),
    "first second": (DAY, {"published": china(2022, 1, 10)}, None),
    "last second": (DAY, {"published": china(2022, 1, 10, 23, 59, 59)}, None),
    "a second before": (DAY, {"published": china(2022, 1, 9, 23, 59, 59)}, (Reason.BEFORE_SINCE, "before --since")),
    "a second after": (DAY, {"published": china(2022, 1, 11)}, (Reason.AFTER_UNTIL, "after --until")),
    "both wrong": (
        Selection(columns=DEFAULT, categories=TWO.categories, since=china(2022, 1, 11)),
        {"media": "财联社"},
        (Reason.OTHER_CATEGORY, "category: 财联社"),
    ),
}


@pytest.mark.parametrize(("selection", "changes", "reason"), UNWANTED.values(), ids=UNWANTED.keys())
def test_why_an_entry_is_not_wanted(
    selection: Selection, changes: dict[str, Any], reason: tuple[Reason, str] | None
) -> None:
    assert selection.skip_reason(entry(**changes), MEDIA) == reason


def test_asking_why_makes_no_category() -> None:
    media = CategoryRegistry()
    TWO.skip_reason(entry(media="不存在的新报纸"), media)
    assert media.find("不存在的新报纸") is None
