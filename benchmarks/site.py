"""Measure the cost of a daily build by the length of the history, with and without archived months.

    python benchmarks/site.py FOLDER 2000 200000

Histories are generated in FOLDER and built once (about five seconds for 1,000 articles), unless an earlier run left them.
The timed command is `finews site build` after each day's articles, first without archived months, then with
`--keep-days 30`. Both histories have 30 articles a day from 300 media, with two of 5,000 stocks each, by Zipf's law: the
longer history has more days and more and fuller pages.
"""

import random
import resource
import subprocess
import sys
import time
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from math import ceil
from pathlib import Path
from statistics import median

from crawler.content import clock
from crawler.content.post_format import SiteLinks, make_post_path, render_post
from crawler.items import Article, Category, ListingEntry, Mention, Post
from crawler.storage import Store
from crawler.storage.connection import open_database_rw

SITE_LINKS = SiteLinks("//finews.withounder.com")
ARTICLES_PER_DAY = 30
MEDIA_COUNT, STOCK_COUNT = 300, 5_000
ROUNDS = 5


@cache
def zipf_weights(count: int) -> list[float]:
    """Return cumulative weights by Zipf's law."""
    return list(accumulate(1 / rank for rank in range(1, count + 1)))


def last_midnight() -> datetime:
    return clock.now().replace(hour=0, minute=0, second=0)


def generate_article(number: int) -> Article:
    """Generate an article: number 0 is of the last midnight, higher numbers are older, negative ones are of future days."""
    rng = random.Random(number)
    published_at = last_midnight() - timedelta(days=number / ARTICLES_PER_DAY)
    code = f"{published_at:%Y%m%d}{5_000_000_000 - number:010d}"
    media_number = rng.choices(range(MEDIA_COUNT), cum_weights=zipf_weights(MEDIA_COUNT))[0]
    stocks = dict.fromkeys(rng.choices(range(STOCK_COUNT), cum_weights=zipf_weights(STOCK_COUNT), k=2))
    text = f"第{number}号消息：" + "央行公布最新数据，市场平稳运行。" * 40
    title, url = f"第{number}号财经消息 市场平稳运行", f"https://finance.eastmoney.com/a/{code}.html"
    return Article(
        entry=ListingEntry(code, title, published_at, "344", url),
        code=code,
        title=title,
        published_at=published_at,
        media=f"样报{media_number}",
        category=Category(f"yangbao{media_number}", f"样报{media_number}"),
        spider="eastmoney",
        url=url,
        summary="",
        body_html=f"<p>{text}</p>",
        body_text=text,
        mentions=tuple(Mention(f"1.{600_000 + stock}", "stock", f"样股{stock}", 1) for stock in stocks),
        columns=(),
        fetched_at=published_at,
    )


def save_articles(output: Path, numbers: range) -> None:
    """Write the rows and posts of these articles, as a crawl does."""
    output.mkdir(parents=True, exist_ok=True)
    db = open_database_rw(output)
    db.execute("PRAGMA synchronous = OFF")
    with Store(db) as store, db.atomic():
        for number in numbers:
            new_article = generate_article(number)
            post = Post.from_row({**{name: getattr(new_article, name) for name in ("code", "title", "media", "body_html", "url")},
                            "published_at": new_article.published_at.isoformat(), "category": new_article.category.slug})  # fmt: skip
            text = render_post(post, SITE_LINKS)
            store.article_restorer.restore(new_article, make_post_path(post), text, post_exists=True)
            target = output / make_post_path(post)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


def measure_build(output: Path, *options: str) -> tuple[float, float]:
    """Return wall time and CPU time of a build, in seconds."""
    start, cpu_start = time.perf_counter(), _children_cpu_seconds()
    subprocess.run([sys.executable, "-m", "crawler", "site", "build", "--output", str(output), *options], check=True)
    return time.perf_counter() - start, _children_cpu_seconds() - cpu_start


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def count_future_days(output: Path) -> int:
    """Return the number of future days that the history contains."""
    with Store.open_ro(output) as store:
        newest = datetime.fromisoformat(store.site_pages.latest_articles(1)[0]["published_at"])
    return max(0, ceil((newest - last_midnight()) / timedelta(days=1)))


def measure_daily_builds(output: Path, *options: str) -> tuple[float, float]:
    """Return the medians of wall and CPU time of the daily builds, in seconds."""
    times, first_day = [], count_future_days(output)
    for day in range(first_day, first_day + ROUNDS):
        save_articles(output, range(-ARTICLES_PER_DAY * (day + 1), -ARTICLES_PER_DAY * day))
        times.append(measure_build(output, *options))
    elapsed_seconds, cpu_seconds = (median(column) for column in zip(*times, strict=True))
    return elapsed_seconds, cpu_seconds


def main() -> None:
    folder, *sizes = sys.argv[1:]
    outputs = {int(size_text): Path(folder, size_text) for size_text in sizes or ["2000", "200000"]}
    for size, output in outputs.items():
        if not output.exists():
            save_articles(output, range(size))
        print(f"{size} articles, first build: {measure_build(output)[0]:.1f} s")
    for label, options in (("nothing archived", ()), ("--keep-days 30", ("--keep-days", "30"))):
        results = []
        for size, output in outputs.items():
            print(f"{size} articles, {label}, once: {measure_build(output, *options)[0]:.1f} s")
            results.append(measure_daily_builds(output, *options))
            elapsed_seconds, cpu_seconds = results[-1]
            print(f"{size} articles, {label}, daily: {elapsed_seconds:.2f} s, {cpu_seconds:.2f} s CPU")
        ratios = [last / first for first, last in zip(results[0], results[-1], strict=True)]
        print(f"{label}: {ratios[0]:.2f} times as long, {ratios[1]:.2f} times the CPU time")


if __name__ == "__main__":
    main()
