"""Reprints against a brute-force comparison of labelled texts, in any order, and at a bounded cost."""

import itertools
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import NEWEST, Corpus, SampleSite
from crawler.sample_site.reprints import Labelled, labelled
from crawler.store import Store
from crawler.store.search import Asked
from crawler.text import html, shingles
from crawler.text.dates import iso
from tests.conftest import NO_MANNERS, Finews

Row = tuple[str, str, str, str]  # code, media, published_at, body_text
PERMUTATIONS = 12


def row_of(item: Labelled) -> Row:
    article = item.article
    text = html.plain(html.clean(article.content, base_url="http://finance.eastmoney.com/"))
    return article.code, article.media, iso(article.published), text


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
    store = Store.writing(output)
    insert(output, rows)
    store.stories.catch_up()
    return store


def pairs_of(groups: Iterable[frozenset[str]]) -> set[frozenset[str]]:
    return {frozenset(pair) for group in groups for pair in itertools.combinations(sorted(group), 2)}


@pytest.fixture(scope="module")
def items() -> list[Labelled]:
    return labelled()


# what is found


def test_stories_are_those_of_the_labels(items: list[Labelled], output: Path) -> None:
    by_story: dict[str, set[str]] = {}
    for item in items:
        by_story.setdefault(item.story, set()).add(item.article.code)
    wanted = pairs_of(map(frozenset, by_story.values()))
    with filed(output, map(row_of, items)):
        found = pairs_of(stories(output))
    precision, recall = len(found & wanted) / len(found), len(found & wanted) / len(wanted)
    print(f"{len(items)} articles, {len(wanted)} pairs: precision {precision:.3f}, recall {recall:.3f}")
    assert len(wanted) > 150
    assert (precision, recall) == (1.0, 1.0)


def test_keys_lose_no_pair_that_a_comparison_of_all_finds(items: list[Labelled], output: Path) -> None:
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
        self.letters, self.shape = shingles.letters(text), shingles.shape(text)

    def is_linked(self, other: "Told") -> bool:
        if abs(self.at - other.at) > timedelta(days=3):
            return False
        long_enough = min(len(self.letters), len(other.letters)) >= shingles.SHORTEST
        alike = long_enough and self.media != other.media and shingles.alike(self.shape, other.shape)
        return self.letters == other.letters or alike


def joined(pairs: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    groups: list[set[str]] = []
    for pair in pairs:
        touched = [group for group in groups if group & pair]
        groups = [group for group in groups if not group & pair] + [set(pair).union(*touched)]
    return list(map(frozenset, groups))


def test_the_threshold_lies_between_reprints_and_the_rest(items: list[Labelled]) -> None:
    rows = [(item.story, *row_of(item)) for item in items]
    shapes = [shingles.shape(row[4]) for row in rows]
    reprints, others, templates = [], [], []
    for (one, shape), (two, other) in itertools.combinations(zip(rows, shapes, strict=True), 2):
        how_alike = shingles.jaccard(shape.shingles, other.shingles)
        if one[0] == two[0]:
            reprints.append(how_alike)
        elif shingles.alike(shape, shingles.Shape(shape.shingles, other.figures)):
            others.append(how_alike)
        else:
            templates.append(how_alike)
    print(f"reprints {min(reprints):.2f} and more; others with their figures {max(others):.2f}, with other figures {max(templates):.2f} at most")
    assert max(others) < shingles.ALIKE < min(reprints)
    assert max(templates) > min(reprints), "figures are compared since texts of one template are more alike"


# in any order


def crowd(number: int, rng: random.Random) -> list[Row]:
    """Articles of few words and few minutes, so that many are alike, equal, of one time, and share crowded keys."""
    words = [f"{Corpus.sample(1).article(code).title}" for code in Corpus.sample(12)][:12]  # type: ignore[union-attr]  # it is there
    base = [word for word in words if word]
    rows = []
    for place in range(number):
        start = rng.randrange(6)
        text = "".join(base[(start + step) % len(base)] for step in range(5)) + "。" + "尾" * rng.randrange(12)
        if rng.random() < 0.2:
            text = text.replace(base[start], "改", 1)
        at = NEWEST + timedelta(hours=rng.randrange(150))
        rows.append((f"{20260101}{place:010}", f"报{rng.randrange(4)}", iso(at), text))
    return rows


@pytest.mark.parametrize("seed", range(PERMUTATIONS))
def test_order_updates_and_deletions_do_not_matter(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.store.stories._BATCH", 1 + seed * 3)
    rng = random.Random(seed)  # noqa: S311  # no secret
    rows = crowd(150, rng)
    final = {row[0]: row for row in rows}
    with filed(tmp_path / "walked", rng.sample(rows[:100], 100)) as store:
        for _ in range(6):
            stirred(tmp_path / "walked", final, rng)
            store.stories.catch_up()
        missing = [row for row in rows[100:] if row[0] in final]
        for start in range(0, len(missing), 7):
            insert(tmp_path / "walked", [final[row[0]] for row in missing[start : start + 7]])
            store.stories.catch_up()
        assert store.stories.faults() == []
    with filed(tmp_path / "at-once", rng.sample(list(final.values()), len(final))):
        assert contents(tmp_path / "walked") == contents(tmp_path / "at-once")
    assert any(len(group) > 3 for group in stories(tmp_path / "walked"))
    assert len(stories(tmp_path / "walked")) > 3


def stirred(output: Path, final: dict[str, Row], rng: random.Random) -> None:
    """Another program changes, moves and deletes some of the first hundred articles."""
    codes = sorted(code for code in final if int(code[-4:]) < 100)
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
    text = html.plain(html.clean(labelled(1)[0].article.content, base_url="http://a.cn/"))
    ends = [f"（{place}号记者）" * 2 for place in range(number)] if differing else [""] * number
    return [
        (f"{20260101}{place:010}", f"报{place}", iso(NEWEST - timedelta(seconds=place * 20)), text + ends[place])
        for place in range(number)
    ]


def comparisons(output: Path, rows: Sequence[Row], *, in_parts: int) -> int:
    """How many pairs of texts were compared while articles came, in so many parts."""
    with filed(output, []) as store:
        for start in range(0, len(rows), len(rows) // in_parts):
            insert(output, rows[start : start + len(rows) // in_parts])
            store.stories.catch_up()
        assert len(stories(output)) == 1
        return store.stories.compared


def test_equal_texts_are_not_compared_however_many(output: Path) -> None:
    assert comparisons(output, repeated(2_000, differing=False), in_parts=1) == 0


def test_alike_texts_are_compared_once_each(tmp_path: Path) -> None:
    once, thrice = (
        comparisons(tmp_path / f"{number}", repeated(number, differing=True), in_parts=number // 500)
        for number in (500, 2_000)
    )
    print(f"{once} comparisons of 500 texts, {thrice} of 2,000")
    assert once < 2 * 500
    assert thrice < 2 * 2_000


def test_texts_that_share_a_key_and_are_not_alike_are_compared_with_their_neighbours(output: Path) -> None:
    """The dearest there is: a crowd under one key, where no comparison joins anything."""
    rows = [(*row[:3], f"{row[3]}{place * 7919} {place * 104729}元") for place, row in enumerate(repeated(600, differing=False))]
    with filed(output, rows) as store:
        assert len(stories(output)) == 600
        assert store.stories.compared <= 600 * 17 * 16
