"""Reprints and decoys: near-duplicates of articles, and articles that only look similar.

Each is labelled with its story. Reprints are other articles of the sample, edited as papers do: with a byline, a
truncated end, a disclaimer or other punctuation. Decoys share a template, or are follow-ups or round-ups.
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
from crawler.sample_site.corpus import NEWEST_AT, Corpus
from crawler.sample_site.phrases import COMPANIES

_MEDIA_NAMES = ("证券时报网", "智通财经", "界面新闻", "北京商报", "中国基金报", "经济参考报", "澎湃新闻", "科创板日报")
_MIN_TEXT_CHARACTERS = 80
# The later of the two reprints of an article is published at most 99 minutes after it.
_REPRINT_DELAY = timedelta(hours=2)
_DISCLAIMER = (
    "<p>免责声明：本文内容与数据仅供参考，不构成投资建议，使用前请核实。据此操作，风险自担。转载请注明来源。</p>"
)
_HALF_WIDTH = str.maketrans("，。：；！？（）“”", ",.:;!?()\"'")
_TEXT_START = re.compile(r"^((?:<p>)?[\s　]*)")
_SENTENCE = re.compile(r"[^。]+。")


class LabelledArticle(NamedTuple):
    """An article and the label of its story; reprints of each other have the same label."""

    cluster_label: str
    article: SourceArticle


def build_labelled_articles(synthetic_count: int = 40) -> list[LabelledArticle]:
    """Return the sample with this number of made-up articles, its reprints, and decoys."""
    corpus = Corpus.sample(synthetic_count)
    originals = [article for code in corpus if (article := corpus.find_article(code))]
    articles = [LabelledArticle(article.code, article) for article in originals]
    for number, article in enumerate(originals):
        if _has_enough_text(article):
            articles += [LabelledArticle(article.code, reprint) for reprint in _generate_reprints(article, number)]
    announcements, closing_reports = list(_generate_announcements()), list(_generate_closing_reports())
    # A round-up of the evening contains these articles, but is a reprint of none.
    round_up = "".join(item.article.content for item in [*closing_reports, *announcements][:12:3])
    return [
        *articles,
        *_generate_margin_balances(),
        *announcements,
        *closing_reports,
        *_generate_follow_ups(originals),
        _label_article("round-up", 500, "新华社", NEWEST_AT, round_up),
    ]


def add_reprints(corpus: Corpus, newest_at: datetime = NEWEST_AT, original_count: int = 3) -> None:
    """Add two reprints of each of the newest articles whose reprints are both published by ``newest_at``."""
    articles = filter(None, map(corpus.find_article, corpus))
    originals = (
        article
        for article in articles
        if article.published_at <= newest_at - _REPRINT_DELAY and _has_enough_text(article)
    )
    for number, original in enumerate(itertools.islice(originals, original_count)):
        for reprint in _generate_reprints(original, number):
            corpus.add(reprint)


def _has_enough_text(article: SourceArticle) -> bool:
    return len(_strip_markup(article.content)) >= _MIN_TEXT_CHARACTERS


def _strip_markup(content: str) -> str:
    return re.sub(r"<[^>]*>|\s", "", content)


def _generate_reprints(article: SourceArticle, number: int) -> Iterator[SourceArticle]:
    """Yield two papers' versions of an article, edited in two of the ways in turn."""
    media_names = [media for media in _MEDIA_NAMES if media != article.media]
    for step in (0, 1):
        edit_content = _REPRINT_EDITS[(number + step * 3) % len(_REPRINT_EDITS)]
        minutes = 7 + 53 * step + number % 40
        yield replace(
            article,
            code=_format_code(article.published_at, 7_000_000_000 + number * 10 + step),
            media=media_names[(number + step) % len(media_names)],
            published_at=article.published_at + timedelta(minutes=minutes),
            content=edit_content(article.content),
            flash_override="",
            is_blank=False,
            body_location="json",
        )


def _prepend_byline(content: str) -> str:
    return _TEXT_START.sub(r"\g<1>本报讯（记者 王某）", content, count=1)


