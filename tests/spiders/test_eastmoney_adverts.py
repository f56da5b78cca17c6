"""Adverts of the source are removed by whole paragraphs; news about the same subjects stays."""

import pytest

from crawler.content.html_text import html_to_text
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from tests.support.html import BASE, clean_html

ADVERT_HOSTS = ("acttg.eastmoney.com", "marketing.dfcfs.cn", "ai.eastmoney.com")
ADVERTS = [
    "想炒股，先开户！选东方财富证券，行情交易一个APP搞定>>",
    "主力资金加仓名单实时更新，APP内免费看>>",
    "全新妙想投研助理，立即体验",
    "在东方财富看资讯行情，选东方财富证券一站式开户交易>>",
    "在东方财富看资讯行情, 选东方财富证券一站式开户交易>>",
    "炒股就上东方财富，开户即送四大权益礼包",
    "下载东方财富APP，查看更多精彩内容",
    "打开东方财富APP，随时看盘不错过",
    "点击下载东方财富APP，Level-2行情免费领",
    "扫码下载东方财富APP，抢先看公告>>",
    "立即下载东方财富APP，开启你的投资之旅。",
    "更多实时行情，尽在东方财富APP",
    "来东方财富证券开户，交易更放心>>",
    "妙想AI帮你选股，马上试用>>",
    "每日金股名单，东方财富APP内查看＞＞",
    "想买基金？上天天基金，申购费率1折起>>",
    "打开APP查看更多",
    "手机开户只需3分钟，选东方财富证券就够了 >>",
    "【东方财富APP】盘中异动提醒，点击开启>>",
    "龙虎榜数据抢先看，立即登录东方财富客户端→",
]
NEWS = [
    "东方财富证券发布研报称，券商板块估值仍处低位。",
    "投资者可以下载东方财富APP参与网上投票。",
    "东方财富APP昨日一度无法登录，公司称已恢复正常。",
    "妙想大模型已接入东方财富APP，用户可以免费体验。",
    "据东方财富Choice数据显示，近五日主力资金净流入前三的是甲、乙、丙。",
    "警方提醒：切勿点击陌生链接下载所谓“东方财富APP”。",
    "东方财富：上半年净利润同比增长37%",
    "东方财富APP为何突然崩了？",
    "骗子冒充东方财富证券客服，诱导股民立即开户转账。",
    "公司表示，一站式开户交易功能将在年内上线。",
    "他在群里看到“想炒股，先开户”的广告后下载了一个假冒APP。",
    "东方财富证券推出手机开户服务，三分钟即可办理。",
    "监管部门要求各类APP不得以“开户即送”等方式诱导投资者。",
    "免责声明：本文基于AI生产，仅供参考。",
    "（来源：东方财富APP）",
    "风险提示：基金有风险，投资需谨慎。",
    "天天基金销售规模居行业第二，仅次于蚂蚁基金",
    "记者打开东方财富APP查看发现，多只基金已暂停申购。",
    "对于是否免费领取Level-2行情，东方财富客服未予回应",
    "点击查看公告原文",
]

