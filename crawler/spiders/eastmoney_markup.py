"""Eastmoney's markup and URLs, shared by its spiders `eastmoney`, `flash` and `choice`."""

import re

from crawler.content.dates import CHINA_TZ
from crawler.content.markup import BoilerplateRule, SourceMarkup
from crawler.items import CODE_PREFIX, SUMMARY_NOTE_HTML

_HOUSE = r"(?:东方财富|天天基金)"
_APP = r"(?:APP|App|app|客户端)"
# The start of an action, not inside a word: 上东方财富, not 登上东方财富人气榜.
_START = r"(?:^|[，,！!？?。\s])"
# Words of headlines; with one of these only an order to act is an advert.
_HEADLINE = (
    "同比|环比|净利|营收|增长|下降|突破|公告[：:]|发布|宣布|推出|上线|升级|接入|下架|提速|获批|获准|拟|被|遭|涉嫌|平台"
)
_BOILERPLATE = re.compile(
    # the line of the editor
    r"^[（(]?责任编辑[：:][^，。；！？]{0,20}$"
    # an order to act
    r"|(?:立即|马上|立刻|赶紧|赶快|快来|速来|点击|点此|戳|扫码|扫描|长按|一键)[^，。！？引]{0,8}?"
    r"(?:体验|下载|开户|查看|阅读|领取|领|使用|打开|开启|进入|参与|订阅|加入|咨询|关注|预约|注册|登录|试用|解锁)"
    rf"|(?:下载|打开|登录|安装)(?:{_HOUSE}(?:证券|网)?)?{_APP}(?=[，,！!\s]|查看|看|阅读|领|体验|享|$)"
    # a promise, or the arrow of a button
    rf"|^(?!.*(?:{_HEADLINE})).*(?:"
    r"(?<!可)(?<!可以)(?<!否)免费(?:领|看|查|试|用|体验|诊|送|开户)"
    rf"|{_START}先(?:开户|开个[^，。]{{0,8}}账户)|开户(?:即|就|立)(?:送|享|领)|一站式开户|搞定"
    rf"|(?:{_START}|就|炒股|理财|选股|看盘)(?:上|来|用|选|找|认准){_HOUSE}"
    rf"|尽在{_HOUSE}|关注{_HOUSE}[^，。]{{0,4}}(?:微信|公众号|微博)"
    r"|(?:[>＞›»→👉]|》》)\s*$)"
)
# Marks of news that slogans lack: a full sentence, words after the arrow, a question, a person who says something.
_NEWS = re.compile(
    rf"^(?!想(?:炒股|买|理财|投资|开户)|炒股|立即|马上|点击|扫码|下载|打开|快来|(?:上|来|用|选){_HOUSE}).*。|。.*。"
    r"|(?:>>|＞＞|》》)\s*[^>＞》\s]|[？?]$|“[^”]*(?:[，！]|免费|立即|开户|点击|下载|领)"
    r"|(?:^|[，。：；])据|表示|指出|认为|称[，：。“]|显示[，：]|记者|警方|监管|证监|法院|律师|投资者|用户|网友|客服"
    r"|诈骗|骗|冒充|假冒|所谓|诱导|投诉|回应|传闻|处罚|是否|不得|切勿|还是|昨日|近日|日前|\d月\d|研报|公司|谣言"
    r"|(?:公告|报告|[年中季]报|招股书)的?[全原]文"
)

