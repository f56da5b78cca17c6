"""Charts as SVG inside the page, drawn by pygal: no script, and colours from our own style sheet.

Datasette's usual plugin, datasette-vega 0.6.2, builds functions from text in the browser, which needs `unsafe-eval`.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import pygal

from crawler.content.unicode_text import collapse_whitespace

# So many media have a colour of their own.
MAX_COLOURED_SERIES = 7
_OTHER_MEDIA = "其他"
_MIN_BARS, _MAX_BARS = 30, 62
_MAX_X_LABELS = 6


@dataclass(frozen=True, slots=True)
class Chart:
    """`svg` is markup of our own making; `series_names` are its series', in the order of the colours.

    `rows` is what it shows: each label with the numbers of the series.
    """

    svg: str
    series_names: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]


def chart_articles_per_media(daily_counts: Iterable[Mapping[str, Any]], days: int) -> Chart | None:
    """Articles of each day by media, those with most articles first and the rest as one; None where there are none."""
    rows = [(row["day"], collapse_whitespace(row["media"]), row["articles"]) for row in daily_counts]
    if not rows:
        return None
    totals: Counter[str] = Counter()
    for _, media, number in rows:
        totals[media] += number
    top_media = [media for media, _ in totals.most_common(MAX_COLOURED_SERIES)]
    counts: Counter[tuple[str, str]] = Counter()
    for day, media, number in rows:
        counts[day, media if media in top_media else _OTHER_MEDIA] += number
    last_day = date.fromisoformat(max(day for day, *_ in rows))
    shown_days = [(last_day - timedelta(days=days_ago)).isoformat() for days_ago in reversed(range(days))]
    series_names = [*top_media, _OTHER_MEDIA] if len(totals) > MAX_COLOURED_SERIES else top_media
    series = {name: [counts[day, name] for day in shown_days] for name in series_names}
    return _draw_chart([day[5:] for day in shown_days], series, width=480)


def chart_articles_over_time(series_name: str, daily_counts: Iterable[Mapping[str, Any]], newest: str) -> Chart | None:
    """Articles of each day, or week, or month, up to the newest day; None where there are none."""
    counts_by_day = {row["day"]: row["articles"] for row in daily_counts}
    if not counts_by_day:
        return None
    last_day = date.fromisoformat(max(newest, *counts_by_day))
    first_day = min(date.fromisoformat(min(counts_by_day)), last_day - timedelta(days=_MIN_BARS - 1))
    days = [first_day + timedelta(days=offset) for offset in range((last_day - first_day).days + 1)]
    counts_by_group = [
        (label, sum(counts_by_day.get(day.isoformat(), 0) for day in group)) for label, group in _group_days(days)
    ]
    return _draw_chart(
        [label for label, _ in counts_by_group], {series_name: [number for _, number in counts_by_group]}, width=720
    )


def _group_days(days: Sequence[date]) -> Iterable[tuple[str, list[date]]]:
    """The days one by one, or by weeks, or by months, so the bars can be distinguished."""
    if len(days) <= _MAX_BARS:
        return [(f"{day:%m-%d}", [day]) for day in days]
    if len(days) <= 7 * _MAX_BARS:
        days_by_week = groupby(days, _week_start)
        return [(f"{monday:%m-%d}", list(group)) for monday, group in days_by_week]
    return [(month, list(group)) for month, group in groupby(days, lambda day: f"{day:%Y-%m}")]


def _week_start(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _draw_chart(labels: Sequence[str], series: Mapping[str, Sequence[int]], width: int) -> Chart:
    drawing = pygal.StackedBar(
        css=(), js=(), no_prefix=True, disable_xml_declaration=True, classes=("chart", f"wide-{width}"),
        width=width, height=260, margin=12, margin_left=64, margin_bottom=36, show_legend=False, truncate_label=-1,
        show_minor_x_labels=False, x_labels_major_every=math.ceil(len(labels) / _MAX_X_LABELS), max_scale=5,
        order_min=0, value_formatter=lambda value: f"{value:.0f}",
    )  # fmt: skip
    drawing.x_labels = labels
    for name, values in series.items():
        drawing.add(name, values)
    drawing.add_xml_filter(lambda root: _strip_pygal_markup(root, list(series)))
    svg: str = drawing.render(is_unicode=True)
    return Chart(svg, list(series), list(zip(labels, zip(*series.values(), strict=True), strict=True)))


def _strip_pygal_markup(root: Any, series_names: Sequence[str]) -> Any:
    """Without pygal's script, style and remarks; each bar has its meaning as its title."""
    for child in list(root):
        if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in {"defs", "title"}:
            root.remove(child)
    root.attrib.pop("id", None)
    root.set("role", "img")
    root.set("aria-label", "、".join(series_names))
    for group in list(root.iter()):
        if group.get("class") == "tooltip":
            group.getparent().remove(group)
            continue
        descriptions = {child.get("class"): child for child in group if child.tag.rpartition("}")[2] == "desc"}
        if "value" in descriptions:
            label = descriptions["x_label"].text if "x_label" in descriptions else ""
            text = f"{label}  {descriptions['value'].text}"
            for child in descriptions.values():
                group.remove(child)
            title = group.makeelement("title", {})
            title.text = text
            group.insert(0, title)
    return root
