"""Compare speed and size of the search index with a LIKE scan and SQLite's trigram index.

    python -m benchmarks.search [ARTICLES] [CHARACTERS]

The texts are synthetic: sentences of invented words with frequencies by Zipf's law, so rare and common bigrams occur.
The printed ratios are comparable across machines. Times are CPU time; the database is in the page cache. For most kinds
of queries the results of a few are compared with a scan's.
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
from crawler.storage.search.folding import normalise_for_search
from crawler.storage.search.request import SearchRequest, SortOrder

_VOCABULARY_SIZE = 60_000
LATIN_WORDS = ("A", "B", "ETF", "5G", "AI", "IPO", "GDP", "CPI")
# Share of the texts that contain a Latin word with a number or a character.
_MIXED_TEXT_SHARE = 0.3
_FIRST_PUBLISHED_AT = datetime(2022, 1, 1, tzinfo=CHINA_TZ)
_QUERIES_PER_KIND = 200
# One of this number of articles links to the stock of the filter.
_ARTICLES_PER_STOCK_LINK = 1_000
# Scans take seconds and vary little.
_SCAN_REPEATS = 3
# Results compared with a scan's, for each kind of query that a scan can answer.
_CHECKED_QUERIES = 2


class Vocabulary(NamedTuple):
    """Invented words with cumulative weights."""

    words: list[str]
    cumulative_weights: list[float]

    @classmethod
    def generate(cls, rng: random.Random) -> "Vocabulary":
        """Generate words, mostly of two characters, from 2,500 characters with unequal frequencies."""
        han_characters = map(chr, range(0x4E00, 0xA000, 7))
        characters = [each for each in han_characters if normalise_for_search(each) == each]
        character_weights = [1 / (place + 20) for place in range(len(characters))]
        rng.shuffle(characters)
        lengths = rng.choices((1, 2, 3, 4), weights=(1, 12, 3, 2), k=_VOCABULARY_SIZE)
        words = ["".join(rng.choices(characters, character_weights, k=size)) for size in lengths]
        return cls(words, list(itertools.accumulate(1 / (place + 5) for place in range(_VOCABULARY_SIZE))))

    def generate_text(self, rng: random.Random, length: int) -> str:
        tokens: list[str] = []
        size = 0
        while size < length:
            tokens += [*rng.choices(self.words, cum_weights=self.cumulative_weights, k=8), rng.choice("，，。")]
            size += sum(map(len, tokens[-9:]))
        if rng.random() < _MIXED_TEXT_SHARE:
            tokens.insert(
                rng.randrange(len(tokens)), f"{rng.choice(LATIN_WORDS)}{rng.choice((rng.randrange(100), '股'))}"
            )
        return "".join(tokens)[:length]


def main() -> None:
    article_count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    text_length = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    rng = random.Random(1)
    vocabulary = Vocabulary.generate(rng)
    with tempfile.TemporaryDirectory(prefix="finews-benchmark-") as folder:
        path = Path(folder) / "news.db"
        with Store.open_rw(Path(folder)) as store:
            text_bytes = fill_database(path, vocabulary, rng, article_count, text_length)
            print(
                f"{article_count:,} articles of about {text_length} characters, {text_bytes / 1e6:,.0f} MB of UTF-8 text"
            )
            index_seconds = measure_cpu_seconds(store.search_index.index_pending)
            print(
                f"index: {article_count / index_seconds:,.0f} articles/s, {measure_index_bytes(path) / text_bytes:.2f} of the text's size"
            )
            trigram_seconds = measure_cpu_seconds(lambda: build_trigram_index(path))
            print(
                f"FTS5 trigram: {article_count / trigram_seconds:,.0f} articles/s, {measure_trigram_bytes(path) / text_bytes:.2f} of the text's size"
            )
            print_comparison(store, path, vocabulary, rng)


def fill_database(path: Path, vocabulary: Vocabulary, rng: random.Random, article_count: int, text_length: int) -> int:
    """Insert articles ordered by time; return the size of their titles and texts in bytes."""
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO categories (slug, media) VALUES ('a', 'A'), ('b', 'B')")
    text_bytes = 0

    def rows() -> Iterator[tuple[str, ...]]:
        nonlocal text_bytes
        for number in range(article_count):
            published = _FIRST_PUBLISHED_AT + timedelta(seconds=number * 60 + rng.randrange(600))
            moment = format_iso(published)
            title, text = (
                vocabulary.generate_text(rng, 20),
                vocabulary.generate_text(rng, max(20, int(rng.gauss(text_length, text_length / 4)))),
            )
            text_bytes += len((title + text).encode())
            category = "b" if number % 100 == 0 else "a"
            code, day = f"{published:%Y%m%d%H%M%S}{number % 10_000:04}", moment[:10]
            yield code, title, moment, category, text, f"_posts/{day.replace('-', '/')}/{day}-NW{code}.md", moment

    connection.executemany(
        """
        INSERT INTO articles (code, title, published_at, media, category, source, url, summary, body_html, body_text,
                              post_path, post_sha256, first_seen_at)
        VALUES (?, ?, ?, 'A', ?, 'eastmoney', 'https://a.cn/', '', '<p></p>', ?, ?, printf('%064d', 0), ?)
        """,
        rows(),
    )
    connection.execute(
        "INSERT INTO mentions SELECT code, '1.600160', 'stock', '巨化股份', 1 FROM articles WHERE code % ? = 0",
        [_ARTICLES_PER_STOCK_LINK],
    )
    connection.commit()
    connection.close()
    return text_bytes


def build_trigram_index(path: Path) -> None:
    """Build SQLite's own trigram index of the same texts, with external content."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE three USING fts5(title, body_text, content = 'articles', tokenize = 'trigram')"
        )
        connection.execute("INSERT INTO three (three) VALUES ('rebuild')")


