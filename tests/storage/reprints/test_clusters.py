"""Reprints against a brute-force comparison of labelled texts, in any order, and at a bounded cost."""

import itertools
import random
import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crawler.content.dates import format_iso
from crawler.content.html_cleaner import clean_html
from crawler.content.html_text import html_to_text
from crawler.sample_site import NEWEST_AT, Corpus, SampleSite
from crawler.sample_site.reprints import LabelledArticle, add_reprints, build_labelled_articles
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from crawler.storage import Store
from crawler.storage.reprints import minhash
from crawler.storage.reprints.comparison import say_the_same
from crawler.storage.reprints.wording import read_wording
from crawler.storage.search.request import SearchRequest
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, CommandRunner

pytestmark = pytest.mark.slow

TextRow = tuple[str, str, str, str]  # code, media, published_at, body_text
PERMUTATIONS = 2


def text_row(item: LabelledArticle) -> TextRow:
    article = item.article
    text = html_to_text(clean_html(article.content, "http://finance.eastmoney.com/", EASTMONEY_MARKUP))
    return article.code, article.media, format_iso(article.published_at), text


def insert_articles(output: Path, rows: Iterable[TextRow]) -> None:
    """As another program would: what was filed is not our code's doing."""
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("INSERT OR IGNORE INTO categories (slug, media) VALUES ('a', 'A')")
        connection.executemany(
            """
            INSERT INTO articles (code, title, published_at, media, category, source, url, summary, body_html,
                                  body_text, post_path, post_sha256, first_seen_at)
            VALUES (:code, 'T', :at, :media, 'a', 'eastmoney', 'https://a.cn/', '', '<p>x</p>', :text, :path, :sha256,
                    :at)
            """,
            [
                {
                    "code": code,
                    "media": media or "佚名",  # as a crawl does, which gives each article a media
                    "at": at,
                    "text": text,
                    "path": f"_posts/2022/01/10/2022-01-10-NW{code}.md",
                    "sha256": "0" * 64,
                }
                for code, media, at, text in rows
            ],
        )
    connection.close()


def read_clusters(output: Path) -> set[frozenset[str]]:
    connection = sqlite3.connect(output / "news.db")
    codes_by_cluster: dict[int, set[str]] = {}
    for code, story in connection.execute("SELECT code, story FROM story_articles"):
        codes_by_cluster.setdefault(story, set()).add(code)
    connection.close()
    return set(map(frozenset, codes_by_cluster.values()))


def dump_cluster_tables(output: Path) -> list[list[Any]]:
    """Everything that is filed."""
    connection = sqlite3.connect(output / "news.db")
    tables = ("story_texts", "story_articles", "story_keys", "story_pending", "reprints")
    dumped = [sorted(connection.execute(f"SELECT * FROM {table}")) for table in tables]  # noqa: S608  # our own words
    connection.close()
    return dumped


def store_with_clusters(output: Path, rows: Iterable[TextRow]) -> Store:
    output.mkdir()
    store = Store.open_rw(output)
    insert_articles(output, rows)
    store.reprint_clusters.cluster_pending()
    return store


def pairs_in_clusters(groups: Iterable[frozenset[str]]) -> set[frozenset[str]]:
    return {frozenset(pair) for group in groups for pair in itertools.combinations(sorted(group), 2)}


@pytest.fixture(scope="module")
def labelled_articles() -> list[LabelledArticle]:
    return build_labelled_articles()


# what is found


def test_clusters_match_the_labels(labelled_articles: list[LabelledArticle], output: Path) -> None:
    codes_by_label: dict[str, set[str]] = {}
    for item in labelled_articles:
        codes_by_label.setdefault(item.cluster_label, set()).add(item.article.code)
    expected_pairs = pairs_in_clusters(map(frozenset, codes_by_label.values()))
    with store_with_clusters(output, map(text_row, labelled_articles)):
        found_pairs = pairs_in_clusters(read_clusters(output))
    precision, recall = (
        len(found_pairs & expected_pairs) / len(found_pairs),
        len(found_pairs & expected_pairs) / len(expected_pairs),
    )
    counts = f"{len(labelled_articles)} articles, {len(expected_pairs)} pairs"
    print(f"{counts}: precision {precision:.3f}, recall {recall:.3f}")  # noqa: T201  # for the note
    assert len(expected_pairs) > 150
    assert (precision, recall) == (1.0, 1.0)


