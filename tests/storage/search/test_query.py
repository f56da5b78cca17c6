"""Queries: what people type, and what it means."""

import pytest

from crawler.storage.search.bigrams import SearchDocument
from crawler.storage.search.query import SyntaxNote, parse_query


def meaning(text: str) -> list[tuple[set[str], set[str]]]:
    return [
        ({term.texts[0] for term in clause.required}, {term.texts[0] for term in clause.excluded})
        for clause in parse_query(text).clauses
    ]


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("央行 降准", [({"央行", "降准"}, set())]),
        ("央行 AND 降准", [({"央行", "降准"}, set())]),
        ("央行 ＡＮＤ 降准 && 利率", [({"央行", "降准", "利率"}, set())]),
        ("央行 NOT 降准", [({"央行"}, {"降准"})]),
        ("央行 AND NOT 降准", [({"央行"}, {"降准"})]),
        ("央行 －降准", [({"央行"}, {"降准"})]),
        ("央行 −降准 –加息", [({"央行"}, {"降准", "加息"})]),
        ("央行 NOT -降准", [({"央行", "降准"}, set())]),
        ("央行 OR 降准", [({"央行"}, set()), ({"降准"}, set())]),
        ("央行 | 降准 || 加息", [({"央行"}, set()), ({"降准"}, set()), ({"加息"}, set())]),
        ("央行 OR NOT 降准", [({"央行"}, set()), (set(), {"降准"})]),
        ("AND", [({"and"}, set())]),
        ("央行 AND", [({"央行", "and"}, set())]),
        ("NOT", [({"not"}, set())]),
        ("OR 央行 OR", [({"or", "央行"}, set())]),
        ("and or not", [({"and", "or", "not"}, set())]),
        ("(央行 OR 财政部) 国债", [({"央行", "国债"}, set()), ({"财政部", "国债"}, set())]),
        ("国债（央行 OR 财政部）", [({"国债(央行"}, set()), ({"财政部)"}, set())]),
        ("国债 （央行 OR 财政部）", [({"央行", "国债"}, set()), ({"财政部", "国债"}, set())]),
        ("( 央行 OR 财政部 ) -(加息 降准)",
         [({"央行"}, {"加息"}), ({"央行"}, {"降准"}), ({"财政部"}, {"加息"}), ({"财政部"}, {"降准"})]),
        ("央行 NOT (加息 OR 降准)", [({"央行"}, {"加息", "降准"})]),
        ("((央行))", [({"央行"}, set())]),
        ('("降 准" OR (加息 -传闻)) 央行', [({"降准", "央行"}, set()), ({"加息", "央行"}, {"传闻"})]),
        ("(央行", [({"央行"}, set())]),
        ("央行)", [({"央行)"}, set())]),
        ("（600519）", [({"600519"}, set())]),
        ("贵州茅台(600519)", [({"贵州茅台(600519)"}, set())]),
        ("(", [(set(), set())]),
        ("央行 OR ()", [({"央行"}, set())]),
        ("“降 准” 「加 息」 『利 率』 ＂国 债＂", [({"降准", "加息", "利率", "国债"}, set())]),
        ("-“降准” －「加息」", [(set(), {"降准", "加息"})]),
        ('"say ""hi"" now', [({'say"hi"now'}, set())]),
        ("五 粮 液", [({"五粮液"}, set())]),
        ("万  科Ａ 公告", [({"万科a", "公告"}, set())]),
        ("涨 -跌", [({"涨"}, {"跌"})]),
        ('"涨" "跌"', [({"涨", "跌"}, set())]),
        ("央行* 降准**", [({"央行", "降准"}, set())]),
        ("*ST康美 *银行", [({"*st康美", "银行"}, set())]),
        ("*", [({"*"}, set())]),
        ('"降 准"~5 ~利率 加息~', [({"降准", "利率", "加息"}, set())]),
        ("１，２３４．５６", [({"1234.56"}, set())]),
    ],
)  # fmt: skip
def test_query_means(text: str, clauses: list[tuple[set[str], set[str]]]) -> None:
    assert meaning(text) == clauses


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("央行 site:xinhuanet.com", [SyntaxNote.SITE]),
        ("央行~2", [SyntaxNote.TILDE]),
        ("央*行", [SyntaxNote.STAR]),
        ("(a OR b) " * 10, [SyntaxNote.BRACKETS]),
        ('央行* "site:x" (a OR b) -c title:d 10~20% *ST康美', []),
    ],
)
def test_operators_of_other_search_engines_are_noted(text: str, notes: list[SyntaxNote]) -> None:
    assert list(parse_query(text).notes) == notes


@pytest.mark.parametrize(
    ("text", "is_match"),
    [
        ("title:央行", True),
        ("intitle：央行 降准", True),
        ("标题：“央行 宣布”", True),
        ("title:降准", False),
        ("央行 -title:降准", True),
        ("降准 -title:降准", True),
        ("央行 -title:央行", False),
        ("title:", False),
    ],
)
def test_title_alone_is_searched(text: str, is_match: bool) -> None:
    query = parse_query(text)
    assert query.matches(SearchDocument("央行宣布", "降准")) is is_match
    assert all(clause.is_satisfiable for clause in query.clauses) or not is_match


@pytest.mark.parametrize(
    "text",
    [
        "(" * 9_999,
        "a(" * 999,
        ")" * 999,
        "-(" * 999 + "a",
        "NOT " * 999,
        "(a " * 999 + ")" * 999,
        "( a" * 99 + ")" * 9_999,
    ],
    ids=range(7),
)
def test_no_brackets_take_long_or_fail(text: str) -> None:
    assert len(parse_query(text).clauses) >= 1
