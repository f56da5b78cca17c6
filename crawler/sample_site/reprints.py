"""Articles that stand in several papers, and articles that only look as if they did.

Each has the name of its story. Reprints are made of the other articles of the sample, as papers make them: with another
lead, a cut tail, a disclaimer, other punctuation. What only looks alike is of one template, a follow-up or a round-up.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from crawler.sample_site.articles import SourceArticle
from crawler.sample_site.corpus import NEWEST, Corpus
from crawler.sample_site.phrases import COMPANIES

_PAPERS = ("证券时报网", "智通财经", "界面新闻", "北京商报", "中国基金报", "经济参考报", "澎湃新闻", "科创板日报")
_LONG_ENOUGH = 80
# After so long, both reprints of an article are out.
_ALL_OUT = timedelta(hours=2)
_DISCLAIMER = (
    "<p>免责声明：本文内容与数据仅供参考，不构成投资建议，使用前请核实。据此操作，风险自担。转载请注明来源。</p>"
)
_HALF_WIDTH = str.maketrans("，。：；！？（）“”", ",.:;!?()\"'")
_FIRST_PARAGRAPH = re.compile(r"^((?:<p>)?[\s　]*)")
_SENTENCES = re.compile(r"[^。]+。")


class Labelled(NamedTuple):
    """An article and the name of its story; two articles of one name are one story."""

    story: str
    article: SourceArticle


def labelled(made_up: int = 40) -> list[Labelled]:
    """The sample with so many made-up articles, its reprints, and what only looks like one."""
    corpus = Corpus.sample(made_up)
    originals = [article for code in corpus if (article := corpus.article(code))]
    found = [Labelled(article.code, article) for article in originals]
    for number, article in enumerate(originals):
        if _is_long_enough(article):
            found += [Labelled(article.code, each) for each in _reprints(article, number)]
    return [*found, *_margin_balances(), *_announcements(), *_closing_reports(), *_follow_ups(originals), *_round_up()]


def add_reprints(corpus: Corpus, newest: datetime = NEWEST, stories: int = 3) -> None:
    """Add two papers' reprints of each of so many articles: the newest for which both are out by `newest`."""
    articles = filter(None, map(corpus.article, corpus))
    originals = (each for each in articles if each.published <= newest - _ALL_OUT and _is_long_enough(each))
    for number, original in enumerate(itertools.islice(originals, stories)):
        for reprint in _reprints(original, number):
            corpus.add(reprint)


def _is_long_enough(article: SourceArticle) -> bool:
    return len(_words(article.content)) >= _LONG_ENOUGH


def _words(content: str) -> str:
    return re.sub(r"<[^>]*>|\s", "", content)


def _reprints(article: SourceArticle, number: int) -> Iterator[SourceArticle]:
    """Two papers' versions of an article, in two of the ways; all ways come round."""
    papers = [paper for paper in _PAPERS if paper != article.media]
    for step in (0, 1):
        change = _WAYS[(number + step * 3) % len(_WAYS)]
        minutes = 7 + 53 * step + number % 40
        yield replace(
            article,
            code=_code(article.published, 7_000_000_000 + number * 10 + step),
            media=papers[(number + step) % len(papers)],
            published=article.published + timedelta(minutes=minutes),
            content=change(article.content),
            digest="",
            blank=False,
            body_in="json",
        )


def _as_it_is(content: str) -> str:
    return content


def _another_lead(content: str) -> str:
    return _FIRST_PARAGRAPH.sub(r"\g<1>本报讯（记者 王某）", content, count=1)


