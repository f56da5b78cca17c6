"""Search against a brute-force scan of the sample corpus, and what keeps its index true."""

import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlite_utils import Database

from crawler.content.dates import CHINA_TZ
from crawler.sample_site import Corpus, SampleSite
from crawler.storage import Store
from crawler.storage.migrations import migrations
from crawler.storage.search.bigrams import (
    SearchDocument,
    build_index_text,
    build_search_text,
    normalise_for_search,
    spaced_ngrams,
)
from crawler.storage.search.index import unix_seconds
from crawler.storage.search.request import SearchRequest, SortOrder
from tests.conftest import NO_MANNERS, Finews

SUBSTRINGS = 1_000


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crawl of the sample site, which the tests work on copies of."""
    output = tmp_path_factory.mktemp("search") / "output"
    with SampleSite(Corpus.sample(12)) as site:
        for spider in ("eastmoney", "choice"):
            words = ("crawl", spider, "--mirror", site.url, "--output", str(output), *NO_MANNERS, "--quiet")
            done = subprocess.run([sys.executable, "-m", "crawler", *words], timeout=120, check=False)
            assert done.returncode in (0, 3)
    return output


@pytest.fixture
def store(crawled: Path, output: Path) -> Iterator[Store]:
    shutil.copytree(crawled, output)
    with Store.open_rw(output) as store:
        yield store


@pytest.fixture
def other(store: Store, output: Path) -> Iterator[sqlite3.Connection]:  # noqa: ARG001  # the database is there
    """Another SQLite client, which knows nothing of ours."""
    connection = sqlite3.connect(output / "news.db", isolation_level=None)
    yield connection
    connection.close()


def codes(store: Store, text: str, **more: Any) -> list[str]:
    return [row["code"] for row in store.search.rows(SearchRequest(text=text, **more))]


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def assert_search_is_a_scan(store: Store, rng: random.Random, number: int) -> None:
    rows = list(store.articles.rows())
    documents = {row["code"]: build_search_text(row["title"], row["body_text"]) for row in rows}
    newest = sorted(rows, key=lambda row: (row["published_at"], row["code"]), reverse=True)
    for _ in range(number):
        row = rng.choice(rows)
        text = rng.choice((row["title"], row["body_text"], row["body_text"]))
        start = rng.randrange(len(text))
        part = text[start : start + rng.randint(1, 12)]
        wanted = [row["code"] for row in newest if normalise_for_search(part) in documents[row["code"]]]
        assert row["code"] in wanted
        assert codes(store, quoted(part)) == wanted, part
        assert store.search.count(SearchRequest(text=quoted(part))) == len(wanted), part


def assert_exclusion_is_a_scan(store: Store, rng: random.Random, number: int) -> None:
    documents = {row["code"]: build_search_text(row["title"], row["body_text"]) for row in store.articles.rows()}
    for _ in range(number):
        text = rng.choice(list(documents.values())).rpartition("\n")[2]
        size, other = rng.randint(1, 3), rng.randint(1, 3)
        one, two = (
            text[place : place + each] for each, place in ((size, rng.randrange(20)), (other, rng.randrange(20)))
        )
        wanted = {code for code, text in documents.items() if one in text and two not in text}
        assert set(codes(store, f"{quoted(one)} -{quoted(two)}")) == wanted, (one, two)


@pytest.fixture(params=[False, True], ids=["as it is", "as if it were large"])
def sized(request: pytest.FixtureRequest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample is small: blocks of four articles are read one by one, as those of 64 are among a million."""
    if request.param:
        for name, value in (
            ("candidates._MAX_HITS_READ_AT_ONCE", 3),
            ("candidates._HIT_SAMPLE_SIZE", 5),
            ("candidates._RECENT_ARTICLES_TO_TRY", 3),
            ("index.BLOCK_BITS", 2),
        ):
            monkeypatch.setattr(f"crawler.storage.search.{name}", value)
        store.search_index.rebuild()


