"""Measure the cost of known articles: crawls with 1,000,000 and with 2,000 articles in the database.

    python benchmarks/known.py [FEW [MANY [FOLDER]]]

Both databases are generated with plain SQL: articles, their listing entries, one run, and the search index, which takes
a quarter of an hour for 1,000,000 articles. FOLDER keeps them for the next benchmark. Reprints and post files are left
out, because no figure depends on them.
"""

import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from crawl import finews_command
from measure import describe_machine, measure_command, print_cost_table, run_command, run_interleaved, run_sample_server
from search import Vocabulary, fill_database
from steps import SITE_LINKS, build_raw_articles

from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.normalise import normalise_article
from crawler.items import Article
from crawler.sample_site import Corpus, SampleSite, return_body
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from crawler.storage import Store
from crawler.storage.article_writer import BATCH_SIZE, save_articles
from crawler.storage.output_dir import OutputDir

SPIDER = "eastmoney"
ROWS_PER_PAGE = 100
REPEATS = 200
ROUNDS = 5
# The rows of a finished crawl in addition to the articles: all posts are written, no work is pending.
_MARK_AS_CRAWLED = (
    "UPDATE articles SET published_revision = 1",
    f"INSERT INTO sightings (code, spider, title, published_at) SELECT code, '{SPIDER}', title, published_at FROM articles",  # noqa: S608  # ours
    f"""
    INSERT INTO runs (id, spider, started_at, finished_at, outcome, listed, new)
    SELECT 1, '{SPIDER}', '2022-01-01T00:00:00+08:00', '2022-01-01T00:00:01+08:00', 'done', count(*), count(*) FROM articles
    """,  # noqa: S608  # ours
    "INSERT INTO entries (run_id, code, column_id, outcome) SELECT 1, code, '344', 'new' FROM articles",
    "INSERT INTO article_columns SELECT code, '344' FROM articles",
    "DELETE FROM story_pending",
    "DELETE FROM stale_pages",
)


Timings = dict[str, list[float]]


def create_database(output: Path, article_count: int) -> None:
    """Create a database with a number of articles, unless the folder exists."""
    if output.exists():
        return
    output.mkdir(parents=True)
    rng = random.Random(1)
    Store.open_rw(output).close()
    fill_database(output / "news.db", Vocabulary.generate(rng), rng, article_count, 400)
    connection = sqlite3.connect(output / "news.db")
    with connection:
        for statement in _MARK_AS_CRAWLED:
            connection.execute(statement)
    connection.close()
    Store.open_rw(output).close()  # builds the search index


def measure_cpu_ms(action: Callable[[], object]) -> float:
    """Return the CPU time of this process for an action, in milliseconds."""
    start = time.process_time()
    action()
    return (time.process_time() - start) * 1000


def build_lookups(output: Path) -> dict[str, list[list[str]]]:
    """Return the codes of listing pages by kind: newest, neighbours (as in a listing), random, and unknown codes."""
    rng = random.Random(2)
    connection = sqlite3.connect(output / "news.db")
    count = connection.execute("SELECT max(rowid) FROM articles").fetchone()[0]

    def select_codes(rows: Iterable[int]) -> list[str]:
        sql = "SELECT code FROM articles WHERE rowid IN (SELECT value FROM json_each(?))"
        return [code for (code,) in connection.execute(sql, [json.dumps(list(rows))])]

    all_rowids = range(1, count + 1)
    offsets = [rng.randrange(count - ROWS_PER_PAGE) for _ in range(REPEATS)]
    return {
        "100 rows, the newest": [select_codes(all_rowids[-ROWS_PER_PAGE:])] * REPEATS,
        "100 rows, neighbours": [select_codes(all_rowids[offset : offset + ROWS_PER_PAGE]) for offset in offsets],
        "100 rows, any": [select_codes(rng.sample(all_rowids, ROWS_PER_PAGE)) for _ in range(REPEATS)],
        "100 rows, unknown": [[f"{rng.randrange(10**17):018}" for _ in range(ROWS_PER_PAGE)] for _ in range(REPEATS)],
        "10,000 rows, any": [select_codes(rng.choices(all_rowids, k=100 * ROWS_PER_PAGE)) for _ in range(ROUNDS)],
    }


def time_known_checks(output: Path) -> Timings:
    with Store.open_rw(output) as store:
        return {
            name: [measure_cpu_ms(partial(store.articles.get_known, codes, SPIDER)) for codes in pages]
            for name, pages in build_lookups(output).items()
        }


def build_new_articles(first_code: int, count: int) -> list[Article]:
    """Return articles of the sample site with the next codes that are not in the database."""
    raws, media = build_raw_articles(count), CategoryRegistry()
    return [
        normalise_article(
            replace(raw, entry=replace(raw.entry, code=f"{first_code + index:018}")),
            media.get_or_create,
            EASTMONEY_MARKUP,
        )
        for index, raw in enumerate(raws)
    ]


