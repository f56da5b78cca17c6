"""Bodies that are too large or too deep, and that a large one takes no more than its time."""

import pytest

from crawler.errors import RejectedArticleError
from tests.support.html import BASE, clean_html, find_faults, find_source_line_media

OVER_LIMIT_BODIES = {
    "over 1 MiB": "<p>" + "x" * (1 << 20) + "</p>",
    "over 1 MiB of bytes": "汉" * 349_526,
    "over 1 MiB of half characters": "\ud83d" * (1 << 20) + "x",
    "many tags": "<p>x</p>" * 10_001,
    "nothing but brackets": "<" * 1_000_000,
    "tags on one line": "<p>" + "<b>x</b>" * 2_000 + "</p>",
    "tags on one of many lines": "<p>x</p>" * 501 + "<p>" + "<b>x</b>" * 2_000 + "</p>",
    "deep": "<div>" * 65 + "x" + "</div>" * 65,
    "very deep": "<div>" * 9_000,
    "deeper than any parser bears": "<div>" * 100_000,
    "deep tables": "<table><tr><td>" * 40 + "x",
    "deep inline elements": "<b><i>" * 100 + "x",
}


@pytest.mark.parametrize("body", OVER_LIMIT_BODIES.values(), ids=OVER_LIMIT_BODIES.keys())
def test_body_over_limits_is_rejected(body: str) -> None:
    with pytest.raises(RejectedArticleError, match=r"^too complex: "):
        clean_html(body, BASE)


@pytest.mark.parametrize(
    "body",
    ["x" * ((1 << 20) + 1), "<" * 20_001, "<div>" * 9_000],
    ids=["over 1 MiB", "many tags", "deep"],
)
def test_source_line_of_oversized_body_is_not_searched(body: str) -> None:
    with pytest.raises(RejectedArticleError):
        find_source_line_media(body)


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("<p>x</p>" * 500, 1),
        ("<p>x</p>" * 501, 501),
        ("<p>" + "<b>x</b>" * 1_999 + "</p>", 1),
        ("<p>" + "x" * ((1 << 20) - 7) + "</p>", 1),
        ("<div>" * 64 + "x" + "</div>" * 64, 1),
        ("<pre>" + "x\n" * 5_000 + "</pre>", 1),
    ],
    ids=["500 blocks", "501 blocks", "4000 tags", "1 MiB", "64 deep", "many lines of preformatted text"],
)
def test_body_just_under_limits_is_unchanged(body: str, lines: int) -> None:
    cleaned = clean_html(body, BASE)
    assert cleaned.replace("\n", "") == body.replace("\n", "&#10;")
    assert len(cleaned.split("\n")) == lines
    assert clean_html(cleaned, BASE) == cleaned


LONG_BLANKS = " " * 1_000_000


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"<p>（来源：{LONG_BLANKS}x</p>", f"<p>（来源：{LONG_BLANKS}x</p>"),
        (f"<p>（{LONG_BLANKS}来源：x</p>", f"<p>（{LONG_BLANKS}来源：x</p>"),
        (f"<p>（来源：x{LONG_BLANKS}。</p>", f"<p>（来源：x{LONG_BLANKS}。</p>"),
        (f"<p>a{LONG_BLANKS}b\nc</p>", f"<p>a{LONG_BLANKS}b c</p>"),
        (f"<p>a{LONG_BLANKS}\nc</p>", "<p>a c</p>"),
    ],
    ids=["a source after blanks", "a source behind blanks", "blanks after a source", "blanks", "blanks at the end"],
)
def test_long_whitespace_takes_linear_time(body: str, expected: str) -> None:
    """Scanned again from each of its characters, it would take hours."""
    assert clean_html(body, BASE) == expected


@pytest.mark.parametrize(
    "gone",
    ["<b></b>", "<a>字</a>", '<a href="javascript:x">字</a>', "<b hidden>不</b>", "<span>字</span>", "<img src='x:'>"],
)
def test_text_around_removed_markup_is_kept(gone: str) -> None:
    remaining = "字" * ("字" in gone) + "上海证券" * 5
    assert clean_html("<p>" + (gone + "上海证券" * 5) * 7_000 + "</p>", BASE) == f"<p>{remaining * 7_000}</p>"


def test_over_500_blocks_are_one_per_line() -> None:
    body = "".join(f"<p>{number}</p>" for number in range(600))
    cleaned = clean_html(body, BASE)
    assert cleaned.split("\n") == [f"<p>{number}</p>" for number in range(600)]
    assert find_faults(cleaned) == []