@pytest.mark.usefixtures("sized")
def test_every_part_of_every_text_is_found_as_by_a_scan(store: Store, other: sqlite3.Connection) -> None:
    rng = random.Random(20220110)
    assert_search_is_a_scan(store, rng, SUBSTRINGS)
    assert_exclusion_is_a_scan(store, rng, SUBSTRINGS // 4)
    other.execute("UPDATE articles SET body_text = body_text || '　ＱＺ６０％新增' WHERE code LIKE '%1'")
    other.execute("DELETE FROM article_columns WHERE code LIKE '%2'")
    other.execute("DELETE FROM mentions WHERE code LIKE '%2'")
    other.execute("DELETE FROM articles WHERE code LIKE '%2'")
    assert_search_is_a_scan(store, rng, SUBSTRINGS // 4)
    assert store.search_index.index_pending() > 0
    assert store.search_index.find_faults() == []
    assert_search_is_a_scan(store, rng, SUBSTRINGS // 4)
    store.search_index.rebuild()
    assert store.search_index.find_faults() == []
    assert_search_is_a_scan(store, rng, SUBSTRINGS // 4)


@pytest.mark.parametrize(
    "text",
    ["", " ", '"', '""', '"""', "-", "--", "OR", "OR OR", "a OR", "OR a", '-"', "*", "央*", "NEAR(a b)", "title:x", "a AND",
     "(", "')--", "\x00", "\ud800", "\ue022", "^a", "{a}", "🇨🇳", "x" * 5000, "a " * 3000, "a OR " * 500, "-央 -行", "％"],
)  # fmt: skip
def test_no_text_is_an_error(store: Store, text: str) -> None:
    found = codes(store, text, limit=5)
    assert found == codes(store, text, limit=5)
    assert store.search.count(SearchRequest(text=text)) >= len(found)
    assert len(codes(store, text, limit=5, sort=SortOrder.RELEVANCE)) == len(found)


def test_words_phrases_exclusion_and_alternatives(store: Store) -> None:
    texts = {row["code"]: build_search_text(row["title"], row["body_text"]) for row in store.articles.rows()}

    def scan(wanted: Callable[[str], bool]) -> set[str]:
        found = {code for code, text in texts.items() if wanted(text)}
        assert found
        return found

    assert set(codes(store, "公司 增长")) == scan(lambda text: "公司" in text and "增长" in text)
    assert set(codes(store, "公司 -增长")) == scan(lambda text: "公司" in text and "增长" not in text)
    assert set(codes(store, "公司 -增长 OR 脱贫")) == scan(
        lambda text: ("公司" in text and "增长" not in text) or "脱贫" in text
    )
    assert codes(store, "公司 -公") == codes(store, "公司 -公司 OR 增长 -长") == []
    assert set(codes(store, "公司 -公司 OR 脱贫")) == scan(lambda text: "脱贫" in text)
    assert set(codes(store, '"固好脱贫成果 启好振兴之路"')) == scan(lambda text: "固好脱贫成果 启好振兴之路" in text)
    latin = re.findall("[a-z]{3,}", "".join(texts.values()))[0]
    full_width = "".join(chr(ord(letter) + 0xFEE0) for letter in latin.upper())
    assert set(codes(store, full_width)) == scan(lambda text: latin in text)


@pytest.mark.parametrize("words", [("公司", "-增长"), ("-增长", "公司"), ("公司", '-"增长"'), ("--", "公司", "-增长")])
def test_an_unwanted_word_is_typed_as_it_is_read(
    crawled: Path, store: Store, finews: Finews, words: tuple[str, ...]
) -> None:
    answer = finews("search", "--json", "--limit", "1000", "--output", str(crawled), *words)
    assert answer.code == 0, answer.err
    assert [row["code"] for row in answer.value] == codes(store, "公司 -增长") != codes(store, "公司")


def test_no_misspelt_option_is_a_word_and_no_value_of_an_option(crawled: Path, finews: Finews) -> None:
    where = ("--output", str(crawled))
    for wrong in ("--limti", "-x", "-limit", "-5"):
        answer = finews("search", "公司", wrong, *where)
        assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1), wrong
        assert ("after `--`" in answer.err) == (not wrong.startswith("--"))
    answer = finews("search", "公司", "--output", "-目录")
    assert (answer.code, answer.out) == (1, "")
    assert "-目录/news.db" in answer.err


def test_a_code_finds_its_article_and_the_articles_of_its_stock(store: Store) -> None:
    row = next(row for row in store.articles.rows() if store.articles.mentions(row["code"]))
    assert codes(store, row["code"]) == codes(store, "NW" + row["code"]) == [row["code"]]
    stock = next(each for each in store.articles.mentions(row["code"]) if each["kind"] == "stock")
    number = stock["secid"].partition(".")[2]
    assert row["code"] in codes(store, number)
    assert row["code"] in codes(store, "", stock=number)
    assert set(codes(store, "", stock=stock["secid"])) == {
        each["code"] for each in store.articles.rows()
        if stock["secid"] in [found["secid"] for found in store.articles.mentions(each["code"])]
    }  # fmt: skip


def test_another_client_writes_and_is_searched_at_once(store: Store, other: sqlite3.Connection) -> None:
    code = codes(store, "", limit=1)[0]
    other.execute("UPDATE articles SET title = '孤例甲乙丙' WHERE code = ?", [code])
    assert codes(store, "孤例") == [code]
    assert [fault.code for fault in store.search_index.find_faults()] == [code]
    assert store.search_index.index_pending() == 1
    assert codes(store, "孤例") == [code]
    assert other.execute("SELECT code FROM search WHERE words MATCH '孤例'").fetchall() == [(code,)]


def test_a_question_as_of_a_moment_knows_nothing_later(store: Store, other: sqlite3.Connection) -> None:
    row = store.articles.get(codes(store, "", limit=1)[0])
    assert row is not None
    code = row["code"]
    other.execute(
        "UPDATE articles SET first_seen_at = '2026-03-01T09:00:00+08:00', withdrawn_at = NULL WHERE code = ?", [code]
    )
    other.execute(
        "INSERT INTO revisions VALUES (?, 1, '2026-03-01T09:00:00+08:00', '旧说法', '2026-03-01T08:00:00+08:00', '<p>旧文本</p>')",
        [code],
    )
    other.execute(
        "UPDATE articles SET revision = 2, title = '新说法', changed_at = '2026-03-02T10:00:00+08:00' WHERE code = ?",
        [code],
    )
    for _ in range(2):
        assert codes(store, "新说法") == [code]
        assert codes(store, "旧说法") == []
        then = datetime(2026, 3, 2, 9, 25, tzinfo=CHINA_TZ)
        assert codes(store, "新说法", as_of=then) == []
        old = next(store.search.rows(SearchRequest(text="旧说法", as_of=then)))
        assert (old["code"], old["revision"], old["body_text"]) == (code, 1, "旧文本")
        assert store.search.get_as_of(code, then) == old
        assert codes(store, "旧说法", as_of=datetime(2026, 2, 1, tzinfo=CHINA_TZ)) == []
        assert codes(store, "新说法", as_of=datetime(2026, 3, 2, 10, 0, tzinfo=CHINA_TZ)) == [code]
        store.search_index.index_pending()


def test_what_is_wrong_with_the_index_is_named_and_mended(store: Store, other: sqlite3.Connection) -> None:
    first, second, third = codes(store, "", limit=3)
    other.execute("DELETE FROM search_documents WHERE CAST(code AS TEXT) = ?", [first])
    number = other.execute("SELECT id FROM search_documents WHERE CAST(code AS TEXT) = ?", [second]).fetchone()[0]
    other.execute("INSERT INTO search_pairs (rowid, pairs) VALUES (?, '孤例')", [number])
    other.execute("UPDATE search_documents SET revision = 7 WHERE CAST(code AS TEXT) = ?", [third])
    assert {fault.code for fault in store.search_index.find_faults()} == {first, second, third}
    for code in (first, second, third):
        store.search_index.reindex(code)
    assert store.search_index.find_faults() == []


def test_an_index_of_an_older_finews_is_brought_up_to_date_on_opening(
    store: Store, output: Path, tmp_path: Path
) -> None:
    row = store.articles.get(codes(store, "", limit=2)[1])
    assert row is not None
    word = row["title"]
    before = codes(store, quoted(word))
    store.close()
    old = Database(tmp_path / "news.db")
    migrations.apply(old, stop_before="m010_smaller_search")
    old.attach("now", output / "news.db")
    for table in ("categories", "articles", "mentions", "article_columns"):
        old.execute(f"INSERT INTO {table} SELECT * FROM now.{table}")  # noqa: S608  # our own names
    old.execute("UPDATE articles SET code = '0012' WHERE code = ?", [before[-1]])
    for row in old.query("SELECT * FROM articles ORDER BY published_at"):
        added = old.execute(
            "INSERT INTO search_documents (code, revision, current, published) VALUES (?, ?, 1, ?)",
            [row["code"], row["revision"], unix_seconds(row["published_at"])],
        )
        pairs = spaced_ngrams(build_index_text(row["title"], row["body_text"]), 2)
        old.execute("INSERT INTO search_pairs (rowid, pairs) VALUES (?, ?)", [added.lastrowid, pairs])
    old.execute("DELETE FROM search_pending")
    last = old.execute("SELECT max(id) FROM search_documents").fetchone()[0]
    old.execute("DELETE FROM search_documents WHERE id = ?", [last])
    old.close()
    with Store.open_rw(tmp_path) as opened:
        assert codes(opened, quoted(word)) == [*before[:-1], "0012"]
        (forgotten,) = opened.search_index.find_faults()
        opened.search_index.reindex(forgotten.code)
        assert opened.search_index.find_faults() == []
        assert (
            opened.connection.execute("SELECT min(id) FROM search_documents WHERE id >= ?", [last]).fetchone()[0] > last
        )
        assert codes(opened, quoted(word)) == [*before[:-1], "0012"]


def test_damage_is_told_and_the_index_made_anew(store: Store, other: sqlite3.Connection, output: Path) -> None:
    def finews(*words: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "crawler", *words, "--output", str(output))
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    word = store.articles.get(codes(store, "", limit=1)[0])["title"][:2]  # type: ignore[index]  # it is there
    before = codes(store, word)
    other.execute("INSERT INTO search_pairs (search_pairs) VALUES ('delete-all')")
    told = finews("verify")
    assert told.returncode == 1
    assert "unindexed" in told.stdout
    assert finews("rebuild", "search").returncode == 0
    assert store.search_index.find_faults() == []
    assert codes(store, word) == before


def test_the_views_answer_as_the_articles_do(store: Store, other: sqlite3.Connection) -> None:
    rows = list(store.articles.rows())
    days = Counter((row["published_at"][:10], row["media"], row["category"]) for row in rows)
    assert {
        row[:3]: row[3] for row in other.execute("SELECT day, media, category, articles FROM articles_per_day")
    } == days
    latest = {
        category: max(row["published_at"] for row in rows if row["category"] == category)
        for category in {row["category"] for row in rows}
    }
    found = other.execute("SELECT category, code, published_at FROM latest_per_category").fetchall()
    assert {category: moment for category, _, moment in found} == latest
    by_code = {row["code"]: row for row in rows}
    assert all((by_code[code]["category"], by_code[code]["published_at"]) == (slug, when) for slug, code, when in found)


def test_the_stocks_of_the_last_7_days_are_those_of_no_older_article(store: Store, other: sqlite3.Connection) -> None:
    assert other.execute("SELECT count(*) FROM mentions").fetchone()[0] > 0
    other.execute(
        "UPDATE articles SET published_at = strftime('%Y-%m-%dT%H:%M:%S+08:00', 'now', '+8 hours', '-8 days')"
    )
    assert other.execute("SELECT * FROM stocks_last_7_days").fetchall() == []
    codes_of = [
        row[0] for row in other.execute("SELECT DISTINCT code FROM mentions WHERE kind = 'stock' ORDER BY code LIMIT 5")
    ]
    for code in codes_of:
        other.execute(
            "UPDATE articles SET published_at = strftime('%Y-%m-%dT%H:%M:%S+08:00', 'now', '+8 hours', '-6 days') WHERE code = ?",
            [code],
        )
    wanted = Counter(
        each["secid"] for code in codes_of for each in store.articles.mentions(code) if each["kind"] == "stock"
    )
    found = other.execute("SELECT secid, articles FROM stocks_last_7_days").fetchall()
    assert dict(found) == wanted
    assert [number for _, number in found] == sorted(wanted.values(), reverse=True)


def test_a_single_han_character_is_found_in_each_that_folds_to_it() -> None:
    folded = (
        (chr(point), normalise_for_search(chr(point)))
        for point in range(sys.maxunicode + 1)
        if not 0x4E00 <= point <= 0x9FFF
    )
    cases = [(raw, han) for raw, text in folded for han in text if "\u4e00" <= han <= "\u9fff"]
    assert len(cases) > 1_000
    assert [
        case
        for case in cases
        if case[1] not in SearchDocument("", case[0]) or case[1] not in SearchDocument(case[0], "")
    ] == []
    assert "行" not in SearchDocument("央㈱", "㈱")


def test_what_is_folded_is_not_folded_further() -> None:
    assert not [
        point
        for point in range(sys.maxunicode + 1)
        if any(normalise_for_search(part) != part for part in normalise_for_search(chr(point)))
    ]


# What becomes what another character is: where a text holds both, the order must not matter.
@given(st.text(st.sampled_from("a.，ＡA\ue020\ue02c \u3000\n①") | st.characters()))
@example("".join(map(chr, range(0x2460, 0x2560))))
def test_a_text_is_folded_and_indexed_as_its_characters_are(text: str) -> None:
    folded = re.sub(" +", " ", "".join(map(normalise_for_search, text)))
    assert normalise_for_search(text) == folded
    wanted = [ord(character) for character in f"\n{folded}\0"]
    wanted = [0xE000 + point if point < 128 and not chr(point).isalnum() else point for point in wanted]
    assert [ord(character) for character in build_index_text("", text)] == wanted
