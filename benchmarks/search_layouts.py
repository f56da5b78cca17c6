"""Compare layouts of the search index in SQLite: size, time to build and time to query.

    python -m benchmarks.search_layouts [ARTICLES] [CHARACTERS]

The texts are those of benchmarks/search.py. Each layout is built in a separate database as by `finews rebuild search`:
500 articles for each transaction, then `optimize`. Times are CPU time.
"""

import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.search import Vocabulary
from crawler.storage.search.bigrams import build_index_text, spaced_ngrams

_BATCH_SIZE = 500
_QUERIES = 200
_TITLE_LENGTH = 20
_CONTENTLESS = "content = '', tokenize = 'ascii'"
_TITLE_MARK = "\ue00a"


class Layout(NamedTuple):
    """A declaration of an FTS5 table, and a function that returns its columns for a title and a text."""

    name: str
    declaration: str
    columns: Callable[[str, str], tuple[str, ...]]


def all_pairs(title: str, text: str) -> tuple[str]:
    return (spaced_ngrams(build_index_text(title, text), 2),)


def pairs_and_marked_title(title: str, text: str) -> tuple[str]:
    return (all_pairs(title, text)[0] + mark_pairs(title_pairs(title)),)


def title_and_text(title: str, text: str) -> tuple[str, str]:
    return title_pairs(title), spaced_ngrams(build_index_text("", text), 2)


def title_pairs(title: str) -> str:
    return spaced_ngrams(build_index_text(title, "")[:-2], 2)


def mark_pairs(pairs: str) -> str:
    """Return the bigrams of a title with a mark that distinguishes them from bigrams of the text."""
    return "".join(f"{_TITLE_MARK}{pair} " for pair in pairs.split(" ") if pair)


LAYOUTS = (
    Layout("pairs, detail none, no sizes", f"pairs, {_CONTENTLESS}, detail = none, columnsize = 0", all_pairs),
    Layout("pairs, detail none", f"pairs, {_CONTENTLESS}, detail = none", all_pairs),
    Layout("pairs and marked title, detail none", f"pairs, {_CONTENTLESS}, detail = none", pairs_and_marked_title),
    Layout("title | text, detail column", f"title, text, {_CONTENTLESS}, detail = column", title_and_text),
    Layout("pairs, detail full", f"pairs, {_CONTENTLESS}, detail = full", all_pairs),
)


def main() -> None:
    article_count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    text_length = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    rng = random.Random(1)
    vocabulary = Vocabulary.generate(rng)
    articles = [
        (vocabulary.generate_text(rng, _TITLE_LENGTH), vocabulary.generate_text(rng, text_length))
        for _ in range(article_count)
    ]
    text_bytes = sum(len((title + text).encode()) for title, text in articles)
    pairs = [
        word[:2]
        for word in rng.choices(vocabulary.words, cum_weights=vocabulary.cumulative_weights, k=9 * _QUERIES)
        if len(word) > 1
    ]
    print(f"SQLite {sqlite3.sqlite_version}, {article_count:,} articles, {text_bytes / 1e6:,.0f} MB of UTF-8 text\n")
    print(
        f"{'layout':38} {'MB':>7} {'ratio':>6} {'articles/s':>11} {'newest 256 ms':>14} {'all ms':>7} {'4 of 4 ms':>10}"
    )
    first_bytes = 0
    for layout in LAYOUTS:
        with tempfile.TemporaryDirectory(prefix="finews-benchmark-") as folder:
            connection = sqlite3.connect(Path(folder) / "index.db", isolation_level=None)
            build_seconds = build(connection, layout, articles)
            (size,) = connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name GLOB 'search_pairs*'").fetchone()
            first_bytes = first_bytes or size
            newest, every = (
                median_ms(connection, [f'"{pair}"' for pair in pairs[:_QUERIES]], limit) for limit in (256, -1)
            )
            quads = [
                " AND ".join(f'"{pair}"' for pair in pairs[4 * place : 4 * place + 4]) for place in range(_QUERIES)
            ]
            print(
                f"{layout.name:38} {size / 1e6:7.1f} {size / first_bytes:6.3f} {article_count / build_seconds:11,.0f}"
                f" {newest:14.3f} {every:7.2f} {median_ms(connection, quads, -1):10.2f}",
                flush=True,
            )
            connection.close()


def build(connection: sqlite3.Connection, layout: Layout, articles: list[tuple[str, str]]) -> float:
    """Build an index; return the CPU seconds."""
    start = time.process_time()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"CREATE VIRTUAL TABLE search_pairs USING fts5({layout.declaration})")
    first_row = (1, *layout.columns(*articles[0]))
    insert = f"INSERT INTO search_pairs (rowid, {layout.declaration.partition(', content')[0]}) VALUES ({', '.join('?' * len(first_row))})"  # noqa: S608
    for first in range(0, len(articles), _BATCH_SIZE):
        connection.execute("BEGIN")
        batch = enumerate(articles[first : first + _BATCH_SIZE], first + 1)
        connection.executemany(insert, [(number, *layout.columns(*article)) for number, article in batch])
        connection.execute("COMMIT")
    connection.execute("INSERT INTO search_pairs (search_pairs) VALUES ('optimize')")
    return time.process_time() - start


def median_ms(connection: sqlite3.Connection, questions: list[str], limit: int) -> float:
    sql = "SELECT rowid FROM search_pairs WHERE search_pairs MATCH ? ORDER BY rowid DESC LIMIT ?"
    times = []
    for question in questions:
        start = time.process_time()
        connection.execute(sql, [question, limit]).fetchall()
        times.append(time.process_time() - start)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()
