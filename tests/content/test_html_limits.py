"""Bodies that are too large or too deep, and that a large one takes no more than its time."""

import pytest

from crawler.content.html_text import html_to_text
from crawler.content.stocks import extract_mentions
from crawler.errors import RejectedArticleError
from tests.support.html import BASE, clean_html, find_faults, find_source_line_media, remove_whitespace
from tests.support.long_bodies import LINK, WORST_BODIES, make_table, seconds_to_clean

OVER_LIMIT_BODIES = {
    "over 8 MiB": "<p>" + "x" * (8 << 20) + "</p>",
    "over 8 MiB of bytes": "汉" * 2_796_203,
    "many elements": "<p>x</p>" * 90_001,
    "nothing but brackets": "<" * 1_000_000,
    "many characters of markup in a text": "<p>" + "&amp;" * 100_001 + "</p>",
    "many attributes in a large body": "<p>x</p>" * 20_000 + "<p " + " ".join(f"a{n}" for n in range(61)) + ">",
    "as many that touch": "<p>x</p>" * 20_000 + "<p " + "".join(f"a{n}=''" for n in range(61)) + ">",
    "as many behind a comment that seems to be a tag": (
        "<p>x</p>" * 20_000 + "<!--<p a='--><p " + " ".join(f"a{n}" for n in range(61)) + ">"
    ),
    "tags in tags": "<a" * 90_000,
    "misplaced blocks in a large body": "<table>甲<tr>乙<td>x</td></tr></table>" * 13_000 + "<dl><table>丙" * 20_000,
    "deep": "<div>" * 65 + "x" + "</div>" * 65,
    "very deep": "<div>" * 9_000,
    "deeper than any parser bears": "<div>" * 90_000,
    "deep tables": "<table><tr><td>" * 40 + "x",
    "deep inline elements": "<b><i>" * 100 + "x",
    "formatting that is repeated in each paragraph": (
        "<p>" + "".join(f"<b id=a{n}>" for n in range(5_000)) + "</p>" + "<p>x</p>" * 5_000
    ),
}


@pytest.mark.parametrize("body", OVER_LIMIT_BODIES.values(), ids=OVER_LIMIT_BODIES.keys())
def test_body_over_limits_is_rejected(body: str) -> None:
    with pytest.raises(RejectedArticleError, match=r"^too complex: "):
        clean_html(body, BASE)


@pytest.mark.parametrize(
    "body",
    ["x" * ((8 << 20) + 1), "<" * 90_001, "<div>" * 9_000],
    ids=["over 8 MiB", "many tags", "deep"],
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


MAX_TAGS_PER_LINE = 4_000


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (make_table(170, 10, "1"), 1),
        (make_table(250, 7), 252),
        (f"<p>甲</p>{make_table(600, 10)}<p>乙</p>", 604),
        (f"<ul>{'<li>x</li>' * 3_000}</ul>", 4),
        (f"<p>{(LINK + '、') * 3_000}</p>", 4),
        (f"<p>{'甲<br>' * 5_000}乙</p>", 6),
        (f"<pre>{'<b>x</b>&#10;' * 3_000}</pre>", 4),
        ("<p>x</p>" * 400 + make_table(100, 9), 401),
        ("<p>x</p>" * 12_000, 12_000),
        (f"<p>{'汉' * 1_000_000}</p>", 1),
    ],
    ids=[
        "3,744 tags", "250 rows", "a table in a text", "list", "links in a paragraph", "lines of a paragraph", "pre",
        "many blocks", "12,000 blocks", "3 MB",
    ],
)  # fmt: skip
def test_long_body_has_lines_that_kramdown_reads_in_linear_time(body: str, lines: int) -> None:
    cleaned = clean_html(body, BASE)
    assert cleaned.replace("\n", "") == body
    assert find_faults(cleaned) == []
    assert len(cleaned.split("\n")) == lines
    assert max(line.count("<") for line in cleaned.split("\n")) <= MAX_TAGS_PER_LINE
    assert clean_html(cleaned, BASE) == cleaned
    assert sum(mention.count for mention in extract_mentions(cleaned)) == body.count(LINK)


def test_rows_of_a_long_table_have_lines_of_their_own() -> None:
    lines = clean_html(make_table(250, 7), BASE).split("\n")
    row = f"<tr>{f'<td>{LINK}</td>' * 7}</tr>"
    assert lines == ["<table><tbody>", *[row] * 250, "</tbody></table>"]


@pytest.mark.parametrize(
    "body",
    [
        "<table>甲<tr>乙<td>x</td></tr></table>",
        "<p><a href='http://a.cn/'><div>x</div></a></p>",
        "<p><strong>甲<table><tr><td>1</td></tr></table></strong></p>",
        "<p>一<!-- 二 --><script>三</script><b style='display:none'>四</b><o:p>五</o:p>&#8203;<b><b>六</b></b>",
        "<ul><li>x<li>y</ul></div></body>尾",
        "<center><font color=red>甲</font></center>",
    ],
)
def test_large_body_is_cleaned_as_a_small_one(body: str) -> None:
    """Bodies that would take nh3 minutes are parsed by libxml2 first."""
    small = clean_html(body, BASE)
    words = f"<p>{'x ' * 31_000}x</p>"
    large = clean_html(body + words, BASE)
    assert remove_whitespace(html_to_text(large.removesuffix(words))) == remove_whitespace(html_to_text(small))
    assert large.endswith(words)
    assert find_faults(large) == []
    assert clean_html(large, BASE) == large


@pytest.mark.slow
def test_table_of_40000_links_is_cleaned_in_seconds() -> None:
    """Two at most on the machine that the limits were chosen on; tests/fuzz tries what takes as long."""
    assert seconds_to_clean(WORST_BODIES["cells"]()) < 20
