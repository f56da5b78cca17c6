"""Searches as people type them, over articles that write the same in other forms, from the command to its answer."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crawler.storage import Store
from crawler.storage.search.bigrams import spaced_ngrams
from crawler.storage.search.request import SearchRequest, SortOrder
from crawler.storage.search.suggestions import Suggestion, SuggestionKind, suggest
from tests.support.commands import CommandRunner
from tests.support.stored_articles import PUBLISHED, STOCK_LINK, create_article, save_article


def link(secid: str, name: str) -> str:
    return STOCK_LINK.format(secid, name)


# By what the tests call them: title and body.
ARTICLES = {
    "traditional": ("茅台集團發佈年報", "貴州茅臺淨利潤增長，後續擴產。"),
    "simplified": ("茅台集团发布年报", "贵州茅台净利润增长，后续扩产。"),
    "wide name": ("万  科Ａ跌停", "五 粮 液回应"),
    "plain name": ("万科A涨停", "五粮液回应"),
    "wide number": ("成交放量", "成交１，２３４．５６亿元"),
    "comma": ("成交缩量", "成交1,234.56亿元"),
    "plain number": ("成交持平", "成交1234.56亿元"),
    "radicals": ("⻓江电⼒", "⺠企参与"),
    "ideographs": ("长江电力", "民企参与"),
    "selectors": ("葛\U000e0100洲坝", "集\ufe00团"),
    "HK link": ("港股收评", f"{link('116.00700', '腾讯控股')}涨"),
    "HK five": ("港股午评", "腾讯（00700）涨"),
    "HK four": ("港股早评", "腾讯（0700.HK）涨"),
    "HK dot five": ("港股快评", "腾讯00700.HK涨"),
    "other HK": ("港股夜评", "某股（1700.HK）涨"),
    "SZ link": ("创业板", f"{link('0.309004', '某某科技')}涨"),
    "SZ text": ("科创", "某某（309004）涨"),
    "US link": ("美股收评", f"{link('105.NVDA', '英伟达')}涨"),
    "US text": ("美股早评", "英伟达（NVDA.O）涨"),
    "SH link": ("白酒", f"{link('1.600519', '贵州茅台')}与{link('0.000002', '万  科Ａ')}"),
}
CODES = {name: f"2022011024217163{number:02}" for number, name in enumerate(ARTICLES)}
NAMES = {code: name for name, code in CODES.items()}
HK = {"HK link", "HK five", "HK four", "HK dot five"}
LIQUOR = {"wide name", "plain name"}
NUMBERS = {"wide number", "comma", "plain number"}


@pytest.fixture(scope="module")
def typed_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("typed")
    with Store.open_rw(output) as store, store.transaction():
        for number, (name, (title, body)) in enumerate(ARTICLES.items()):
            published_at = PUBLISHED + timedelta(minutes=number)
            save_article(
                store,
                create_article(f"<p>{body}</p>", title=title, code=CODES[name], published_at=published_at),
            )
    return output


@pytest.fixture(scope="module")
def store(typed_output: Path) -> Iterator[Store]:
    with Store.open_ro(typed_output) as store:
        yield store


def found(store: Store, text: str = "", **options: object) -> set[str]:
    request = SearchRequest(text=text, **options)  # type: ignore[arg-type]  # any field
    names = [NAMES[row["code"]] for row in store.search.rows(request)]
    assert store.search.count(request) == len(names)
    return set(names)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("贵州茅台", {"traditional", "simplified", "SH link"}),
        ("貴州茅臺", {"traditional", "simplified", "SH link"}),
        ("發布年報", {"traditional", "simplified"}),
        ("后续扩产", {"traditional", "simplified"}),
        ("後", {"traditional", "simplified"}),
        ("万科A", {*LIQUOR, "SH link"}),
        ("万  科Ａ", {*LIQUOR, "SH link"}),
        ("萬科a", {*LIQUOR, "SH link"}),
        ("五 粮 液", LIQUOR),
        ("五粮液", LIQUOR),
        ('"五粮 液"', LIQUOR),
        ("1234.56", NUMBERS),
        ("1,234.56", NUMBERS),
        ("１２３４．５６", NUMBERS),
        ("１，２３４．５６", NUMBERS),
        ("长江电力", {"radicals", "ideographs"}),
        ("⻓江电⼒", {"radicals", "ideographs"}),
        ("⺠", {"radicals", "ideographs"}),
        ("葛洲坝", {"selectors"}),
        ("葛\u200b洲\U000e0101坝", {"selectors"}),
        ("集团", {"traditional", "simplified", "selectors"}),
        *((typed, HK) for typed in ("00700.HK", "0700.HK", "HK700", "hk00700", "700.HK", "hk.0700", "０７００．ＨＫ")),
        ("00700", {"HK link", "HK five", "HK dot five"}),
        ("116.00700", {"HK link"}),
        *((typed, {"SZ link", "SZ text"}) for typed in ("309004.SZ", "SZ309004", "sz309004", "sz.309004", "309004")),
        ("309004.SH", {"SZ text"}),
        *((typed, {"US link", "US text"}) for typed in ("NVDA", "nvda", "nvda.us", "US.NVDA", "NVDA.O")),
        *((typed, {"SH link"}) for typed in ("600519.SH", "SH600519", "sh600519")),
        ("涨 -HK700", {"plain name", "other HK", "SZ link", "SZ text", "US link", "US text"}),
        ("(309004 OR NVDA) 涨", {"SZ link", "SZ text", "US link", "US text"}),
        ("title:港股 涨", {*HK, "other HK"}),
        ("title:涨", {"plain name"}),
        ("涨 NOT (title:港股 OR 309004)", {"plain name", "US link", "US text"}),
        ("“五粮液”", LIQUOR),
        ("五粮* －跌停", {"plain name"}),
    ],
)
def test_typed_form_finds_the_others(store: Store, query: str, names: set[str]) -> None:
    assert found(store, query) == names


@pytest.mark.parametrize(
    ("stock", "names"),
    [
        *((typed, {"HK link"}) for typed in ("00700", "700", "0700", "00700.HK", "HK700", "116.00700", "腾讯控股", "騰訊控股")),
        *((typed, {"SZ link"}) for typed in ("309004", "309004.SZ", "SZ309004", "sz309004", "0.309004")),
        ("309004.SH", set()),
        *((typed, {"US link"}) for typed in ("NVDA", "nvda.us", "105.nvda", "英偉達")),
        *((typed, {"SH link"}) for typed in ("600519.SH", "SH600519", "万科A", "万  科Ａ", "萬科ａ", "000002", "貴州茅臺")),
        ("茅台", set()),
    ],
)  # fmt: skip
def test_typed_stock_is_the_filter(store: Store, stock: str, names: set[str]) -> None:
    assert found(store, stock=stock) == names
    assert {NAMES[row["code"]] for row in store.stocks.get_details(stock, 9)["articles"]} == names


def test_oldest_first_and_offset_are_the_same_list(store: Store) -> None:
    for text in ("", "涨", "成交 OR 港股", '"港股"'):
        newest = [row["code"] for row in store.search.rows(SearchRequest(text=text))]
        assert newest == sorted(newest, reverse=True)
        for sort, codes in ((SortOrder.NEWEST, newest), (SortOrder.OLDEST, newest[::-1])):
            for offset, limit in ((0, 2), (2, 2), (1, 100), (100, 2), (3, None)):
                request = SearchRequest(text=text, sort=sort, offset=offset, limit=limit)
                expected = codes[offset : None if limit is None else offset + limit]
                assert [row["code"] for row in store.search.rows(request)] == expected, request
                assert store.search.count(request) == len(codes)
    ranked = [row["code"] for row in store.search.rows(SearchRequest(text="涨", sort=SortOrder.RELEVANCE))]
    request = SearchRequest(text="涨", sort=SortOrder.RELEVANCE, offset=2, limit=3)
    assert [row["code"] for row in store.search.rows(request)] == ranked[2:5]


@pytest.mark.parametrize(
    ("request_", "suggestions"),
    [
        (SearchRequest("涨", stock="600519.SH"), [Suggestion(SuggestionKind.WITHOUT_FILTER, ("stock",), (10,))]),
        (SearchRequest("腾讯", categories=("x",)), [Suggestion(SuggestionKind.WITHOUT_FILTER, ("categories",), (4,))]),
        (SearchRequest("腾讯", categories=("x",), columns=("0",)), [Suggestion(SuggestionKind.WITHOUT_FILTERS, (), (4,))]),
        (SearchRequest(stock="贵州茅苔"), [Suggestion(SuggestionKind.UNKNOWN_STOCK, ("贵州茅苔", "贵州茅台"))]),
        (SearchRequest('"腾讯 港股"'), [Suggestion(SuggestionKind.WITHOUT_QUOTES, (), (4,))]),
        (SearchRequest("成交 -亿元"), [Suggestion(SuggestionKind.WITHOUT_EXCLUDED, (), (3,))]),
        (SearchRequest("成交 腾讯 无此词"),
         [Suggestion(SuggestionKind.WORD_COUNTS, ("成交", "腾讯", "无此词"), (3, 4, 0))]),
        (SearchRequest("贵州茅苔"), [Suggestion(SuggestionKind.SIMILAR_NAMES, ("贵州茅台",)), Suggestion(SuggestionKind.SHORTER)]),
        (SearchRequest("腾讯成交大涨"), [Suggestion(SuggestionKind.SHORTER)]),
        (SearchRequest("zzz"), [Suggestion(SuggestionKind.SHORTER)]),
        (SearchRequest("zz"), []),
        (SearchRequest(stock="zzz"), [Suggestion(SuggestionKind.UNKNOWN_STOCK, ("zzz",))]),
    ],
    ids=lambda value: value.text or value.stock if isinstance(value, SearchRequest) else "",
)  # fmt: skip
def test_search_without_a_hit_suggests_what_to_try(
    store: Store, request_: SearchRequest, suggestions: list[Suggestion]
) -> None:
    assert list(store.search.rows(request_)) == []
    assert suggest(store.search, store.stocks, request_) == suggestions


def test_command_pages_oldest_first(typed_output: Path, finews: CommandRunner) -> None:
    args = ("search", "成交", "--sort", "oldest", "--limit", "1", "--output", str(typed_output))
    result = finews(*args, "--offset", "1")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "【成交】缩量")
    assert result.stderr == "2 to 2: --offset 2 shows the next, --limit more at once, --count how many there are\n"
    result = finews(*args, "--offset", "2", "--json")
    assert [row["title"] for row in result.json] == ["成交持平"]
    assert result.stderr == ""
    result = finews(*args, "--offset", "3")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "3 articles found, --offset 3 skips all of them\n"


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ("成交 腾讯", ["nothing found", "no article has all of these words; 3 have ‘成交’, 4 have ‘腾讯’"]),
        ("港股 site:x.cn", [
            "note: `site:` is searched for as text: --category names the media, --column the listing", "nothing found",
            "no article has all of these words; 5 have ‘港股’, 0 have ‘site:x.cn’",
        ]),
        ("成交~2", ["note: `~` is left out: words are found as they are written"]),
    ],
)  # fmt: skip
def test_command_answers_on_standard_error(
    typed_output: Path, finews: CommandRunner, query: str, lines: list[str]
) -> None:
    result = finews("search", query, "--json", "--output", str(typed_output))
    assert (result.exit_code, result.stderr.splitlines()) == (0, lines)
    assert isinstance(result.json, list)


def test_index_of_unfolded_text_is_made_again(typed_output: Path, tmp_path: Path) -> None:
    """As an older finews left it: the bigrams of the characters themselves, and no step m020."""
    output = Path(shutil.copytree(typed_output, tmp_path / "output"))
    with Store.open_rw(output) as store, store.transaction():
        execute = store.connection.execute
        execute("INSERT INTO search_pairs (search_pairs) VALUES ('delete-all')")
        sql = "SELECT id, title, body_text FROM search_documents JOIN articles ON articles.code = CAST(search_documents.code AS TEXT)"
        for number, title, body_text in execute(sql).fetchall():
            pairs = spaced_ngrams(f"{title}\ue00a{body_text}\ue000", 2)
            execute("INSERT INTO search_pairs (rowid, pairs) VALUES (?, ?)", [number, pairs])
        execute("DELETE FROM _sqlite_migrations WHERE name = 'm020_folded_search'")
    with Store.open_rw(output) as store:
        assert found(store, "贵州茅台") == {"traditional", "simplified", "SH link"}
        assert store.search_index.find_faults() == []
