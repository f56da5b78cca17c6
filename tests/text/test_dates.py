"""The source's three ways of writing a moment, what a person types, and the two ways in which we write it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.dates import CHINA_TZ, format_iso, format_jekyll, parse_bound, parse_source_datetime

NOW = datetime(2026, 11, 24, 12, 0, 5, tzinfo=CHINA_TZ)
SECOND = timedelta(seconds=1)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31)).map(  # noqa: DTZ001  # the zone follows
    lambda moment: moment.replace(microsecond=0, tzinfo=CHINA_TZ)
)


def china(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=CHINA_TZ)  # type: ignore[misc,arg-type]  # three to six ints


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2022-01-10 16:20:36", china(2022, 1, 10, 16, 20, 36)),
        ("2026/09/19 01:09:08", china(2026, 9, 19, 1, 9, 8)),
        ("2026年08月19日 17:46", china(2026, 8, 19, 17, 46)),
        ("2021年2月3日 9:20", china(2021, 2, 3, 9, 20)),
        ("2021年02月03日 10:20:30", china(2021, 2, 3, 10, 20, 30)),
        ("  2022-01-10 16:20:36\n", china(2022, 1, 10, 16, 20, 36)),
        ("2022-01-10  16:20", china(2022, 1, 10, 16, 20)),
        ("2024-02-29 00:00:00", china(2024, 2, 29)),
    ],
    ids=[
        "list", "article reply", "page", "page without zeros", "page with seconds", "blanks around", "two blanks",
        "leap day",
    ],
)  # fmt: skip
def test_the_sources_forms_are_read_as_china_time(text: str, wanted: datetime) -> None:
    assert parse_source_datetime(text, CHINA_TZ) == wanted
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
def test_what_is_no_time_of_the_source_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_source_datetime(text, CHINA_TZ)


@given(MOMENTS)
@settings(max_examples=100, deadline=None)
def test_every_moment_is_read_back_from_each_form(moment: datetime) -> None:
    assert parse_source_datetime(moment.strftime("%Y-%m-%d %H:%M:%S"), CHINA_TZ) == moment
    assert parse_source_datetime(moment.strftime("%Y/%m/%d %H:%M:%S"), CHINA_TZ) == moment
    assert parse_source_datetime(moment.strftime("%Y年%m月%d日 %H:%M"), CHINA_TZ) == moment.replace(second=0)


@given(MOMENTS)
@settings(max_examples=100, deadline=None)
def test_a_moment_is_written_in_china_time_wherever_it_comes_from(moment: datetime) -> None:
    assert format_iso(moment) == format_iso(moment.astimezone(UTC)) == moment.strftime("%Y-%m-%dT%H:%M:%S+08:00")
    assert format_jekyll(moment) == format_jekyll(moment.astimezone(UTC)) == moment.strftime("%Y-%m-%d %H:%M:%S +0800")
    assert datetime.fromisoformat(format_iso(moment)) == moment


def test_half_a_second_is_not_written() -> None:
    assert format_iso(china(2022, 1, 10).replace(microsecond=999_999)) == "2022-01-10T00:00:00+08:00"


@pytest.mark.parametrize(
    ("text", "first", "span"),
    [
        ("2022-01-10", china(2022, 1, 10), timedelta(days=1)),
        ("2022-01-10 16:20", china(2022, 1, 10, 16, 20), timedelta(minutes=1)),
        ("2022-01-10T16:20", china(2022, 1, 10, 16, 20), timedelta(minutes=1)),
        ("2022-01-10 16:20:36", china(2022, 1, 10, 16, 20, 36), SECOND),
        (" 2022-01-10 ", china(2022, 1, 10), timedelta(days=1)),
        ("2022-12-31", china(2022, 12, 31), timedelta(days=1)),
        ("2024-02-29", china(2024, 2, 29), timedelta(days=1)),
    ],
    ids=["day", "minute", "minute with T", "second", "blanks", "last day of a year", "leap day"],
)
def test_since_is_the_first_second_of_a_span_and_until_its_last(text: str, first: datetime, span: timedelta) -> None:
    assert parse_bound(text, NOW) == first
    assert parse_bound(text, NOW, end_of_span=True) == first + span - SECOND


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("90m", timedelta(minutes=90)),
        ("3h", timedelta(hours=3)),
        ("2d", timedelta(days=2)),
        ("2w", timedelta(weeks=2)),
        ("0d", timedelta(0)),
        (" 2d ", timedelta(days=2)),
    ],
)
def test_an_age_is_a_moment_before_now_for_both_ends(text: str, age: timedelta) -> None:
    assert parse_bound(text, NOW) == NOW - age
    assert parse_bound(text, NOW, end_of_span=True) == NOW - age


def test_the_last_day_of_all_has_an_end_too() -> None:
    assert parse_bound("9999-12-31", NOW, end_of_span=True) == china(9999, 12, 31, 23, 59, 59)


@pytest.mark.parametrize(
    "text",
    [
        "", "today", "昨天", "2022-02-30", "2022-1-1", "20220110", "2022-W02-1", "2022/01/10", "2022-01-10 16",
        "2022-01-10 24:00", "2022-01-10 16:60", "2022-01-10 16:20:60", "2022-01-10 16:20:36+08:00",
        "2022-01-10 16:20:36.5", "２０２２-01-10", "２d", "2D", "2y", "d", "-2d", "2 d", "2.5d", "100000d",
        "2022-01-10,",
    ],
)  # fmt: skip
@pytest.mark.parametrize("last", [False, True], ids=["since", "until"])
def test_what_is_no_date_is_refused_with_what_to_type(text: str, last: bool) -> None:
    with pytest.raises(ValueError, match="is not a date: type 2022-01-10, '2022-01-10 16:20' or an age such as 2d"):
        parse_bound(text, NOW, end_of_span=last)


@given(st.text(max_size=30) | st.from_regex(r"\d{1,5}[mhdw]|\d{4}-\d\d-\d\d( \d\d:\d\d)?", fullmatch=True))
@settings(max_examples=300, deadline=None)
def test_whatever_is_typed_is_a_moment_or_a_value_error(text: str) -> None:
    for last in (False, True):
        try:
            moment = parse_bound(text, NOW, end_of_span=last)
        except ValueError:
            continue
        assert moment.utcoffset() == timedelta(hours=8)
