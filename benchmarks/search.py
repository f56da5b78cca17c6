"""How fast and how large is search? Against a LIKE scan and SQLite's trigram index, in the same run.

    python -m benchmarks.search [ARTICLES] [CHARACTERS]

The texts are made up: sentences of invented words, whose frequencies fall as those of real words do (Zipf), so that
rare and common pairs of characters both occur. Prints a table; the ratios hold from one machine to another. Questions are
timed by the processor's time, so that what else the machine does is not counted; the database is in the page cache.
Of most kinds, the answers to a few questions are compared with the scan's.
"""

import itertools
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from crawler.content.dates import CHINA_TZ, format_iso
from crawler.storage import Store
from crawler.storage.search.request import SearchRequest, SortOrder

_WORDS = 60_000
LATIN = ("A", "B", "ETF", "5G", "AI", "IPO", "GDP", "CPI")
# How many of the texts hold one of those, with a number or a character.
_MIXED = 0.3
_FIRST = datetime(2022, 1, 1, tzinfo=CHINA_TZ)
_TIMES = 200
# One article in so many links to the stock that is asked for.
_OF_A_STOCK = 1_000
# A scan is slow, and as slow as the one before.
_SCANS = 3
# So many answers are compared with a scan's, of each kind that it can answer.
_COMPARED = 2


class Words(NamedTuple):
    """Invented words, and how often each is used (cumulated)."""

    words: list[str]
    weights: list[float]

    @classmethod
    def made_up(cls, rng: random.Random) -> "Words":
        """Mostly of two characters, from 2,500 of which some are used far more often."""
        characters = [chr(0x4E00 + place * 7) for place in range(2_500)]
        weights = [1 / (place + 20) for place in range(len(characters))]
        rng.shuffle(characters)
        sizes = rng.choices((1, 2, 3, 4), weights=(1, 12, 3, 2), k=_WORDS)
        words = ["".join(rng.choices(characters, weights, k=size)) for size in sizes]
        return cls(words, list(itertools.accumulate(1 / (place + 5) for place in range(_WORDS))))

    def text(self, rng: random.Random, length: int) -> str:
        parts: list[str] = []
        size = 0
        while size < length:
            parts += [*rng.choices(self.words, cum_weights=self.weights, k=8), rng.choice("，，。")]
            size += sum(map(len, parts[-9:]))
        if rng.random() < _MIXED:
            parts.insert(rng.randrange(len(parts)), f"{rng.choice(LATIN)}{rng.choice((rng.randrange(100), '股'))}")
        return "".join(parts)[:length]


def main() -> None:
    articles = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    length = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    rng = random.Random(1)
    words = Words.made_up(rng)
    with tempfile.TemporaryDirectory(prefix="finews-benchmark-") as folder:
        path = Path(folder) / "news.db"
        with Store.open_rw(Path(folder)) as store:
            size = fill(path, words, rng, articles, length)
            print(f"{articles:,} articles of about {length} characters, {size / 1e6:,.0f} MB of UTF-8 text")
            took = timed(store.search_index.index_pending)
            print(f"index: {articles / took:,.0f} articles/s, {index_size(path) / size:.2f} of the text's size")
            taken = timed(lambda: trigram(path))
            print(
                f"FTS5 trigram: {articles / taken:,.0f} articles/s, {trigram_size(path) / size:.2f} of the text's size"
            )
            compare(store, path, words, rng)


def fill(path: Path, words: Words, rng: random.Random, articles: int, length: int) -> int:
    """Articles in the order of their times; the bytes of their titles and texts."""
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO categories (slug, media) VALUES ('a', 'A'), ('b', 'B')")
    size = 0

    def rows() -> Iterator[tuple[str, ...]]:
        nonlocal size
        for number in range(articles):
            published = _FIRST + timedelta(seconds=number * 60 + rng.randrange(600))
            moment = format_iso(published)
            title, text = words.text(rng, 20), words.text(rng, max(20, int(rng.gauss(length, length / 4))))
            size += len((title + text).encode())
            category = "b" if number % 100 == 0 else "a"
            code, day = f"{published:%Y%m%d%H%M%S}{number % 10_000:04}", moment[:10]
            yield code, title, moment, category, text, f"_posts/{day.replace('-', '/')}/{day}-NW{code}.md", moment

    connection.executemany(
        """
        INSERT INTO articles (code, title, published_at, media, category, source, url, summary, body_html, body_text,
                              post_path, post_sha256, first_seen_at)
        VALUES (?, ?, ?, 'A', ?, 'eastmoney', '', '', '', ?, ?, '', ?)
        """,
        rows(),
    )
    connection.execute(
        "INSERT INTO mentions SELECT code, '1.600160', 'stock', '巨化股份', 1 FROM articles WHERE code % ? = 0",
        [_OF_A_STOCK],
    )
    connection.commit()
    connection.close()
    return size


