"""Charts of the web view: each number of the table is a bar of its height, and names are escaped."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from lxml import html as lxml_html

import crawler
from crawler.publish.web.charts import Chart, chart_articles_over_time, chart_articles_per_media

TEMPLATES_DIR = Path(crawler.__file__).parent / "publish/web/templates"


def draw(chart: Chart | None) -> lxml_html.HtmlElement:
    environment = Environment(loader=FileSystemLoader(TEMPLATES_DIR), autoescape=True)
    template = environment.from_string(
        '{% import "finews/parts.html" as parts %}{{ parts.chart_figure(chart, "图", "日期") }}'
    )
    return lxml_html.fromstring(template.render(chart=chart))


def test_bars_have_the_numbers_of_the_table() -> None:
    counts = [
        {"day": f"2022-01-{day:02}", "media": f"报{number}", "articles": number + day}
        for day in (8, 10)
        for number in range(9)
    ]
    figure = draw(chart_articles_per_media(counts, 3))
    names = [cell.text_content() for cell in figure.findall(".//thead//th")][1:]
    assert names == [f"报{number}" for number in (8, 7, 6, 5, 4, 3, 2)] + ["其他"]
    rows = {
        row[0].text_content(): [int(cell.text_content()) for cell in row[1:]] for row in figure.findall(".//tbody/tr")
    }
    assert rows == {
        "01-10": [18, 17, 16, 15, 14, 13, 12, 21],
        "01-09": [0] * 8,
        "01-08": [16, 15, 14, 13, 12, 11, 10, 17],
    }
    heights = {bar.findtext("title"): float(bar.get("height", "")) for bar in figure.iter("rect")}
    unit = heights["01-10 报8 18"] / 18
    assert {title: round(height / unit) for title, height in heights.items()} == {
        f"{label} {name} {number}": number for label, numbers in rows.items() for name, number in zip(names, numbers, strict=True) if number
    }  # fmt: skip


def test_bars_stay_inside_the_plot() -> None:
    figure = draw(
        chart_articles_over_time(
            "茅台", [{"day": "2020-01-01", "articles": 1}, {"day": "2022-01-10", "articles": 416}], ""
        )
    )
    bars = [(float(bar.get("y", "")), float(bar.get("height", ""))) for bar in figure.iter("rect")]
    assert [height for _, height in bars if height >= 0.5] == [166.4]
    assert all(y >= 12 and abs(y + height - 212) < 0.2 for y, height in bars)
    assert len([text for text in figure.iter("text") if re.fullmatch(r"\d{4}-\d\d", text.text_content())]) == 5


def test_name_of_a_stock_is_no_markup() -> None:
    figure = draw(chart_articles_over_time('<b>"', [{"day": "2022-01-10", "articles": 1}], "2022-01-10"))
    assert figure.find(".//svg").get("aria-label") == '<b>"'
    assert list(figure.iter("b")) == []
