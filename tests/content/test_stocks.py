"""Stocks and boards: every spelling of the source in, one link out, and the links of a clean body counted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.html_cleaner import clean_html, find_secid
from crawler.content.markup import PLAIN_MARKUP
from crawler.content.stocks import extract_mentions, is_secid, parse_stock
from crawler.items import QUOTE_URL_PREFIX, Mention
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP

BASE = "https://finance.eastmoney.com/a/202201102242171631.html"


@pytest.mark.parametrize(
    ("href", "data_code", "span_id", "secid"),
    [
        ("http://quote.eastmoney.com/unify/r/1.600160", "", "", "1.600160"),
        ("https://quote.eastmoney.com/unify/r/90.BK0493", "", "", "90.BK0493"),
        ("//quote.eastmoney.com/unify/r/106.NIO", "", "", "106.NIO"),
        ("http://quote.eastmoney.com/r/0.002353", "002353", "", "0.002353"),
        ("HTTP://QUOTE.EASTMONEY.COM/unify/r/1.600160", "", "", "1.600160"),
        (" http://quote.eastmoney.com/unify/r/1.600160 ", "", "", "1.600160"),
        ("http://quote.eastmoney.com/unify/r/106.BRK_B", "", "", "106.BRK_B"),
        ("", "1,600160", "", "1.600160"),
        ("", "116,00700", "", "116.00700"),
        ("", "90,BK0493", "", "90.BK0493"),
        ("", "", "stock_1.600160", "1.600160"),
        ("", "", "bk_90.BK0493", "90.BK0493"),
        ("", "", "Info.116.00700", "116.00700"),
        ("http://data.eastmoney.com/", "", "stock_1.600160", "1.600160"),
        ("", "002353", "stock_0.002353", "0.002353"),
        ("http://quote.eastmoney.com/unify/r/1.600160", "0,000001", "stock_0.000002", "1.600160"),
    ],
    ids=[
        "address", "board's address", "address without scheme", "short address", "capitals", "blanks", "underscore",
        "data-code", "Hong Kong", "board's data-code", "stock_", "bk_", "Info.", "id next to another link",
        "id next to a bare code", "the address counts first",
    ],
)  # fmt: skip
def test_secid_is_read_from_any_attribute(href: str, data_code: str, span_id: str, secid: str) -> None:
    attributes = {"href": href, "data-code": data_code, "id": span_id}
    assert find_secid(attributes, EASTMONEY_MARKUP) == secid
    assert find_secid(attributes, PLAIN_MARKUP) is None


@pytest.mark.parametrize(
    ("href", "data_code", "span_id"),
    [
        ("", "", ""),
        ("", "002353", ""),
        ("", "02338|116|5", ""),
        ("", "", "Info.3332"),
        ("", "", "quote_1.600160"),
        ("", "", "bkquote_90.BK0493"),
        ("", "", "stock_"),
        ("http://data.eastmoney.com/bbsj/", "", ""),
        ("http://quote.eastmoney.com/sh600160.html", "", ""),
        ("http://evil.cn/?//quote.eastmoney.com/r/1.600160", "", ""),
        ("http://quote.eastmoney.com.evil.cn/r/1.600160", "", ""),
        ('http://quote.eastmoney.com/unify/r/1.6"onclick="x', "", ""),
        ("http://quote.eastmoney.com/unify/r/1.%36", "", ""),
        ("http://quote.eastmoney.com/unify/r/１.600160", "", ""),
        ("", '1,600160"><script>', ""),
        ("", "1,{{600160}}", ""),
        ("", "1," + "6" * 17, ""),
    ],
    ids=[
        "nothing", "no market", "chart's data-code", "glossary", "empty span after a stock",
        "empty span after a board", "no code", "page of data", "page of another form", "another host",
        "host that only begins alike", "quote sign", "escape", "full-width digit", "markup", "Liquid", "too long",
    ],
)  # fmt: skip
def test_other_attributes_have_no_secid(href: str, data_code: str, span_id: str) -> None:
    assert find_secid({"href": href, "data-code": data_code, "id": span_id}, EASTMONEY_MARKUP) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.600160", True),
        ("90.BK0428", True),
        ("150.014238", True),
        ("100.DJIA", True),
        ("600160", False),
        ("1,600160", False),
        ("1.", False),
        (".600160", False),
        ("1.600160 ", False),
        ("1.600160\n", False),
        ("1000.600160", False),
        ("1._x", False),
        ("", False),
    ],
)
def test_secid_is_market_and_code(text: str, expected: bool) -> None:
    assert is_secid(text) is expected


@given(st.from_regex(r"\d{1,3}\.[0-9A-Za-z][0-9A-Za-z_.\-]{0,15}", fullmatch=True))
@settings(max_examples=100, deadline=None)
def test_quote_link_round_trip(secid: str) -> None:
    if secid.isascii():
        assert is_secid(secid)
        assert find_secid({"href": QUOTE_URL_PREFIX + secid}, EASTMONEY_MARKUP) == secid


def test_mentions_are_counted_in_order_of_appearance() -> None:
    body = clean_html(
        '<p><span id="bk_90.BK0493"><a data-code="90,BK0493">新能源</a></span>与'
        '<span id="stock_106.NIO"><a data-code="106,NIO">蔚来</a></span>，'
        '<span web="1" class="em_stock_key_common" data-code="90,BK0493">新能源车</span>，'
        '<a href="http://quote.eastmoney.com/r/1.600160">巨化&amp;股份</a>，<a href="http://a.cn/">业绩</a></p>',
        BASE,
        EASTMONEY_MARKUP,
    )
    assert extract_mentions(body) == (
        Mention("90.BK0493", "board", "新能源", 2),
        Mention("106.NIO", "stock", "蔚来", 1),
        Mention("1.600160", "stock", "巨化&股份", 1),
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", ()),
        ("<p>1.600160</p>", ()),
        (f'<p><a href="{QUOTE_URL_PREFIX}1.600160"><img src="https://a.cn/b.jpg"></a></p>', ()),
        (f'<p><a href="{QUOTE_URL_PREFIX}not-one">x</a></p>', ()),
        (f'<p>&lt;a href="{QUOTE_URL_PREFIX}1.600160"&gt;x&lt;/a&gt;</p>', ()),
        (f'<p><a href="{QUOTE_URL_PREFIX}1.600160"><b>巨化</b> 股份</a></p>', (Mention("1.600160", "stock", "巨化 股份", 1),)),
        (f'<p><a href="{QUOTE_URL_PREFIX}1.600160">*ST{{a}}</a></p>', (Mention("1.600160", "stock", "*ST{a}", 1),)),
        (f'<p><a href="{QUOTE_URL_PREFIX}1.600160">&#123;{{ a</a></p>', (Mention("1.600160", "stock", "{{ a", 1),)),
    ],
    ids=[
        "nothing", "no link", "picture", "no secid", "escaped markup", "bold in the link", "brace", "disarmed brace",
    ],
)  # fmt: skip
def test_mentions_are_the_links_of_a_clean_body(body: str, expected: tuple[Mention, ...]) -> None:
    assert extract_mentions(body) == expected


US_KEYS = ("105.NVDA", "106.NVDA", "107.NVDA")


@pytest.mark.parametrize(
    ("typed", "keys", "texts"),
    [
        ("600519", ("600519",), ("600519",)),
        ("1.600519", ("1.600519",), ("1.600519",)),
        ("600519.SH", ("1.600519",), ("600519",)),
        ("600519.ss", ("1.600519",), ("600519",)),
        ("SH600519", ("1.600519",), ("600519",)),
        ("sh.600519", ("1.600519",), ("600519",)),
        ("309004.SZ", ("0.309004",), ("309004",)),
        ("sz309004", ("0.309004",), ("309004",)),
        (" ＳＺ３０９００４ ", ("0.309004",), ("309004",)),
        ("430047.BJ", ("0.430047",), ("430047",)),
        ("00700", ("00700", "116.00700"), ("00700",)),
        ("700", ("700", "116.00700"), ("700",)),
        ("00700.HK", ("116.00700",), ("00700", "0700.hk", "hk0700")),
        ("0700.hk", ("116.00700",), ("00700", "0700.hk", "hk0700")),
        ("HK700", ("116.00700",), ("00700", "0700.hk", "hk0700")),
        ("hk:00700", ("116.00700",), ("00700", "0700.hk", "hk0700")),
        ("80700.HK", ("116.80700",), ("80700",)),
        ("NVDA", ("NVDA",), ("nvda",)),
        ("nvda.us", US_KEYS, ("nvda",)),
        ("US.NVDA", US_KEYS, ("nvda",)),
        ("NVDA.O", US_KEYS, ("nvda",)),
        ("F.N", ("105.F", "106.F", "107.F"), ("f.n",)),
        ("BRK.B", ("BRK_B",), ("brk.b",)),
        ("BK0428", ("BK0428",), ("bk0428",)),
        ("90.bk0428", ("90.BK0428",), ("90.bk0428",)),
    ],
)
def test_typed_code_is_a_stock(typed: str, keys: tuple[str, ...], texts: tuple[str, ...]) -> None:
    assert parse_stock(typed) == (keys, texts)


@pytest.mark.parametrize(
    "typed", ["", "贵州茅台", "1234567", "6005199.SH", "123456.HK", "a b", "1,234", "ABCDEFGH", "60%"]
)
def test_other_text_is_no_code(typed: str) -> None:
    assert parse_stock(typed) is None
