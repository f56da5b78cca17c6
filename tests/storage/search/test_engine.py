"""Search against a brute-force scan of the sample corpus, and what keeps its index true."""

import random
import re
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from crawler.content.dates import CHINA_TZ
from crawler.sample_site import Corpus, SampleSite
from crawler.storage import Store
from crawler.storage.migrations import migrations
from crawler.storage.search.bigrams import SearchDocument, build_index_text, build_search_text, spaced_ngrams
from crawler.storage.search.folding import normalise_for_search, normalise_term
from crawler.storage.search.index import SearchIndex, unix_seconds
from crawler.storage.search.request import SearchRequest, SortOrder
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, CommandRunner

pytestmark = pytest.mark.slow

SUBSTRING_SAMPLES = 400


@pytest.fixture(scope="module")
def crawled_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output of a crawl of the sample site, which the tests work on copies of."""
    output = tmp_path_factory.mktemp("search") / "output"
    with SampleSite(Corpus.sample(12)) as sample_site:
        for spider in ("eastmoney", "choice"):
            args = ("crawl", spider, "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS, "--quiet")
            assert run_finews(*args).exit_code in (0, 3)
    return output


@pytest.fixture
def store(crawled_output: Path, output: Path) -> Iterator[Store]:
    shutil.copytree(crawled_output, output)
    with Store.open_rw(output) as store:
        yield store


@pytest.fixture
def other_client(store: Store, output: Path) -> Iterator[sqlite3.Connection]:  # noqa: ARG001  # the database is there
    """Another SQLite client, which knows nothing of finews."""
    connection = sqlite3.connect(output / "news.db", isolation_level=None)
    yield connection
    connection.close()


def search_codes(store: Store, text: str, **options: Any) -> list[str]:
    return [row["code"] for row in store.search.rows(SearchRequest(text=text, **options))]


def quote_phrase(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def assert_search_equals_scan(store: Store, rng: random.Random, samples: int) -> None:
    rows = list(store.articles.iter_rows_by_path())
    documents = {row["code"]: build_search_text(row["title"], row["body_text"]) for row in rows}
    newest = sorted(rows, key=lambda row: (row["published_at"], row["code"]), reverse=True)
    for _ in range(samples):
        row = rng.choice(rows)
        text = rng.choice((row["title"], row["body_text"], row["body_text"]))
        start = rng.randrange(len(text))
        substring = text[start : start + rng.randint(1, 12)]
        term = normalise_term(substring)
        if not term:
            continue
        expected_codes = [row["code"] for row in newest if term in documents[row["code"]]]
        assert row["code"] in expected_codes
        assert search_codes(store, quote_phrase(substring)) == expected_codes, substring
        assert store.search.count(SearchRequest(text=quote_phrase(substring))) == len(expected_codes), substring


def assert_exclusion_equals_scan(store: Store, rng: random.Random, samples: int) -> None:
    documents = {
        row["code"]: build_search_text(row["title"], row["body_text"]) for row in store.articles.iter_rows_by_path()
    }
    for _ in range(samples):
        text = rng.choice(list(documents.values())).rpartition("\n")[2]
        wanted_length, excluded_length = rng.randint(1, 3), rng.randint(1, 3)
        wanted_text, excluded_text = (
            text[start : start + length]
            for length, start in ((wanted_length, rng.randrange(20)), (excluded_length, rng.randrange(20)))
        )
        wanted_term, excluded_term = normalise_term(wanted_text), normalise_term(excluded_text)
        if not (wanted_term and excluded_term):
            continue
        expected_codes = {code for code, text in documents.items() if wanted_term in text and excluded_term not in text}
        assert (
            set(search_codes(store, f"{quote_phrase(wanted_text)} -{quote_phrase(excluded_text)}")) == expected_codes
        ), (wanted_text, excluded_text)


@pytest.fixture(params=[False, True], ids=["as it is", "as if it were large"])
def index_size(request: pytest.FixtureRequest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use blocks of four articles, read one by one, as blocks of 64 among a million: the sample is small."""
    if request.param:
        for name, value in (
            ("candidates._MAX_HITS_READ_AT_ONCE", 3),
            ("candidates._HIT_SAMPLE_SIZE", 5),
            ("candidates._RECENT_ARTICLES_TO_TRY", 3),
            ("index.BLOCK_BITS", 2),
        ):
            monkeypatch.setattr(f"crawler.storage.search.{name}", value)
        store.search_index.rebuild()