def _cut_tail(content: str) -> str:
    """The last fifth of the paragraphs is gone, or of the sentences where there is one paragraph."""
    parts = re.findall(r"<p>.*?</p>", content, re.DOTALL)
    if len(parts) > 4:
        return "".join(parts[: len(parts) - len(parts) // 5])
    sentences = _SENTENCES.findall(content)
    kept = "".join(sentences[:-1])
    return f"{kept}</p>" if len(kept) > 0.75 * len(content) else content


def _disclaimer(content: str) -> str:
    return content + _DISCLAIMER


def _punctuation(content: str) -> str:
    return re.sub(r"(?<=>)[^<]+", lambda text: text[0].translate(_HALF_WIDTH), content)


def _several(content: str) -> str:
    return _another_lead(_punctuation(content)) + "<p>（综合自各媒体）</p>"


_WAYS: tuple[Callable[[str], str], ...] = (
    _as_it_is, _another_lead, _cut_tail, _disclaimer, _punctuation, _several,
)  # fmt: skip


def _margin_balances() -> Iterator[Labelled]:
    """One paper's column, day after day, which another paper reprints: each day is a story of its own."""
    for day in range(12):
        rng = Random(day)
        at = NEWEST - timedelta(days=day)
        shanghai, shenzhen = 7800 + rng.random() * 90, 7100 + rng.random() * 90
        body = (
            f"<p>　　截至{at.month}月{at.day}日，上交所融资余额报{shanghai:.2f}亿元，较前一交易日增加"
            f"{rng.random() * 40:.2f}亿元；深交所融资余额报{shenzhen:.2f}亿元，较前一交易日增加"
            f"{rng.random() * 40:.2f}亿元；"
            f"两市合计{shanghai + shenzhen:.2f}亿元，较前一交易日增加{rng.random() * 80:.2f}亿元。"
            "融资余额是指投资者每日融资买进与归还借款间的差额，余额增加表示投资者心态偏向买方，市场人气旺盛，属强势市场；"
            "反之则属弱势市场。融资融券业务具有财务杠杆放大效应，投资者在有机会以约定的担保物获取较大收益的同时，"
            "也有可能在短时间内蒙受巨额的损失，参与前应当仔细阅读风险揭示书，审慎评估自身的风险承受能力。</p>"
        )
        for number, paper in enumerate(("东方财富Choice数据", "证券时报网")):
            yield _labelled(f"margin-{day}", 100 + day * 2 + number, paper, at + timedelta(minutes=9 * number), body)


def _announcements() -> Iterator[Labelled]:
    """One template on one day, filled in for many companies, by several papers."""
    for number, company in enumerate(COMPANIES):
        code = company.secid.partition(".")[2]
        body = (
            f"<p>　　{company.name}（{code}）发布股票交易异常波动公告，公司股票连续三个交易日内收盘价格"
            f"涨幅偏离值累计超过{20 + number * 0.37:.2f}%，属于股票交易异常波动情形。经自查，公司目前生产经营情况正常，"
            "市场环境、行业政策没有发生重大调整，生产成本和销售等情况没有出现大幅波动，内部生产经营秩序正常。公司、控股股东及实际控制人均不存在"
            "影响公司股票交易异常波动的重大事宜，不存在应披露而未披露的重大信息。敬请广大投资者注意二级市场交易风险，"
            "理性决策，审慎投资。</p>"
        )
        at = NEWEST - timedelta(minutes=11 * number)
        yield _labelled(f"announcement-{number}", 200 + number, _PAPERS[number % len(_PAPERS)], at, body)


def _closing_reports() -> Iterator[Labelled]:
    """The same words every day and in every paper, and other figures."""
    for number in range(10):
        rng = Random(1000 + number)
        body = (
            f"<p>　　A股三大指数今日集体{'收涨' if number % 2 else '收跌'}，截至收盘，"
            f"沪指报{3000 + rng.random() * 200:.2f}点，深成指报{10000 + rng.random() * 500:.2f}点，创业板指报"
            f"{2000 + rng.random() * 100:.2f}点。沪深两市成交额"
            f"{9000 + rng.random() * 900:.0f}亿元，北向资金净买入{rng.random() * 90:.2f}亿元。</p>"
        )
        paper = _PAPERS[number % len(_PAPERS)]
        yield _labelled(f"closing-{number}", 300 + number, paper, NEWEST - timedelta(hours=12 * number), body)


def _follow_ups(originals: list[SourceArticle]) -> Iterator[Labelled]:
    """Another paper quotes the half of an article, and goes on with as much of its own."""
    long = [article for article in originals if len(_words(article.content)) >= 4 * _LONG_ENOUGH]
    for number, (article, other) in enumerate(zip(long[:8], long[8:16], strict=False)):
        quoted, own = _words(article.content), _words(other.content)
        body = f"<p>{quoted[: len(quoted) // 2]}</p><p>{own[len(own) // 2 :]}</p>"
        at = article.published + timedelta(hours=3)
        paper = next(paper for paper in _PAPERS if paper not in (article.media, other.media))
        yield _labelled(f"follow-up-{number}", 400 + number, paper, at, body)


def _round_up() -> Iterator[Labelled]:
    """The news of the evening: each of these stands in it, and it is none of them."""
    items = [*_closing_reports(), *_announcements()][:12:3]
    body = "".join(each.article.content for each in items)
    yield _labelled("round-up", 500, "新华社", NEWEST, body)


def _labelled(story: str, number: int, media: str, published: datetime, content: str) -> Labelled:
    title = _words(content)[:18]
    article = SourceArticle(
        code=_code(published, 8_000_000_000 + number),
        title=title,
        media=media,
        published=published,
        summary=title,
        content=content,
        columns=("350",),
    )
    return Labelled(story, article)


def _code(published: datetime, serial: int) -> str:
    return f"{published:%Y%m%d}{serial:010d}"