EASTMONEY_MARKUP = SourceMarkup(
    zone=CHINA_TZ,
    advert_class=re.compile(r"(?:^|\s)(?:em_handle_adv_close|toplink|ad_context\d*|em_xuangu|res-edit|sublab)(?:\s|$)"),
    advert_hosts=frozenset({"acttg.eastmoney.com", "marketing.dfcfs.cn", "ai.eastmoney.com"}),
    boilerplate=BoilerplateRule(
        words=("东方财富", "天天基金", "妙想", "APP", "App", "app", "客户端", "责任编辑"),
        # An app, not Apple or WhatsApp.
        subject=re.compile(r"东方财富|天天基金|妙想|(?<![A-Za-z])(?:APP|App|app)(?![A-Za-z])|客户端|责任编辑"),
        pattern=_BOILERPLATE,
        news=_NEWS,
    ),
    live_chart_url=re.compile(r"//webquote(?:kline)?pic\.eastmoney\.com/|/GetPic\.aspx", re.IGNORECASE),
    source_line_class="em_media",
    source_line=re.compile(r"[（(] ?(?:文章|新闻|信息)?来源[：:] ?(.+?) ?[）)]"),
    source_line_template="（文章来源：{}）",
    source_line_end=re.compile(r"(?:^|[（(【] ?)(?:本文|文章|新闻|信息|稿件)?来源 ?[：:][^。，；]{1,50}$"),
    note=re.compile(r"[（(【]?(?:免责声明|郑重声明|特别声明|风险提示|责任编辑|编辑|校对|审核|原标题)[：:]"),
    stock_attributes={
        # `http://quote.eastmoney.com/unify/r/1.600160` and the shorter `/r/0.002353`.
        "href": re.compile(r"(?:https?:)?//quote\.eastmoney\.com/(?:unify/)?r/([^/?#]+)", re.IGNORECASE),
        # `1,600160`; a code without its market (`002353`) is ambiguous.
        "data-code": re.compile(r"([^,]+)(?:,(.*))?"),
        # `stock_1.600160`, `bk_90.BK0493`, `Info.116.00700`; `Info.3332` is a link to a glossary.
        "id": re.compile(r"(?:stock_|bk_|Info\.)(.+)"),
    },
    https_image_hosts=("dfcfw.com", "eastmoney.com"),
    # `T _ 东方财富网`, `T_财富号_东方财富网`: separators and the spaces around them vary.
    title_suffix=re.compile(r"(?:(?:\s*[_＿|｜\-－–—]\s*|^)财富号)?(?:\s*[_＿|｜\-－–—]\s*东方财富网)+\s*$"),
)

# The site of the three spiders, whose hosts share one pace.
EASTMONEY_SITE = "eastmoney"
EASTMONEY_CHALLENGE_MARKS = ("身份核实", "em_capt", "fd_guba_validate")

# URLs of the public page of an article and of a 财富号 post, by its code.
ARTICLE_URL = "https://finance.eastmoney.com/a/{}.html"
CAIFUHAO_URL = "https://caifuhao.eastmoney.com/news/{}"

# The media of articles without one.
EASTMONEY_MEDIA, CHOICE_MEDIA = "东方财富网", "东方财富"

_SHARE_PAGE_PATH = "/html_News/NewsShare.html"
_SHARE_PAGE_URL = re.compile(
    rf"https?://[^/\s]+{re.escape(_SHARE_PAGE_PATH)}\?infoCode={CODE_PREFIX}([0-9]+)", re.ASCII
)


def share_page_url(host: str, code: str) -> str:
    """Return the URL of an article's share page, which the first posts link to as their source.

    >>> share_page_url("http://finews.zning.xyz", "202201102242171631")
    'http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW202201102242171631'
    """
    return f"{host}{_SHARE_PAGE_PATH}?infoCode={CODE_PREFIX}{code}"


def parse_share_page_code(url: str) -> str:
    """Return the article's code in the URL of a share page; an empty string for other URLs."""
    match = _SHARE_PAGE_URL.fullmatch(url)
    return match[1] if match else ""


def find_spider_name(url: str, body_html: str = "") -> str:
    """Return the spider of articles with such a URL; a summary is always of fast news."""
    if body_html.endswith(SUMMARY_NOTE_HTML):
        return "flash"
    return "choice" if f"{_SHARE_PAGE_PATH}?" in url else "eastmoney"
