"""Long bodies, and the slowest known bodies within the limits of the cleaner."""

import time
from collections.abc import Callable

from tests.support.html import BASE, clean_html

LINK = '<a href="https://quote.eastmoney.com/unify/r/1.600160">巨化股份</a>'


def make_table(rows: int, columns: int, cell: str = LINK) -> str:
    """Return a table in the form of the cleaner, except for its line ends."""
    row = "<tr>" + f"<td>{cell}</td>" * columns + "</tr>"
    return f"<table><tbody>{row * rows}</tbody></table>"


# The slowest bodies of each kind, up to the limits.
WORST_BODIES: dict[str, Callable[[], str]] = {
    "cells": lambda: make_table(2_000, 20),
    "other links": lambda: make_table(440, 100, '<a href="/;{}?">x</a>'),
    "paragraphs": lambda: "<p>x</p>" * 89_000,
    "unclosed paragraphs": lambda: "<p>x" * 89_000,
    "unclosed list": lambda: "<ul>" + "<li>x" * 89_000,
    "unclosed formatting": lambda: "<p>" + "".join(f"<b id=a{n}>" for n in range(55)) + "</p>" + "<p>x</p>" * 80_000,
    "deep": lambda: "<div>" * 60 + "<b>x</b> y" * 80_000,
    "deep text": lambda: "<div>" * 60 + "汉 " * 1_900_000,
    "adverts": lambda: ("<div>东方财富APP<a href='https://ai.eastmoney.com/x'></a>") * 60 + "<b></b> y" * 80_000,
    "links of adverts": lambda: "<div>" + "<a href='https://ai.eastmoney.com/x'></a><p></p>" * 40_000 + "<hr></div>",
    "names in links of adverts": lambda: "<p>" + "<a href='https://ai.eastmoney.com/x'>字</a>APP" * 80_000,
    "pictures": lambda: "<p>" + "<img src='//a.cn/x.jpg'>甲" * 89_000,
    "line breaks": lambda: "<p>x" + "<br>" * 89_000,
    "references": lambda: "<p>" + "a&b " * 99_000,
    "hidden characters": lambda: "<p>" + "&#8203;x" * 900_000,
    "attributes": lambda: ("<p " + " ".join(f"a{n}" for n in range(60)) + ">x</p>") * 20_000,
    "attributes of one tag": lambda: "<p " + " ".join(f"a{n}" for n in range(29_000)) + ">x</p>",
    "styles": lambda: ("<p style='display" + " " * 60 + "'>x</p>") * 80_000,
    "spans": lambda: ("<span id='stock_1.600160'>" * 50 + "x" + "</span>" * 50) * 1_700,
    "misplaced blocks": lambda: "<table>甲<tr>乙<td>x</td></tr></table>" * 7_000,
    "preformatted text": lambda: "<pre>" + "<b>x</b>\n" * 80_000,
    "a picture as data": lambda: "<p>x<img src='data:image/png;base64," + "A" * 8_000_000 + "'>",
    "a comment without end": lambda: "<!--" + "x" * 8_000_000,
}


def seconds_to_clean(body: str) -> float:
    """Return the CPU time in seconds that the cleaner takes for a body."""
    started = time.process_time()
    clean_html(body, BASE)
    return time.process_time() - started
