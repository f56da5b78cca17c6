"""Media names: tell the name of a media from the other texts in a bracket at the end of an article.

A name counts if the package's registry has it, or if it is built as the names of media are. A false media gets a
category with public pages, while a media that is not found only leaves its article in the source's default category:
what is doubtful is no media.
"""

import re

from crawler.content.categories import MAX_MEDIA_NAME_CHARS, bundled_registry

# What may precede the name: （来源：X）, （据X）, （—X）. The source of a picture or of figures is another.
_LABEL = re.compile(r"(?:(?:本文|文章|新闻|信息|稿件|消息)?(?:来源|来自|转自)(?: ?[：:])?|据|[—–―-]+) ?")
_QUOTATION_MARKS = str.maketrans("", "", "《》“”「」")

# `X报` and the like, where X is two letters or more.
_PUBLISHER = re.compile(
    r"(?:[^\W\d_]|·){2,15}"
    r"(?:报|网|新闻|财经|财讯|周刊|月刊|画刊|导刊|杂志|通讯社|电讯社|新闻社|杂志社|报社|电视台|广播电台|卫视|总台)"
)
# Ends as a media does, and is a report, a network, or news of a kind.
_NO_PUBLISHER = re.compile(
    r".*(?:(?<![青少])年|[季月旬中财研简通汇申举警情海电回上战播预捷喜填呈谎误瞒漏虚错速])报"
    # of a company or a broker
    r"|.*(?:业绩|经营|财务|数据|统计|产销|销量|行情|公告|行业|策略|宏观|市场|盘前|盘后|早盘|午盘|基金|债市|债券|转债|期货|期权"
    r"|股市|海外|外汇|黄金|原油|量化|固收|信用|资金|研究|个股|[AHB港美]股|今日|每日|每周|本周)"
    r"(?:[日晚晨早午周快]报|周刊|月刊)|.*(?:(?:财经|晨会)[早午周快]|双周|业绩|财务)报"
    r"|.*(?:互联|物联|车联|下联|(?<!家)电|国家电|官|官方|管|(?<!钢)铁|(?<!一)路|光纤|专|专用|内|内部|(?<!海)外|全|入|并|上"
    r"|局域|城域|广域|宽带|骨干|算力|充电|换电|加氢|高铁|交通|通信|水|输油|燃气|油气|供热|微|配|主|天|渔|蛛|关系|社交|人脉|渠道|销售|服务|安全"
    r"|神经|以太|广电|乐视|三六五)网"
    r"|.*(?:附|假|负面|虚假|重大|突发|相关|热点|最新|独家|图片|视频|头条|滚动|今日|昨日|本周|公司|行业|时政|股市|国内|国际"
    r"|早间|午间|晚间|盘前|盘后|不实|体育|社会|财经)新闻"
    r"|.*(?:今日|每日|国内|国际|公司|行业|最新|早间|晚间|上海|中央|西南|东北|中南)财经"
)
# Where media and authorities also publish: 央视新闻客户端, 商务部网站.
_CHANNEL = re.compile(
    r"(?:客户端|APP|(?:微信)?公众号|(?:官方)?微博|官微|视频号|海外版|(?:官方)?网站|官网)$", re.IGNORECASE
)
_AUTHORITY = re.compile(
    r"[^\W\d_]{0,8}(?:"
    r"(?:商务|财政|工信|工业和信息化|教育|科技|外交|国防|公安|民政|司法|人社|住建|交通运输|水利|农业农村|文旅|文化和旅游"
    r"|自然资源|生态环境|应急管理)[部厅]"
    r"|(?:发改|发展改革|国资|卫健|网信|经信)委|委员会|[一-鿿]{2}局|总署|政府|人民银行|央行|[证银保]监会|金监总局|国新办"
    r"|(?:证券|期货|商品)交易所|[上深北]交所)"
)


def is_media_name(name: str) -> bool:
    """Return whether a text is the name of a media: a known one, or one that is built as their names are.

    >>> [is_media_name(text) for text in ("财联社", "贵阳日报", "商务部网站", "含税", "业绩快报", "国家电网")]
    [True, True, True, False, False, False]
    """
    if len(name) > MAX_MEDIA_NAME_CHARS:
        return False
    if bundled_registry().find(name):
        return True
    if channel := _CHANNEL.search(name):
        owner = name[: channel.start()]
        return bool(_AUTHORITY.fullmatch(owner)) or is_media_name(owner)
    return bool(_PUBLISHER.fullmatch(name)) and not _NO_PUBLISHER.fullmatch(name)


def find_media_name(text: str) -> str:
    """Return the media that the text in a bracket names; empty when it names none.

    >>> find_media_name("来源：《证券时报》"), find_media_name("未经审计")
    ('证券时报', '')
    """
    if is_media_name(text):
        return text
    name = text[match.end() :] if (match := _LABEL.match(text)) else text
    name = name.translate(_QUOTATION_MARKS).strip()
    return name if is_media_name(name) else ""
