"""HTML quirks of the source, one function each, added to made-up articles in turn.

Each occurs in a recorded response or an old post. Each function changes the blocks of a draft in place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crawler.sample_site.phrases import BOARDS, Company

HIDDEN_PARAGRAPH = '<p style="display:none;height:1px;overflow:hidden;"><br /></p>'
CHART_START_COMMENT, CHART_END_COMMENT = "<!-- EM_StockImg_Start -->", "<!-- EM_StockImg_End -->"
QUOTE_URL = "http://quote.eastmoney.com/unify/r"
CHART_KEY = "28dfeb41d35cc81d84b4664d7c23c49f"  # the public key of every recorded chart

ADVERT_LINKS = (
    ("acttg.eastmoney.com", "在东方财富看资讯行情，选东方财富证券一站式开户交易&gt;&gt;"),
    ("ai.eastmoney.com", "全新妙想投研助理，立即体验"),
    ("marketing.dfcfs.cn", "炒股第一步，先开个股票账户"),
)
ADVERT_WORDS = (
    "想炒股，先开户！选东方财富证券，行情交易一个APP搞定&gt;&gt;",
    "主力资金加仓名单实时更新，APP内免费看&gt;&gt;",
)


@dataclass
class ArticleDraft:
    """A body under construction: blocks of HTML and their separator."""

    blocks: list[str]
    companies: tuple[Company, ...]
    media: str
    number: int
    separator: str = ""
    source_line: str = ""

    def render(self) -> str:
        """Return the body."""
        return self.separator.join([*self.blocks, self.source_line] if self.source_line else self.blocks)

    def replace_word(self, word: str, first_html: str, later_html: str) -> None:
        """Replace a word by HTML, the first occurrence and all later ones differently."""
        text = "\0".join(self.blocks)
        before, match, after = text.partition(word)
        if match:
            self.blocks = (before + first_html + after.replace(word, later_html)).split("\0")


def render_stock_link(link_prefix: str, quote_prefix: str, secid: str, name: str) -> str:
    """Return a name as a link, with the empty span that follows each link."""
    return (
        f'<span id="{link_prefix}_{secid}"><a href="{QUOTE_URL}/{secid}" class="keytip" '
        f'data-code="{secid.replace(".", ",")}">{name}</a></span><span id="{quote_prefix}_{secid}"></span>'
    )


def render_stock_span(secid: str, name: str) -> str:
    """Return a later occurrence of a linked name."""
    return (
        f'<span web="1" href="{QUOTE_URL}/{secid}" class="em_stock_key_common" '
        f'data-code="{secid.replace(".", ",")}">{name}</span>'
    )


def render_chart(secid: str) -> str:
    """Return the live chart of a stock, in the form of 2026; its URL has a bare ``&``."""
    market, code = secid.split(".")
    return (
        f'<p style="text-align:center;"><a href="{QUOTE_URL}/{secid}" data-code="{code}|{market}|_UI" '
        f'data-code2="{code}|{market}|0|" class="EmImageRemark" target="_blank">'
        f'<img src="https://webquotepic.eastmoney.com/GetPic.aspx?nid={secid}&imageType=k&token={CHART_KEY}" '
        f'border="0" alt="K图 {code}_0" data-code="K {code}|{market}|_UI" data-code2="K {code}|{market}|0|" '
        'style="border:#d1d1d1 1px solid;" width="578" height="276" /></a></p>'
    )


def add_stock_links(draft: ArticleDraft) -> None:
    """Mark up each company: the first occurrence as a link, later ones as spans."""
    for name, secid in draft.companies:
        draft.replace_word(name, render_stock_link("stock", "quote", secid, name), render_stock_span(secid, name))


def add_board_links(draft: ArticleDraft) -> None:
    """Mark up the boards in the same way."""
    for name, code in BOARDS:
        secid = f"90.{code}"
        draft.replace_word(name, render_stock_link("bk", "bkquote", secid, name), render_stock_span(secid, name))


def add_info_link(draft: ArticleDraft) -> None:
    """Link a word to a page of data."""
    link = '<span id="Info.3321"><a href="http://data.eastmoney.com/bbsj/" class="infokey">业绩</a></span>'
    draft.replace_word("业绩", link, "业绩")


def add_info_span(draft: ArticleDraft) -> None:
    """Add a name in a span that has an id but no link."""
    name = '<span id="Info.116.00700">腾讯控股</span>'
    draft.blocks.insert(1, f"<p>　　港交所文件显示，{name}于8月19日回购673,000股，耗资3亿港元。</p>")


def add_charts(draft: ArticleDraft) -> None:
    """Add a chart for each company before the text, each after a hidden paragraph."""
    chart_blocks = (
        f"{HIDDEN_PARAGRAPH}{CHART_START_COMMENT}{render_chart(company.secid)}{CHART_END_COMMENT}"
        for company in draft.companies
    )
    draft.blocks[:0] = chart_blocks


def add_overlapping_charts(draft: ArticleDraft) -> None:
    """Add a chart whose comments begin inside a paragraph and end twice."""
    first_paragraph = draft.blocks[0].removesuffix("</p>")
    chart = render_chart(draft.companies[0].secid)
    chart_block = f"{chart}{CHART_END_COMMENT}{CHART_START_COMMENT}{HIDDEN_PARAGRAPH}{CHART_END_COMMENT}"
    draft.blocks[:1] = [f"{first_paragraph}{CHART_START_COMMENT}</p>", chart_block]
    draft.blocks[-1] += CHART_END_COMMENT


def add_hidden_paragraph(draft: ArticleDraft) -> None:
    """Add a hidden first paragraph."""
    draft.blocks.insert(0, HIDDEN_PARAGRAPH)


def add_advert_picture(draft: ArticleDraft) -> None:
    """Add an advert of the source as a picture, before the editor's line at the end."""
    draft.blocks.append(
        '<p style="text-align:center;"><a href="https://acttg.eastmoney.com/pub/xxlout_khmbdfcfappnew_random_0007467a">'
        '<img src="https://np-newspic.dfcfw.com/download/D24832930842412850501_w690h389.jpg" '
        'class="em_handle_adv_close" /></a></p>'
    )
    draft.blocks.append('<p class="res-edit">（责任编辑：11）</p>')


