"""Where does the time of one article go, from its reply to its post? CPU of this process alone, without Scrapy.

python benchmarks/steps.py [ARTICLES [ROUNDS]]
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measure import machine, spread, work_folder

from crawler.content import clock, html_cleaner
from crawler.content.categories import CategoryRegistry
from crawler.content.normalise import normalise_article
from crawler.content.post_format import SiteLinks, render_post
from crawler.items import NO_RESPONSE, Article, ListingEntry, RawArticle, SavedArticle
from crawler.sample_site import Corpus
from crawler.storage import Store, post_files
from crawler.storage.article_writer import BATCH_SIZE
from crawler.storage.articles import post_from_row
from crawler.storage.output_dir import create_output_dir

SITE = SiteLinks("//finews.withounder.com")


def raw_articles(count: int) -> list[RawArticle]:
    corpus = Corpus.sample(count)
    found = (corpus.article(code) for code in corpus)
    return [
        RawArticle(
            each.code, each.title, each.published, each.media, "东方财富网", each.summary, each.content,
            f"https://finance.eastmoney.com/a/{each.code}.html", "eastmoney", each.columns, clock.now(), NO_RESPONSE,
        )
        for each in found
        if each and each.content and each.title
    ][:count]  # fmt: skip


def batches(things: list[Any]) -> Iterator[list[Any]]:
    return (things[start : start + BATCH_SIZE] for start in range(0, len(things), BATCH_SIZE))


def once(raws: list[RawArticle], folder: Path, spent: dict[str, list[float]]) -> None:
    def step(name: str, work: Callable[[], Any]) -> Any:
        started = time.process_time()
        result = work()
        spent.setdefault(name, []).append((time.process_time() - started) * 1e6 / len(raws))
        return result

    media = CategoryRegistry()
    step(
        "clean the HTML (part of normalise)",
        lambda: [html_cleaner.clean_html(raw.body, base_url=raw.url) for raw in raws],
    )
    articles: list[Article] = step("normalise", lambda: [normalise_article(raw, media.get_or_create) for raw in raws])
    entries = [ListingEntry(each.code, each.title, each.published_at, "344", each.url) for each in articles]
    create_output_dir(folder)
    with Store.open_rw(folder) as store:
        run_id = store.runs.start("eastmoney", {}, clock.now())
        ids = store.runs.add_entries(run_id, [(entry.code, entry.column, None, "") for entry in entries])

        def rows() -> Iterator[SavedArticle]:
            for batch in batches(list(zip(articles, entries, strict=True))):
                yield from (done for done in store.articles.save_all(batch, SITE) if isinstance(done, SavedArticle))

        saved = list(zip(step("rows, with the index of words", lambda: list(rows())), ids, strict=True))
        step(
            "render the post from its row (part of rows)",
            lambda: [render_post(post_from_row(row), SITE) for row in store.articles.rows()],
        )

        def files() -> None:
            for batch in batches(saved):
                post_files.write_posts(folder, {done.post_path: done.post_text for done, _ in batch})

        def marks() -> None:
            for batch in batches(saved):
                with store.transaction():
                    for done, number in batch:
                        store.articles.mark_post_written(done.article.code, done.revision)
                        store.runs.set_outcome(number, done.outcome)

        step("post files", files)
        step("marks and outcomes", marks)


def main() -> None:
    count, rounds = [*map(int, sys.argv[1:]), *(500, 5)[len(sys.argv) - 1 :]]
    raws, spent, folder = raw_articles(count), dict[str, list[float]](), work_folder()
    for number in range(rounds):
        once(raws, folder / str(number), spent)
    print(
        f"{machine()}; {len(raws)} articles, {rounds} rounds\n\n| step | µs of CPU an article | articles/s |\n|---|---|---|"
    )
    for name, values in spent.items():
        print(f"| {name} | {spread(values, 0)} | {1e6 / statistics.median(values):,.0f} |")


if __name__ == "__main__":
    main()
