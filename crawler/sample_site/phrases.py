"""Phrases of made-up financial Chinese: words, and templates of sentences and titles.

Companies, codes and figures are invented; the names of papers, boards and places are real, since a crawler
categorises by them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import NamedTuple, TypeVar

T = TypeVar("T")
SlotFiller = Callable[[Random], str]
"""Returns one word."""


class Company(NamedTuple):
    """A company and its "<market>.<code>"."""

    name: str
    secid: str


_MEDIA_NAMES_TEXT = """
    财联社 证券时报 上海证券报 中国证券报 每日经济新闻 第一财经 界面新闻 21世纪经济报道 券商中国
    新华社 央视新闻 经济日报 证券日报 澎湃新闻 东方财富Choice数据 东方财富研究中心 中国基金报
    智通财经 科创板日报 北京商报 中国新闻网 经济参考报 证券时报网 中国农网 36氪 IT之家 安信国际证券(香港)
"""
MEDIA_NAMES = _MEDIA_NAMES_TEXT.split()
"""Short and long names, with Latin letters, digits and brackets."""
SECURITIES_MEDIA_NAMES = ("上海证券报", "中国证券报", "证券时报", "证券日报")
"""Names that contain the name of a board, so a link splits their source line."""

_COMPANIES_TEXT = """
    东屿科技=1.609001 禾川新材=0.009002 云岭重工=1.609003 北辰医药=0.309004 远帆物流=1.609005
    天沐食品=0.009006 青峦电子=1.689007 华屏显示=0.309008 金穗农业=0.009009 海澜动力=1.609010
    瑞祥生物=1.689011 泰岳建设=1.609012 星桥通信=0.309013 宏图能源=1.609014 锦江化纤=0.009015
    百川智造=1.689016 龙栖文旅=0.009017 中岳矿业=1.609018 清源环保=0.309019 恒筑家居=0.009020
"""
COMPANIES = [Company(*pair.split("=")) for pair in _COMPANIES_TEXT.split()]
BOARDS = (("新能源", "BK0493"), ("人工智能", "BK0800"), ("知识产权", "BK0839"), ("证券", "BK0473"))

_SLOT_WORDS = {
    "industry": "新能源 人工智能 半导体 创新药 储能 商业航天 机器人 农业 证券 消费电子",
    "place": "北京 上海 深圳 广州 成都 武汉 长春 山西 浙江 江苏 安徽 海南 重庆 厦门",
    "goods": "动力电池 功率器件 高端装备 绿色甲醇 光伏组件 大豆 电解铝 特种纤维 工业软件 疫苗",
    "measure": "营业收入 净利润 新签订单 研发投入 出口额 经营现金流",
    "figure": "社会消费品零售总额 规模以上工业增加值 固定资产投资 进出口总值 税收收入 新增贷款",
    "person": "公司负责人 业内人士 首席分析师 相关负责人 研究员 市场人士",
    "says": "表示 指出 认为 告诉记者 介绍 坦言",
    "moves": "走强 震荡上行 小幅回落 拉升 冲高回落 持续活跃",
    "policy": "行动方案 若干措施 指导意见 实施细则 发展规划",
    "aim": "扩大有效投资 支持中小企业 推动绿色转型 促进消费 稳定就业 加快技术攻关 完善市场规则",
}

_TITLE_TEMPLATES = """
{company}：前三季度{measure}同比增长{percent}
{company}拟投资{money}建设{goods}项目
{place}发布{industry}{policy} {aim}
{industry}板块{moves} {company}涨停
{place}：前8月{figure}增长{percent}
{company}回应{goods}传闻：生产经营正常
{goods}价格{month}以来上涨{percent} 机构怎么看？
""".strip().splitlines()

_LEAD_TEMPLATES = """
{company}{month}{day}公告称，公司拟以自有资金投资{money}，用于{goods}的研发和生产。
{day}盘中，{industry}板块{moves}，{company}领涨，板块成交额较前一交易日放大{percent}。
{company}上半年{measure}为{money}，业绩同比增长{percent}，毛利率为{percent}。
""".strip().splitlines()

_SENTENCE_TEMPLATES = [
    *_LEAD_TEMPLATES,
    *"""