MORE_ADVERTS = [
    "手机也能炒股，立即下载东方财富APP>>",
    "东方财富APP，一键查看北向资金流向",
    "免费Level-2行情，快来东方财富领取",
    "选基金，上天天基金网>>",
    "妙想智能投研，点此免费体验",
    "炒股用东方财富，万2.5佣金等你来",
    "新人开户送好礼，速来东方财富证券开户",
    "更多精彩资讯请下载东方财富APP",
    "关注东方财富官方微信，第一时间获取最新资讯",
    "点击进入东方财富Choice数据，查看更多机构调研",
    "东方财富证券APP，开户低佣金，立即领取",
    "长按识别二维码，下载东方财富APP",
    "打开东方财富APP，查看更多公告",
    "打开东方财富APP阅读全文",
    "全新妙想上线，马上体验 >>",
    "炒股第一步，先开个东方财富证券账户",
    "东方财富Level-2，主力动向一目了然，立即开通>>",
    "现在开户，就选东方财富证券！",
    "智能盯盘、条件单，尽在东方财富APP",
]
MORE_NEWS = [
    "东方财富APP新版上线，新增智能盯盘功能",
    "东方财富证券开户数创历史新高",
    "东方财富股吧热议：这只股票还能买吗",
    "甲股登上东方财富人气榜首位",
    "东方财富董事长：继续加大AI投入",
    "东方财富妙想大模型通过备案，立即引发市场关注",
    "多家券商APP下架“免费领取牛股”广告",
    "证券时报APP推出早间播报",
    "苹果下架多款APP，开发者称将上诉",
    "点击率上升，东方财富广告收入回暖",
    "东方财富证券：建议投资者立即关注低估值板块",
    "甲公司：旗下APP已于9月1日停止服务",
    "据介绍，用户扫码即可进入东方财富APP小程序领取门票。",
    "该公司称，下载客户端后即可在线开户。",
    "东方财富打开成长新空间",
    "大众点评APP调整评分规则",
    "东方财富网讯 今日两市成交额突破2万亿元",
    "公司客户端业务收入占比三成",
    "国泰君安APP、东方财富APP同日升级",
    "东方财富证券获准开展基金投顾业务",
    "东方财富Choice数据统计，本周共有12家公司披露回购进展",
    "东方财富信息股份有限公司关于召开临时股东大会的通知",
]
HEADLINES = [
    "一站式开户服务平台上线 东方财富证券数字化再提速",
    "上市公司可以免费使用东方财富APP发布公告。",
    "上周东方财富APP免费开放了一项功能。",
    "来自东方财富APP的流量占比过半，免费用户居多。",
    "东方财富证券一站式开户流程被指过于繁琐",
    "甲银行APP免费用车权益遭质疑",
    "机构扎堆调研东方财富，妙想商业化成焦点",
    "想要在客户端内免费看盘，须先完成实名认证。",
    "东方财富：妙想免费开放三个月",
    "妙想免费策略能走多远",
    "多只基金上线天天基金App，费率低至一折",
    "东方财富APP“免费领牛股”弹窗惹争议",
    "东方财富证券免费送手机？公司称系谣言",
    "股民打开APP发现资产清零",
]
# Examples that were written after the rule.
UNSEEN_ADVERTS = [
    "更多热点资讯，请下载东方财富APP",
    "东方财富APP邀您开户，新客专享理财券>>",
    "玩转ETF，点击打开天天基金",
    "AI选股神器妙想，现在就去体验>>",
    "立刻下载东方财富，行情快人一步",
    "扫描二维码关注东方财富公众号",
    "东方财富大会员，限时特惠，立即抢购>>",
    "投资就用东方财富APP",
    "千元新人礼，登录APP领取",
    "来东方财富，和高手一起炒股",
]
UNSEEN_NEWS = [
    "东方财富APP月活用户数环比下降",
    "甲公司APP因违规收集个人信息被通报",
    "东方财富拟发行可转债募资158亿元",
    "东方财富证券首席经济学家展望下半年行情",
    "中国证监会APP正式上线",
    "妙想助手接入鸿蒙系统",
    "天天基金：调低多只产品风险等级",
    "东方财富获北向资金加仓，成交额居两市第一",
    "来自东方财富的数据印证了这一判断",
    "选股宝APP宣布停止运营",
    "东方财富用户数突破一亿",
    "东方财富下载量跃居榜首",
]
# "App" is a word, not a part of another one.
OTHER_WORDS = [
    "Apple新品倒计时>>",
    "WhatsApp用户迁移指南>>",
    "Snapped up: 五只个股 →",
    "<applet>fetch(`//a.invalid/x`)</applet>",
]


def clean(paragraph: str) -> str:
    """Return the text of a body with this paragraph between two of news."""
    return html_to_text(clean_html(f"<p>甲。</p>{paragraph}<p>乙。</p>", BASE)).replace("\n", "|")


