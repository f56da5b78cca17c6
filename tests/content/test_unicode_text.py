"""Characters that nobody sees go; a headline is one line of text that no page can read as markup."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.content.unicode_text import clean_title, collapse_whitespace, strip_invisible

MANY_EXAMPLES = settings(max_examples=300, deadline=None)


@pytest.mark.parametrize(
    "character",
    [
        "\x00", "\x07", "\x0b", "\x0c", "\x1b", "\x1c", "\x1f", "\x7f", "\x80", "\x9f", "\xad", "\u061c", "\u180e",
        "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202e", "\u2060", "\u2063", "\u2066", "\u2069",
        "\u206f", "\ufdd0", "\ufdef", "\ufeff", "\ufff9", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff",
        "\U000e0001",
        "\U000e0067", "\ud800",
    ],
    ids=lambda character: f"U+{ord(character):04X}",
)  # fmt: skip
@pytest.mark.parametrize("function", [strip_invisible, collapse_whitespace, clean_title])
def test_invisible_character_is_removed(function: type[str], character: str) -> None:
    assert function(f"央{character}行") == "央行"


@pytest.mark.parametrize(
    "text",
    [
        "央行", "a b", "é", "e\u0301", "ￒ", "\ue000", "１２３", "“引号”", "₂²", "👨‍👩‍👧", "❤️‍🔥", "👁️‍🗨️", "🏳️‍🌈",
        "👩🏽‍🚀", "⛹🏽‍♂️", "1️⃣", "🇨🇳", "𠮷野家", "䶮", "\ufffd",
    ],
)  # fmt: skip
@pytest.mark.parametrize("function", [strip_invisible, collapse_whitespace, clean_title])
def test_visible_text_is_kept(function: type[str], text: str) -> None:
    assert function(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u200db", "ab"),
        ("中\u200d国", "中国"),
        ("\u200d👨", "👨"),
        ("👨\u200d\u200d👩", "👨\u200d👩"),
        ("👨\u200b\u200d👩", "👨\u200d👩"),
    ],
    ids=["between letters", "between Chinese", "at the beginning", "twice", "after a zero-width space"],
)
def test_zero_width_joiner_is_kept_between_emoji_only(text: str, expected: str) -> None:
    assert strip_invisible(text) == expected


def test_line_ends_and_tabs_are_visible() -> None:
    assert strip_invisible("a\tb\nc\r\nd\x85e\u2028f\u2029g") == "a\tb\nc\r\nd\x85e\u2028f\u2029g"


@pytest.mark.parametrize(
    "blank", ["\n", "\r\n", "\t", "\u3000\u3000", "\xa0", "\x85", "\u2028", "\u2029", " \n ", "\u2002"], ids=ascii
)
@pytest.mark.parametrize("function", [collapse_whitespace, clean_title])
def test_whitespace_is_collapsed_and_trimmed(function: type[str], blank: str) -> None:
    assert function(f"{blank}a{blank}{blank}b{blank}") == "a b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<em>茅台</em>涨停", "茅台涨停"),
        ("（<EM>茅台</EM>）", "（茅台）"),
        ('<font color="red">茅台</font>', "茅台"),
        ("<b>a</b><strong>b</strong><i>c</i><u>d</u><span class='x'>e</span>", "abcde"),
        ("a<b", "a＜b"),
        ("1 < 2 > 0", "1 ＜ 2 ＞ 0"),
        ("<script>alert(1)</script>", "＜script＞alert(1)＜/script＞"),
        ('<img src=x onerror="y">', '＜img src=x onerror="y"＞'),
        ("&lt;蒙特利尔议定书&gt;", "＜蒙特利尔议定书＞"),
        ("&lt;em&gt;x&lt;/em&gt;", "＜em＞x＜/em＞"),
        ("AT&amp;T", "AT&T"),
        ("AT&T", "AT&T"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("&amp;amp;", "&amp;"),
        ("&quot;双&quot;&#39;单&#39;", "\"双\"'单'"),
        ("a&nbsp;b&#12288;c", "a b c"),
        ("a&#8203;b&zwj;c&#xFEFF;", "abc"),
        ("a&#10;---&#10;b", "a --- b"),
        ("x\n---\npermalink: /index.html", "x --- permalink: /index.html"),
        ('a"b\\c: d # e', 'a"b\\c: d # e'),
        ("{{ site.secret }}{% raw %}", "{{ site.secret }}{% raw %}"),
        ("", ""),
        (" \u3000&nbsp;\u200b", ""),
    ],
    ids=[
        "em", "capitals", "attributes", "all tags", "less than", "comparison", "script", "picture",
        "escaped brackets",
        "escaped em", "escaped and-sign", "bare and-sign", "escaped twice", "and-sign escaped twice", "quote signs",
        "escaped blanks", "escaped zero-width", "escaped line ends", "front matter", "what YAML reads", "Liquid",
        "nothing", "blanks",
    ],
)  # fmt: skip
def test_clean_title_is_plain_text(text: str, expected: str) -> None:
    assert clean_title(text) == expected


@MANY_EXAMPLES
@given(st.text())
@example("\u200d\u200d")
@example("\r\n")
def test_strip_invisible_is_idempotent_and_encodable(text: str) -> None:
    stripped = strip_invisible(text)
    assert strip_invisible(stripped) == stripped
    assert not [char for char in stripped if unicodedata.category(char) in {"Cc", "Cs"} and char not in "\t\n\r\x85"]
    assert stripped.encode("utf-8").decode("utf-8") == stripped


@MANY_EXAMPLES
@given(st.text())
def test_strip_invisible_only_removes_characters(text: str) -> None:
    remaining = iter(text)
    assert all(character in remaining for character in strip_invisible(text))


@MANY_EXAMPLES
@given(st.text(alphabet=st.sampled_from("a中 \n\t\u3000\u2028\x85\x1c\u200b\u200d👨<>&;#lt123emb/\"'\\")))
def test_clean_title_is_one_trimmed_line_without_angle_brackets(text: str) -> None:
    title = clean_title(text)
    assert title == " ".join(title.split())
    assert title.splitlines() in ([], [title])
    assert not set(title) & set("<>")
    assert strip_invisible(title) == title


@MANY_EXAMPLES
@given(st.text())
def test_collapse_whitespace_is_idempotent(text: str) -> None:
    line = collapse_whitespace(text)
    assert collapse_whitespace(line) == line
