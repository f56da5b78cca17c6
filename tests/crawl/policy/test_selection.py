"""Selection of a crawl: parsing with a hint for each error, and matching of entries."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import CHINA_TZ
from crawler.crawl.policy.selection import Selection, parse_selection
from crawler.errors import UsageError

NOW = datetime(2022, 1, 12, 12, 0, tzinfo=CHINA_TZ)
COLUMNS = {"344": "财经导读", "345": "资讯精华", "350": "国内经济", "zhibo": "股市直播"}
DEFAULT_COLUMNS = ("344", "345")


def china_time(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=CHINA_TZ)  # type: ignore[misc,arg-type]  # three to six ints


def parse_options(**arguments: str) -> Selection:
    return parse_selection(
        arguments, columns=COLUMNS, default_columns=DEFAULT_COLUMNS, registry=CategoryRegistry(), now=NOW
    )


def test_no_arguments_select_the_default_columns() -> None:
    assert parse_options() == Selection(columns=DEFAULT_COLUMNS)


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_column_argument_is_ids_or_names(text: str, expected: tuple[str, ...]) -> None:
    assert parse_options(column=text).columns == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zhongguonongwang", ["zhongguonongwang"]),
        ("中国农网", ["zhongguonongwang"]),
        ("中国农网,cailianshe", ["zhongguonongwang", "cailianshe"]),
        ("中国农网，财联社", ["zhongguonongwang", "cailianshe"]),
        ("不存在的新报纸", ["bucunzaidexinbaozhi"]),
    ],
    ids=["slug", "name", "two", "full-width comma", "new name"],
)
def test_category_argument_is_slugs_or_names(text: str, expected: list[str]) -> None:
    assert [category.slug for category in parse_options(category=text).categories] == expected


@pytest.mark.parametrize(
    ("arguments", "since", "until"),
    [
        ({"since": "2022-01-10"}, china_time(2022, 1, 10), None),
        ({"until": "2022-01-10"}, None, china_time(2022, 1, 10, 23, 59, 59)),
        ({"since": "2022-01-10", "until": "2022-01-10"}, china_time(2022, 1, 10), china_time(2022, 1, 10, 23, 59, 59)),
        ({"since": "2022-01-10 16:20", "until": "2022-01-10 16:20"}, china_time(2022, 1, 10, 16, 20), china_time(2022, 1, 10, 16, 20, 59)),
        ({"since": "2d", "until": "1d"}, NOW - timedelta(days=2), NOW - timedelta(days=1)),
        ({"since": "2d", "until": "2d"}, NOW - timedelta(days=2), NOW - timedelta(days=2)),
    ],
    ids=["since a day", "until a day", "one day", "one minute", "ages", "the same age"],
)  # fmt: skip
def test_since_and_until_are_first_and_last_seconds(
    arguments: dict[str, str], since: datetime | None, until: datetime | None
) -> None:
    selection = parse_options(**arguments)
    assert (selection.since, selection.until) == (since, until)


def test_refresh_is_a_first_second() -> None:
    assert parse_options(refresh="2022-01-10").refresh == china_time(2022, 1, 10)
    assert parse_options(refresh="2d").refresh == NOW - timedelta(days=2)


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("007", 7), ("5000", 5000)])
def test_limit_is_a_positive_number(text: str, expected: int) -> None:
    assert parse_options(limit=text).limit == expected


USAGE_ERROR_CASES: dict[str, tuple[dict[str, str], str]] = {
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
    "limit of words": ({"limit": "ten"}, "--limit 'ten' is not a positive number: type one such as 100"),
    "limit zero": ({"limit": "0"}, "--limit '0' is not a positive number: type one such as 100"),
    "limit below zero": ({"limit": "-1"}, "--limit '-1' is not a positive number: type one such as 100"),
    "limit with a point": ({"limit": "1.5"}, "--limit '1.5' is not a positive number: type one such as 100"),
    "limit empty": ({"limit": ""}, "--limit '' is not a positive number: type one such as 100"),
    "limit in full width": ({"limit": "５"}, "--limit '５' is not a positive number: type one such as 100"),
    "limit of a power": ({"limit": "²"}, "--limit '²' is not a positive number: type one such as 100"),
}


@pytest.mark.parametrize(("arguments", "expected"), USAGE_ERROR_CASES.values(), ids=USAGE_ERROR_CASES.keys())
def test_wrong_argument_is_a_one_line_usage_error(arguments: dict[str, str], expected: str) -> None:
    with pytest.raises(UsageError) as exc_info:
        parse_options(**arguments)
    assert str(exc_info.value).startswith(expected)
    assert "\n" not in str(exc_info.value)
    assert exc_info.value.exit_code == 2


def test_until_the_last_possible_day() -> None:
    assert parse_options(until="9999-12-31").until == china_time(9999, 12, 31, 23, 59, 59)


def test_huge_limit_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"^--limit "):
        parse_options(limit="9" * 5_000)


@given(
    st.dictionaries(
        st.sampled_from(["category", "column", "since", "until", "limit", "refresh", "x"]), st.text(max_size=20)
    )
)
@settings(max_examples=200, deadline=None)
def test_any_arguments_are_a_selection_or_a_usage_error(arguments: dict[str, str]) -> None:
    try:
        selection = parse_options(**arguments)
    except UsageError as error:
        message = str(error)
    else:
        message = ""
        assert set(selection.columns) <= set(COLUMNS)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, True),
        ({"column": "350", "since": "2d", "refresh": "2d"}, True),
        ({"category": "中国农网"}, False),
        ({"until": "1d"}, False),
        ({"limit": "5"}, False),
    ],
    ids=["nothing asked", "columns, since, refresh", "category", "until", "limit"],
)
def test_is_unfiltered(arguments: dict[str, str], expected: bool) -> None:
    assert parse_options(**arguments).is_unfiltered is expected
