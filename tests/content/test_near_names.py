"""Tests of near_names: names that may be a slip of a known one, and names of other media."""

import pytest

from crawler.content.categories import CategoryRegistry, bundled_categories
from crawler.content.near_names import find_near_names
from crawler.errors import UsageError

KNOWN_NAMES = [category.media for category in bundled_categories()]

SLIPS = {
    "财联杜": "财联社", "财联设": "财联社", "财社联": "财联社", "财联": "财联社", "财联社社": "财联社", "新华杜": "新华社",
    "证劵时报": "证券时报", "证卷时报": "证券时报", "证券时抱": "证券时报", "证券石报": "证券时报", "证券时": "证券时报",
    "证券日报往": "证券日报网", "人民曰报": "人民日报", "法制日报": "法治日报", "中国农往": "中国农网", "中国农业网": "中国农网",
    "中国农": "中国农网", "澎拜新闻": "澎湃新闻", "界面新间": "界面新闻", "第一财金": "第一财经", "每日经济": "每日经济新闻",
    "每日经济新问": "每日经济新闻", "21世纪经济报到": "21世纪经济报道", "上海证券抱": "上海证券报", "上海证卷报": "上海证券报",
    "中国政券报": "中国证券报", "东方财富": "东方财富网", "虎秀": "虎嗅", "36克": "36氪", "华尔街见间": "华尔街见闻",
}  # fmt: skip
_OTHER_MEDIA_TEXT = """
    不存在的新报纸 贵阳日报 南京日报 合肥晚报 东莞日报 海口日报 深圳晚报 广州晚报 成都晚报 中国电子报 中国航空报 中国石油报 中国企业报
    新民晚报 大河报 华商报 腾讯财经 搜狐财经 第一财经日报 人民网财经 中国新闻周刊 北方都市报 财联网
"""
OTHER_MEDIA = _OTHER_MEDIA_TEXT.split()


@pytest.mark.parametrize(("typed", "meant"), SLIPS.items())
def test_slip_is_near_to_the_name_that_was_meant(typed: str, meant: str) -> None:
    known_names = [name for name in KNOWN_NAMES if name != typed]
    assert meant in find_near_names(typed, known_names)[:3]


@pytest.mark.parametrize("name", OTHER_MEDIA)
def test_name_of_another_media_is_near_to_none(name: str) -> None:
    assert find_near_names(name, KNOWN_NAMES) == []


@pytest.mark.parametrize("name", ["证券时报", "证券日报网", "财联社", "cailianshe", "北京证券交易所"])
def test_known_name_is_no_slip(name: str) -> None:
    registry = CategoryRegistry()
    assert registry.resolve_or_create(name) is registry.find(name)


@pytest.mark.parametrize("text", ["财联杜", "证劵时报", "中国农业网"])
def test_slip_is_refused_with_the_near_names(text: str) -> None:
    registry = CategoryRegistry()
    meant = SLIPS[text]
    for resolve in (registry.resolve_or_create, registry.resolve):
        with pytest.raises(UsageError, match=rf"^unknown category '{text}': did you mean .*\({meant}\).*\?$"):
            resolve(text)
    assert registry.find(text) is None


def test_name_of_another_media_is_taken() -> None:
    assert CategoryRegistry().resolve_or_create("贵阳日报").slug == "guiyangribao"