def measure_index_bytes(path: Path) -> int:
    return _sum_table_bytes(path, "search_*", "sqlite_autoindex_search_*")


def measure_trigram_bytes(path: Path) -> int:
    return _sum_table_bytes(path, "three_*")


def _sum_table_bytes(path: Path, *names: str) -> int:
    sql = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name GLOB ?"
    connection = sqlite3.connect(path)
    total = sum(int(connection.execute(sql, [name]).fetchone()[0]) for name in names)
    connection.close()
    return total


def measure_cpu_seconds(action: Callable[..., object], *arguments: object) -> float:
    start = time.process_time()
    action(*arguments)
    return time.process_time() - start


def print_comparison(store: Store, path: Path, vocabulary: Vocabulary, rng: random.Random) -> None:
    connection = sqlite3.connect(path)
    scan_seconds = statistics.median(
        measure_cpu_seconds(scan_codes, connection, text) for text in rng.choices(vocabulary.words, k=_SCAN_REPEATS)
    )
    print(
        f"LIKE scan for the newest 20: {scan_seconds * 1000:,.0f} ms; below, times in ms and the scan's time over the p99\n"
    )
    print(f"{'query':34} {'p50':>9} {'p99':>9} {'scan/p99':>10} {'trigram p50':>12} {'p99':>9}")
    newest_at = datetime.fromisoformat(connection.execute("SELECT max(published_at) FROM articles").fetchone()[0])
    for name, queries, request in query_kinds(vocabulary, rng, newest_at - timedelta(days=1)):
        check_against_scan(store, connection, queries, request)
        finews_seconds = [measure_cpu_seconds(search_codes, store, replace(request, text=query)) for query in queries]
        line = f"{name:34} {percentile_ms(finews_seconds, 50):9.2f} {percentile_ms(finews_seconds, 99):9.2f} {scan_seconds * 1000 / percentile_ms(finews_seconds, 99):10,.0f}"
        trigram_seconds = [
            measure_cpu_seconds(query_trigram_index, connection, query)
            for query in queries
            if suits_trigram_index(query)
        ]
        print(
            line
            + (
                f" {percentile_ms(trigram_seconds, 50):12.2f} {percentile_ms(trigram_seconds, 99):9.2f}"
                if trigram_seconds
                else f" {'finds none':>12} {'':>9}"
            ),
            flush=True,
        )
    connection.close()


def search_codes(store: Store, request: SearchRequest) -> list[str]:
    return [row["code"] for row in store.search.rows(request)]