def escape(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def test_there_are_twenty_of_each() -> None:
    assert (len(set(ADVERTS)), len(set(NEWS))) == (20, 20)


@pytest.mark.parametrize("text", [*ADVERTS, *MORE_ADVERTS, *UNSEEN_ADVERTS])
def test_a_paragraph_that_is_an_advert_goes(text: str) -> None:
    assert clean(f"<p>　　{escape(text)}</p>") == "甲。|乙。"
    assert clean(f'<p style="text-align:center"><strong>{escape(text)}</strong></p>') == "甲。|乙。"
    assert clean(f'<p>　　<a href="http://a.cn/">{escape(text)}</a></p>') == "甲。|乙。"
    assert clean(f"<div>{escape(text)}</div>") == "甲。|乙。"
    assert clean(f"<center>{escape(text)}</center>") == "甲。|乙。"
    assert clean(escape(text)) == "甲。|乙。"


@pytest.mark.parametrize("text", [*NEWS, *MORE_NEWS, *HEADLINES, *UNSEEN_NEWS, *OTHER_WORDS])
def test_news_that_mentions_the_house_stays(text: str) -> None:
    assert clean(f"<p>　　{escape(text)}</p>") == f"甲。|{text}|乙。"
    for host in ADVERT_HOSTS:
        linked = escape(text).replace("东方财富", f'<a href="https://{host}/x">东方财富</a>', 1)
        assert clean(f"<p>{linked}</p>") == f"甲。|{text}|乙。"


@pytest.mark.parametrize("host", ADVERT_HOSTS)
@pytest.mark.parametrize(
    ("paragraph", "left"),
    [
        ('<p><a href="https://{}/x"><img src="https://np-newspic.dfcfw.com/a.jpg"></a></p>', ""),
        ('<p><a href="https://{}/x">炒股第一步，先开个股票账户</a></p>', ""),
        ('<p>　　<a href="//{}/x?a=1"><b>四大权益礼包</b></a></p>', ""),
        ('<p>更多名单，<a href="https://{}/x">免费领取</a></p>', ""),
        ('<p>新手福利<a href="https://{}/x">点击领取&gt;&gt;</a>先到先得</p>', "新手福利先到先得|"),
        ('<p>甲股今日大涨，成交额居首。<a href="https://{}/x">立即开户&gt;&gt;</a></p>', "甲股今日大涨，成交额居首。|"),
        ('<p>甲股大涨<a href="https://{}/x"><img src="https://a.cn/a.jpg"></a>，乙股大跌。</p>', "甲股大涨，乙股大跌。|"),
        ('<p>甲公司推出<a href="https://{}/x">投研助理</a>，面向机构开放。</p>', "甲公司推出投研助理，面向机构开放。|"),
    ],
)  # fmt: skip
def test_what_leads_to_an_advert_goes_unless_it_is_part_of_a_sentence(host: str, paragraph: str, left: str) -> None:
    assert clean(paragraph.format(host)) == f"甲。|{left}乙。"


@pytest.mark.parametrize(
    "element",
    [
        '<div class="em_xuangu"><p>智能选股</p><a href="http://a.cn/">今日涨停</a></div>',
        '<p><a class="toplink" href="http://a.cn/">新功能</a></p>',
        '<p class="res-edit">（责任编辑：9）</p>',
        "<p>（责任编辑：9）</p>",
        "<p>责任编辑：DF011</p>",
    ],
)
def test_what_is_not_the_articles_goes(element: str) -> None:
    assert clean(element) == "甲。|乙。"


@pytest.mark.parametrize(
    "text",
    [
        "责任编辑：这一职业正在消失，多家报社表示不再设岗。",
        "在东方财富看资讯行情，选东方财富证券一站式开户交易>>甲股今日大涨",
        "想炒股，先开户！选东方财富证券，行情交易一个APP搞定>>" + "甲股今日涨停。" * 8,
    ],
)
def test_more_than_an_advert_stays(text: str) -> None:
    assert clean(f"<p>{escape(text)}</p>") == f"甲。|{text}|乙。"


@pytest.mark.parametrize("text", ADVERTS[:3])
def test_an_advert_below_the_source_line_does_not_hide_it(text: str) -> None:
    body = f'<p>甲。</p><p>（文章来源：<a href="http://a.cn/">林业</a>周报）</p><p>{escape(text)}</p><p>责任编辑：9</p>'
    assert clean_html(body, BASE) == "<p>甲。</p><p>（文章来源：林业周报）</p>"


def test_the_rule_is_the_sources_own() -> None:
    assert EASTMONEY_MARKUP.advert_hosts == frozenset(ADVERT_HOSTS)
