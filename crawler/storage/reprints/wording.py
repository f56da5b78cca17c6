"""Wording: the normalised form in which two texts are compared.

Left out, or written in one way, is what papers change when they print a text again: leads, names of reporters,
disclaimers, stock codes, the unit of a figure, the word for a day, and words for which editors have others
(`editors_words.toml`).
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property
from importlib.resources import files
from typing import NamedTuple

from crawler.content.stocks import extract_mentions

# Characters; the rest of a longer text is not compared.
_MAX_CHARACTERS = 20_000
# How names of media end, as far as no company's does (国家电网, 贵州茅台).
_MEDIA_ENDING = (
    "本报|本网|本刊|本社|日报|晚报|早报|时报|商报|证券报|参考报|导报|经济报道|周刊|财联社|新华社|中新社|路透社?|彭博社?|通讯社|美联社|电视台|央视"
    "|新闻|财经|每经|快讯|客户端|网(?=快?讯)|证券之星|格隆汇|数据宝|智通财经|金十数据|choice数据|e公司"
)
_DAY_PATTERN = re.compile(
    r"(?:当地时间)?(?:(?:(?P<year>\d{4})年)?(?P<month>\d{1,2})月(?P<day>\d{1,2})日"
    r"|(?P<iso_year>\d{4})-(?P<iso_month>\d{1,2})-(?P<iso_day>\d{1,2})"
    r"|(?P<relative>今日|今天|今晚|今早|今晨|今(?=起)|即日|当日|当天|当晚|昨日|昨天|昨晚|明日|明天|明(?=起))"
    r"|(?<![\d月连续第近每满逾超达约前后过去未来易])(?P<bare_day>\d{1,2})日(?!均|线|内|以|之|游|前|后|个|间|圆|元|股|起?涨|起?跌))"
    r"(?:晚间?|早间|上午|下午|凌晨|盘后|收盘后)?"
)
_DAYS_LATER = {"昨": -1, "今": 0, "即": 0, "当": 0, "明": 1}
_SENTENCE_END = re.compile(r"[。!?;\n]+|(?<![0-9a-z])\.+|\.+(?![0-9a-z])")
_CLAUSE_END = re.compile(r"[,()\[\]]|:(?!\d)")
_TITLE_PART_END = re.compile(r"[\s,:!?|丨]+")
_THOUSANDS_COMMA = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SPACES_IN_DATES = re.compile(r"(?<=[\d年月])[^\S\n]+(?=[\d年月日])")
# Letters and figures; a minus belongs to its figure.
_WORDS = re.compile(r"(?<![0-9a-z%元股日])-\d+(?:\.\d+)?%?|\d+(?:\.\d+)?%?|[^\W_]")
_FIGURE = re.compile(r"(?P<number>\d{1,20}(?:\.\d{1,20})?)\s?(?P<unit>万亿|千亿|百亿|亿|千万|百万|万)?")
_UNITS = {"": 0, "万": 4, "百万": 6, "千万": 7, "亿": 8, "百亿": 10, "千亿": 11, "万亿": 12}
_STOCK_CODE = re.compile(
    r"\(\s?(?:(?:sh|sz|bj|hk|us|nyse|nasdaq|纽交所|纳斯达克|港股|股票代码|证券代码|代码)[.:]?\s?)?"
    r"(?P<code>\d{5,6}|[a-z]{1,5}(?=\.(?:us|n|o)\b)|(?<=[.:])[a-z]{1,5})(?:\.(?:sh|ss|sz|bj|hk|us|n|o))?\s?\)"
)
# Marks a day while a sentence is read; no other text has it.
_DAY_MARK = "\x01"
# Leads before the first words, with _DAY_MARK in place of a day.
_LEADS = re.compile(
    r"^[\s\"'“■]*(?:[【\[][^】\]]{0,60}[】\]])?\s*"
    rf"(?:(?:据)?[^,:(\x01\s]{{0,10}}?(?:{_MEDIA_ENDING})(?:app)?(?:\([^()]{{0,20}}\)|[^,:(\x01\s]{{0,3}}?)\s?\x01?(?:[快专]?讯|电|消息|报道|获悉)"
    r"|[^,:(\x01\s]{0,10}\s?\x01(?:[快专]?讯|电|消息|报道)(?=[,:(\s]|记者)|[^,:(\x01\s]{2,8}讯(?=[\s(]|记者)"
    rf"|(?:{_MEDIA_ENDING})\s?\x01?\s?[丨|])?(?:(?<=讯)\s[\u4e00-\u9fff]{{2,3}}\s)?[,:\s]*"
    r"(?:\([^()]{0,6}(?:记者|通讯员|实习|编辑)[^()]{0,30}\)|(?:[^,:(\s]{0,10}(?:\([^()]{0,40}\)\s?)?(?:记者|通讯员|编辑|作者)[\s:]*[^,:(\s]{2,4}(?:[\s,:]+(?:[\u4e00-\u9fff]{2,3}报道\s)?|报道\s*|$))+)?"
)
_FILLERS = re.compile(
    r"据(?:悉|了解|介绍)|另悉|(?:本报)?记者(?:从[^,:。]{1,15})?(?:获悉|了解到)|人民币|今年|本年|先生|女士|认为|公布|予以|手续|各类|有关|相关"
    r"|日前|近日|近期|股份有限公司|\((?:以下|下称|简称)[^()]{0,30}\)|(?:发布|披露|刊登)?了?公告(?:称|显示|表示|指出)?|晚间|早间|盘后|表示|称"
    r"|指出|宣布|透露|(?:[^,:()]{0,6}(?:数据|统计|数据宝|公开信息))?显示|约|左右|本次|此次|上述|[于的了在其该并且也还则共为]"
)
_BOILERPLATE = re.compile(
    r"免责声明|责任编辑|责编|^\W*(?:编辑|校对|审核|来源|作者|记者)[:：]|综合自|转载|版权|仅供参考|不构成(?:任何)?(?:实质性)?投资建议|据此(?:操作|入市|投资)"
    r"|风险自[担负]|(?:投资|市场|入市)(?:者)?(?:有|需)(?:风险|谨慎)|文章来源|^\W*文[/|]|实习生|公众号|客户端|本文(?:首发|来自|为)|更多(?:内容|精彩|资讯)"
    r"|原标题|点击查看|扫码|^\W*(?:完|end)\W*$|不代表本(?:网|报|刊|平台)"
)
_TITLE_LABELS = re.compile(
    r"^(?:[【\[][^】\]]{0,20}[】\]])+|^(?:快讯|独家|重磅|突发|最新|刚刚|公告(?:精选|速递)?|收评|午评|早盘|尾盘|盘前|盘后|异动|速递|要闻)[!:|丨]+"
)

# Names of companies, by how they end.
NAME = re.compile(
    r"[\u4e00-\u9fff]{2,8}?(?:银行|农商行|证券|保险|人寿|信托|基金|期货|集团|股份|控股|科技|公司|药业|医药|电子|能源|电力|资本|汽车|地产|智能|材料"
    r"|生物|重工|交通|航空|机场|港口|传媒|软件|通信|食品|酒业)"
)
_TITLE_NAME = re.compile(rf"^([\u4e00-\u9fffa-z\d*]{{2,8}}(?=:)|{NAME.pattern})")


@dataclass(frozen=True)
class EditorsWords:
    """The words of `editors_words.toml`."""

    first_by_synonym: dict[str, str]
    synonyms: re.Pattern[str]
    optional: re.Pattern[str]

    def write_alike(self, letters: str) -> str:
        """Return the letters with one word for each group of synonyms."""
        return self.synonyms.sub(lambda match: self.first_by_synonym[match[0]], letters)

    def strip(self, letters: str) -> str:
        """Return what is left without the words that editors add, leave out and exchange."""
        return self.optional.sub("", letters)


@cache
def load_editors_words() -> EditorsWords:
    """Return the words that editors exchange, add and leave out, and that change no fact."""
    table = tomllib.loads(files("crawler").joinpath("storage/reprints/editors_words.toml").read_text("utf-8"))
    groups = [line.split() for line in table["synonyms"].strip().splitlines()]
    first_by_synonym = {synonym: words[0] for words in groups for synonym in words[1:]}
    return EditorsWords(first_by_synonym, _any_of(first_by_synonym), _any_of(table["optional"].split()))


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(sorted(map(re.escape, words), key=lambda word: (-len(word), word))))


class Clause(NamedTuple):
    """A clause without dates, stock codes and fillers: its letters, its dates, and the number of its sentence."""

    letters: str
    days: tuple[tuple[str, str], ...]
    """Each day as a text has it, and the date that it means."""
    sentence: int


@dataclass(frozen=True)
class Wording:
    """Normalised texts of an article, for comparison."""

    title: str
    clauses: tuple[Clause, ...]
    stock_codes: frozenset[str]
    published_at: datetime

    @cached_property
    def title_parts(self) -> tuple[str, ...]:
        """Return the letters of each part of the title, as those of a clause."""
        return tuple(map(_keep_compared_letters, _TITLE_PART_END.split(self.title)))

    @cached_property
    def title_letters(self) -> str:
        """Return the letters of the title."""
        return "".join(self.title_parts)

    @cached_property
    def text_letters(self) -> str:
        """Return the letters of the text, with a line for each clause."""
        return "\n".join(clause.letters for clause in self.clauses)

    @cached_property
    def title_subject(self) -> str:
        """Return the letters of the name that the title begins with; empty where none is recognised."""
        match = _TITLE_NAME.match(self.title)
        return _keep_compared_letters(match[1]) if match else ""

    def mentions(self, letters: str) -> bool:
        """Return whether title or text has these letters in one clause."""
        return letters in self.title_letters or letters in self.text_letters


def read_wording(title: str, body_text: str, body_html: str, published_at: str) -> Wording:
    """Return the wording of an article; `published_at` is its ISO 8601 time."""
    published = datetime.fromisoformat(published_at)
    text = _normalise(body_text[:_MAX_CHARACTERS])
    codes = {mention.secid.partition(".")[2] for mention in extract_mentions(body_html)}
    codes.update(match["code"] for match in _STOCK_CODE.finditer(text))
    return Wording(
        _TITLE_LABELS.sub("", _normalise(title)),
        tuple(
            clause
            for number, sentence in enumerate(_SENTENCE_END.split(text))
            if not _BOILERPLATE.search(sentence)
            for clause in _read_sentence(sentence, number, published.date())
        ),
        frozenset(code.casefold().zfill(5) for code in codes),
        published,
    )


# reading


def _normalise(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.replace(_DAY_MARK, "")).casefold()
    return _THOUSANDS_COMMA.sub("", _SPACES_IN_DATES.sub("", text))


def _read_sentence(text: str, number: int, published: date) -> Iterator[Clause]:
    days: list[tuple[str, str]] = []

    def take_day(match: re.Match[str]) -> str:
        if match["relative"]:
            day = (published + timedelta(days=_DAYS_LATER[match["relative"][0]])).isoformat()
        else:
            year = int(match["year"] or match["iso_year"] or published.year)
            month = int(match["month"] or match["iso_month"] or published.month)
            day = f"{year:04}-{month:02}-{int(match['day'] or match['iso_day'] or match['bare_day']):02}"
        days.append((match[0], day))
        return _DAY_MARK

    text = _LEADS.sub("", _DAY_PATTERN.sub(take_day, _STOCK_CODE.sub("", text)))
    # The days of a lead are gone with it.
    remaining_days = iter(days[len(days) - text.count(_DAY_MARK) :])
    for part in _CLAUSE_END.split(text):
        letters = _keep_compared_letters(part)
        clause_days = tuple(next(remaining_days) for _ in range(part.count(_DAY_MARK)))
        if letters:
            yield Clause(letters, clause_days, number)


def _keep_compared_letters(text: str) -> str:
    """Return the letters and figures of a text without fillers, and one word for each group of synonyms."""
    # 306.50万 and 3065000 are one figure.
    text = _FIGURE.sub(
        lambda figure: f"{Decimal(figure['number']).scaleb(_UNITS[figure['unit'] or '']).normalize():f}",
        _FILLERS.sub("", text),
    )
    letters = "".join(_WORDS.findall(text))
    return load_editors_words().write_alike(letters)
