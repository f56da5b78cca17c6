"""What does a daily build cost, over the length of the history, with and without the hot window?

    python benchmarks/site.py FOLDER 2000 200000

Histories are made up in FOLDER, and built once (1,000 articles take some five seconds), unless they stand there from an
earlier run. What is timed is `finews site build` after a day's articles, one day after another, first with nothing
frozen, then with a hot window of 30 days. Held equal: 30 articles a day, over 300 papers and two of 5,000 stocks each,
the first ones much more often than the last ones; so that the longer history has more days, and more and fuller pages.
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
from crawler.items import Article, Category, Mention
from crawler.storage import Store
from crawler.storage.articles import post_from_row
from crawler.storage.connection import open_database_rw

SITE = SiteLinks("//finews.withounder.com")
A_DAY = 30
PAPERS, STOCKS = 300, 5_000
ROUNDS = 5


@cache
def weights(count: int) -> list[float]:
    """Those of Zipf's law, summed up."""
    return list(accumulate(1 / rank for rank in range(1, count + 1)))


def midnight() -> datetime:
    return clock.now().replace(hour=0, minute=0, second=0)


def article(number: int) -> Article:
    """Number 0 is of the last midnight, higher ones are older, negative ones are of days to come."""
    chance = random.Random(number)
    at = midnight() - timedelta(days=number / A_DAY)
    code = f"{at:%Y%m%d}{5_000_000_000 - number:010d}"
    paper = chance.choices(range(PAPERS), cum_weights=weights(PAPERS))[0]
    stocks = dict.fromkeys(chance.choices(range(STOCKS), cum_weights=weights(STOCKS), k=2))
    text = f"第{number}号消息：" + "央行公布最新数据，市场平稳运行。" * 40
    return Article(
        code=code,
        title=f"第{number}号财经消息 市场平稳运行",
        published_at=at,
        media=f"样报{paper}",
        category=Category(f"yangbao{paper}", f"样报{paper}"),
        spider="eastmoney",
        url=f"https://finance.eastmoney.com/a/{code}.html",
        summary="",
        body_html=f"<p>{text}</p>",
        body_text=text,
        mentions=tuple(Mention(f"1.{600_000 + stock}", "stock", f"样股{stock}", 1) for stock in stocks),
        columns=(),
        fetched_at=at,
    )


def take_in(output: Path, numbers: range) -> None:
    """Rows and posts of these articles, as a crawl leaves them."""
    output.mkdir(parents=True, exist_ok=True)
    db = open_database_rw(output)
    db.execute("PRAGMA synchronous = OFF")
    with Store(db) as store, db.atomic():
        for number in numbers:
            each = article(number)
            post = post_from_row({**{name: getattr(each, name) for name in ("code", "title", "media", "body_html", "url")},
                            "published_at": each.published_at.isoformat(), "category": each.category.slug})  # fmt: skip
            text = render_post(post, SITE)
            store.articles.restore_from_post(each, make_post_path(post), text, post_exists=True)
            target = output / make_post_path(post)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


def build(output: Path, *words: str) -> tuple[float, float]:
    """Seconds by the clock, and of work."""
    start, worked = time.perf_counter(), _worked()
    subprocess.run([sys.executable, "-m", "crawler", "site", "build", "--output", str(output), *words], check=True)
    return time.perf_counter() - start, _worked() - worked


def _worked() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def days_there(output: Path) -> int:
    """How many of the days to come are in the history already."""
    with Store.open_ro(output) as store:
        newest = datetime.fromisoformat(store.site_pages.latest_articles(1)[0]["published_at"])
    return max(0, ceil((newest - midnight()) / timedelta(days=1)))


def daily(output: Path, *words: str) -> tuple[float, float]:
    """The medians of so many daily builds."""
    times, first_day = [], days_there(output)
    for day in range(first_day, first_day + ROUNDS):
        take_in(output, range(-A_DAY * (day + 1), -A_DAY * day))
        times.append(build(output, *words))
    clocked, worked = (median(column) for column in zip(*times, strict=True))
    return clocked, worked


def main() -> None:
    folder, *words = sys.argv[1:]
    outputs = {int(word): Path(folder, word) for word in words or ["2000", "200000"]}
    for size, output in outputs.items():
        if not output.exists():
            take_in(output, range(size))
        print(f"{size} articles, first build: {build(output)[0]:.1f} s")  # its answer
    for what, window in (("nothing frozen", ()), ("--keep-days 30", ("--keep-days", "30"))):
        results = []
        for size, output in outputs.items():
            print(f"{size} articles, {what}, once: {build(output, *window)[0]:.1f} s")  # its answer
            results.append(daily(output, *window))
            clocked, worked = results[-1]
            print(f"{size} articles, {what}, daily: {clocked:.2f} s, of work {worked:.2f} s")  # its answer
        ratios = [last / first for first, last in zip(results[0], results[-1], strict=True)]
        print(f"{what}: {ratios[0]:.2f} times as long, {ratios[1]:.2f} times as much work")  # its answer


if __name__ == "__main__":
    main()
