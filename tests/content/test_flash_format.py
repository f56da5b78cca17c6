"""Fast news in one paragraph: `【title】text（media）`."""

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.flash_format import MAX_LEAD_CHARS, extract_trailing_media, split_title, text_to_html
from crawler.content.html_cleaner import clean_html
from crawler.content.html_text import html_to_text
from crawler.content.markup import PLAIN_MARKUP
from crawler.content.unicode_text import clean_title, strip_invisible

BASE = "https://finance.eastmoney.com/a/202201102242171631.html"


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("", "【央行降准】下调0.5个百分点。（财联社）", ("央行降准", "下调0.5个百分点。（财联社）")),
        ("央行降准", "【央行降准】下调。", ("央行降准", "下调。")),
        ("央行 降准Ａ", "【央行降准a】下调。", ("央行 降准Ａ", "下调。")),
        ("别的", "【央行降准】下调。", ("别的", "【央行降准】下调。")),
        ("", "  【央行降准】\n下调。 ", ("央行降准", "下调。")),
        ("", "【<em>茅台</em>&amp;】涨停", ("茅台&", "涨停")),
        ("", "【甲】乙】丙", ("甲", "乙】丙")),
        ("", "【甲】", ("甲", "甲")),
        ("甲", "【甲】", ("甲", "甲")),
        ("", "【】正文", ("【】正文", "【】正文")),
        ("", "甲乙。丙丁。", ("甲乙", "甲乙。丙丁。")),
        ("", "甲乙！丙", ("甲乙", "甲乙！丙")),
        ("", "甲" * 60 + "。", ("甲" * 60, "甲" * 60 + "。")),
        ("", "甲" * 61 + "。", ("甲" * 59 + "…", "甲" * 61 + "。")),
        ("题", " 正文 ", ("题", "正文")),
        ("题", "", ("题", "")),
        ("", "", ("", "")),
        ("", "　\n", ("", "")),
        (" <b>题</b> ", "正文", ("题", "正文")),
    ],
    ids=[
        "title in brackets", "the same title twice", "the same but for width and spaces", "another title", "blanks",
        "tags and entities", "bracket later in the text", "nothing but a title", "nothing but the title",
        "empty brackets",
        "first sentence", "exclamation", "sentence of 60", "sentence of 61", "title given", "no text",
        "nothing", "blanks only", "title with tags",
    ],
)  # fmt: skip
def test_flash_is_split_into_title_and_text(title: str, text: str, expected: tuple[str, str]) -> None:
    assert split_title(title, text) == expected


@pytest.mark.parametrize("long", ["央", " ", "【 ", "】"], ids=repr)
def test_unclosed_bracket_takes_linear_time(long: str) -> None:
    """A search from each character would take hours."""
    text = "【" + long * 2_000_000
    assert split_title("题", text) == ("题", text.strip())


def test_brackets_around_blanks_are_no_title() -> None:
    title, text = split_title("", "【 】央行降准。")
    assert "央行降准" in title
    assert "央行降准。" in text


@given(st.text(max_size=20), st.text(alphabet=st.sampled_from("【】甲乙。！\n a<b>&"), max_size=80))
@settings(max_examples=300, deadline=None)
def test_title_is_short_and_rest_of_text_is_kept(title: str, text: str) -> None:
    split_off_title, remaining = split_title(title, text)
    assert split_off_title == " ".join(split_off_title.split())
    assert not set(split_off_title) & set("<>")
    if clean_title(title):
        assert split_off_title == clean_title(title)
    elif not text.strip().startswith("【"):
        assert len(split_off_title) <= MAX_LEAD_CHARS
    assert remaining in text or f"【{remaining}】" in " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "media"),
    [
        ("下调0.5个百分点。（财联社）", "财联社"),
        ("（财联社）", "财联社"),
        ("正文。(央视新闻)", "央视新闻"),
        ("正文（明年）再次（证券时报网） ", "证券时报网"),
        ("正文（21世纪经济报道）", "21世纪经济报道"),
        ("正文（36氪）", "36氪"),
        ("正文（CNBC）", "CNBC"),
        ("正文（文章来源：财联社）", "财联社"),
        ("正文（来源：<em>证券</em>时报）", "证券时报"),
        ("正文（财联社）\u200b", "财联社"),
        ("正文（中国证券报·中证网）", "中国证券报·中证网"),
    ],
)
def test_trailing_brackets_name_the_media(text: str, media: str) -> None:
    assert extract_trailing_media(text) == media


@pytest.mark.parametrize(
    "text",
    [
        "", "正文", "正文（财联社）。", "（财联社）正文", "正文(含税)", "正文（）", "正文（甲）",
        "正文（" + "甲" * 21 + "）",
        "正文（2022年）", "正文（5月24日）", "正文（00700.HK）", "正文（600160.SH）", "正文（NIO.N）",
        "正文（300059）",
        "正文（12.5%）", "正文（完）", "正文（续）", "正文（未完待续）", "正文（图）", "正文（附股）",
        "正文（记者 张三）",
        "正文（编辑：李四）", "正文（待续。）", "正文（甲（乙）丙）",
    ],
)  # fmt: skip
def test_trailing_brackets_without_media_are_ignored(text: str) -> None:
    assert extract_trailing_media(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "届时将再次降准（明年）", "单价上涨（单位：亿元）", "正文（甲公司，乙公司）", "正文（新华社记者王五）",
        "正文（责任编辑：李四）",
    ],
)  # fmt: skip
def test_years_units_lists_and_signatures_are_no_media(text: str) -> None:
    assert extract_trailing_media(text) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("甲", "<p>甲</p>"),
        ("甲\n\n　　乙 \r\n丙", "<p>甲</p><p>乙</p><p>丙</p>"),
        ("a < b & c > d", "<p>a &lt; b &amp; c &gt; d</p>"),
        ("<b>甲</b>", "<p>&lt;b&gt;甲&lt;/b&gt;</p>"),
        ("&lt;甲&gt; &amp;", "<p>&lt;甲&gt; &amp;</p>"),
        ('"甲"\u200b', '<p>"甲"</p>'),
        ("甲\u2028乙", "<p>甲</p><p>乙</p>"),
        ("", ""),
        (" \n　", ""),
    ],
    ids=["line", "lines", "signs", "markup", "entities", "quote signs", "line separator", "nothing", "blanks"],
)
def test_plain_text_becomes_paragraphs(text: str, expected: str) -> None:
    assert text_to_html(text) == expected


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_paragraphs_show_the_text_as_it_is(text: str) -> None:
    shown_text = html_to_text(clean_html(text_to_html(text), BASE, PLAIN_MARKUP))
    assert "".join(shown_text.split()) == "".join(strip_invisible(html.unescape(text)).split())
