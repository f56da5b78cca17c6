"""Dates: parsers for the formats of sources and users, and our own format in China time."""

import calendar
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

# The time zone of the database and the posts, and of what a person types.
CHINA_TZ = timezone(timedelta(hours=8))

# `2022-01-10 16:20:36` in lists, `2026/09/19 01:09:08` in the article response, `2026年08月19日 17:46` on pages.
_SOURCE_DATETIME = re.compile(
    r"(\d{4})(?:-|/|年)(\d{1,2})(?:-|/|月)(\d{1,2})日?\s+(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII
)
# The forms of ISO 8601 and of YAML, and Jekyll's `2022-01-10 16:20:36 +0800`.
_POST_DATETIME = re.compile(
    r"(\d{4}-\d{1,2}-\d{1,2})(?:t|\s+)(\d{1,2}:\d{2}(?::\d{2})?)(?:\.\d*)?\s*(?:(z)|([+-]\d{1,2})(?::?(\d{2}))?)?",
    re.ASCII | re.IGNORECASE,
)
# What a person types, and the span that it names.
_BOUND_SPANS = (
    (re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII), timedelta(days=1)),
    (re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}", re.ASCII), timedelta(minutes=1)),
    (re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}", re.ASCII), timedelta(seconds=1)),
)
_AGE_PATTERN = re.compile(r"(\d{1,5})(mo|[smhdwy])", re.ASCII)
_AGE_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MONTHS_OF_UNIT = {"mo": 1, "y": 12}
AGE_EXAMPLES = "30s, 10m, 2h, 3d, 4w, 18mo or 2y"


def parse_source_datetime(text: str, zone: tzinfo) -> datetime:
    """Read a moment in any of the three forms that sources have; it is of `zone` without saying so.

    >>> parse_source_datetime("2026/09/19 01:09:08", CHINA_TZ).isoformat()
    '2026-09-19T01:09:08+08:00'

    Raises ValueError for anything else, 30 February included.
    """
    match = _SOURCE_DATETIME.fullmatch(text.strip())
    if not match:
        raise ValueError(f"not a time of the source: {text[:40]!r}")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    return datetime(year, month, day, hour, minute, second, tzinfo=zone)


def parse_post_datetime(text: str, zone: tzinfo) -> datetime:
    """Read the date of front matter, to the second; one without an offset is of `zone`.

    >>> parse_post_datetime("2022-01-10T08:20:36.5Z", CHINA_TZ).isoformat()
    '2022-01-10T08:20:36+00:00'

    Raises ValueError for anything else, a day without a time included.
    """
    match = _POST_DATETIME.fullmatch(text.strip())
    if not match:
        return parse_source_datetime(text, zone)
    day, time, utc, hours, minutes = match.groups()
    if utc:
        zone = UTC
    elif hours:
        zone = timezone(timedelta(hours=int(hours), minutes=int(f"{hours[0]}{minutes or 0}")))
    return parse_source_datetime(f"{day} {time}", zone)


def parse_bound(text: str, now: datetime, *, end_of_span: bool = False) -> datetime:
    """Read what a person types for a moment: `2022-01-10`, `2022-01-10 16:20` or an age such as `2d`.

    A day or a minute is a span: its first second, or its last one when `end_of_span`.

    Raises:
        ValueError: the text is neither.
    """
    try:
        if is_age(text):
            return subtract_age(now, text)
        start = datetime.fromisoformat(text.strip()).replace(tzinfo=CHINA_TZ)
        span_length = next(span for pattern, span in _BOUND_SPANS if pattern.fullmatch(text.strip()))
    except (ValueError, OverflowError, StopIteration):
        raise ValueError(
            f"{text[:40]!r} is not a date: type 2022-01-10, '2022-01-10 16:20' or an age such as 2d"
        ) from None
    return start + (span_length - timedelta(seconds=1)) if end_of_span else start


def is_age(text: str) -> bool:
    """Return whether a text is an age, such as `2d`."""
    return _AGE_PATTERN.fullmatch(text.strip()) is not None


def subtract_age(now: datetime, age: str) -> datetime:
    """Return the moment that is an age before `now`; months and years are those of the calendar.

    >>> subtract_age(datetime(2024, 3, 31, tzinfo=CHINA_TZ), "1mo").isoformat()
    '2024-02-29T00:00:00+08:00'

    Raises:
        ValueError: the text is no age, or reaches back before the year 1.
    """
    match = _AGE_PATTERN.fullmatch(age.strip())
    if match is None:
        raise ValueError(f"{age[:40]!r} is not an age: type {AGE_EXAMPLES}")
    number, unit = int(match[1]), match[2]
    try:
        if unit in _AGE_UNITS:
            return now - timedelta(**{_AGE_UNITS[unit]: number})
        year, month_index = divmod(now.year * 12 + now.month - 1 - number * _MONTHS_OF_UNIT[unit], 12)
        last_day = calendar.monthrange(year, month_index + 1)[1]
        return now.replace(year=year, month=month_index + 1, day=min(now.day, last_day))
    except (ValueError, OverflowError):
        raise ValueError(f"{age[:40]!r} is longer ago than the calendar reaches") from None


def format_iso(moment: datetime) -> str:
    """Return `2022-01-10T16:20:36+08:00`, the form of the database."""
    return moment.astimezone(CHINA_TZ).isoformat(timespec="seconds")


def format_jekyll(moment: datetime) -> str:
    """Return `2022-01-10 16:20:36 +0800`, the form of front matter."""
    return format_iso(moment).replace("T", " ").replace("+08:00", " +0800")


def format_duration(seconds: int) -> str:
    """Return a duration in minutes, or hours and minutes, or days and hours.

    >>> [format_duration(seconds) for seconds in (59, 420, 3600, 180_000)]
    ['0 min', '7 min', '1 h 0 min', '2 d 2 h']
    """
    minutes = seconds // 60
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def format_rough_duration(seconds: float) -> str:
    """Return an estimated duration, in seconds below two minutes.

    >>> [format_rough_duration(seconds) for seconds in (0.3, 59, 119.6, 450, 3599)]
    ['1 s', '59 s', '2 min', '8 min', '1 h 0 min']
    """
    whole_seconds = max(1, round(seconds))
    return f"{whole_seconds} s" if whole_seconds < 120 else format_duration(60 * round(whole_seconds / 60))
