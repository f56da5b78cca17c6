"""A body as plain text."""

import html

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.content.html_text import html_to_text
from crawler.content.unicode_text import strip_invisible
from tests.support.html import BASE, HTML_BODIES, clean_html, remove_whitespace


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", ""),
        ("<p>a</p><p>b</p>", "a\nb"),
        ("<p>a<br>b</p>", "a\nb"),
        ("<p>a <b>b</b><i>c</i></p>", "a bc"),
        ("<p>a&lt;b&gt; &amp;amp;&nbsp; c</p>", "a<b> &amp; c"),
        ("<h3>a</h3><ul><li>b</li><li>c</li></ul>", "a\nb\nc"),
        ("<div>a<p>b</p>c</div>", "a\nb\nc"),
        (
            "<table><tbody><tr><th>代码</th><th>简称</th></tr><tr><td>002353</td><td>杰瑞</td></tr></tbody></table>",
            "代码 简称\n002353 杰瑞",
        ),
        ("<table><caption>a</caption><tbody><tr><td></td><td>b</td></tr></tbody></table>", "a\nb"),
        ('<p><img src="http://a.cn/b.jpg" alt="c"></p>', ""),
        ("<pre>a&#10;  b</pre>", "a\nb"),
        ("<p>a</p>\n<p>b</p>", "a\nb"),
        ("<p>&#123;{ a }}</p>", "{{ a }}"),
        ("<p>a</p><hr><p>b</p>", "a\nb"),
    ],
    ids=[
        "nothing", "block a line", "line break", "inline", "entities", "list", "mixed", "table row a line",
        "caption and empty cell", "picture", "preformatted", "one block a line already", "disarmed brace", "rule",
    ],
)  # fmt: skip
def test_plain_text_has_one_line_per_block(body: str, expected: str) -> None:
    assert html_to_text(body) == expected


def test_table_row_with_paragraphs_is_one_line() -> None:
    table = (
        "<table><tbody><tr><td><p>002353</p></td><td><p>杰瑞</p></td></tr><tr><td>a</td><td>b</td></tr></tbody></table>"
    )
    assert html_to_text(table) == "002353 杰瑞\na b"


MANY_EXAMPLES = settings(max_examples=250, deadline=None)


@MANY_EXAMPLES
@given(st.text(max_size=60))
def test_plain_text_keeps_its_characters_in_order(text: str) -> None:
    cleaned = clean_html(html.escape(text), BASE)
    assert remove_whitespace(html_to_text(cleaned)) == remove_whitespace(strip_invisible(text))


@MANY_EXAMPLES
@given(HTML_BODIES)
@example("x&#1;y")
def test_plain_holds_no_blank_line_and_nothing_to_trim(body: str) -> None:
    text = html_to_text(clean_html(body, BASE))
    assert text == "\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip())
