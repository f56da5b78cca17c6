"""Compare the cost and the extracted texts of finews with news-please and newspaper4k.

    python benchmarks/peers.py [ARTICLES [ROUNDS]]

The peers get the addresses of the sample's article pages; finews finds the articles in listings and reads the source's
JSON. Each extracted text is compared with the text that the sample site put into the page.
"""

import html
import json
import re
import sqlite3
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from crawl import finews_command, measure_into_empty_output
from measure import (
    BENCHMARKS_DIR,
    Cost,
    create_work_dir,
    describe_machine,
    measure_command,
    print_throughput_table,
    run_interleaved,
    run_sample_server,
)

from crawler.sample_site import Corpus, SourceArticle
from crawler.spiders.eastmoney import EastmoneySpider

PEERS_VENV = BENCHMARKS_DIR.parent / ".venv-peers"
PEER_NAMES = ("news-please", "newspaper4k")
# A paragraph of the text begins with two full-width spaces.
_PARAGRAPH = re.compile(r"<p>　　(.*?)</p>", re.DOTALL)
_ADVERT = re.compile("一站式开户|妙想|先开户|免费看|股票账户")
# Text of the publisher around or within an article.
_BOILERPLATE = re.compile(f"{_ADVERT.pattern}|智能选股|责任编辑|郑重声明|打开微信|扫一扫|相关推荐|来源：.*东方财富网")
_INVISIBLE_CHARACTERS = re.compile(r"[\s\u200b\ufeff]+")
_TAG = re.compile(r"<[^>]*>")

TextByCode = Mapping[str, str]


def strip_blanks(text: str) -> str:
    """Return a text without white space and invisible characters, because each project breaks lines differently."""
    return _INVISIBLE_CHARACTERS.sub("", text)


def expected_paragraphs(article: SourceArticle) -> list[str]:
    """Return the paragraphs of the article without adverts."""
    paragraph_texts = [html.unescape(_TAG.sub("", paragraph)) for paragraph in _PARAGRAPH.findall(article.content)]
    return [strip_blanks(part) for part in paragraph_texts if not _ADVERT.search(part)]


def score_texts(articles: list[SourceArticle], texts: TextByCode) -> str:
    """Return table cells: the shares of articles with a text, with the complete text, and complete without boilerplate."""
    complete = [
        texts[article.code]
        for article in articles
        if article.code in texts and all(paragraph in texts[article.code] for paragraph in expected_paragraphs(article))
    ]
    clean = sum(1 for text in complete if not _BOILERPLATE.search(text))
    shares = (len(texts) / len(articles), len(complete) / len(articles), clean / len(articles))
    return " | ".join(f"{share:.1%}" for share in shares)


def load_finews_texts(output: Path) -> TextByCode:
    with sqlite3.connect(output / "news.db") as connection:
        return {code: strip_blanks(text) for code, text in connection.execute("SELECT code, body_text FROM articles")}


def load_peer_texts(result_path: Path) -> TextByCode:
    rows = map(json.loads, result_path.read_text().splitlines())
    return {Path(row["url"]).stem: strip_blanks(row["text"]) for row in rows if row["text"]}


def benchmark_peers(article_count: int, rounds: int, folder: Path) -> None:
    corpus = Corpus.sample(article_count)
    found = [corpus.find_article(code) for code in corpus.codes_in_columns(EastmoneySpider.default_columns)]
    articles = [article for article in found if article and article.page_url and expected_paragraphs(article)]
    urls_path, output = folder / "addresses", folder / "output"
    with run_sample_server(article_count) as site:
        urls_path.write_text("".join(f"{site.url}/a/{each.code}.html\n" for each in articles))
        subjects: dict[str, Callable[[], Cost]] = {
            "finews": partial(measure_into_empty_output, finews_command(site, output), output)
        }
        for name in PEER_NAMES:
            command = [
                str(PEERS_VENV / "bin" / "python"),
                str(BENCHMARKS_DIR / "peer.py"),
                name,
                str(urls_path),
                str(folder / name),
            ]
            subjects[name] = partial(measure_command, command)
        costs = run_interleaved(subjects, rounds)
    texts = {"finews": load_finews_texts(output), **{name: load_peer_texts(folder / name) for name in PEER_NAMES}}
    print(f"\n### {len(articles):,} articles\n")
    print_throughput_table(costs, dict.fromkeys(costs, len(articles)), "finews")
    print("\n| | articles with a text | text complete | complete, without boilerplate |\n|---|---|---|---|")
    codes = {each.code for each in articles}
    for name, found in texts.items():
        print(f"| {name} | {score_texts(articles, {code: text for code, text in found.items() if code in codes})} |")


def main() -> None:
    article_count, rounds = [*map(int, sys.argv[1:]), *(200, 5)[len(sys.argv) - 1 :]]
    if not (PEERS_VENV / "bin" / "python").exists():
        venv_path = PEERS_VENV.relative_to(BENCHMARKS_DIR.parent)
        raise SystemExit(
            f"news-please and newspaper4k are missing: `make bench` installs them, or by hand\n"
            f"python -m venv {venv_path} && {venv_path}/bin/pip install -r benchmarks/peers.txt"
        )
    print(f"{describe_machine()}; {rounds} rounds")
    benchmark_peers(article_count, rounds, create_work_dir())


if __name__ == "__main__":
    main()
