"""What does a daily build cost, over the number of articles, with and without the hot window?

    python benchmarks/site.py 2000 200000

Articles stand five minutes apart, ending today. The first build of an archive is not what is asked for; then one day's
articles come, and `finews site build` is timed.
"""

import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from crawler import clock
from crawler.items import Article, Category
from crawler.posts import Site, path_of, render
from crawler.store import Store
from crawler.store.articles import post_of

SITE = Site("//finews.withounder.com")
A_DAY = 288
PAPERS = 40


def article(number: int) -> Article:
    """Number 0 is of now; negative ones are newer."""
    at = clock.now() - timedelta(days=1, minutes=5 * number)
    text = f"第{number}号消息：" + "央行公布最新数据，市场平稳运行。" * 40
    return Article(
        code=f"{at:%Y%m%d}{5_000_000_000 - number:010d}",
        title=f"第{number}号财经消息 市场平稳运行",
        published_at=at,
        media=f"样报{number % PAPERS}",
        category=Category(f"yangbao{number % PAPERS}", f"样报{number % PAPERS}"),
        spider="eastmoney",
        url=f"https://finance.eastmoney.com/a/{at:%Y%m%d}{5_000_000_000 - number:010d}.html",
        summary="",
        body_html=f"<p>{text}</p>",
        body_text=text,
        mentions=(),
        columns=(),
        fetched_at=at,
    )


def take_in(output: Path, numbers: range) -> None:
    with Store.writing(output) as store:
        for number in numbers:
            each = article(number)
            post = post_of({**{name: getattr(each, name) for name in ("code", "title", "media", "body_html", "url")},
                            "published_at": each.published_at.isoformat(), "category": each.category.slug})  # fmt: skip
            text = render(post, SITE)
            store.articles.restore(each, path_of(post), text, stands=True)
            target = output / path_of(post)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


def build(output: Path, *words: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "crawler", "site", "build", "--output", str(output), *words], check=True)  # noqa: S603  # our own words
    return time.perf_counter() - start


def measure(articles: int, *words: str) -> float:
    """Seconds of the build after one more day."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder)
        take_in(output, range(articles))
        first = build(output, *words)
        take_in(output, range(-A_DAY, 0))
        daily = build(output, *words)
        print(
            f"{articles:>8} articles {' '.join(words) or 'all hot':<16} first {first:7.1f} s, daily {daily:6.1f} s"
        )  # its answer
        return daily


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [500, 2_000]
    for words in (("--keep-days", "30"), ()):
        times = [measure(size, *words) for size in sizes]
        print(f"daily build, {sizes[-1]} over {sizes[0]} articles: {times[-1] / times[0]:.2f}")  # its answer


if __name__ == "__main__":
    main()