def test_lsh_keys_lose_no_pair_of_full_comparison(labelled_articles: list[LabelledArticle], output: Path) -> None:
    rows = list(map(text_row, labelled_articles))
    articles = [ReferenceArticle(row) for row in rows]
    linked_pairs = {
        frozenset((first.code, second.code))
        for first, second in itertools.combinations(articles, 2)
        if first.is_linked(second)
    }
    with store_with_clusters(output, rows):
        assert pairs_in_clusters(read_clusters(output)) == pairs_in_clusters(join_pairs(linked_pairs))


class ReferenceArticle:
    """A row as the relation of two articles is reported for it."""

    def __init__(self, row: TextRow) -> None:
        self.code, self.media, at, text = row
        self.published = datetime.fromisoformat(at)
        self.letters, self.figures = minhash.extract_letters(text), minhash.pack_figures(text)
        self.ngrams = frozenset(minhash.split_shingles(self.letters))
        self.wording = read_wording("T", text, "", at)

    def is_linked(self, other: "ReferenceArticle") -> bool:
        if abs(self.published - other.published) > timedelta(days=3):
            return False
        long_enough = min(len(self.letters), len(other.letters)) >= minhash.MIN_LETTERS
        is_similar = minhash.are_similar(self.ngrams, other.ngrams)
        is_reprint = is_similar and long_enough and minhash.figures_agree(self.figures, other.figures)
        may_be_linked = self.letters == other.letters or (is_reprint and self.media != other.media)
        return may_be_linked and say_the_same(self.wording, other.wording)


