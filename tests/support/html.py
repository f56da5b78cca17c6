"""Bodies for the tests of the cleaner, and a checker of cleaned bodies."""

import re
from functools import partial
from html.parser import HTMLParser

from hypothesis import strategies as st

from crawler.content import html_cleaner, html_text
from crawler.content.unicode_text import strip_invisible
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP

clean_html = partial(html_cleaner.clean_html, markup=EASTMONEY_MARKUP)
find_source_line_media = partial(html_text.find_source_line_media, markup=EASTMONEY_MARKUP)
BASE = "https://finance.eastmoney.com/a/202201102242171631.html"
PROMOTION_TEXT = "在东方财富看资讯行情，选东方财富证券一站式开户交易&gt;&gt;"
ALLOWED_ATTRIBUTES = {
    "p": {"class"}, "a": {"href"}, "img": {"src", "alt"},
    "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"},
    "h1": set(), "h2": set(), "h3": set(), "h4": set(), "h5": set(), "h6": set(),
    "div": set(), "blockquote": set(), "pre": set(), "figure": set(), "figcaption": set(), "hr": set(),
    "ul": set(), "ol": set(), "li": set(), "dl": set(), "dt": set(), "dd": set(),
    "table": set(), "caption": set(), "thead": set(), "tbody": set(), "tfoot": set(), "tr": set(),
    "b": set(), "strong": set(), "i": set(), "em": set(), "u": set(), "s": set(), "del": set(), "ins": set(),
    "sub": set(), "sup": set(), "small": set(), "code": set(), "br": set(),
}  # fmt: skip
BLOCK_ELEMENTS = {
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre", "div", "figure", "hr",
}  # fmt: skip
VOID_ELEMENTS = {"br", "hr", "img"}
ELEMENTS_ALLOWED_EMPTY = VOID_ELEMENTS | {"td", "th", "tr"}


class HtmlChecker(HTMLParser):
    """Parses a clean body with the standard library's parser, which repairs nothing, and collects the faults."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, bool]] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED_ATTRIBUTES or not {name for name, _ in attrs} <= ALLOWED_ATTRIBUTES[tag]:
            self.faults.append(f"not allowed: {self.get_starttag_text()}")
        for name, value in attrs:
            if name in {"href", "src"} and not re.match("https?://[^/]", value or ""):
                self.faults.append(f"no web address: {value}")
            if name == "class" and value != "em_media":
                self.faults.append(f"class {value}")
        if not self.open and tag not in BLOCK_ELEMENTS:
            self.faults.append(f"<{tag}> at the top level")
        self._mark_filled()
        if tag not in VOID_ELEMENTS:
            self.open.append((tag, tag in ELEMENTS_ALLOWED_EMPTY))

    def handle_endtag(self, tag: str) -> None:
        name, filled = self.open.pop() if self.open else ("", True)
        if name != tag:
            self.faults.append(f"<{name}> ended by </{tag}>")
        if not filled:
            self.faults.append(f"empty <{name}>")

    def handle_data(self, data: str) -> None:
        if not self.open and data.strip("\n"):
            self.faults.append(f"text at the top level: {data!r}")
        if data.strip():
            self._mark_filled()

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"a comment: {data}")

    def _mark_filled(self) -> None:
        self.open = [(name, True) for name, _ in self.open]


def find_faults(body: str) -> list[str]:
    """Return the reasons why Jekyll would not show this body unchanged."""
    checker = HtmlChecker()
    checker.feed(body)
    checker.close()
    problems = checker.faults + [f"not closed: <{name}>" for name, _ in checker.open]
    if body and not body.startswith("<"):
        problems.append("begins with text")
    if re.search(r"\{[{%:]", body):
        problems.append("a brace for Liquid or kramdown")
    if strip_invisible(body) != body:
        problems.append("invisible characters")
    lines = re.sub(r"(</\w+|<(?:br|hr|img))\n", r"\1", body)  # inside a tag a line end is not shown
    if re.search(r"[^>]\n|\n[^<]", lines) or len(body.splitlines()) != body.count("\n") + bool(body):
        problems.append("a line end inside a block")
    return problems


def remove_whitespace(text: str) -> str:
    """Return the text without white space."""
    return "".join(text.split())


HTML_TOKENS = st.sampled_from(
    [
        "<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<strong>", "</strong>", "<i>", "</i>", "<span>", "</span>",
        "<center>", "</center>", "<table>", "<tr>", "<td>", "<th>", "</td>", "</tr>", "</table>", "<ul>", "<li>",
        "</li>", "</ul>", "<dd>", "<pre>", "</pre>", "<blockquote>", "</blockquote>", "<h3>", "</h3>", "<figure>",
        "<figcaption>", "</figure>", "<br>", "<br />", "<hr>", "<code>", "</code>", "</a>", "<a>", "<o:p>",
        '<a href="http://a.cn/">', '<a href="#">', '<a href="javascript:alert(1)">', '<a href="/b?c={{d}}">',
        '<a href="https://acttg.eastmoney.com/x">', '<a class="toplink">', '<p class="em_media">', "<p hidden>",
        '<p style="display:none">', '<span id="stock_1.600160">', '<span id="quote_1.600160"></span>',
        '<a class="keytip" data-code="0,002752">', '<img src="//dfcfw.com/a.jpg">', '<img src="x" onerror="y()">',
        '<img src="data:,x">', '<img src="http://a.cn/GetPic.aspx">', '<p onclick="x()">', '<font color="{%">',
        "<script>", "</script>", "<style>", "</style>", "<svg>", "<math>", "<iframe>", "<textarea>", "<title>",
        "<template>", "<select>", "<form>", "<noscript>", "<!--", "-->", "<!-- EM_StockImg_Start -->", "<![CDATA[",
        "]]>", "<?x ", "</", "<", ">", "<a ", '"', "'", "&", "&lt;", "&#10;", "&nbsp;", "&#8203;", "&zwj;", "&#0;", "&#1;",
        "&#xFEFF;", "&#12288;", "　　", " ", "\n", "\r\n", "\t", "\x0b", "\x85", "\u2028", "\u200b", "\ud83d",
        "👨‍👩‍👧",
        "{", "{{", "{%", "{:", "}}", "%}", "{: .a}", "汉字", "x", "*a*", "（文章来源：财联社）", PROMOTION_TEXT,
        '<a href="https://ai.eastmoney.com/x">', "立即体验", "东方财富", "甲。", "责任编辑：9", '<p class="res-edit">',
    ]
)  # fmt: skip
HTML_FRAGMENTS = st.lists(HTML_TOKENS, max_size=25).map("".join)
ELEMENT_NAMES = [
    "p", "div", "span", "a", "b", "strong", "ul", "li", "ol", "table", "tr", "td", "th", "h2", "h6", "pre", "center",
    "blockquote", "i", "figure", "figcaption", "dl", "dt", "dd", "sub",
]  # fmt: skip
# Elements nested in elements that may not contain them, closed in order: parsers disagree on these.
NESTED_HTML = st.recursive(
    HTML_TOKENS | st.sampled_from(["x", "<br>", "<hr>"]),
    lambda inner: st.tuples(st.sampled_from(ELEMENT_NAMES), st.lists(inner, max_size=4)).map(
        lambda made: f"<{made[0]}>{''.join(made[1])}</{made[0]}>"
    ),
    max_leaves=12,
)
HTML_BODIES = HTML_FRAGMENTS | NESTED_HTML | st.text(max_size=60)
