"""Eastmoney's markup and URLs, shared by its spiders `eastmoney`, `flash` and `choice`."""

import re

from crawler.content.dates import CHINA_TZ
from crawler.content.markup import SourceMarkup
from crawler.items import CODE_PREFIX, SUMMARY_NOTE_HTML

EASTMONEY_MARKUP = SourceMarkup(
    zone=CHINA_TZ,
    advert_class=re.compile(r"(?:^|\s)(?:em_handle_adv_close|toplink|ad_context\d*)(?:\s|$)"),
    advert_hosts=frozenset({"acttg.eastmoney.com"}),
    advert_paragraph=re.compile(r"在东方财富看资讯行情，选东方财富证券一站式开户交易[>》\s]*"),
    live_chart_url=re.compile(r"//webquote(?:kline)?pic\.eastmoney\.com/|/GetPic\.aspx", re.IGNORECASE),
    source_line_class="em_media",
    source_line=re.compile(r"[（(] ?(?:文章|新闻|信息)?来源[：:] ?(.+?) ?[）)]"),
    stock_attributes={
        # `http://quote.eastmoney.com/unify/r/1.600160` and the shorter `/r/0.002353`.
        "href": re.compile(r"(?:https?:)?//quote\.eastmoney\.com/(?:unify/)?r/([^/?#]+)", re.IGNORECASE),
        # `1,600160`; one without its market (`002353`) names no stock.
        "data-code": re.compile(r"([^,]+)(?:,(.*))?"),
        # `stock_1.600160`, `bk_90.BK0493`, `Info.116.00700`; `Info.3332` is a link to a glossary, not a stock.
        "id": re.compile(r"(?:stock_|bk_|Info\.)(.+)"),
    },
    https_image_hosts=("dfcfw.com", "eastmoney.com"),
)

# The source of the three spiders, whose hosts count together.
EASTMONEY_SITE = "eastmoney"
EASTMONEY_CHALLENGE_MARKS = ("身份核实", "em_capt", "fd_guba_validate")

# The public page of an article, by its code; 财富号 posts have a host of their own.
ARTICLE_URL = "https://finance.eastmoney.com/a/{}.html"
CAIFUHAO_URL = "https://caifuhao.eastmoney.com/news/{}"

# The media of articles that name none.
EASTMONEY_MEDIA, CHOICE_MEDIA = "东方财富网", "东方财富"

_SHARE_PAGE_PATH = "/html_News/NewsShare.html"
_SHARE_PAGE_URL = re.compile(
    rf"https?://[^/\s]+{re.escape(_SHARE_PAGE_PATH)}\?infoCode={CODE_PREFIX}([0-9]+)", re.ASCII
)


def share_page_url(host: str, code: str) -> str:
    """Return the share page of an article, which the first posts name as their source.

    >>> share_page_url("http://finews.zning.xyz", "202201102242171631")
    'http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW202201102242171631'
    """
    return f"{host}{_SHARE_PAGE_PATH}?infoCode={CODE_PREFIX}{code}"


def parse_share_page_code(url: str) -> str:
    """Return the code of the article that a share page shows; an empty string for other pages."""
    match = _SHARE_PAGE_URL.fullmatch(url)
    return match[1] if match else ""


def find_spider_name(url: str, body_html: str = "") -> str:
    """Return the spider whose articles have such an address; a summary is always a row of fast news."""
    if body_html.endswith(SUMMARY_NOTE_HTML):
        return "flash"
    return "choice" if f"{_SHARE_PAGE_PATH}?" in url else "eastmoney"
