"""Bar charts of article counts, as the numbers that the macro `chart_figure` of parts.html draws as SVG."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, groupby
from typing import Any

from crawler.content.unicode_text import collapse_whitespace

# Media with a colour of their own in serve.css; the others share one series.
_MAX_COLOURED_SERIES = 7
_OTHER_MEDIA = "其他"
# Days in a chart before it shows weeks, or weeks before it shows months: more bars are too narrow to be distinguished.
_MIN_BARS, _MAX_BARS = 30, 62
_MAX_X_LABELS = 6
_MAX_Y_STEPS = 5


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bar chart, `width` pixels wide.

    `series_names` are in the order of their colours, which is also the order of each bar from its foot. `rows` are the
    bars: each label with one number per series.
    """

    width: int
    series_names: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]

    @property
    def label_interval(self) -> int:
        """Return the number of bars from one label of the x axis to the next."""
        return math.ceil(len(self.rows) / _MAX_X_LABELS)

    @property
    def y_ticks(self) -> range:
        """Return the numbers at the y axis, from 0 in steps of 1, 2 or 5 times a power of ten to the highest bar.

        >>> [list(Chart(480, ["a", "b"], [("01-01", [number, 1])]).y_ticks) for number in (0, 6, 416)]
        [[0, 1], [0, 2, 4, 6, 8], [0, 100, 200, 300, 400, 500]]
        """
        highest = max(1, *(sum(numbers) for _, numbers in self.rows))
        steps = (factor * 10**exponent for exponent in count() for factor in (1, 2, 5))
        step = next(step for step in steps if step * _MAX_Y_STEPS >= highest)
        return range(0, highest + step, step)


def chart_articles_per_media(daily_counts: Iterable[Mapping[str, Any]], days: int) -> Chart | None:
    """Return a chart of the articles per day and media; None if there are none.

    The media with most articles have a series each, all others share one. `days` is the number of days shown.
    """
    rows = [(row["day"], collapse_whitespace(row["media"]), row["articles"]) for row in daily_counts]
    if not rows:
        return None
    totals: Counter[str] = Counter()
    for _, media, number in rows:
        totals[media] += number
    top_media = [media for media, _ in totals.most_common(_MAX_COLOURED_SERIES)]
    counts: Counter[tuple[str, str]] = Counter()
    for day, media, number in rows:
        counts[day, media if media in top_media else _OTHER_MEDIA] += number
    last_day = date.fromisoformat(max(day for day, *_ in rows))
    shown_days = [(last_day - timedelta(days=days_ago)).isoformat() for days_ago in reversed(range(days))]
    series_names = [*dict.fromkeys((*top_media, _OTHER_MEDIA))] if len(totals) > _MAX_COLOURED_SERIES else top_media
    return Chart(480, series_names, [(day[5:], [counts[day, name] for name in series_names]) for day in shown_days])


def chart_articles_over_time(series_name: str, daily_counts: Iterable[Mapping[str, Any]], newest: str) -> Chart | None:
    """Return a chart of the articles per day, week or month, up to the newest day; None if there are none."""
    counts_by_day = {row["day"]: row["articles"] for row in daily_counts}
    if not counts_by_day:
        return None
    last_day = date.fromisoformat(max(newest, *counts_by_day))
    first_day = min(date.fromisoformat(min(counts_by_day)), last_day - timedelta(days=_MIN_BARS - 1))
    days = [first_day + timedelta(days=offset) for offset in range((last_day - first_day).days + 1)]
    groups = ((label, (counts_by_day.get(day.isoformat(), 0) for day in group)) for label, group in _group_days(days))
    return Chart(720, [series_name], [(label, [sum(numbers)]) for label, numbers in groups])


def _group_days(days: Sequence[date]) -> Iterable[tuple[str, list[date]]]:
    """Return the days one by one, by weeks or by months, each group with its label."""
    if len(days) <= _MAX_BARS:
        return [(f"{day:%m-%d}", [day]) for day in days]
    if len(days) <= 7 * _MAX_BARS:
        days_by_week = groupby(days, lambda day: date.fromordinal(day.toordinal() - day.weekday()))
        return [(f"{monday:%m-%d}", list(group)) for monday, group in days_by_week]
    return [(month, list(group)) for month, group in groupby(days, lambda day: f"{day:%Y-%m}")]
