"""Fetches pages and takes their articles out, by another project's own means; run by peers.py, in their environment.

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

# finews asks for as many pages at the same time (crawl.py).
THREADS = 8


def news_please(addresses: list[str]) -> Iterator[tuple[str, str]]:
    """One by one: given many, it starts a thread for each, and processes that each load its dictionary again."""
    from newsplease import NewsPlease

    fetch = partial(NewsPlease.from_url, request_args={"timeout": 20}, fetch_images=False)
    with ThreadPoolExecutor(THREADS) as pool:
        yield from ((article.url, article.maintext or "") for article in pool.map(fetch, addresses) if article)


def newspaper4k(addresses: list[str]) -> Iterator[tuple[str, str]]:
    from newspaper import Article
    from newspaper.mthreading import fetch_news

    articles = [Article(url, language="zh", fetch_images=False) for url in addresses]
    yield from ((article.url, article.text) for article in fetch_news(articles, threads=THREADS))


PEERS: dict[str, Callable[[list[str]], Iterator[tuple[str, str]]]] = {
    "news-please": news_please,
    "newspaper4k": newspaper4k,
}


def main() -> None:
    name, addresses, answer = sys.argv[1:]
    logging.disable()
    with Path(answer).open("w") as file:
        file.writelines(
            json.dumps({"url": url, "text": text}) + "\n"
            for url, text in PEERS[name](Path(addresses).read_text().split())
        )


if __name__ == "__main__":
    main()