@pytest.mark.usefixtures("index_size")
def test_every_substring_is_found_as_by_a_scan(store: Store, other_client: sqlite3.Connection) -> None:
    rng = random.Random(20220110)
    assert_search_equals_scan(store, rng, SUBSTRING_SAMPLES)
    assert_exclusion_equals_scan(store, rng, SUBSTRING_SAMPLES // 4)
    other_client.execute("UPDATE articles SET body_text = body_text || '　ＱＺ６０％新增' WHERE code LIKE '%1'")
    other_client.execute("DELETE FROM article_columns WHERE code LIKE '%2'")
    other_client.execute("DELETE FROM mentions WHERE code LIKE '%2'")
    other_client.execute("DELETE FROM articles WHERE code LIKE '%2'")
    assert_search_equals_scan(store, rng, SUBSTRING_SAMPLES // 4)
    assert store.search_index.index_pending() > 0
    assert store.search_index.find_faults() == []
    assert_search_equals_scan(store, rng, SUBSTRING_SAMPLES // 4)
    store.search_index.rebuild()
    assert store.search_index.find_faults() == []
    assert_search_equals_scan(store, rng, SUBSTRING_SAMPLES // 4)


@pytest.mark.parametrize(
    "text",
    ["", " ", '"', '""', '"""', "-", "--", "OR", "OR OR", "a OR", "OR a", '-"', "*", "央*", "NEAR(a b)", "title:x", "a AND",
     "(", "')--", "\x00", "\ud800", "\ue022", "^a", "{a}", "🇨🇳", "x" * 5000, "a " * 3000, "a OR " * 500, "-央 -行", "％"],
)  # fmt: skip
def test_no_query_text_is_an_error(store: Store, text: str) -> None:
    first_codes = search_codes(store, text, limit=5)
    assert first_codes == search_codes(store, text, limit=5)
    assert store.search.count(SearchRequest(text=text)) >= len(first_codes)
    assert len(search_codes(store, text, limit=5, sort=SortOrder.RELEVANCE)) == len(first_codes)


def test_words_phrases_exclusion_and_alternatives(store: Store) -> None:
    texts = {
        row["code"]: build_search_text(row["title"], row["body_text"]) for row in store.articles.iter_rows_by_path()
    }

    def scan(matches: Callable[[str], bool]) -> set[str]:
        matching_codes = {code for code, text in texts.items() if matches(text)}
        assert matching_codes
        return matching_codes

    assert set(search_codes(store, "公司 增长")) == scan(lambda text: "公司" in text and "增长" in text)
    assert set(search_codes(store, "公司 -增长")) == scan(lambda text: "公司" in text and "增长" not in text)
    assert set(search_codes(store, "公司 -增长 OR 脱贫")) == scan(
        lambda text: ("公司" in text and "增长" not in text) or "脱贫" in text
    )
    assert search_codes(store, "公司 -公") == search_codes(store, "公司 -公司 OR 增长 -长") == []
    assert set(search_codes(store, "公司 -公司 OR 脱贫")) == scan(lambda text: "脱贫" in text)
    assert set(search_codes(store, '"固好脱贫成果 启好振兴之路"')) == scan(
        lambda text: "固好脱贫成果启好振兴之路" in text
    )
    latin = re.findall("[a-z]{3,}", "".join(texts.values()))[0]
    full_width = "".join(chr(ord(letter) + 0xFEE0) for letter in latin.upper())
    assert set(search_codes(store, full_width)) == scan(lambda text: latin in text)


@pytest.mark.parametrize("args", [("公司", "-增长"), ("-增长", "公司"), ("公司", '-"增长"'), ("--", "公司", "-增长")])
def test_excluded_word_can_be_typed_with_a_minus(
    crawled_output: Path, store: Store, finews: CommandRunner, args: tuple[str, ...]
) -> None:
    result = finews("search", "--json", "--limit", "1000", "--output", str(crawled_output), *args)
    assert result.exit_code == 0, result.stderr
    assert [row["code"] for row in result.json] == search_codes(store, "公司 -增长") != search_codes(store, "公司")


def test_misspelt_option_is_not_taken_for_an_excluded_word(crawled_output: Path, finews: CommandRunner) -> None:
    output_args = ("--output", str(crawled_output))
    for option in ("--limti", "-x", "-limit", "-5"):
        result = finews("search", "公司", option, *output_args)
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1), option
        assert ("after `--`" in result.stderr) == (not option.startswith("--"))
    result = finews("search", "公司", "--output", "-目录")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "-目录/news.db" in result.stderr


def test_search_by_article_code_and_stock_code(store: Store) -> None:
    row = next(row for row in store.articles.iter_rows_by_path() if store.articles.mentions(row["code"]))
    assert search_codes(store, row["code"]) == search_codes(store, "NW" + row["code"]) == [row["code"]]
    stock = next(each for each in store.articles.mentions(row["code"]) if each["kind"] == "stock")
    number = stock["secid"].partition(".")[2]
    assert row["code"] in search_codes(store, number)
    assert row["code"] in search_codes(store, "", stock=number)
    assert set(search_codes(store, "", stock=stock["secid"])) == {
        each["code"] for each in store.articles.iter_rows_by_path()
        if stock["secid"] in [mention["secid"] for mention in store.articles.mentions(each["code"])]
    }  # fmt: skip


def test_writes_of_other_clients_are_searchable_at_once(store: Store, other_client: sqlite3.Connection) -> None:
    code = search_codes(store, "", limit=1)[0]
    other_client.execute("UPDATE articles SET title = '孤例甲乙丙' WHERE code = ?", [code])
    assert search_codes(store, "孤例") == [code]
    assert [fault.code for fault in store.search_index.find_faults()] == [code]
    assert store.search_index.index_pending() == 1
    assert search_codes(store, "孤例") == [code]
    assert other_client.execute("SELECT code FROM search WHERE words MATCH '孤例'").fetchall() == [(code,)]


def test_search_as_of_ignores_later_changes(store: Store, other_client: sqlite3.Connection) -> None:
    row = store.articles.get(search_codes(store, "", limit=1)[0])
    assert row is not None
    code = row["code"]
    other_client.execute(
        "UPDATE articles SET first_seen_at = '2026-03-01T09:00:00+08:00', withdrawn_at = NULL WHERE code = ?", [code]
    )
    other_client.execute(
        "INSERT INTO revisions VALUES (?, 1, '2026-03-01T09:00:00+08:00', '旧说法', '2026-03-01T08:00:00+08:00', '<p>旧文本</p>')",
        [code],
    )
    other_client.execute(
        "UPDATE articles SET revision = 2, title = '新说法', changed_at = '2026-03-02T10:00:00+08:00' WHERE code = ?",
        [code],
    )
    for _ in range(2):
        assert search_codes(store, "新说法") == [code]
        assert search_codes(store, "旧说法") == []
        as_of = datetime(2026, 3, 2, 9, 25, tzinfo=CHINA_TZ)
        assert search_codes(store, "新说法", as_of=as_of) == []
        old_version = next(store.search.rows(SearchRequest(text="旧说法", as_of=as_of)))
        assert (old_version["code"], old_version["revision"], old_version["body_text"]) == (code, 1, "旧文本")
        assert store.search.get_as_of(code, as_of) == old_version
        assert search_codes(store, "旧说法", as_of=datetime(2026, 2, 1, tzinfo=CHINA_TZ)) == []
        assert search_codes(store, "新说法", as_of=datetime(2026, 3, 2, 10, 0, tzinfo=CHINA_TZ)) == [code]
        store.search_index.index_pending()


def test_index_faults_are_reported_and_repaired(store: Store, other_client: sqlite3.Connection) -> None:
    first, second, third = search_codes(store, "", limit=3)
    other_client.execute("DELETE FROM search_documents WHERE CAST(code AS TEXT) = ?", [first])
    number = other_client.execute("SELECT id FROM search_documents WHERE CAST(code AS TEXT) = ?", [second]).fetchone()[
        0
    ]
    other_client.execute("INSERT INTO search_pairs (rowid, pairs) VALUES (?, '孤例')", [number])
    other_client.execute("UPDATE search_documents SET revision = 7 WHERE CAST(code AS TEXT) = ?", [third])
    assert {fault.code for fault in store.search_index.find_faults()} == {first, second, third}
    for code in (first, second, third):
        store.search_index.reindex(code)
    assert store.search_index.find_faults() == []


def make_older_database(store: Store, output: Path, older_output: Path, first_missing: str) -> None:
    """Write the articles of a store into a database of an older version, indexed in its way."""
    older_db = Database(older_output / "news.db")
    migrations.apply(older_db, stop_before=first_missing)
    older_db.attach("now", output / "news.db")
    for table in ("categories", "articles", "mentions", "article_columns"):
        older_db.execute(f"INSERT INTO {table} SELECT * FROM now.{table}")  # noqa: S608  # our own names
    older_db.execute("UPDATE articles SET code = '000000000000000012' WHERE code = (SELECT min(code) FROM articles)")
    for row in older_db.query("SELECT * FROM articles ORDER BY published_at"):
        inserted = older_db.execute(
            "INSERT INTO search_documents (code, revision, current, published) VALUES (?, ?, 1, ?)",
            [row["code"], row["revision"], unix_seconds(row["published_at"])],
        )
        pairs = spaced_ngrams(build_index_text(row["title"], row["body_text"]), 2)
        older_db.execute("INSERT INTO search_pairs (rowid, pairs) VALUES (?, ?)", [inserted.lastrowid, pairs])
    older_db.execute("DELETE FROM search_pending")
    older_db.execute("DELETE FROM search_documents WHERE id = (SELECT max(id) FROM search_documents)")
    older_db.close()
    store.close()


@pytest.mark.parametrize("first_missing", ["m010_smaller_search", "m017_scannable_search", "m020_folded_search"])
def test_index_of_older_version_is_built_again(store: Store, output: Path, tmp_path: Path, first_missing: str) -> None:
    make_older_database(store, output, tmp_path, first_missing)
    with Store.open_rw(tmp_path) as migrated:
        assert migrated.search_index.find_faults() == []
        assert_search_equals_scan(migrated, random.Random(20220110), 100)
        (newest_id,) = migrated.connection.execute("SELECT max(id) FROM search_documents").fetchone()
        assert newest_id == migrated.articles.count()


def test_building_the_index_again_goes_on_after_a_kill(
    store: Store, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_older_database(store, output, tmp_path, "m017_scannable_search")
    monkeypatch.setattr("crawler.storage.search.index._ARTICLES_PER_BATCH", 4)
    monkeypatch.setattr("crawler.storage.search.index._ARTICLES_PER_REPORT", 8)
    indexed: list[str] = []
    reports: list[tuple[int, int]] = []

    def index_or_die(index: SearchIndex, codes: list[str]) -> None:
        index_articles(index, codes)
        if len(indexed) == 8:
            raise KeyboardInterrupt
        indexed.extend(codes)

    index_articles = SearchIndex.index_articles
    monkeypatch.setattr(SearchIndex, "index_articles", index_or_die)
    with pytest.raises(KeyboardInterrupt):
        Store.open_rw(tmp_path, report_index_progress=lambda *report: reports.append(report))
    monkeypatch.setattr(SearchIndex, "index_articles", index_articles)
    with Store.open_ro(tmp_path) as halfway:
        count = halfway.articles.count()
        (pending_count,) = halfway.connection.execute("SELECT count(*) FROM search_pending").fetchone()
        assert pending_count == count - 8
        assert_search_equals_scan(halfway, random.Random(1), 50)
    with Store.open_rw(tmp_path, report_index_progress=lambda *report: reports.append(report)) as migrated:
        assert migrated.search_index.find_faults() == []
        assert_search_equals_scan(migrated, random.Random(2), 50)
    assert reports[:4] == [(0, count), (8, count - 8), (0, count - 8), (8, count - 16)]


def test_damaged_index_is_reported_and_rebuilt(store: Store, other_client: sqlite3.Connection, output: Path) -> None:
    word = store.articles.get(search_codes(store, "", limit=1)[0])["title"][:2]  # type: ignore[index]  # it is there
    before = search_codes(store, word)
    other_client.execute("INSERT INTO search_pairs (search_pairs) VALUES ('delete-all')")
    verify_result = run_finews("verify", "--output", str(output))
    assert verify_result.exit_code == 1
    assert "unindexed" in verify_result.stdout
    assert run_finews("rebuild", "search", "--output", str(output)).exit_code == 0
    assert store.search_index.find_faults() == []
    assert search_codes(store, word) == before


def test_views_agree_with_articles(store: Store, other_client: sqlite3.Connection) -> None:
    rows = list(store.articles.iter_rows_by_path())
    articles_per_day = Counter((row["published_at"][:10], row["media"], row["category"]) for row in rows)
    assert {
        row[:3]: row[3] for row in other_client.execute("SELECT day, media, category, articles FROM articles_per_day")
    } == articles_per_day
    latest = {
        category: max(row["published_at"] for row in rows if row["category"] == category)
        for category in {row["category"] for row in rows}
    }
    latest_rows = other_client.execute("SELECT category, code, published_at FROM latest_per_category").fetchall()
    assert {category: published_at for category, _, published_at in latest_rows} == latest
    by_code = {row["code"]: row for row in rows}
    assert all(
        (by_code[code]["category"], by_code[code]["published_at"]) == (slug, newest_at)
        for slug, code, newest_at in latest_rows
    )


def test_stocks_last_7_days_view_excludes_older_articles(store: Store, other_client: sqlite3.Connection) -> None:
    assert other_client.execute("SELECT count(*) FROM mentions").fetchone()[0] > 0
    other_client.execute(
        "UPDATE articles SET published_at = strftime('%Y-%m-%dT%H:%M:%S+08:00', 'now', '+8 hours', '-8 days')"
    )
    assert other_client.execute("SELECT * FROM stocks_last_7_days").fetchall() == []
    recent_codes = [
        row[0]
        for row in other_client.execute("SELECT DISTINCT code FROM mentions WHERE kind = 'stock' ORDER BY code LIMIT 5")
    ]
    for code in recent_codes:
        other_client.execute(
            "UPDATE articles SET published_at = strftime('%Y-%m-%dT%H:%M:%S+08:00', 'now', '+8 hours', '-6 days') WHERE code = ?",
            [code],
        )
    expected_counts = Counter(
        mention["secid"]
        for code in recent_codes
        for mention in store.articles.mentions(code)
        if mention["kind"] == "stock"
    )
    view_rows = other_client.execute("SELECT secid, articles FROM stocks_last_7_days").fetchall()
    assert dict(view_rows) == expected_counts
    assert [number for _, number in view_rows] == sorted(expected_counts.values(), reverse=True)


@pytest.fixture(scope="module")
def normalised_characters() -> dict[str, str]:
    """Return the normal form of each character that has another one than itself."""
    characters = map(chr, range(sys.maxunicode + 1))
    return {char: text for char in characters if (text := normalise_for_search(char)) != char}


def test_han_character_is_found_in_its_compatibility_forms(normalised_characters: dict[str, str]) -> None:
    normalised = normalised_characters.items()
    cases = [(raw, han) for raw, text in normalised for han in text if raw != han and "\u4e00" <= han <= "\u9fff"]
    assert len(cases) > 4_000
    assert [
        case
        for case in cases
        if case[1] not in SearchDocument("", case[0]) or case[1] not in SearchDocument(case[0], "")
    ] == []
    assert "行" not in SearchDocument("央㈱", "㈱")


def test_search_normalisation_is_idempotent(normalised_characters: dict[str, str]) -> None:
    assert not [
        char for char, text in normalised_characters.items() if any(normalise_for_search(part) != part for part in text)
    ]
