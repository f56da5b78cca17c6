"""Fetch pages and extract their articles with another project; peers.py runs this script in their environment.

    .venv-peers/bin/python benchmarks/peer.py news-please|newspaper4k ADDRESSES ANSWER

ADDRESSES has a line for each page. ANSWER gets a JSON object for each article: `url` and `text`.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

# As many concurrent requests as finews sends (crawl.py).
THREAD_COUNT = 8


def extract_with_news_please(urls: list[str]) -> Iterator[tuple[str, str]]:
    """Yield address and text of each page, one by one: for a list it starts a thread and a process for each page."""
    from newsplease import NewsPlease

    fetch = partial(NewsPlease.from_url, request_args={"timeout": 20}, fetch_images=False)
    with ThreadPoolExecutor(THREAD_COUNT) as pool:
        yield from ((article.url, article.maintext or "") for article in pool.map(fetch, urls) if article)


def extract_with_newspaper4k(urls: list[str]) -> Iterator[tuple[str, str]]:
    from newspaper import Article
    from newspaper.mthreading import fetch_news

    articles = [Article(url, language="zh", fetch_images=False) for url in urls]
    yield from ((article.url, article.text) for article in fetch_news(articles, threads=THREAD_COUNT))


EXTRACTORS: dict[str, Callable[[list[str]], Iterator[tuple[str, str]]]] = {
    "news-please": extract_with_news_please,
    "newspaper4k": extract_with_newspaper4k,
}


def main() -> None:
    name, urls_path, result_path = sys.argv[1:]
    logging.disable()
    with Path(result_path).open("w") as file:
        file.writelines(
            json.dumps({"url": url, "text": text}) + "\n"
            for url, text in EXTRACTORS[name](Path(urls_path).read_text().split())
        )


if __name__ == "__main__":
    main()
