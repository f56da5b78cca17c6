"""The labelled texts: no two stories are joined, and most reprints are found."""

import itertools
import sqlite3
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from crawler.content.html_text import html_to_text
from crawler.items import QUOTE_URL_PREFIX
from crawler.storage import Store

LABELLED = Path(__file__).parent / "labelled"


def insert_labelled(output: Path, articles: list[dict[str, Any]]) -> list[str]:
    """Insert labelled articles as another program does, and return their codes."""
    codes = []
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute("INSERT OR IGNORE INTO categories (slug, media) VALUES ('a', 'A')")
        for index, article in enumerate(articles):
            code = f"{datetime.fromisoformat(article['published']):%Y%m%d}{index:010}"
            links = "".join(
                f'<a href="{QUOTE_URL_PREFIX}{stock["secid"]}">{stock["name"]}</a>' for stock in article["stocks"]
            )
            connection.execute(
                """
                INSERT INTO articles (code, title, published_at, media, category, source, url, summary, body_html,
                                      body_text, post_path, post_sha256, first_seen_at)
                VALUES (:code, :title, :published, :media, 'a', 'eastmoney', 'https://a.cn/', '', :html,
                        :text, :path, '', :published)
                """,
                {
                    **{name: article[name] for name in ("title", "published", "media")},
                    "code": code,
                    "html": article["body"] + links,
                    "text": html_to_text(article["body"]),
                    "path": f"_posts/2022/01/10/2022-01-10-NW{code}.md",
                },
            )
            codes.append(code)
    connection.close()
    return codes


def pairs_of(groups: dict[Any, list[int]]) -> set[tuple[int, int]]:
    return {pair for group in groups.values() for pair in itertools.combinations(sorted(group), 2)}


@pytest.mark.slow
@pytest.mark.parametrize("half", ["tuning", "held_out"])
def test_no_two_stories_are_joined_and_reprints_are_found(half: str, output: Path) -> None:
    articles = tomllib.loads((LABELLED / f"{half}.toml").read_text("utf-8"))["article"]
    output.mkdir()
    expected: dict[tuple[str, str], list[int]] = {}
    found: dict[int, list[int]] = {}
    with Store.open_rw(output) as store:
        codes = insert_labelled(output, articles)
        store.reprint_clusters.cluster_pending()
        connection = sqlite3.connect(output / "news.db")
        stories = dict(connection.execute("SELECT code, story FROM story_articles"))
        connection.close()
    for index, (article, code) in enumerate(zip(articles, codes, strict=True)):
        expected.setdefault((article["topic"], article["story"]), []).append(index)
        found.setdefault(stories[code], []).append(index)
    expected_pairs, found_pairs = pairs_of(expected), pairs_of(found)
    precision = len(expected_pairs & found_pairs) / len(found_pairs)
    recall = len(expected_pairs & found_pairs) / len(expected_pairs)
    counts = f"{half}: {len(articles)} articles, {len(expected_pairs)} pairs"
    print(f"{counts}: precision {precision:.3f}, recall {recall:.3f}")  # noqa: T201  # for docs/reprints.md
    assert (precision, recall >= 0.9) == (1.0, True)