def add_advert_link(draft: ArticleDraft) -> None:
    """Add adverts that look like paragraphs: a link at the start, plain text at the end."""
    host, words = ADVERT_LINKS[draft.number // len(QUIRKS) % len(ADVERT_LINKS)]
    draft.blocks.insert(0, f'<p>　　<a class="toplink" href="https://{host}/pub/x">{words}</a></p>')
    draft.blocks.append(f"<p>　　{ADVERT_WORDS[draft.number % len(ADVERT_WORDS)]}</p>")


def add_advert_script(draft: ArticleDraft) -> None:
    """Add a box with a script, and a box that offers stocks."""
    draft.blocks.insert(1, '<div class="ad_context3"><script>ads()</script><p>广告</p></div>')
    draft.blocks.insert(2, '<div class="em_xuangu"><p>智能选股</p></div>')


def add_pictures(draft: ArticleDraft) -> None:
    """Add pictures in ``center``, with a caption below the first."""
    for index in (1, 3):
        image_url = f"https://np-newspic.dfcfw.com/download/D2546534410{draft.number % 10000:04d}87954{index}"
        draft.blocks.insert(
            index,
            f'<center><img src="{image_url}_w800h555.jpg" alt="图片" width="552" '
            'style="border:#d1d1d1 1px solid;padding:3px;margin:5px 0;" /></center>',
        )
    draft.blocks.insert(2, f'<p style="text-align:center;">图片来源：{draft.companies[0].name}官网</p>')


def add_headings(draft: ArticleDraft) -> None:
    """Add an indented ``h3`` before every second paragraph."""
    names = ("全球要闻", "公司新闻", "机构观点", "市场数据")
    for index, name in zip(range(1, len(draft.blocks), 3), names, strict=False):
        draft.blocks.insert(index, f'<h3 class="emh3">　　{name}</h3>')


def add_strong_heading(draft: ArticleDraft) -> None:
    """Add a bold paragraph as a heading, and a line break at a paragraph's end."""
    draft.blocks[0] = draft.blocks[0].replace("</p>", "<br /></p>")
    draft.blocks.insert(1, "<p>　　<strong>需求端持续回暖 </strong></p>")


def add_table(draft: ArticleDraft) -> None:
    """Add a table without classes."""
    rows = "".join(
        f"<tr><td>{secid[2:]}</td><td>{name}</td><td>{index + 2}</td></tr>"
        for index, (name, secid) in enumerate(draft.companies)
    )
    header = "<tr><th>证券代码</th><th>证券简称</th><th>机构调研次数</th></tr>"
    draft.blocks[1:1] = [
        "<p>　　近5日机构调研股一览</p>",
        f'<table border="0"><tbody>{header}{rows}</tbody></table>',
    ]


def separate_with_line_breaks(draft: ArticleDraft) -> None:
    """Separate the paragraphs by a line break and a blank."""
    draft.separator = "\n "


def add_zero_width_characters(draft: ArticleDraft) -> None:
    """Add zero-width characters and a no-break space."""
    draft.blocks[0] = draft.blocks[0].replace("，", "，\u200b", 1).replace("</p>", "\ufeff</p>")
    draft.blocks[-1] = draft.blocks[-1].replace("，", "，&nbsp;", 1)


def add_escaped_signs(draft: ArticleDraft) -> None:
    """Add characters that must stay escaped."""
    treaty = "《&lt;蒙特利尔议定书&gt;基加利修正案》"
    draft.blocks.insert(1, f"<p>　　据了解，{treaty}已正式生效，A&amp;B两类产品受益。</p>")


def add_linked_source_line(draft: ArticleDraft) -> None:
    """Add a source line that is split by a link to a board."""
    linked_media = draft.media.replace("证券", render_stock_link("bk", "bkquote", "90.BK0473", "证券"))
    if linked_media:
        draft.source_line = f'<p class="em_media">（文章来源：{linked_media}）</p>'


def add_wide_space(draft: ArticleDraft) -> None:
    """Add a single full-width space inside the text."""
    draft.blocks[-1] = draft.blocks[-1].replace("，", "，　", 1)


def add_article_links(draft: ArticleDraft) -> None:
    """Add links to other articles, one with http and one with https."""
    draft.blocks.insert(
        1,
        '<p>　　<a href="http://finance.eastmoney.com/a/202609183878581096.html"><strong>相关报道</strong></a>'
        '（<a href="https://finance.eastmoney.com/a/202205302396506117.html">点击阅读报告全文</a>）</p>',
    )


def leave_unchanged(draft: ArticleDraft) -> None:
    """Add no quirk."""


QUIRKS: tuple[Callable[[ArticleDraft], None], ...] = (
    add_stock_links, add_board_links, add_info_link, add_info_span, add_escaped_signs, add_article_links,
    add_strong_heading, add_headings, add_table, add_pictures, add_zero_width_characters, add_wide_space,
    add_overlapping_charts, add_charts, add_hidden_paragraph, add_advert_link, add_advert_script, add_advert_picture,
    separate_with_line_breaks, add_linked_source_line, leave_unchanged,
)  # fmt: skip
"""Quirks in the order of application: links only in the text, then charts and adverts around the text."""


def apply_quirks(draft: ArticleDraft) -> None:
    """Apply two quirks, chosen by the article's number: any fifty successive articles show all quirks."""
    first_index = draft.number % len(QUIRKS)
    second_index = (draft.number // len(QUIRKS) * 5 + first_index + 8) % len(QUIRKS)
    for index in sorted({first_index, second_index}):
        QUIRKS[index](draft)
