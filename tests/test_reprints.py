"""Reprints against a brute-force comparison of labelled texts, in any order, and at a bounded cost."""

import itertools
import random
import re
import shutil
import sqlite3
import subprocess
import sys
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
from crawler.storage.search.request import SearchRequest
from tests.conftest import NO_MANNERS, Finews

Row = tuple[str, str, str, str]  # code, media, published_at, body_text
PERMUTATIONS = 5


def row_of(item: LabelledArticle) -> Row:
    article = item.article
    text = html_to_text(clean_html(article.content, "http://finance.eastmoney.com/", EASTMONEY_MARKUP))
    return article.code, article.media, format_iso(article.published_at), text


def insert(output: Path, rows: Iterable[Row]) -> None:
    """As another program would: what was filed is not our code's doing."""
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("INSERT OR IGNORE INTO categories (slug, media) VALUES ('a', 'A')")
        connection.executemany(
            """
            INSERT INTO articles (code, title, published_at, media, category, source, url, summary, body_html,
                                  body_text, post_path, post_sha256, first_seen_at)
            VALUES (:code, 'T', :at, :media, 'a', 'eastmoney', '', '', '', :text, :code, '', :at)
            """,
            [{"code": code, "media": media, "at": at, "text": text} for code, media, at, text in rows],
        )
    connection.close()


def stories(output: Path) -> set[frozenset[str]]:
    connection = sqlite3.connect(output / "news.db")
    found: dict[int, set[str]] = {}
    for code, story in connection.execute("SELECT code, story FROM story_articles"):
        found.setdefault(story, set()).add(code)
    connection.close()
    return set(map(frozenset, found.values()))


def contents(output: Path) -> list[list[Any]]:
    """Everything that is filed."""
    connection = sqlite3.connect(output / "news.db")
    tables = ("story_texts", "story_articles", "story_keys", "story_pending", "reprints")
    found = [sorted(connection.execute(f"SELECT * FROM {table}")) for table in tables]  # noqa: S608  # our own words
    connection.close()
    return found


def filed(output: Path, rows: Iterable[Row]) -> Store:
    output.mkdir()
    store = Store.open_rw(output)
    insert(output, rows)
    store.reprint_clusters.cluster_pending()
    return store


def pairs_of(groups: Iterable[frozenset[str]]) -> set[frozenset[str]]:
    return {frozenset(pair) for group in groups for pair in itertools.combinations(sorted(group), 2)}


@pytest.fixture(scope="module")
def items() -> list[LabelledArticle]:
    return build_labelled_articles()


# what is found


def test_stories_are_those_of_the_labels(items: list[LabelledArticle], output: Path) -> None:
    by_story: dict[str, set[str]] = {}
    for item in items:
        by_story.setdefault(item.cluster_label, set()).add(item.article.code)
    wanted = pairs_of(map(frozenset, by_story.values()))
    with filed(output, map(row_of, items)):
        found = pairs_of(stories(output))
    precision, recall = len(found & wanted) / len(found), len(found & wanted) / len(wanted)
    print(f"{len(items)} articles, {len(wanted)} pairs: precision {precision:.3f}, recall {recall:.3f}")  # noqa: T201  # for the note
    assert len(wanted) > 150
    assert (precision, recall) == (1.0, 1.0)


def test_keys_lose_no_pair_that_a_comparison_of_all_finds(items: list[LabelledArticle], output: Path) -> None:
    rows = list(map(row_of, items))
    told = [Told(row) for row in rows]
    found = {frozenset((one.code, two.code)) for one, two in itertools.combinations(told, 2) if one.is_linked(two)}
    with filed(output, rows):
        assert pairs_of(stories(output)) == pairs_of(joined(found))


class Told:
    """A row as the relation of two articles is told of it."""

    def __init__(self, row: Row) -> None:
        self.code, self.media, at, text = row
        self.at = datetime.fromisoformat(at)
        self.letters, self.figures = minhash.extract_letters(text), minhash.pack_figures(text)
        self.runs = frozenset(minhash.split_shingles(self.letters))

    def is_linked(self, other: "Told") -> bool:
        if abs(self.at - other.at) > timedelta(days=3):
            return False
        long_enough = min(len(self.letters), len(other.letters)) >= minhash.MIN_LETTERS
        alike = minhash.are_similar(self.runs, other.runs)
        agree = alike and long_enough and minhash.figures_agree(self.figures, other.figures)
        return self.letters == other.letters or (agree and self.media != other.media)


