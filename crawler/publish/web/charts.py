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

from crawler.content.unicode_text import one_line

# So many media have a colour of their own.
COLOURS = 7
_OTHERS = "其他"
_FEWEST_BARS, _MOST_BARS = 30, 62
_LABELS = 6


@dataclass(frozen=True, slots=True)
class Chart:
    """`svg` is markup of our own making; `names` are its series', in the order of the colours.

    `rows` is what it shows: each label with the numbers of the series.
    """

    svg: str
    names: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]


def per_media(counted: Iterable[Mapping[str, Any]], days: int) -> Chart | None:
    """Articles of each day by media, those with most articles first and the rest as one; None where there are none."""
    rows = [(row["day"], one_line(row["media"]), row["articles"]) for row in counted]
    if not rows:
        return None
    totals: Counter[str] = Counter()
    for _, media, number in rows:
        totals[media] += number
    most = [media for media, _ in totals.most_common(COLOURS)]
    counts: Counter[tuple[str, str]] = Counter()
    for day, media, number in rows:
        counts[day, media if media in most else _OTHERS] += number
    last = date.fromisoformat(max(day for day, *_ in rows))
    shown = [(last - timedelta(days=ago)).isoformat() for ago in reversed(range(days))]
    names = [*most, _OTHERS] if len(totals) > COLOURS else most
    series = {name: [counts[day, name] for day in shown] for name in names}
    return _chart([day[5:] for day in shown], series, width=480)


def over_time(name: str, counted: Iterable[Mapping[str, Any]], newest: str) -> Chart | None:
    """Articles of each day, or week, or month, up to the newest day; None where there are none."""
    counts = {row["day"]: row["articles"] for row in counted}
    if not counts:
        return None
    last = date.fromisoformat(max(newest, *counts))
    first = min(date.fromisoformat(min(counts)), last - timedelta(days=_FEWEST_BARS - 1))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    spans = [(label, sum(counts.get(day.isoformat(), 0) for day in group)) for label, group in _spans(days)]
    return _chart([label for label, _ in spans], {name: [number for _, number in spans]}, width=720)


def _spans(days: Sequence[date]) -> Iterable[tuple[str, list[date]]]:
    """The days one by one, or by weeks, or by months, so that the bars can be told apart."""
    if len(days) <= _MOST_BARS:
        return [(f"{day:%m-%d}", [day]) for day in days]
    if len(days) <= 7 * _MOST_BARS:
        weeks = groupby(days, _monday)
        return [(f"{monday:%m-%d}", list(group)) for monday, group in weeks]
    return [(month, list(group)) for month, group in groupby(days, lambda day: f"{day:%Y-%m}")]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _chart(labels: Sequence[str], series: Mapping[str, Sequence[int]], width: int) -> Chart:
    drawing = pygal.StackedBar(
        css=(), js=(), no_prefix=True, disable_xml_declaration=True, classes=("chart", f"wide-{width}"),
        width=width, height=260, margin=12, margin_left=64, margin_bottom=36, show_legend=False, truncate_label=-1,
        show_minor_x_labels=False, x_labels_major_every=math.ceil(len(labels) / _LABELS), max_scale=5, order_min=0,
        value_formatter=lambda value: f"{value:.0f}",
    )  # fmt: skip
    drawing.x_labels = labels
    for name, values in series.items():
        drawing.add(name, values)
    drawing.add_xml_filter(lambda root: _for_our_pages(root, list(series)))
    svg: str = drawing.render(is_unicode=True)
    return Chart(svg, list(series), list(zip(labels, zip(*series.values(), strict=True), strict=True)))


def _for_our_pages(root: Any, names: Sequence[str]) -> Any:
    """Without pygal's script, style and remarks; each bar tells by its title what it stands for."""
    for child in list(root):
        if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in {"defs", "title"}:
            root.remove(child)
    root.attrib.pop("id", None)
    root.set("role", "img")
    root.set("aria-label", "、".join(names))
    for group in list(root.iter()):
        if group.get("class") == "tooltip":
            group.getparent().remove(group)
            continue
        told = {child.get("class"): child for child in group if child.tag.rpartition("}")[2] == "desc"}
        if "value" in told:
            label = told["x_label"].text if "x_label" in told else ""
            text = f"{label}  {told['value'].text}"
            for child in told.values():
                group.remove(child)
            title = group.makeelement("title", {})
            title.text = text
            group.insert(0, title)
    return root
