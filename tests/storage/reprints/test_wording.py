"""Tests of wording: differences of two similar texts, and the changes that a paper may make to a reprint."""

import time

import pytest

from crawler.items import QUOTE_URL_PREFIX
from crawler.storage.reprints.comparison import say_the_same
from crawler.storage.reprints.wording import Wording, read_wording

AT, NEXT_DAY = "2026-09-16T09:30:00+08:00", "2026-09-17T15:30:00+08:00"
TITLE = "宁德时代：公司产品没有应用于固态电池领域"
BODY = (
    "宁德时代9月16日在互动平台表示，公司产品没有应用于固态电池领域，目前与下游客户保持良好的合作。"
    "前三季度研发投入120.5亿元，同比增长8%。具体情况请关注公司披露的定期报告。"
)
NOTICE = "根据存款利率市场化调整机制，本行自9月17日起调整存款挂牌利率，客户可通过营业网点查询有关情况。"


def wording(body: str = BODY, title: str = TITLE, at: str = AT, secids: tuple[str, ...] = ()) -> Wording:
    links = "".join(f'<a href="{QUOTE_URL_PREFIX}{secid}">{secid}</a>' for secid in secids)
    return read_wording(title, body, f"<p>{links}</p>", at)


def agree(first: Wording, second: Wording) -> bool:
    result = say_the_same(first, second)
    assert say_the_same(second, first) is result, "the order of two articles must not matter"
    return result


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("没有应用", "已经应用"),
        ("没有应用", "应用"),
        ("宁德时代9", "亿纬锂能9"),
        ("固态电池", "钠离子电池"),
        ("9月16日", "9月15日"),
        ("120.5亿元", "121.5亿元"),
        ("120.5亿元", "-120.5亿元"),
        ("同比增长", "同比下降"),
        ("同比增长8%", "同比增长8"),
        ("保持良好的合作", "终止合作"),
    ],
)
def test_exchanged_words_part_two_texts(old: str, new: str) -> None:
    assert old in BODY
    assert not agree(wording(), wording(BODY.replace(old, new)))


REPRINTS = {
    "copied": BODY,
    "lead": f"财联社9月16日电，{BODY}",
    "lead of another paper": f"据证券时报报道，{BODY}",
    "byline": f"本报讯（记者 王某）{BODY}",
    "title before the text": f"【宁德时代回应】{BODY}",
    "half-width": BODY.translate(str.maketrans("，。：（）", ",.:()")),
    "full-width": BODY.replace("120.5", "１２０．５"),
    "source line": f"{BODY}\n（文章来源：财联社）",
    "disclaimer": f"{BODY}\n免责声明：本文不构成投资建议，据此操作风险自担。",
    "editor": f"{BODY}\n（责任编辑：王丽）",
    "end cut off": BODY[: BODY.index("具体情况")],
    "cut within a sentence": BODY[: BODY.index("披露的")],
    "sentence left out": BODY.replace("前三季度研发投入120.5亿元，同比增长8%。", ""),
    "clause left out": BODY.replace("，同比增长8%", ""),
    "stock code": BODY.replace("宁德时代", "宁德时代（300750.SZ）", 1),
    "today": BODY.replace("9月16日", "今日"),
    "day alone": BODY.replace("9月16日", "16日"),
    "no date": BODY.replace("9月16日", ""),
    "year": BODY.replace("9月16日", "2026年9月16日"),
    "currency": BODY.replace("亿元", "亿元人民币"),
    "hearsay": f"据悉，{BODY}",
    "own end": f"{BODY}该消息引起市场广泛关注。",
}


@pytest.mark.parametrize("body", REPRINTS.values(), ids=REPRINTS)
def test_reprint_agrees(body: str) -> None:
    assert agree(wording(), wording(body))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("工商银行：关于调整存款利率的公告", "建设银行：关于调整存款利率的公告"),
        ("工商银行下调存款利率", "建设银行：存款利率今起调整"),
        ("工行下调存款利率", "农行下调存款利率"),
        ("调整存款利率的公告（第1号）", "调整存款利率的公告（第2号）"),
    ],
)
def test_titles_part_equal_texts(first: str, second: str) -> None:
    assert not agree(wording(NOTICE, first), wording(NOTICE, second))


@pytest.mark.parametrize(
    "title",
    [
        "快讯：" + TITLE,
        f"【公告】{TITLE}",
        "宁德时代 产品没有应用于固态电池领域",
        "重磅消息来了 市场关注",
        "固态电池最新回应",
    ],
)
def test_paper_may_write_its_own_title(title: str) -> None:
    assert agree(wording(), wording(title=title))


def test_linked_stocks_part_equal_texts() -> None:
    assert not agree(wording(NOTICE, secids=("1.601398",)), wording(NOTICE, secids=("1.601939",)))
    assert agree(wording(NOTICE, secids=("1.601398",)), wording(NOTICE))
    assert agree(wording(NOTICE, secids=("1.601398",)), wording(NOTICE, secids=("1.601398", "1.601939")))
    assert not agree(wording(NOTICE, secids=("1.601398",)), wording("（601939）" + NOTICE))


def test_same_word_for_a_day_means_another_day_later() -> None:
    text = "今日A股三大指数集体收涨，半导体板块领涨，贵金属板块回调。分析人士认为市场处于震荡格局。"
    assert agree(wording(text, "收评"), wording(text, "收评", "2026-09-16T18:00:00+08:00"))
    assert not agree(wording(text, "收评"), wording(text, "收评", NEXT_DAY))
    assert agree(wording(text, "收评"), wording(text.replace("今日", "昨日"), "收评", NEXT_DAY))


@pytest.mark.parametrize(
    "body",
    ["一。" * 10_000, "，" * 20_000, "9月9日" * 4_000, "(" * 20_000, "据" * 20_000, "记者" * 9_000, "\x01，" * 9],
)
def test_time_is_bounded_for_any_text(body: str) -> None:
    """A worse than linear pattern takes minutes with these."""
    assert agree(wording(body), wording(body))


def test_time_is_bounded_for_clauses_that_are_much_alike() -> None:
    """Each is compared with each other, letter by letter, where nothing bounds it: minutes."""
    first, second = (
        "".join(f"第{chr(0x4E00 + 7 * number)}段。{'统计' * 150}{word}。" for number in range(50))
        for word in ("依法", "严格")
    )
    started = time.process_time()
    agree(wording(first), wording(second))
    assert time.process_time() - started < 10
