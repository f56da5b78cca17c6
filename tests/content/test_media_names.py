"""A bracket at the end of a text names a media only where that is a media's name: a hundred of each, all real.

The rules were made with the first half of each hundred, and measured with the second, `HELD_OUT_…`: it had 42 of 50
media and none of 50 other brackets. Then the agencies and papers whose names no rule can tell went into the registry.
"""

import pytest

from crawler.content.flash_format import drop_false_media, extract_trailing_media, split_title
from crawler.content.media_names import find_media_name, is_media_name

_MEDIA_NAMES_TEXT = """
    中国证券报 证券时报 金融时报 经济日报 第一财经日报 每日经济新闻 经济观察报 国际金融报 科创板日报 新京报 南方周末 理财周报
    中国基金报 羊城晚报 新民晚报 光明日报 农民日报 参考消息 法治日报 中国电子报 香港经济日报 大公报 联合早报 日本经济新闻 南京日报
    贵阳日报 佛山日报 半岛都市报 楚天都市报 新华社 财联社 彭博社 韩联社 共同社 新华网 央视网 证券时报网 中国证券网 和讯网 新浪财经
    网易财经 凤凰网财经 第一财经 澎湃新闻 红星新闻 央视新闻客户端 人民财讯 商务部网站 国家统计局 三联生活周刊
"""
_HELD_OUT_MEDIA_NAMES_TEXT = """
    上海证券报 证券日报 经济参考报 人民日报 21世纪经济报道 中国经营报 华夏时报 期货日报 北京商报 南方都市报 时代周报 投资者报
    中国银行保险报 扬子晚报 深圳商报 科技日报 环球时报 中国青年报 中国能源报 中国航空报 信报 南华早报 华尔街日报 纽约时报 合肥晚报
    东莞日报 海峡都市报 大河报 华商报 中新社 路透社 法新社 塔斯社 美联社 人民网 中国经济网 中证网 财新网 金融界 腾讯财经 搜狐财经
    东方财富网 界面新闻 封面新闻 上观新闻 人民日报客户端 央视 中国政府网 证监会网站 中国新闻周刊
"""
_BRACKETS_TEXT = """
    含税|未经审计|万元|甲公司|单位：亿元|修订稿|二|三期|北京|港股|600519.SH|00700.HK|300059|2026年|9月19日|明年|附股|附新闻联播|完|图
    |待续|更正|摘要|记者 张三|责任编辑：李四|通讯员 王五|年报|业绩快报|三季报|财报|行业周报|产销快报|国家电网|互联网|物联网|公司官网
    |供销社|旅行社|株式会社|突发新闻|财经|宁德时代|中国平安|国务院|马斯克|化名|扣非后|同比|北京时间|图片来源：新华社
"""
_HELD_OUT_BRACKETS_TEXT = """
    不含税|经审计|亿港元|乙集团股份有限公司|单位：万股|征求意见稿|三|第二轮|香港|A股|NVDA.O|000001.SZ|12.5%|十四五|当地时间周五|今年|附名单
    |标题|全文|组图|未完|更新中|首发|编辑 赵六|作者系高校教授|实习生 钱七|半年报|业绩预报|一季报|研报|策略周报|统计快报|南方电网|工业互联网
    |高铁网|苹果官网|信用社|合作社|出版社|最新新闻|上海财经|贵州茅台|中金公司|发改委|代行董事长职责|母公司口径|年化|环比|折合人民币
    |数据来源：东方财富Choice
"""
MEDIA_NAMES, HELD_OUT_MEDIA_NAMES = _MEDIA_NAMES_TEXT.split(), _HELD_OUT_MEDIA_NAMES_TEXT.split()
BRACKETS, HELD_OUT_BRACKETS = (
    [bracket.strip() for bracket in text.split("|")] for text in (_BRACKETS_TEXT, _HELD_OUT_BRACKETS_TEXT)
)


def test_there_are_a_hundred_of_each() -> None:
    for names in (MEDIA_NAMES + HELD_OUT_MEDIA_NAMES, BRACKETS + HELD_OUT_BRACKETS):
        assert len(set(names)) == 100


@pytest.mark.parametrize("name", MEDIA_NAMES + HELD_OUT_MEDIA_NAMES)
def test_name_of_a_media_at_the_end_is_found(name: str) -> None:
    assert extract_trailing_media(f"下调0.5个百分点。（{name}）") == name


@pytest.mark.parametrize("bracket", BRACKETS + HELD_OUT_BRACKETS)
def test_another_bracket_at_the_end_names_no_media(bracket: str) -> None:
    text = f"飞天茅台出厂价每瓶1169元（{bracket}）"
    assert extract_trailing_media(text) == ""
    assert split_title("题", text) == ("题", text)


@pytest.mark.parametrize(
    ("end", "media"),
    [
        ("(央视新闻)", "央视新闻"),
        ("（财联社)", "财联社"),
        ("【财联社】", "财联社"),
        ("（万元）（财联社）", "财联社"),
        ("（财联社）（万元）", ""),
        ("（财联社）（记者 张三）", "财联社"),
        ("（财联社）（编辑 李四）(完)", "财联社"),
        ("（记者 张三）", ""),
        ("（财联社记者 张三）", ""),
        ("（安信国际证券(香港)）", "安信国际证券(香港)"),
        ("（每股1元（含税））", ""),
        ("（—证券时报）", "证券时报"),
        ("——证券时报", ""),
        ("（据新华社）", "新华社"),
        ("（来源：《证券时报》）", "证券时报"),
        ("（稿件来源: 中国证券报 ）", "中国证券报"),
        ("（来源：公司公告）", ""),
        ("（图片来源：新华社）", ""),
        ("（《财经》杂志）", "财经杂志"),
        ("（中国证券报·中证网）", "中国证券报·中证网"),
        ("（财联社、证券时报）", ""),
        ("（财联社）。", ""),
        ("（商务部官网）", "商务部官网"),
        ("（人民日报海外版）", "人民日报海外版"),
        ("（" * 200_000, ""),
        ("（）" * 200_000, ""),
    ],
    ids=lambda value: value[:20],
)
def test_form_of_the_bracket(end: str, media: str) -> None:
    assert extract_trailing_media("正文" + end) == media


@pytest.mark.parametrize(
    "name",
    ["", "报", "日报", "新闻", "网", "网站", "客户端", "甲报", "公司网站", "的报", "12报", " ", "APP" * 100_000],
    ids=lambda value: value[:20],
)
def test_too_little_is_no_name(name: str) -> None:
    assert not is_media_name(name)
    assert find_media_name(name) == ""


@pytest.mark.parametrize(
    ("media", "text", "expected"),
    [
        ("含税", "每瓶1499元（含税）", ""),
        ("含税", "每瓶1499元（来源：含税） ", ""),
        ("财联社", "正文（财联社）", "财联社"),
        ("读特", "正文", "读特"),
        ("读特", "正文（含税）", "读特"),
        ("", "正文（含税）", ""),
    ],
)
def test_only_what_the_bracket_named_is_dropped(media: str, text: str, expected: str) -> None:
    assert drop_false_media(media, text) == expected
