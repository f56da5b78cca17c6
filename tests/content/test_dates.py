"""The source's three ways of writing a moment, what a person types, and the two ways in which we write it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.dates import CHINA_TZ, format_iso, format_jekyll, parse_bound, parse_source_datetime, subtract_age

NOW = datetime(2026, 11, 24, 12, 0, 5, tzinfo=CHINA_TZ)
SECOND = timedelta(seconds=1)
CHINA_TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31)).map(  # noqa: DTZ001  # the zone follows
    lambda moment: moment.replace(microsecond=0, tzinfo=CHINA_TZ)
)


def china_time(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=CHINA_TZ)  # type: ignore[misc,arg-type]  # three to six ints


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022-01-10 16:20:36", china_time(2022, 1, 10, 16, 20, 36)),
        ("2026/09/19 01:09:08", china_time(2026, 9, 19, 1, 9, 8)),
        ("2026年08月19日 17:46", china_time(2026, 8, 19, 17, 46)),
        ("2021年2月3日 9:20", china_time(2021, 2, 3, 9, 20)),
        ("2021年02月03日 10:20:30", china_time(2021, 2, 3, 10, 20, 30)),
        ("  2022-01-10 16:20:36\n", china_time(2022, 1, 10, 16, 20, 36)),
        ("2022-01-10  16:20", china_time(2022, 1, 10, 16, 20)),
        ("2024-02-29 00:00:00", china_time(2024, 2, 29)),
    ],
    ids=[
        "list", "article response", "page", "page without zeros", "page with seconds", "blanks around", "two blanks",
        "leap day",
    ],
)  # fmt: skip
def test_source_formats_are_parsed_as_china_time(text: str, expected: datetime) -> None:
    assert parse_source_datetime(text, CHINA_TZ) == expected
    assert parse_source_datetime(text, CHINA_TZ).utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    "text",
    [
        "", "今天 10:00", "2022-01-10", "2022-01-10T16:20:36", "22-01-10 16:20:36", "2022-1a-10 16:20:36",
        "2022-02-30 10:00:00", "2022-02-29 10:00:00", "2022-13-01 10:00:00", "2022-00-10 10:00:00",
        "0000-00-00 00:00:00", "2022-01-10 24:00:00", "2022-01-10 23:60:00", "2022-01-10 23:59:60",
        "２０２２-01-10 16:20:36", "٢٠٢٢-01-10 16:20:36", "1641802836000", "2022-01-10 16:20:36.5",
        "2022-01-10 16:20:36 +0800", "2022-01-10 16:20:36Z", "x2022-01-10 16:20:36", "2022-01-10 16:20:36\n---",
        "None", "2022-01-10 6:2",
    ],
)  # fmt: skip
def test_invalid_source_time_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_source_datetime(text, CHINA_TZ)


@given(CHINA_TIMES)
@settings(max_examples=100, deadline=None)
def test_each_format_round_trip(moment: datetime) -> None:
    assert parse_source_datetime(moment.strftime("%Y-%m-%d %H:%M:%S"), CHINA_TZ) == moment
    assert parse_source_datetime(moment.strftime("%Y/%m/%d %H:%M:%S"), CHINA_TZ) == moment
    assert parse_source_datetime(moment.strftime("%Y年%m月%d日 %H:%M"), CHINA_TZ) == moment.replace(second=0)


@given(CHINA_TIMES)
@settings(max_examples=100, deadline=None)
def test_time_is_written_in_china_time(moment: datetime) -> None:
    assert format_iso(moment) == format_iso(moment.astimezone(UTC)) == moment.strftime("%Y-%m-%dT%H:%M:%S+08:00")
    assert format_jekyll(moment) == format_jekyll(moment.astimezone(UTC)) == moment.strftime("%Y-%m-%d %H:%M:%S +0800")
    assert datetime.fromisoformat(format_iso(moment)) == moment


def test_fractions_of_a_second_are_dropped() -> None:
    assert format_iso(china_time(2022, 1, 10).replace(microsecond=999_999)) == "2022-01-10T00:00:00+08:00"


@pytest.mark.parametrize(
    ("text", "first", "span"),
    [
        ("2022-01-10", china_time(2022, 1, 10), timedelta(days=1)),
        ("2022-01-10 16:20", china_time(2022, 1, 10, 16, 20), timedelta(minutes=1)),
        ("2022-01-10T16:20", china_time(2022, 1, 10, 16, 20), timedelta(minutes=1)),
        ("2022-01-10 16:20:36", china_time(2022, 1, 10, 16, 20, 36), SECOND),
        (" 2022-01-10 ", china_time(2022, 1, 10), timedelta(days=1)),
        ("2022-12-31", china_time(2022, 12, 31), timedelta(days=1)),
        ("2024-02-29", china_time(2024, 2, 29), timedelta(days=1)),
    ],
    ids=["day", "minute", "minute with T", "second", "blanks", "last day of a year", "leap day"],
)
def test_bounds_are_first_and_last_second_of_the_span(text: str, first: datetime, span: timedelta) -> None:
    assert parse_bound(text, NOW) == first
    assert parse_bound(text, NOW, end_of_span=True) == first + span - SECOND


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("30s", timedelta(seconds=30)),
        ("90m", timedelta(minutes=90)),
        ("3h", timedelta(hours=3)),
        ("2d", timedelta(days=2)),
        ("2w", timedelta(weeks=2)),
        ("0d", timedelta(0)),
        (" 2d ", timedelta(days=2)),
    ],
)
def test_age_is_relative_to_now_for_both_bounds(text: str, age: timedelta) -> None:
    assert parse_bound(text, NOW) == NOW - age
    assert parse_bound(text, NOW, end_of_span=True) == NOW - age


@pytest.mark.parametrize(
    ("now", "age", "expected"),
    [
        (china_time(2026, 11, 28, 16), "18mo", china_time(2025, 5, 28, 16)),
        (china_time(2026, 11, 28, 16), "2y", china_time(2024, 11, 28, 16)),
        (china_time(2024, 3, 31), "1mo", china_time(2024, 2, 29)),
        (china_time(2024, 2, 29), "1y", china_time(2023, 2, 28)),
        (china_time(2026, 1, 15), "1mo", china_time(2025, 12, 15)),
        (china_time(2026, 1, 15), "0mo", china_time(2026, 1, 15)),
    ],
)
def test_months_and_years_are_those_of_the_calendar(now: datetime, age: str, expected: datetime) -> None:
    assert parse_bound(age, now) == subtract_age(now, age) == expected


@pytest.mark.parametrize("age", ["", "2", "d", "2022-01-10", "-1d", "3000y", "1.5h"])
def test_what_is_no_age_is_an_error_that_names_it(age: str) -> None:
    with pytest.raises(ValueError, match=f"^'{age}' is (not an age: type 30s|longer ago)"):
        subtract_age(NOW, age)


def test_last_possible_day_has_an_end() -> None:
    assert parse_bound("9999-12-31", NOW, end_of_span=True) == china_time(9999, 12, 31, 23, 59, 59)


@pytest.mark.parametrize(
    "text",
    [
        "", "today", "昨天", "2022-02-30", "2022-1-1", "20220110", "2022-W02-1", "2022/01/10", "2022-01-10 16",
        "2022-01-10 24:00", "2022-01-10 16:60", "2022-01-10 16:20:60", "2022-01-10 16:20:36+08:00",
        "2022-01-10 16:20:36.5", "２０２２-01-10", "２d", "2D", "2j", "d", "2M", "-2d", "2 d", "2.5d", "100000d",
        "2022-01-10,",
    ],
)  # fmt: skip
@pytest.mark.parametrize("last", [False, True], ids=["since", "until"])
def test_invalid_date_error_says_what_to_type(text: str, last: bool) -> None:
    with pytest.raises(ValueError, match="is not a date: type 2022-01-10, '2022-01-10 16:20' or an age such as 2d"):
        parse_bound(text, NOW, end_of_span=last)


@given(st.text(max_size=30) | st.from_regex(r"\d{1,5}(mo|[smhdwy])|\d{4}-\d\d-\d\d( \d\d:\d\d)?", fullmatch=True))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    for last in (False, True):
        try:
            moment = parse_bound(text, NOW, end_of_span=last)
        except ValueError:
            continue
        assert moment.utcoffset() == timedelta(hours=8)
