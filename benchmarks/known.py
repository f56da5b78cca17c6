"""What do many known articles cost a crawl? 1,000,000 in the database against 2,000, in the same run.

    python benchmarks/known.py [FEW [MANY [FOLDER]]]

Both databases are made up in plain SQL: articles with what the listing said of them, the run that took them in, and the
index of words, which takes a quarter of an hour for 1,000,000. In FOLDER they are kept for the next run. Nothing is
known of their reprints and their posts are not written, since no figure here depends on either.
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

from crawl import finews
from measure import by_turns, cost, machine, plain_table, run, served
from search import Words, fill
from steps import SITE, raw_articles

from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.normalise import normalise_article
from crawler.items import Article, ListingEntry
from crawler.sample_site import Corpus, SampleSite, body
from crawler.storage import Store
from crawler.storage.article_writer import BATCH_SIZE, BatchWriter, PendingArticle

SPIDER = "eastmoney"
PAGE = 100
TIMES = 200
ROUNDS = 5
# What a crawl leaves beside the articles: all of them known, none owed.
_AS_CRAWLED = (
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


Found = dict[str, list[float]]


def made_up(output: Path, articles: int) -> None:
    """A database of so many articles, unless it stands there."""
    if output.exists():
        return
    output.mkdir(parents=True)
    rng = random.Random(1)
    Store.open_rw(output).close()
    fill(output / "news.db", Words.made_up(rng), rng, articles, 400)
    connection = sqlite3.connect(output / "news.db")
    with connection:
        for statement in _AS_CRAWLED:
            connection.execute(statement)
    connection.close()
    Store.open_rw(output).close()  # which makes the index of words


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of this process's CPU."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def pages_of(output: Path) -> dict[str, list[list[str]]]:
    """Listing pages to look up: neighbours, as a listing has them, the newest above all; any; and what nobody knows."""
    rng = random.Random(2)
    connection = sqlite3.connect(output / "news.db")
    count = connection.execute("SELECT max(rowid) FROM articles").fetchone()[0]

    def codes(rows: Iterable[int]) -> list[str]:
        sql = "SELECT code FROM articles WHERE rowid IN (SELECT value FROM json_each(?))"
        return [code for (code,) in connection.execute(sql, [json.dumps(list(rows))])]

    every = range(1, count + 1)
    places = [rng.randrange(count - PAGE) for _ in range(TIMES)]
    return {
        "100 rows, the newest": [codes(every[-PAGE:])] * TIMES,
        "100 rows, neighbours": [codes(every[place : place + PAGE]) for place in places],
        "100 rows, any": [codes(rng.sample(every, PAGE)) for _ in range(TIMES)],
        "100 rows, unknown": [[f"{rng.randrange(10**17):018}" for _ in range(PAGE)] for _ in range(TIMES)],
        "10,000 rows, any": [codes(rng.choices(every, k=100 * PAGE)) for _ in range(ROUNDS)],
    }


def known_checks(output: Path) -> Found:
    with Store.open_rw(output) as store:
        return {
            name: [timed(partial(store.articles.get_known, codes, SPIDER)) for codes in pages]
            for name, pages in pages_of(output).items()
        }


def new_articles(first: int, count: int) -> list[Article]:
    """Made up by the sample site, with the next codes that the database does not know."""
    raws, media = raw_articles(count), CategoryRegistry()
    return [
        normalise_article(replace(raw, code=f"{first + place:018}"), media.get_or_create)
        for place, raw in enumerate(raws)
    ]


def recorded(output: Path) -> Found:
    """Rows, index of words, post files and marks of new articles, as the recorder of a crawl writes them."""
    found: Found = {}
    with Store.open_rw(output) as store:
        run_id = store.runs.start(SPIDER, {}, clock.now())
        recorder = BatchWriter(output, store, SITE)
        for name, size in (("one new article", 1), (f"one of {BATCH_SIZE} at once", BATCH_SIZE)):
            articles = new_articles(store.articles.count(), ROUNDS * BATCH_SIZE)
            for start in range(0, len(articles), size):
                batch = articles[start : start + size]
                found.setdefault(name, []).append(timed(partial(take_in, recorder, store, run_id, batch)) / len(batch))
        store.runs.finish(run_id, "done", clock.now())
    return found


def take_in(recorder: BatchWriter, store: Store, run_id: int, articles: list[Article]) -> None:
    ids = store.runs.add_entries(run_id, [(each.code, "344", None, "") for each in articles])
    for each, entry_id in zip(articles, ids, strict=True):
        entry = ListingEntry(each.code, each.title, each.published_at, "344", each.url)
        recorder.add(PendingArticle(each, entry, entry_id))
    recorder.flush()


def started(output: Path) -> Found:
    """Opening the database for a crawl."""
    return {"opening": [timed(lambda: Store.open_rw(output).close()) for _ in range(ROUNDS)]}


def compare(outputs: dict[int, Path]) -> None:
    """In this process, each part at all sizes."""
    few, many = outputs
    print(
        f"| ms of CPU | {few:,} known, p50 | p99 | {many:,} known, p50 | p99 | p50, ratio |\n|---|---|---|---|---|---|"
    )
    for part in (started, known_checks, recorded):
        at_few, at_many = (part(output) for output in outputs.values())
        for name, times in at_many.items():
            middles = [statistics.median(each) for each in (at_few[name], times)]
            print(
                f"| {name} | {middles[0]:.2f} | {p99(at_few[name]):.2f} | {middles[1]:.2f} | {p99(times):.2f} "
                f"| {middles[1] / middles[0]:.2f} |"
            )


def p99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def crawl_them(outputs: dict[int, Path]) -> None:
    """The sample's articles are new to all once; then nothing is."""
    with served(2_000) as site:
        for output in outputs.values():
            cost(finews(site, output))
        costs = by_turns(
            {f"{size:,} known": partial(cost, finews(site, output)) for size, output in outputs.items()}, ROUNDS
        )
    print("\n### A whole crawl that finds nothing new\n")
    plain_table(costs, next(iter(costs)))