def trigram(path: Path) -> None:
    """What SQLite itself offers: the same texts in an external-content index of trigrams."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE three USING fts5(title, body_text, content = 'articles', tokenize = 'trigram')"
        )
        connection.execute("INSERT INTO three (three) VALUES ('rebuild')")


def index_size(path: Path) -> int:
    return _bytes(path, "search_*", "sqlite_autoindex_search_*")


def trigram_size(path: Path) -> int:
    return _bytes(path, "three_*")


def _bytes(path: Path, *names: str) -> int:
    sql = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name GLOB ?"
    connection = sqlite3.connect(path)
    found = sum(int(connection.execute(sql, [name]).fetchone()[0]) for name in names)
    connection.close()
    return found


def timed(work: Callable[..., object], *arguments: object) -> float:
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


def compare(store: Store, path: Path, words: Words, rng: random.Random) -> None:
    connection = sqlite3.connect(path)
    scan = statistics.median(timed(scanned, connection, text) for text in rng.choices(words.words, k=_SCANS))
    print(f"LIKE scan for the newest 20: {scan * 1000:,.0f} ms; below, times in ms and the scan's time over the p99\n")
    print(f"{'query':34} {'p50':>9} {'p99':>9} {'scan/p99':>10} {'trigram p50':>12} {'p99':>9}")
    last = datetime.fromisoformat(connection.execute("SELECT max(published_at) FROM articles").fetchone()[0])
    for name, queries, asked in kinds(words, rng, last - timedelta(days=1)):
        check(store, connection, queries, asked)
        ours = [timed(answers, store, replace(asked, text=query)) for query in queries]
        line = f"{name:34} {p(ours, 50):9.2f} {p(ours, 99):9.2f} {scan * 1000 / p(ours, 99):10,.0f}"
        theirs = [timed(trigrams, connection, query) for query in queries if is_for_trigrams(query)]
        print(
            line + (f" {p(theirs, 50):12.2f} {p(theirs, 99):9.2f}" if theirs else f" {'finds none':>12} {'':>9}"),
            flush=True,
        )
    connection.close()


def answers(store: Store, asked: SearchRequest) -> list[str]:
    return [row["code"] for row in store.search.rows(asked)]


def check(store: Store, connection: sqlite3.Connection, queries: list[str], asked: SearchRequest) -> None:
    """Assert that the first answers are a scan's, which finds single words and phrases, newest first."""
    for query in queries[:_COMPARED]:
        text = query.strip('"')
        if " " not in text and asked.sort is SortOrder.NEWEST:
            assert answers(store, replace(asked, text=query)) == scanned(connection, text, asked), query


def kinds(words: Words, rng: random.Random, since: datetime) -> Iterator[tuple[str, list[str], SearchRequest]]:
    def drawn(size: int, number: int = _TIMES) -> list[str]:
        found = (
            word
            for word in iter(lambda: rng.choices(words.words, cum_weights=words.weights)[0], "")
            if len(word) == size
        )
        return list(itertools.islice(found, number))

    def joined(between: str) -> list[str]:
        return [f"{a}{between}{b}" for a, b in zip(drawn(2), drawn(2), strict=True)]

    newest, ranked = SearchRequest(limit=20), SearchRequest(limit=20, sort=SortOrder.RELEVANCE)
    rare = [word for word in words.words[-_WORDS // 10 :] if len(word) == 2]
    yield "1 character", drawn(1), newest
    yield "2 characters", drawn(2), newest
    yield "2 characters, ranked", drawn(2, 30), ranked
    yield "2 characters, rare", rng.choices(rare, k=_TIMES), newest
    yield "3 characters", drawn(3), newest
    yield "4 characters", drawn(4), newest
    yield "4 characters, ranked", drawn(4, 30), ranked
    yield "Latin and digits", [f"{a}{rng.randrange(100)}" for a in rng.choices(LATIN, k=_TIMES)], newest
    yield "mixed with Han characters", rng.choices([f"{a}股" for a in LATIN], k=_TIMES), newest
    yield "phrase of two words", [f'"{text}"' for text in joined("，")], newest
    yield "two words, both", joined(" "), newest
    yield "two words, either", joined(" OR "), newest
    yield "one word, without another", joined(" -"), newest
    yield "not there, 4 characters", ["".join(rng.sample("龘靐齉爩麤灪龗", 4)) for _ in range(_TIMES)], newest
    yield "2 characters, 1 % category", drawn(2), replace(newest, categories=("b",))
    yield "2 characters, 0.1 % stock", drawn(2, 30), replace(newest, stock="600160")
    yield "2 characters, last day", drawn(2), replace(newest, since=since)


def is_for_trigrams(query: str) -> bool:
    return query.isalnum() and len(query) > 2


def scanned(connection: sqlite3.Connection, text: str, asked: SearchRequest | None = None) -> list[str]:
    """What a scan finds, in the order of search; filters are compared after the text."""
    asked = asked or SearchRequest()
    sql = """
        SELECT code FROM (
            SELECT code, published_at, category FROM articles NOT INDEXED WHERE title LIKE :part OR body_text LIKE :part
        )
        WHERE (:category = '' OR +category = :category) AND +published_at >= :since
            AND (:stock = '' OR code IN (SELECT code FROM mentions WHERE secid = :stock))
        ORDER BY published_at DESC, code DESC LIMIT 20
    """
    values = {
        "part": f"%{text}%",
        "category": next(iter(asked.categories), ""),
        "stock": asked.stock and f"1.{asked.stock}",
    }
    return [
        code for (code,) in connection.execute(sql, {**values, "since": format_iso(asked.since) if asked.since else ""})
    ]


def trigrams(connection: sqlite3.Connection, text: str) -> object:
    sql = """
        SELECT code FROM articles WHERE rowid IN (SELECT rowid FROM three WHERE three MATCH ?)
        ORDER BY published_at DESC LIMIT 20
    """
    return connection.execute(sql, [f'"{text}"']).fetchall()


def p(times: list[float], percent: int) -> float:
    """A percentile, in milliseconds."""
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)] * 1000


if __name__ == "__main__":
    main()
