"""The oddities of the source's HTML, one function each, put into made-up articles by turns.

Each was seen in a recorded reply or an old post; each takes a draft and changes its blocks in place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crawler.sample_site.phrases import BOARDS, Company

HIDDEN = '<p style="display:none;height:1px;overflow:hidden;"><br /></p>'
START, END = "<!-- EM_StockImg_Start -->", "<!-- EM_StockImg_End -->"
QUOTE = "http://quote.eastmoney.com/unify/r"
CHART_KEY = "28dfeb41d35cc81d84b4664d7c23c49f"  # the public one of every chart that was recorded


@dataclass
class Draft:
    """An article on its way: blocks of HTML, and what joins them."""

    blocks: list[str]
    companies: tuple[Company, ...]
    media: str
    number: int
    joint: str = ""
    source_line: str = ""

    def html(self) -> str:
        """The body."""
        return self.joint.join([*self.blocks, self.source_line] if self.source_line else self.blocks)

    def mark(self, word: str, first: str, later: str) -> None:
        """Marks up the word: the first time one way, all later times another."""
        text = "\0".join(self.blocks)
        before, found, after = text.partition(word)
        if found:
            self.blocks = (before + first + after.replace(word, later)).split("\0")


def stock_link(kind: str, quote: str, secid: str, name: str) -> str:
    """A name as a link, and the empty span that follows every one of them."""
    return (
        f'<span id="{kind}_{secid}"><a href="{QUOTE}/{secid}" class="keytip" '
        f'data-code="{secid.replace(".", ",")}">{name}</a></span><span id="{quote}_{secid}"></span>'
    )


def stock_mark(secid: str, name: str) -> str:
    """The same name later in the text."""
    return (
        f'<span web="1" href="{QUOTE}/{secid}" class="em_stock_key_common" '
        f'data-code="{secid.replace(".", ",")}">{name}</span>'
    )


def chart(secid: str) -> str:
    """The live chart of a stock, in the form of 2026; its address has a bare ``&``."""
    market, code = secid.split(".")
    return (
        f'<p style="text-align:center;"><a href="{QUOTE}/{secid}" data-code="{code}|{market}|_UI" '
        f'data-code2="{code}|{market}|0|" class="EmImageRemark" target="_blank">'
        f'<img src="https://webquotepic.eastmoney.com/GetPic.aspx?nid={secid}&imageType=k&token={CHART_KEY}" '
        f'border="0" alt="K图 {code}_0" data-code="K {code}|{market}|_UI" data-code2="K {code}|{market}|0|" '
        'style="border:#d1d1d1 1px solid;" width="578" height="276" /></a></p>'
    )


def stock_links(draft: Draft) -> None:
    """Every company is a link once, and a span after that."""
    for name, secid in draft.companies:
        draft.mark(name, stock_link("stock", "quote", secid, name), stock_mark(secid, name))


def board_links(draft: Draft) -> None:
    """So are the boards."""
    for name, code in BOARDS:
        secid = f"90.{code}"
        draft.mark(name, stock_link("bk", "bkquote", secid, name), stock_mark(secid, name))


def info_links(draft: Draft) -> None:
    """A word that leads to a page of data."""
    link = '<span id="Info.3321"><a href="http://data.eastmoney.com/bbsj/" class="infokey">业绩</a></span>'
    draft.mark("业绩", link, "业绩")


def info_span(draft: Draft) -> None:
    """A name in a span with an id and no link; the sentence is a recorded one."""
    name = '<span id="Info.116.00700">腾讯控股</span>'
    draft.blocks.insert(1, f"<p>　　港交所文件显示，{name}于8月19日回购673,000股，耗资3亿港元。</p>")


def charts(draft: Draft) -> None:
    """One chart a company before the text, each after a hidden paragraph."""
    shown = (f"{HIDDEN}{START}{chart(company.secid)}{END}" for company in draft.companies)
    draft.blocks[:0] = shown


def tangled_charts(draft: Draft) -> None:
    """The comments around a chart begin inside a paragraph, and end twice."""
    first = draft.blocks[0].removesuffix("</p>")
    chart_block = f"{chart(draft.companies[0].secid)}{END}{START}{HIDDEN}{END}"
    draft.blocks[:1] = [f"{first}{START}</p>", chart_block]
    draft.blocks[-1] += END


def hidden_paragraph(draft: Draft) -> None:
    """A first paragraph that nobody sees."""
    draft.blocks.insert(0, HIDDEN)


def advert_picture(draft: Draft) -> None:
    """A picture of the house's own advertising, last."""
    draft.blocks.append(
        '<p style="text-align:center;"><a href="https://acttg.eastmoney.com/pub/xxlout_khmbdfcfappnew_random_0007467a">'
        '<img src="https://np-newspic.dfcfw.com/download/D24832930842412850501_w690h389.jpg" '
        'class="em_handle_adv_close" /></a></p>'
    )