def _truncate_tail(content: str) -> str:
    """Remove the last fifth of more than four paragraphs, else a short last sentence."""
    paragraphs = re.findall(r"<p>.*?</p>", content, re.DOTALL)
    if len(paragraphs) > 4:
        return "".join(paragraphs[: len(paragraphs) - len(paragraphs) // 5])
    sentences = _SENTENCE.findall(content)
    kept = "".join(sentences[:-1])
    return f"{kept}</p>" if len(kept) > 0.75 * len(content) else content


def _use_half_width_punctuation(content: str) -> str:
    return re.sub(r"(?<=>)[^<]+", lambda match: match[0].translate(_HALF_WIDTH), content)


_REPRINT_EDITS: tuple[Callable[[str], str], ...] = (
    lambda content: content,
    _prepend_byline,
    _truncate_tail,
    lambda content: content + _DISCLAIMER,
    _use_half_width_punctuation,
    lambda content: _prepend_byline(_use_half_width_punctuation(content)) + "<p>（综合自各媒体）</p>",
)


def _generate_margin_balances() -> Iterator[LabelledArticle]:
    """Yield a daily report and its reprint; each day is a story of its own."""
    for day in range(12):
        rng = Random(day)
        published_at = NEWEST_AT - timedelta(days=day)
        shanghai, shenzhen = 7800 + rng.random() * 90, 7100 + rng.random() * 90
        body = (
            f"<p>　　截至{published_at.month}月{published_at.day}日，上交所融资余额报{shanghai:.2f}亿元，"
            f"较前一交易日增加{rng.random() * 40:.2f}亿元；深交所融资余额报{shenzhen:.2f}亿元，较前一交易日增加"
            f"{rng.random() * 40:.2f}亿元；"
            f"两市合计{shanghai + shenzhen:.2f}亿元，较前一交易日增加{rng.random() * 80:.2f}亿元。"
            "融资余额是指投资者每日融资买进与归还借款间的差额，余额增加表示投资者心态偏向买方，市场人气旺盛，属强势市场；"
            "反之则属弱势市场。融资融券业务具有财务杠杆放大效应，投资者在有机会以约定的担保物获取较大收益的同时，"
            "也有可能在短时间内蒙受巨额的损失，参与前应当仔细阅读风险揭示书，审慎评估自身的风险承受能力。</p>"
        )
        for number, media in enumerate(("东方财富Choice数据", "证券时报网")):
            yield _label_article(
                f"margin-{day}", 100 + day * 2 + number, media, published_at + timedelta(minutes=9 * number), body
            )


def _generate_announcements() -> Iterator[LabelledArticle]:
    """Yield announcements of many companies on one day, all from one template."""
    for number, company in enumerate(COMPANIES):
        code = company.secid.partition(".")[2]
        body = (
            f"<p>　　{company.name}（{code}）发布股票交易异常波动公告，公司股票连续三个交易日内收盘价格"
            f"涨幅偏离值累计超过{20 + number * 0.37:.2f}%，属于股票交易异常波动情形。经自查，公司目前生产经营情况正常，"
            "市场环境、行业政策没有发生重大调整，生产成本和销售等情况没有出现大幅波动，内部生产经营秩序正常。公司、控股股东及实际控制人均不存在"
            "影响公司股票交易异常波动的重大事宜，不存在应披露而未披露的重大信息。敬请广大投资者注意二级市场交易风险，"
            "理性决策，审慎投资。</p>"
        )
        published_at = NEWEST_AT - timedelta(minutes=11 * number)
        yield _label_article(
            f"announcement-{number}", 200 + number, _MEDIA_NAMES[number % len(_MEDIA_NAMES)], published_at, body
        )


def _generate_closing_reports() -> Iterator[LabelledArticle]:
    """Yield reports of several papers with the same words and different figures."""
    for number in range(10):
        rng = Random(1000 + number)
        body = (
            f"<p>　　A股三大指数今日集体{'收涨' if number % 2 else '收跌'}，截至收盘，"
            f"沪指报{3000 + rng.random() * 200:.2f}点，深成指报{10000 + rng.random() * 500:.2f}点，创业板指报"
            f"{2000 + rng.random() * 100:.2f}点。沪深两市成交额"
            f"{9000 + rng.random() * 900:.0f}亿元，北向资金净买入{rng.random() * 90:.2f}亿元。</p>"
        )
        media = _MEDIA_NAMES[number % len(_MEDIA_NAMES)]
        yield _label_article(f"closing-{number}", 300 + number, media, NEWEST_AT - timedelta(hours=12 * number), body)


def _generate_follow_ups(originals: list[SourceArticle]) -> Iterator[LabelledArticle]:
    """Yield articles that are half a quotation of another paper's article."""
    long_articles = [
        article for article in originals if len(_strip_markup(article.content)) >= 4 * _MIN_TEXT_CHARACTERS
    ]
    for number, (article, other_article) in enumerate(zip(long_articles[:8], long_articles[8:16], strict=False)):
        quoted_text, own_text = _strip_markup(article.content), _strip_markup(other_article.content)
        body = f"<p>{quoted_text[: len(quoted_text) // 2]}</p><p>{own_text[len(own_text) // 2 :]}</p>"
        published_at = article.published_at + timedelta(hours=3)
        media = next(paper for paper in _MEDIA_NAMES if paper not in (article.media, other_article.media))
        yield _label_article(f"follow-up-{number}", 400 + number, media, published_at, body)


def _label_article(
    cluster_label: str, number: int, media: str, published_at: datetime, content: str
) -> LabelledArticle:
    title = _strip_markup(content)[:18]
    article = SourceArticle(
        code=_format_code(published_at, 8_000_000_000 + number),
        title=title,
        media=media,
        published_at=published_at,
        summary=title,
        content=content,
        columns=("350",),
    )
    return LabelledArticle(cluster_label, article)


def _format_code(published_at: datetime, serial: int) -> str:
    return f"{published_at:%Y%m%d}{serial:010d}"
