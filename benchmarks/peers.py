"""What does a crawl cost against news-please and newspaper4k, and who gets the text right?

    python benchmarks/peers.py [ARTICLES [ROUNDS]]

The peers are given the addresses of the sample's article pages; finews finds the articles in the lists, and reads the
JSON that the source has beside each page. What each took for the text is compared with what the sample site put there.
"""

import html
import json
import re
import sqlite3
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from crawl import anew, finews
from measure import HERE, Cost, by_turns, cost, machine, served, table, work_folder

from crawler.sample_site import Corpus, SourceArticle
from crawler.spiders.eastmoney import EastmoneySpider

THEIRS = HERE.parent / ".venv-peers"
NAMES = ("news-please", "newspaper4k")
# A paragraph of the text begins with two wide blanks.
_PARAGRAPH = re.compile(r"<p>　　(.*?)</p>", re.DOTALL)
_ADVERT = "一站式开户"
# What the house puts around a text, or into it.
_NOT_THE_TEXT = re.compile(f"{_ADVERT}|责任编辑|郑重声明|打开微信|扫一扫|相关推荐|来源：.*东方财富网")
_INVISIBLE = re.compile(r"[\s\u200b\ufeff]+")
_TAG = re.compile(r"<[^>]*>")

Texts = Mapping[str, str]


def letters(text: str) -> str:
    """A text without blanks and what nobody sees: each project breaks its lines in its own way."""
    return _INVISIBLE.sub("", text)


def paragraphs(article: SourceArticle) -> list[str]:
    """What the source's editors wrote, paragraph by paragraph."""
    found = [html.unescape(_TAG.sub("", part)) for part in _PARAGRAPH.findall(article.content)]
    return [letters(part) for part in found if _ADVERT not in part]


def judge(articles: list[SourceArticle], texts: Texts) -> str:
    """Cells of a table: how many of the articles came, are complete, and are complete and hold nothing of the house's."""
    complete = [
        texts[each.code]
        for each in articles
        if each.code in texts and all(part in texts[each.code] for part in paragraphs(each))
    ]
    clean = sum(1 for text in complete if not _NOT_THE_TEXT.search(text))
    shares = (len(texts) / len(articles), len(complete) / len(articles), clean / len(articles))
    return " | ".join(f"{share:.1%}" for share in shares)


def of_finews(output: Path) -> Texts:
    with sqlite3.connect(output / "news.db") as connection:
        return {code: letters(text) for code, text in connection.execute("SELECT code, body_text FROM articles")}


def of_peer(answer: Path) -> Texts:
    rows = map(json.loads, answer.read_text().splitlines())
    return {Path(row["url"]).stem: letters(row["text"]) for row in rows if row["text"]}


def compare(count: int, rounds: int, folder: Path) -> None:
    corpus = Corpus.sample(count)
    found = [corpus.article(code) for code in corpus.in_columns(EastmoneySpider.default_columns)]
    articles = [each for each in found if each and each.page_url and paragraphs(each)]
    addresses, output = folder / "addresses", folder / "output"
    with served(count) as site:
        addresses.write_text("".join(f"{site.url}/a/{each.code}.html\n" for each in articles))
        subjects: dict[str, Callable[[], Cost]] = {"finews": partial(anew, finews(site, output), output)}
        for name in NAMES:
            words = [str(THEIRS / "bin" / "python"), str(HERE / "peer.py"), name, str(addresses), str(folder / name)]
            subjects[name] = partial(cost, words)
        costs = by_turns(subjects, rounds)
    texts = {"finews": of_finews(output), **{name: of_peer(folder / name) for name in NAMES}}
    print(f"\n### {len(articles):,} articles\n")
    table(costs, dict.fromkeys(costs, len(articles)), "finews")
    print("\n| | articles with a text | text complete | complete, and nothing of the house's |\n|---|---|---|---|")
    codes = {each.code for each in articles}
    for name, found in texts.items():
        print(f"| {name} | {judge(articles, {code: text for code, text in found.items() if code in codes})} |")


def main() -> None:
    count, rounds = [*map(int, sys.argv[1:]), *(200, 5)[len(sys.argv) - 1 :]]
    if not (THEIRS / "bin" / "python").exists():
        where = THEIRS.relative_to(HERE.parent)
        raise SystemExit(
            f"news-please and newspaper4k are missing: `make bench` installs them, or by hand\n"
            f"python -m venv {where} && {where}/bin/pip install -r benchmarks/peers.txt"
        )
    print(f"{machine()}; {rounds} rounds")
    compare(count, rounds, work_folder())


if __name__ == "__main__":
    main()