def in_one_reply(output: Path, count: int) -> None:
    """A listing of so many known articles that comes in one reply: what it takes, and what the user is told."""
    reply = {"code": "1", "data": {"list": listed(output, count), "totle_hits": count, "page_size": count}}
    content = json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()
    with SampleSite(Corpus.sample(0)) as site:
        site.fail("getNewsByColumns", body(content))
        found, code, said = run([*finews(site, output), "--column", "344"])
    print(
        f"\n{count:,} rows in one reply of {len(content) / 2**20:.1f} MiB: exit {code}, {found.cpu:.2f} s CPU, "
        f"{found.memory:.0f} MB{': ' if said else ''}{said.strip()}"
    )


def listed(output: Path, count: int) -> list[dict[str, str]]:
    """The newest known articles, as the source lists them."""
    with sqlite3.connect(output / "news.db") as connection:
        rows = connection.execute(
            "SELECT code, title, published_at FROM sightings ORDER BY published_at DESC LIMIT ?", [count]
        ).fetchall()
    return [{"code": code, "title": title, "showTime": time[:19].replace("T", " ")} for code, title, time in rows]


def main() -> None:
    numbers, folders = sys.argv[1:3], sys.argv[3:]
    sizes = [*map(int, numbers), *(2_000, 1_000_000)[len(numbers) :]]
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory() as temporary:
        outputs = {size: Path(*(folders or [temporary]), str(size)) for size in sizes}
        for size, output in outputs.items():
            made_up(output, size)
        crawl_them(outputs)  # first: a child's peak counts what this process held when it was born
        compare(outputs)
        for count in (10_000, 100_000):
            in_one_reply(outputs[sizes[-1]], count)


if __name__ == "__main__":
    main()