def time_recording(output: Path) -> Timings:
    """Time the rows, search index, post files and marks of new articles, as the article writer saves them."""
    timings: Timings = {}
    with OutputDir.open_for_writing(output, address=SITE_LINKS.address) as out:
        store = out.db
        run_id = store.runs.start(SPIDER, {}, clock.now())
        for name, batch_size in (("one new article", 1), (f"one of {BATCH_SIZE} at once", BATCH_SIZE)):
            articles = build_new_articles(store.articles.count(), ROUNDS * BATCH_SIZE)
            for start in range(0, len(articles), batch_size):
                batch = articles[start : start + batch_size]
                timings.setdefault(name, []).append(
                    measure_cpu_ms(partial(record_batch, out, run_id, batch)) / len(batch)
                )
        store.runs.finish(run_id, "done", clock.now())
    return timings


def record_batch(out: OutputDir, run_id: int, articles: list[Article]) -> None:
    ids = out.db.runs.add_entries(run_id, [(article.code, "344", None, None, "") for article in articles])
    save_articles(
        out,
        [
            replace(article, entry=article.entry.recorded(entry_id, has_article=False))
            for article, entry_id in zip(articles, ids, strict=True)
        ],
    )


def time_opening(output: Path) -> Timings:
    """Time the opening of the database for a crawl."""
    return {"opening": [measure_cpu_ms(lambda: Store.open_rw(output).close()) for _ in range(ROUNDS)]}


def print_comparison(outputs: dict[int, Path]) -> None:
    """Measure each part in this process with both databases, and print a table."""
    small_size, large_size = outputs
    print(
        f"| ms of CPU | {small_size:,} known, p50 | p99 | {large_size:,} known, p50 | p99 | p50, ratio |\n|---|---|---|---|---|---|"
    )
    for measure_part in (time_opening, time_known_checks, time_recording):
        small_timings, large_timings = (measure_part(output) for output in outputs.values())
        for name, times in large_timings.items():
            medians = [statistics.median(values) for values in (small_timings[name], times)]
            print(
                f"| {name} | {medians[0]:.2f} | {percentile_99(small_timings[name]):.2f} | {medians[1]:.2f} | {percentile_99(times):.2f} "
                f"| {medians[1] / medians[0]:.2f} |"
            )


def percentile_99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def benchmark_crawls(outputs: dict[int, Path]) -> None:
    """Save the sample's articles into both databases, then measure crawls without new articles."""
    with run_sample_server(2_000) as site:
        for output in outputs.values():
            measure_command(finews_command(site, output))
        costs = run_interleaved(
            {
                f"{size:,} known": partial(measure_command, finews_command(site, output))
                for size, output in outputs.items()
            },
            ROUNDS,
        )
    print("\n### A whole crawl without new articles\n")
    print_cost_table(costs, next(iter(costs)))


def benchmark_large_response(output: Path, row_count: int) -> None:
    """Crawl a listing of many known articles in one response; print its cost and the command's output."""
    payload = {
        "code": "1",
        "data": {"list": load_listing_rows(output, row_count), "totle_hits": row_count, "page_size": row_count},
    }
    content = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    with SampleSite(Corpus.sample(0)) as site:
        site.add_fault("getNewsByColumns", return_body(content))
        measured, exit_code, printed = run_command([*finews_command(site, output), "--column", "344"])
    print(
        f"\n{row_count:,} rows in one response of {len(content) / 2**20:.1f} MiB: exit {exit_code}, {measured.cpu_seconds:.2f} s CPU, "
        f"{measured.peak_mb:.0f} MB{': ' if printed else ''}{printed.strip()}"
    )


def load_listing_rows(output: Path, count: int) -> list[dict[str, str]]:
    """Return the newest known articles as rows of the source's listing."""
    with sqlite3.connect(output / "news.db") as connection:
        rows = connection.execute(
            "SELECT code, title, published_at FROM sightings ORDER BY published_at DESC LIMIT ?", [count]
        ).fetchall()
    return [
        {"code": code, "title": title, "showTime": published_at[:19].replace("T", " ")}
        for code, title, published_at in rows
    ]


def main() -> None:
    size_arguments, folder_arguments = sys.argv[1:3], sys.argv[3:]
    sizes = [*map(int, size_arguments), *(2_000, 1_000_000)[len(size_arguments) :]]
    print(f"{describe_machine()}\n")
    with tempfile.TemporaryDirectory() as temporary_dir:
        outputs = {size: Path(*(folder_arguments or [temporary_dir]), str(size)) for size in sizes}
        for size, output in outputs.items():
            create_database(output, size)
        benchmark_crawls(outputs)  # first: the peak of a child process includes the memory of this process at the fork
        print_comparison(outputs)
        for row_count in (10_000, 100_000):
            benchmark_large_response(outputs[sizes[-1]], row_count)


if __name__ == "__main__":
    main()