def joined(pairs: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    groups: list[set[str]] = []
    for pair in pairs:
        touched = [group for group in groups if group & pair]
        groups = [group for group in groups if not group & pair] + [set(pair).union(*touched)]
    return list(map(frozenset, groups))


def test_the_threshold_lies_between_reprints_and_the_rest(items: list[LabelledArticle]) -> None:
    told = [(item.cluster_label, Told(row_of(item))) for item in items]
    reprints, others, templates = [], [], []
    for (story, one), (another, two) in itertools.combinations(told, 2):
        how_alike = minhash.jaccard_similarity(one.runs, two.runs)
        if story == another:
            reprints.append(how_alike)
        elif minhash.figures_agree(one.figures, two.figures):
            others.append(how_alike)
        else:
            templates.append(how_alike)
    print(  # noqa: T201  # for the note
        f"reprints {min(reprints):.2f} and more; others with their figures {max(others):.2f}, with other figures {max(templates):.2f} at most"
    )
    assert max(others) < minhash.MIN_SIMILARITY < min(reprints)
    assert max(templates) > min(reprints), "figures are compared since texts of one template are more alike"


# in any order


# A text without figures.
PLAIN = re.sub("[0-9.%]", "", row_of(build_labelled_articles(1)[0])[3])


def crowd(number: int, rng: random.Random) -> list[Row]:
    """Articles of few words and few minutes, so that many are alike, equal, of one time, and share crowded keys."""
    words = [PLAIN[place : place + 18] for place in range(0, 216, 18)]
    rows = []
    for place in range(number):
        start = rng.randrange(2) * 6
        text = "".join(words[start : start + 6]) + f"。{rng.randrange(1, 5)}元" + "尾" * rng.randrange(12)
        if rng.random() < 0.2:
            text = text.replace(words[start], "改", 1)
        at = NEWEST_AT + timedelta(hours=rng.randrange(150))
        rows.append((f"{20260101}{place:010}", f"报{rng.randrange(4)}", format_iso(at), text))
    return rows


@pytest.mark.parametrize("seed", range(PERMUTATIONS))
def test_order_updates_and_deletions_do_not_matter(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.storage.reprints.clusters._ARTICLES_PER_BATCH", 2 + seed * 9)
    rng = random.Random(seed)
    rows = crowd(120, rng)
    final = {row[0]: row for row in rows}
    with filed(tmp_path / "walked", rng.sample(rows[:80], 80)) as store:
        for _ in range(3):
            stirred(tmp_path / "walked", final, rng)
            store.reprint_clusters.cluster_pending()
        missing = rows[80:]
        for start in range(0, len(missing), 7):
            insert(tmp_path / "walked", missing[start : start + 7])
            store.reprint_clusters.cluster_pending()
        assert store.reprint_clusters.find_faults() == []
    with filed(tmp_path / "at-once", rng.sample(list(final.values()), len(final))):
        assert contents(tmp_path / "walked") == contents(tmp_path / "at-once")
    assert any(len(group) > 3 for group in stories(tmp_path / "walked"))
    assert len(stories(tmp_path / "walked")) > 3


def stirred(output: Path, final: dict[str, Row], rng: random.Random) -> None:
    """Another program changes, moves and deletes some of the first eighty articles."""
    codes = sorted(code for code in final if int(code[-4:]) < 80)
    connection = sqlite3.connect(output / "news.db")
    with connection:
        for code in rng.sample(codes, 12):
            if rng.random() < 0.4:
                connection.execute("DELETE FROM articles WHERE code = ?", [code])
                del final[code]
                continue
            _, media, at, text = crowd(1, rng)[0]
            final[code] = (code, media, at, text)
            connection.execute(
                "UPDATE articles SET media = ?, published_at = ?, body_text = ? WHERE code = ?", [media, at, text, code]
            )
    connection.close()


# at a bounded cost


def repeated(number: int, *, differing: bool) -> list[Row]:
    """So many texts of as many media, newest first: the same, or each with an end of its own."""
    ends = [f"（{chr(0x4E00 + place) * 8}）" for place in range(number)] if differing else [""] * number
    return [
        (
            f"{20260101}{place:010}",
            f"报{place}",
            format_iso(NEWEST_AT - timedelta(seconds=place * 20)),
            PLAIN + ends[place],
        )
        for place in range(number)
    ]


def comparisons(output: Path, rows: Sequence[Row], *, in_parts: int) -> int:
    """How many pairs of texts were compared while articles came, in so many parts."""
    with filed(output, []) as store:
        for start in range(0, len(rows), len(rows) // in_parts):
            insert(output, rows[start : start + len(rows) // in_parts])
            store.reprint_clusters.cluster_pending()
        assert len(stories(output)) == 1
        return store.reprint_clusters.compared_pairs


def test_equal_texts_are_not_compared_however_many(output: Path) -> None:
    assert comparisons(output, repeated(2_000, differing=False), in_parts=1) == 0


def test_alike_texts_are_compared_once_each(tmp_path: Path) -> None:
    once, thrice = (
        comparisons(tmp_path / f"{number}", repeated(number, differing=True), in_parts=number // 500)
        for number in (500, 2_000)
    )
    print(f"{once} comparisons of 500 texts, {thrice} of 2,000")  # noqa: T201  # for the note
    assert once < 2 * 500
    assert thrice < 2 * 2_000


def test_texts_that_share_a_key_and_are_not_alike_are_compared_with_their_neighbours(output: Path) -> None:
    """The dearest there is: a crowd under one key, where no comparison joins anything."""
    rows = [
        (*row[:3], f"{row[3]}{place * 7919} {place * 104729}元")
        for place, row in enumerate(repeated(600, differing=False))
    ]
    with filed(output, rows) as store:
        assert len(stories(output)) == 600
        assert store.reprint_clusters.compared_pairs <= 600 * 27 * 16


# what a reader gets


def test_the_demo_holds_stories_that_are_found(output: Path) -> None:
    corpus = Corpus.sample(40)
    known = {*corpus}
    add_reprints(corpus)
    reprints = {*corpus} - known
    articles = [article for code in corpus if (article := corpus.find_article(code))]
    assert all(article.published_at <= NEWEST_AT for article in articles if article.code in reprints)
    with filed(output, (row_of(LabelledArticle("", article)) for article in articles)):
        several = [group for group in stories(output) if len(group) > 1]
    assert [len(group) for group in several] == [3, 3, 3]
    assert all(len(group & reprints) == 2 for group in several)


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crawl of a sample in which papers reprint one another, which the tests work on copies of."""
    output = tmp_path_factory.mktemp("reprints") / "output"
    corpus = Corpus.sample(12)
    for item in build_labelled_articles(12):
        if item.article.code not in corpus and item.article.published_at > NEWEST_AT - timedelta(days=1):
            corpus.add(item.article)
    with SampleSite(corpus) as site:
        words = ("crawl", "eastmoney", "--mirror", site.url, "--output", str(output), *NO_MANNERS, "--quiet")
        done = subprocess.run([sys.executable, "-m", "crawler", *words], timeout=120, check=False)
        assert done.returncode == 0
    return output


@pytest.fixture
def copied(crawled: Path, output: Path) -> Path:
    shutil.copytree(crawled, output)
    return output


@pytest.fixture
def store(copied: Path) -> Iterator[Store]:
    with Store.open_rw(copied) as store:
        yield store


def test_a_crawl_ends_with_its_stories_told(store: Store) -> None:
    assert store.reprint_clusters.find_pending() == store.reprint_clusters.find_faults() == []
    story = store.reprints.cluster_articles(reprinted(store))
    assert [row["seconds_later"] for row in story] == sorted(row["seconds_later"] for row in story)
    assert story[0]["seconds_later"] == 0
    assert len({row["media"] for row in story}) == len(story)


def reprinted(store: Store) -> str:
    """The code of the newest article that two others have reprinted."""
    rows = store.search.rows(SearchRequest())
    return next(
        str(row["code"])
        for row in rows
        if len(found := store.reprints.cluster_codes(row["code"])) > 2 and found[0] == row["code"]
    )


def test_show_tells_who_reprinted_it_and_how_much_later(store: Store, finews: Finews) -> None:
    code = reprinted(store)
    original, first, second = store.reprints.cluster_articles(code)
    told = finews("show", code).out
    for row in (first, second):
        assert f"{row['media']}, {minutes(row)} later  {row['code']}" in told
    told = finews("show", second["code"]).out
    assert f"reprint, {minutes(second)} later, of {code}  {original['media']}" in told
    assert f"{first['media']}, {minutes(first)} later" in told
    assert finews("show", code, "--json").value["story"] == [original, first, second]


def minutes(row: dict[str, Any]) -> str:
    hours, left = divmod(row["seconds_later"] // 60, 60)
    return f"{hours} h {left} min" if hours else f"{left} min"


def test_distinct_folds_reprints_into_the_earliest_that_answers(store: Store, finews: Finews) -> None:
    everything = list(store.search.rows(SearchRequest()))
    firsts = [row["code"] for row in everything if store.reprints.cluster_codes(row["code"])[0] == row["code"]]
    assert len(firsts) < len(everything)
    assert [row["code"] for row in store.search.rows(SearchRequest(collapse_reprints=True))] == firsts
    assert store.search.count(SearchRequest(collapse_reprints=True)) == len(firsts)
    word = next(row["title"] for row in everything if row["code"] == reprinted(store))[:4]
    for limit in ("1", "3"):
        found = finews("search", word, "--distinct", "--json", "--limit", limit).value
        wanted = [row["code"] for row in store.search.rows(SearchRequest(text=word)) if row["code"] in firsts]
        assert [row["code"] for row in found] == wanted[: int(limit)]
    assert finews("search", word, "--distinct", "--count").out.strip() == str(len(wanted))


def test_distinct_keeps_the_earliest_where_the_original_is_filtered_out(store: Store) -> None:
    _, first, second = store.reprints.cluster_articles(reprinted(store))
    chosen = SearchRequest(categories=(first["category"], second["category"]), collapse_reprints=True)
    found = [row["code"] for row in store.search.rows(chosen)]
    assert first["code"] in found
    assert second["code"] not in found


def test_distinct_knows_nothing_later(store: Store, copied: Path) -> None:
    original, first, second = store.reprints.cluster_articles(reprinted(store))
    connection = sqlite3.connect(copied / "news.db")
    with connection:
        connection.execute("UPDATE articles SET first_seen_at = '2026-09-20T00:00:00+08:00'")
        connection.execute(
            "UPDATE articles SET first_seen_at = '2026-09-19T00:00:00+08:00' WHERE code = ?", [second["code"]]
        )
    connection.close()
    at = datetime.fromisoformat("2026-09-19T12:00:00+08:00")
    assert [row["code"] for row in store.search.rows(SearchRequest(as_of=at, collapse_reprints=True))] == [
        second["code"]
    ]
    known = store.search.get_full_as_of(second["code"], at)
    assert known is not None
    assert known["story"] == []
    later = store.search.get_full_as_of(second["code"], at + timedelta(days=1))
    assert later is not None
    assert [row["code"] for row in later["story"]] == [original["code"], first["code"], second["code"]]


def test_a_withdrawn_original_is_folded_into_a_reprint(store: Store) -> None:
    original, first, _ = store.reprints.cluster_articles(reprinted(store))
    store.articles.mark_withdrawn(original["code"], NEWEST_AT)
    found = [row["code"] for row in store.search.rows(SearchRequest(collapse_reprints=True))]
    assert first["code"] in found
    assert original["code"] not in found


def test_any_client_reads_the_view(store: Store, copied: Path) -> None:
    original, first, second = store.reprints.cluster_articles(reprinted(store))
    connection = sqlite3.connect(copied / "news.db")
    rows = connection.execute(
        "SELECT code, original, original_media, minutes_later FROM reprints WHERE original = ? ORDER BY minutes_later",
        [original["code"]],
    ).fetchall()
    connection.close()
    assert rows == [
        (row["code"], original["code"], original["media"], row["seconds_later"] // 60) for row in (first, second)
    ]


WRONG = {
    "a story of its own": "UPDATE story_articles SET story = id WHERE code = :code",
    "another's story": "UPDATE story_articles SET story = (SELECT story FROM story_articles WHERE code != :code AND story = id LIMIT 1) WHERE code = :code",
    "no entry": "DELETE FROM story_articles WHERE code = :code",
    "another time": "UPDATE story_articles SET published = published - 1 WHERE code = :code",
    "no keys": "DELETE FROM story_keys WHERE id = (SELECT id FROM story_articles WHERE code = :code)",
    "another text": "UPDATE story_texts SET sketch = x'00000000' WHERE digest = (SELECT digest FROM story_articles WHERE code = :code)",
    "not done yet": "UPDATE articles SET body_text = body_text || '又及' WHERE code = :code",
}  # fmt: skip


@pytest.mark.parametrize("sql", WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_story_is_named_and_mended(sql: str, copied: Path, finews: Finews) -> None:
    with Store.open_ro(copied) as store:
        code = store.reprints.cluster_articles(reprinted(store))[1]["code"]
    connection = sqlite3.connect(copied / "news.db")
    with connection:
        connection.execute(sql, {"code": code})
    connection.close()
    told = finews("verify")
    assert (told.code, "unlinked" in told.out) == (1, True)
    assert finews("verify", "--repair").code == 0, told.out
    assert finews("verify").code == 0


def test_a_rebuild_and_a_database_made_anew_give_the_same(copied: Path, finews: Finews) -> None:
    before = contents(copied)
    assert "articles compared" in finews("rebuild", "reprints").out
    assert contents(copied) == before
    assert finews("rebuild", "db").code == 0
    assert contents(copied) == before


def test_the_next_crawl_does_what_a_killed_one_left(crawl: Finews, output: Path) -> None:
    crawl()
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("DELETE FROM story_articles")
        connection.execute("DELETE FROM story_keys")
        connection.execute("INSERT INTO story_pending SELECT code FROM articles")
    assert crawl().value["new"] == 0
    number = connection.execute("SELECT count(*) FROM articles").fetchone()
    assert connection.execute("SELECT count(*) FROM story_articles").fetchone() == number
    assert connection.execute("SELECT count(*) FROM story_pending").fetchone() == (0,)
    connection.close()