数据显示，{month}{place}{figure}同比增长{percent}，环比增长{percent}。
{person}{says}，{industry}行业景气度回升，{goods}需求有望在明年释放。
截至收盘，{company}报{price}元，涨{rise}，成交额{money}。
“{aim}是下一阶段的重点。”{person}{says}，{place}将出台{policy}。
{place}近日印发《{industry}产业{policy}》，提出{aim}等多项任务。
从需求看，{goods}库存处于低位，{month}现货均价较上月上涨{percent}。
多家机构在研报中提到{company}，称其{goods}业务进入收获期，但也提示原料价格波动的风险。
该项目位于{place}，总投资{money}，预计{month}投产，达产后年产{goods}约{quantity}。
与此同时，{company}在投资者互动平台回复称，公司{goods}订单饱满，相关合同正常履行。
不过，{person}也{says}，{place}的试点经验能否推广，仍有待观察。
""".strip().splitlines(),
]


def choose(rng: Random, words: Sequence[T]) -> T:
    """Return a random word. Only ``random()`` gives the same values in every Python version."""
    return words[int(rng.random() * len(words))]


def generate_title(rng: Random, company: str) -> str:
    """Return a headline."""
    return _fill_template(rng, _TITLE_TEMPLATES, company)


def generate_lead(rng: Random, company: str) -> str:
    """Return a first paragraph, which names the company."""
    return _fill_template(rng, _LEAD_TEMPLATES, company) + _fill_template(rng, _SENTENCE_TEMPLATES, company)


def generate_paragraphs(rng: Random, companies: Sequence[str], min_characters: float) -> list[str]:
    """Return paragraphs of two to four sentences, with at least this number of characters in total."""
    texts: list[str] = []
    while min_characters > 0:
        count = 2 + int(rng.random() * 3)
        text = "".join(_fill_template(rng, _SENTENCE_TEMPLATES, choose(rng, companies)) for _ in range(count))
        texts.append(text)
        min_characters -= len(text)
    return texts


def _fill_template(rng: Random, templates: Sequence[str], company: str) -> str:
    """Return a random template with its slots filled, all with the same company."""
    text, slots = _compile_template(choose(rng, templates))
    return (text % tuple([slot(rng) for slot in slots])).replace("{company}", company)


@cache
def _compile_template(template: str) -> tuple[str, list[SlotFiller]]:
    """Return a template with ``%s`` for each slot except ``{company}``, and the slots' fillers."""
    slots = [_SLOT_FILLERS[name] for name in _SLOT_PATTERN.findall(template)]
    return _SLOT_PATTERN.sub("%s", template), slots


def _make_chooser(words: Sequence[str]) -> SlotFiller:
    """Return a filler that chooses a word itself, since a second call for each word would be slow."""
    count = len(words)
    return lambda rng: words[int(rng.random() * count)]


_SLOT_PATTERN = re.compile(r"\{(?!company)(\w+)\}")
_SLOT_FILLERS: dict[str, SlotFiller] = {
    **{name: _make_chooser(words.split()) for name, words in _SLOT_WORDS.items()},
    "percent": lambda rng: f"{rng.random() * 60:.2f}%",
    "rise": lambda rng: f"{rng.random() * 9.9 + 0.1:.2f}%",
    "price": lambda rng: f"{rng.random() * 80 + 3:.2f}",
    "money": lambda rng: f"{rng.random() * 90 + 0.5:.2f}{choose(rng, ('亿元', '亿美元'))}",
    "quantity": lambda rng: f"{rng.random() * 90 + 0.5:.2f}{choose(rng, ('万吨', '万台'))}",
    "month": lambda rng: f"{int(rng.random() * 12) + 1}月",
    "day": lambda rng: f"{int(rng.random() * 28) + 1}日",
}