def check_against_scan(
    store: Store, connection: sqlite3.Connection, queries: list[str], request: SearchRequest
) -> None:
    """Assert that the first results equal a scan's, for single words and phrases, newest first."""
    for query in queries[:_CHECKED_QUERIES]:
        text = query.strip('"')
        if " " not in text and request.sort is SortOrder.NEWEST:
            assert search_codes(store, replace(request, text=query)) == scan_codes(connection, text, request), query


def query_kinds(
    vocabulary: Vocabulary, rng: random.Random, since: datetime
) -> Iterator[tuple[str, list[str], SearchRequest]]:
    def draw_words(length: int, count: int = _QUERIES_PER_KIND) -> list[str]:
        matching_words = (
            word
            for word in iter(lambda: rng.choices(vocabulary.words, cum_weights=vocabulary.cumulative_weights)[0], "")
            if len(word) == length
        )
        return list(itertools.islice(matching_words, count))

    def join_words(separator: str) -> list[str]:
        return [f"{a}{separator}{b}" for a, b in zip(draw_words(2), draw_words(2), strict=True)]

    newest, ranked = SearchRequest(limit=20), SearchRequest(limit=20, sort=SortOrder.RELEVANCE)
    rare = [word for word in vocabulary.words[-_VOCABULARY_SIZE // 10 :] if len(word) == 2]
    yield "1 character", draw_words(1), newest
    yield "2 characters", draw_words(2), newest
    yield "2 characters, ranked", draw_words(2, 30), ranked
    yield "2 characters, rare", rng.choices(rare, k=_QUERIES_PER_KIND), newest
    yield "3 characters", draw_words(3), newest
    yield "4 characters", draw_words(4), newest
    yield "4 characters, ranked", draw_words(4, 30), ranked
    yield (
        "Latin and digits",
        [f"{a}{rng.randrange(100)}" for a in rng.choices(LATIN_WORDS, k=_QUERIES_PER_KIND)],
        newest,
    )
    yield "mixed with Han characters", rng.choices([f"{a}股" for a in LATIN_WORDS], k=_QUERIES_PER_KIND), newest
    yield "phrase of two words", [f'"{text}"' for text in join_words("，")], newest
    yield "two words, both", join_words(" "), newest
    yield "two words, either", join_words(" OR "), newest
    yield "one word, without another", join_words(" -"), newest
    yield (
        "not there, 4 characters",
        ["".join(rng.sample("龘靐齉爩麤灪龗", 4)) for _ in range(_QUERIES_PER_KIND)],
        newest,
    )
    yield "2 characters, 1 % category", draw_words(2), replace(newest, categories=("b",))
    yield "2 characters, 0.1 % stock", draw_words(2, 30), replace(newest, stock="600160")
    yield "2 characters, last day", draw_words(2), replace(newest, since=since)


def suits_trigram_index(query: str) -> bool:
    return query.isalnum() and len(query) > 2


def scan_codes(connection: sqlite3.Connection, text: str, request: SearchRequest | None = None) -> list[str]:
    """Return the results of a scan, newest first; filters are compared after the text."""
    request = request or SearchRequest()
    sql = """
        SELECT code FROM (
            SELECT code, published_at, category FROM articles NOT INDEXED WHERE title LIKE :part OR body_text LIKE :part
        )
        WHERE (:category = '' OR +category = :category) AND +published_at >= :since
            AND (:stock = '' OR code IN (SELECT code FROM mentions WHERE secid = :stock))
        ORDER BY published_at DESC, code DESC LIMIT 20
    """
    parameters = {
        "part": f"%{text}%",
        "category": next(iter(request.categories), ""),
        "stock": request.stock and f"1.{request.stock}",
    }
    return [
        code
        for (code,) in connection.execute(
            sql, {**parameters, "since": format_iso(request.since) if request.since else ""}
        )
    ]


def query_trigram_index(connection: sqlite3.Connection, text: str) -> object:
    sql = """
        SELECT code FROM articles WHERE rowid IN (SELECT rowid FROM three WHERE three MATCH ?)
        ORDER BY published_at DESC LIMIT 20
    """
    return connection.execute(sql, [f'"{text}"']).fetchall()


def percentile_ms(times: list[float], percent: int) -> float:
    """Return a percentile of seconds, in milliseconds."""
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)] * 1000


if __name__ == "__main__":
    main()