def join_pairs(pairs: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    groups: list[set[str]] = []
    for pair in pairs:
        overlapping = [group for group in groups if group & pair]
        groups = [group for group in groups if not group & pair] + [set(pair).union(*overlapping)]
    return list(map(frozenset, groups))


def test_reprints_are_above_the_threshold_and_templates_too(labelled_articles: list[LabelledArticle]) -> None:
    articles_by_label = [(item.cluster_label, ReferenceArticle(text_row(item))) for item in labelled_articles]
    reprints, others = list[float](), list[float]()
    for (story, first), (other_story, second) in itertools.combinations(articles_by_label, 2):
        similarity = minhash.jaccard_similarity(first.ngrams, second.ngrams)
        (reprints if story == other_story else others).append(similarity)
    print(f"reprints {min(reprints):.2f} and more; others {max(others):.2f} at most")  # noqa: T201  # for the note
    assert min(reprints) > minhash.MIN_SIMILARITY
    assert max(others) > min(reprints), "wordings are compared since texts of one template are more alike"


# in any order


# A text without figures.
TEXT_WITHOUT_FIGURES = re.sub("[0-9.%]", "", text_row(build_labelled_articles(1)[0])[3])


def create_crowd(count: int, rng: random.Random) -> list[TextRow]:
    """Return articles of few phrases and minutes: many are similar, equal or simultaneous, and share crowded keys."""
    phrases = [TEXT_WITHOUT_FIGURES[index : index + 18] for index in range(0, 216, 18)]
    rows = []
    for index in range(count):
        start = rng.randrange(2) * 6
        text = "".join(phrases[start : start + 6]) + f"。{rng.randrange(1, 5)}元" + "尾" * rng.randrange(12)
        if rng.random() < 0.2:
            text = text.replace(phrases[start], "改", 1)
        at = NEWEST_AT + timedelta(hours=rng.randrange(150))
        rows.append((f"{20260101}{index:010}", f"报{rng.randrange(4)}", format_iso(at), text))
    return rows


@pytest.mark.parametrize("seed", range(PERMUTATIONS))
def test_order_updates_and_deletions_do_not_matter(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.storage.reprints.clusters._ARTICLES_PER_BATCH", 2 + seed * 9)
    rng = random.Random(seed)
    rows = create_crowd(120, rng)
    expected_rows = {row[0]: row for row in rows}
    with store_with_clusters(tmp_path / "walked", rng.sample(rows[:80], 80)) as store:
        for _ in range(3):
            change_articles(tmp_path / "walked", expected_rows, rng)
            store.reprint_clusters.cluster_pending()
        missing = rows[80:]
        for start in range(0, len(missing), 7):
            insert_articles(tmp_path / "walked", missing[start : start + 7])
            store.reprint_clusters.cluster_pending()
        assert store.reprint_clusters.find_faults() == []
    with store_with_clusters(tmp_path / "at-once", rng.sample(list(expected_rows.values()), len(expected_rows))):
        assert dump_cluster_tables(tmp_path / "walked") == dump_cluster_tables(tmp_path / "at-once")
    assert any(len(group) > 3 for group in read_clusters(tmp_path / "walked"))
    assert len(read_clusters(tmp_path / "walked")) > 3


def change_articles(output: Path, expected_rows: dict[str, TextRow], rng: random.Random) -> None:
    """Another program changes, moves and deletes some of the first eighty articles."""
    codes = sorted(code for code in expected_rows if int(code[-4:]) < 80)
    connection = sqlite3.connect(output / "news.db")
    with connection:
        for code in rng.sample(codes, 12):
            if rng.random() < 0.4:
                connection.execute("DELETE FROM articles WHERE code = ?", [code])
                del expected_rows[code]
                continue
            _, media, at, text = create_crowd(1, rng)[0]
            expected_rows[code] = (code, media, at, text)
            connection.execute(
                "UPDATE articles SET media = ?, published_at = ?, body_text = ? WHERE code = ?", [media, at, text, code]
            )
    connection.close()


# at a bounded cost


def repeat_text(count: int, *, distinct_endings: bool) -> list[TextRow]:
    """Return `count` texts of as many media, newest first: equal, or each with a different ending."""
    endings = [f"（{chr(0x4E00 + index) * 8}）" for index in range(count)] if distinct_endings else [""] * count
    return [
        (
            f"{20260101}{index:010}",
            f"报{index}",
            format_iso(NEWEST_AT - timedelta(seconds=index * 20)),
            TEXT_WITHOUT_FIGURES + endings[index],
        )
        for index in range(count)
    ]


def count_comparisons(output: Path, rows: Sequence[TextRow], *, batches: int) -> int:
    """Return the number of pairs of texts that were compared while articles came in batches."""
    with store_with_clusters(output, []) as store:
        for start in range(0, len(rows), len(rows) // batches):
            insert_articles(output, rows[start : start + len(rows) // batches])
            store.reprint_clusters.cluster_pending()
        assert len(read_clusters(output)) == 1
        return store.reprint_clusters.compared_pairs


def test_equal_texts_are_never_compared(output: Path) -> None:
    assert count_comparisons(output, repeat_text(600, distinct_endings=False), batches=1) == 0


def test_similar_texts_are_compared_once_each(tmp_path: Path) -> None:
    for_150_texts, for_600_texts = (
        count_comparisons(tmp_path / f"{number}", repeat_text(number, distinct_endings=True), batches=number // 150)
        for number in (150, 600)
    )
    print(f"{for_150_texts} comparisons of 150 texts, {for_600_texts} of 600")  # noqa: T201  # for the note
    assert for_150_texts < 2 * 150
    assert for_600_texts < 2 * 600


def test_dissimilar_texts_under_one_key_are_compared_with_neighbours_only(output: Path) -> None:
    """The dearest there is: a crowd under one key, where no comparison joins anything."""
    rows = [
        (*row[:3], f"{row[3]}{index * 7919} {index * 104729}元")
        for index, row in enumerate(repeat_text(600, distinct_endings=False))
    ]
    with store_with_clusters(output, rows) as store:
        assert len(read_clusters(output)) == 600
        assert store.reprint_clusters.compared_pairs <= 600 * 27 * 16


# what a reader gets


def test_demo_reprints_are_found(output: Path) -> None:
    corpus = Corpus.sample(40)
    original_codes = {*corpus}
    add_reprints(corpus)
    reprints = {*corpus} - original_codes
    articles = [article for code in corpus if (article := corpus.find_article(code))]
    assert all(article.published_at <= NEWEST_AT for article in articles if article.code in reprints)
    with store_with_clusters(output, (text_row(LabelledArticle("", article)) for article in articles)):
        clusters = [group for group in read_clusters(output) if len(group) > 1]
    assert [len(group) for group in clusters] == [3, 3, 3]
    assert all(len(group & reprints) == 2 for group in clusters)


@pytest.fixture(scope="module")
def crawled_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output of a crawl of a sample in which papers reprint one another, which the tests work on copies of."""
    output = tmp_path_factory.mktemp("reprints") / "output"
    corpus = Corpus.sample(12)
    for item in build_labelled_articles(12):
        if item.article.code not in corpus and item.article.published_at > NEWEST_AT - timedelta(days=1):
            corpus.add(item.article)
    with SampleSite(corpus) as sample_site:
        args = ("crawl", "eastmoney", "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS, "--quiet")
        assert run_finews(*args).exit_code == 0
    return output


@pytest.fixture
def crawled_copy(crawled_output: Path, output: Path) -> Path:
    shutil.copytree(crawled_output, output)
    return output


@pytest.fixture
def store(crawled_copy: Path) -> Iterator[Store]:
    with Store.open_rw(crawled_copy) as store:
        yield store


def test_crawl_ends_with_complete_clusters(store: Store) -> None:
    assert store.reprint_clusters.find_pending() == store.reprint_clusters.find_faults() == []
    cluster = store.reprints.cluster_articles(most_reprinted_code(store))
    assert [row["seconds_later"] for row in cluster] == sorted(row["seconds_later"] for row in cluster)
    assert cluster[0]["seconds_later"] == 0
    assert len({row["media"] for row in cluster}) == len(cluster)


def most_reprinted_code(store: Store) -> str:
    """Return the code of the newest article that two others have reprinted."""
    rows = store.search.rows(SearchRequest())
    return next(
        str(row["code"])
        for row in rows
        if len(cluster_codes := store.reprints.cluster_codes(row["code"])) > 2 and cluster_codes[0] == row["code"]
    )


def test_show_lists_reprints_and_delays(store: Store, finews: CommandRunner) -> None:
    code = most_reprinted_code(store)
    original, first, second = store.reprints.cluster_articles(code)
    stdout = finews("show", code).stdout
    for row in (first, second):
        assert f"{row['media']}, {format_delay(row)} later  {row['code']}" in stdout
    stdout = finews("show", second["code"]).stdout
    assert f"reprint, {format_delay(second)} later, of {code}  {original['media']}" in stdout
    assert f"{first['media']}, {format_delay(first)} later" in stdout
    assert finews("show", code, "--json").json["story"] == [original, first, second]


def format_delay(row: dict[str, Any]) -> str:
    hours, remaining_minutes = divmod(row["seconds_later"] // 60, 60)
    return f"{hours} h {remaining_minutes} min" if hours else f"{remaining_minutes} min"


def test_distinct_collapses_reprints_into_the_earliest_match(store: Store, finews: CommandRunner) -> None:
    all_rows = list(store.search.rows(SearchRequest()))
    firsts = [row["code"] for row in all_rows if store.reprints.cluster_codes(row["code"])[0] == row["code"]]
    assert len(firsts) < len(all_rows)
    assert [row["code"] for row in store.search.rows(SearchRequest(collapse_reprints=True))] == firsts
    assert store.search.count(SearchRequest(collapse_reprints=True)) == len(firsts)
    word = next(row["title"] for row in all_rows if row["code"] == most_reprinted_code(store))[:4]
    for limit in ("1", "3"):
        hits = finews("search", word, "--distinct", "--json", "--limit", limit).json
        expected_codes = [row["code"] for row in store.search.rows(SearchRequest(text=word)) if row["code"] in firsts]
        assert [row["code"] for row in hits] == expected_codes[: int(limit)]
    assert finews("search", word, "--distinct", "--count").stdout.strip() == str(len(expected_codes))


def test_distinct_keeps_the_earliest_matching_reprint(store: Store) -> None:
    _, first, second = store.reprints.cluster_articles(most_reprinted_code(store))
    request = SearchRequest(categories=(first["category"], second["category"]), collapse_reprints=True)
    codes = [row["code"] for row in store.search.rows(request)]
    assert first["code"] in codes
    assert second["code"] not in codes


def test_distinct_ignores_later_articles(store: Store, crawled_copy: Path) -> None:
    original, first, second = store.reprints.cluster_articles(most_reprinted_code(store))
    connection = sqlite3.connect(crawled_copy / "news.db")
    with connection:
        connection.execute("UPDATE articles SET first_seen_at = '2026-09-20T00:00:00+08:00'")
        connection.execute(
            "UPDATE articles SET first_seen_at = '2026-09-19T00:00:00+08:00' WHERE code = ?", [second["code"]]
        )
    connection.close()
    as_of = datetime.fromisoformat("2026-09-19T12:00:00+08:00")
    assert [row["code"] for row in store.search.rows(SearchRequest(as_of=as_of, collapse_reprints=True))] == [
        second["code"]
    ]
    earlier_view = store.search.get_full_as_of(second["code"], as_of)
    assert earlier_view is not None
    assert earlier_view["story"] == []
    later_view = store.search.get_full_as_of(second["code"], as_of + timedelta(days=1))
    assert later_view is not None
    assert [row["code"] for row in later_view["story"]] == [original["code"], first["code"], second["code"]]


def test_withdrawn_original_is_collapsed_into_a_reprint(store: Store) -> None:
    original, first, _ = store.reprints.cluster_articles(most_reprinted_code(store))
    store.articles.mark_withdrawn(original["code"], NEWEST_AT)
    codes = [row["code"] for row in store.search.rows(SearchRequest(collapse_reprints=True))]
    assert first["code"] in codes
    assert original["code"] not in codes


def test_reprints_view_is_readable_by_any_client(store: Store, crawled_copy: Path) -> None:
    original, first, second = store.reprints.cluster_articles(most_reprinted_code(store))
    connection = sqlite3.connect(crawled_copy / "news.db")
    rows = connection.execute(
        "SELECT code, original, original_media, minutes_later FROM reprints WHERE original = ? ORDER BY minutes_later",
        [original["code"]],
    ).fetchall()
    connection.close()
    assert rows == [
        (row["code"], original["code"], original["media"], row["seconds_later"] // 60) for row in (first, second)
    ]


CLUSTER_FAULTS = {
    "a story of its own": "UPDATE story_articles SET story = id WHERE code = :code",
    "another's story": "UPDATE story_articles SET story = (SELECT story FROM story_articles WHERE code != :code AND story = id LIMIT 1) WHERE code = :code",
    "no entry": "DELETE FROM story_articles WHERE code = :code",
    "another time": "UPDATE story_articles SET published = published - 1 WHERE code = :code",
    "no keys": "DELETE FROM story_keys WHERE id = (SELECT id FROM story_articles WHERE code = :code)",
    "another text": "UPDATE story_texts SET sketch = x'00000000' WHERE digest = (SELECT digest FROM story_articles WHERE code = :code)",
    "not done yet": "UPDATE articles SET body_text = body_text || '又及' WHERE code = :code",
}  # fmt: skip


@pytest.mark.parametrize("sql", CLUSTER_FAULTS.values(), ids=CLUSTER_FAULTS)
def test_cluster_fault_is_reported_and_repaired(sql: str, crawled_copy: Path, finews: CommandRunner) -> None:
    with Store.open_ro(crawled_copy) as store:
        code = store.reprints.cluster_articles(most_reprinted_code(store))[1]["code"]
    connection = sqlite3.connect(crawled_copy / "news.db")
    with connection:
        connection.execute(sql, {"code": code})
    connection.close()
    verify_result = finews("verify")
    assert (verify_result.exit_code, "unlinked" in verify_result.stdout) == (1, True)
    assert finews("verify", "--repair").exit_code == 0, verify_result.stdout
    assert finews("verify").exit_code == 0


def test_rebuilds_give_the_same_clusters(crawled_copy: Path, finews: CommandRunner) -> None:
    before = dump_cluster_tables(crawled_copy)
    assert "articles compared" in finews("rebuild", "reprints").stdout
    assert dump_cluster_tables(crawled_copy) == before
    assert finews("rebuild", "db").exit_code == 0
    assert dump_cluster_tables(crawled_copy) == before


def test_next_crawl_completes_clusters_of_a_killed_crawl(crawl: CommandRunner, output: Path) -> None:
    crawl()
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("DELETE FROM story_articles")
        connection.execute("DELETE FROM story_keys")
        connection.execute("INSERT INTO story_pending SELECT code FROM articles")
    assert crawl().json["new"] == 0
    number = connection.execute("SELECT count(*) FROM articles").fetchone()
    assert connection.execute("SELECT count(*) FROM story_articles").fetchone() == number
    assert connection.execute("SELECT count(*) FROM story_pending").fetchone() == (0,)
    connection.close()
