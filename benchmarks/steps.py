"""Measure the CPU time of each step of an article, from its response to its post, in this process without Scrapy.

python benchmarks/steps.py [ARTICLES [ROUNDS]]
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measure import create_work_dir, describe_machine, format_spread

from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.html_cleaner import clean_html
from crawler.content.normalise import normalise_article
from crawler.content.post_format import SiteLinks, render_post
from crawler.items import Article, ListingEntry, Post, RawArticle, Reason, SavedArticle
from crawler.sample_site import Corpus
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from crawler.storage import Store, post_files
from crawler.storage.article_writer import BATCH_SIZE
from crawler.storage.output_dir import create_output_dir

SITE_LINKS = SiteLinks("//finews.withounder.com")


def build_raw_articles(count: int) -> list[RawArticle]:
    corpus = Corpus.sample(count)
    articles = (corpus.find_article(code) for code in corpus)
    return [
        RawArticle(
            ListingEntry(
                article.code, article.title, article.published_at, "344",
                f"https://finance.eastmoney.com/a/{article.code}.html", article.media, article.summary,
            ),
            body=article.content, columns=article.columns, spider="eastmoney", default_media="东方财富网",
            fetched_at=clock.now(),
        )
        for article in articles
        if article and article.content and article.title
    ][:count]  # fmt: skip


def split_into_batches(items: list[Any]) -> Iterator[list[Any]]:
    return (items[start : start + BATCH_SIZE] for start in range(0, len(items), BATCH_SIZE))


def measure_once(raw_articles: list[RawArticle], folder: Path, timings: dict[str, list[float]]) -> None:
    def time_step(name: str, action: Callable[[], Any]) -> Any:
        started = time.process_time()
        result = action()
        timings.setdefault(name, []).append((time.process_time() - started) * 1e6 / len(raw_articles))
        return result

    media = CategoryRegistry()
    time_step(
        "clean the HTML (part of normalise)",
        lambda: [clean_html(raw.body, raw.entry.url, EASTMONEY_MARKUP) for raw in raw_articles],
    )
    articles: list[Article] = time_step(
        "normalise", lambda: [normalise_article(raw, media.get_or_create, EASTMONEY_MARKUP) for raw in raw_articles]
    )
    entries = [article.entry for article in articles]
    create_output_dir(folder)
    with Store.open_rw(folder) as store:
        run_id = store.runs.start("eastmoney", {}, clock.now())
        entry_ids = store.runs.add_entries(run_id, [(entry.code, entry.column, None, None, "") for entry in entries])

        def save_rows() -> Iterator[SavedArticle]:
            for batch in split_into_batches(articles):
                with store.transaction():
                    yield from [store.article_upserter.upsert(article, SITE_LINKS) for article in batch]
                    store.search_index.index_articles([article.code for article in batch])

        saved_entries = list(
            zip(time_step("rows, with the search index", lambda: list(save_rows())), entry_ids, strict=True)
        )
        time_step(
            "render the post from its row (part of rows)",
            lambda: [render_post(Post.from_row(row), SITE_LINKS) for row in store.articles.iter_rows_by_path()],
        )

        def write_post_files() -> None:
            for batch in split_into_batches(saved_entries):
                post_files.write_posts(folder, {saved.post_path: saved.post_text for saved, _ in batch})

        def save_outcomes() -> None:
            for batch in split_into_batches(saved_entries):
                with store.transaction():
                    for saved, entry_id in batch:
                        store.articles.mark_post_written(saved.article.code, saved.revision)
                        store.runs.set_outcome(entry_id, saved.outcome, Reason.SCRAPED)

        time_step("post files", write_post_files)
        time_step("marks and outcomes", save_outcomes)


def main() -> None:
    article_count, rounds = [*map(int, sys.argv[1:]), *(500, 5)[len(sys.argv) - 1 :]]
    raw_articles, timings, folder = build_raw_articles(article_count), dict[str, list[float]](), create_work_dir()
    for round_number in range(rounds):
        measure_once(raw_articles, folder / str(round_number), timings)
    print(
        f"{describe_machine()}; {len(raw_articles)} articles, {rounds} rounds\n\n| step | µs of CPU an article | articles/s |\n|---|---|---|"
    )
    for name, values in timings.items():
        print(f"| {name} | {format_spread(values, 0)} | {1e6 / statistics.median(values):,.0f} |")


if __name__ == "__main__":
    main()