def advert_link(draft: Draft) -> None:
    """A promotion that looks like a paragraph, first."""
    words = "在东方财富看资讯行情，选东方财富证券一站式开户交易&gt;&gt;"
    link = f'<a class="toplink" href="https://acttg.eastmoney.com/pub/x">{words}</a>'
    draft.blocks.insert(0, f"<p>　　{link}</p>")


def advert_script(draft: Draft) -> None:
    """A box with a script."""
    draft.blocks.insert(1, '<div class="ad_context3"><script>ads()</script><p>广告</p></div>')


def pictures(draft: Draft) -> None:
    """Pictures in ``center``, with a caption under the first."""
    for place in (1, 3):
        address = f"https://np-newspic.dfcfw.com/download/D2546534410{draft.number % 10000:04d}87954{place}"
        draft.blocks.insert(
            place,
            f'<center><img src="{address}_w800h555.jpg" alt="图片" width="552" '
            'style="border:#d1d1d1 1px solid;padding:3px;margin:5px 0;" /></center>',
        )
    draft.blocks.insert(2, f'<p style="text-align:center;">图片来源：{draft.companies[0].name}官网</p>')


def headings(draft: Draft) -> None:
    """``h3`` with an indent, before every second paragraph."""
    names = ("全球要闻", "公司新闻", "机构观点", "市场数据")
    for place, name in zip(range(1, len(draft.blocks), 3), names, strict=False):
        draft.blocks.insert(place, f'<h3 class="emh3">　　{name}</h3>')


def strong_headings(draft: Draft) -> None:
    """A bold paragraph for a heading, with a blank after it, and a line break at a paragraph's end."""
    draft.blocks[0] = draft.blocks[0].replace("</p>", "<br /></p>")
    draft.blocks.insert(1, "<p>　　<strong>需求端持续回暖 </strong></p>")


def tables(draft: Draft) -> None:
    """A table without classes."""
    rows = "".join(
        f"<tr><td>{secid[2:]}</td><td>{name}</td><td>{index + 2}</td></tr>"
        for index, (name, secid) in enumerate(draft.companies)
    )
    head = "<tr><th>证券代码</th><th>证券简称</th><th>机构调研次数</th></tr>"
    draft.blocks[1:1] = [
        "<p>　　近5日机构调研股一览</p>",
        f'<table border="0"><tbody>{head}{rows}</tbody></table>',
    ]


def line_joints(draft: Draft) -> None:
    """A line break and one blank between the paragraphs."""
    draft.joint = "\n "


def zero_width(draft: Draft) -> None:
    """Characters without width, and a no-break space."""
    draft.blocks[0] = draft.blocks[0].replace("，", "，\u200b", 1).replace("</p>", "\ufeff</p>")
    draft.blocks[-1] = draft.blocks[-1].replace("，", "，&nbsp;", 1)


def escaped_signs(draft: Draft) -> None:
    """Signs that must stay escaped."""
    treaty = "《&lt;蒙特利尔议定书&gt;基加利修正案》"
    draft.blocks.insert(1, f"<p>　　据了解，{treaty}已正式生效，A&amp;B两类产品受益。</p>")


def cut_source_line(draft: Draft) -> None:
    """The source line, cut by a link to a board."""
    linked = draft.media.replace("证券", stock_link("bk", "bkquote", "90.BK0473", "证券"))
    if linked:
        draft.source_line = f'<p class="em_media">（文章来源：{linked}）</p>'


def wide_spaces(draft: Draft) -> None:
    """A single full-width space inside the text."""
    draft.blocks[-1] = draft.blocks[-1].replace("，", "，　", 1)


def links(draft: Draft) -> None:
    """Links to other articles, one plain and one secure."""
    draft.blocks.insert(
        1,
        '<p>　　<a href="http://finance.eastmoney.com/a/202609183878581096.html"><strong>相关报道</strong></a>'
        '（<a href="https://finance.eastmoney.com/a/202205302396506117.html">点击阅读报告全文</a>）</p>',
    )


def plain(draft: Draft) -> None:
    """None at all."""


QUIRKS: tuple[Callable[[Draft], None], ...] = (
    stock_links, board_links, info_links, info_span, escaped_signs, links, strong_headings, headings, tables,
    pictures, zero_width, wide_spaces, tangled_charts, charts, hidden_paragraph, advert_link, advert_script,
    advert_picture, line_joints, cut_source_line, plain,
)  # fmt: skip
"""In the order to apply them: links are for the text alone, charts and adverts go around it."""


def apply_quirks(draft: Draft) -> None:
    """Two of them by the article's number, so that any fifty neighbours show them all."""
    turn = draft.number % len(QUIRKS)
    second = (draft.number // len(QUIRKS) * 5 + turn + 8) % len(QUIRKS)
    for place in sorted({turn, second}):
        QUIRKS[place](draft)
