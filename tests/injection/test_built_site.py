"""All hostile strings as articles: saved as a crawl does, built by Jekyll, and parsed as a browser does.

kramdown and Liquid run after the sanitiser, so the built pages are judged. With a defence disabled, the same oracle must
find faults with the same strings.
"""

import json
import os
import sqlite3
from pathlib import Path

import nh3
import pytest

from crawler.content.dates import format_jekyll
from tests.injection.oracle import find_site_faults
from tests.injection.site_builder import HostileArticle, PostRenderer, build_site, save_articles
from tests.support.articles import create_hostile_article
from tests.support.injection_payloads import all_payloads

pytestmark = pytest.mark.jekyll

PAYLOADS = all_payloads()
# A third of the payloads takes Jekyll 15 s, all in one site take minutes; `make fuzz` builds all parts.
SITE_PARTS = 3
BUILT_PARTS = range(SITE_PARTS if "FINEWS_FUZZ" in os.environ else 1)
# Third-party lists that are not part of the repository: a folder of JSON files, each an array of strings.
EXTERNAL_LISTS = sorted(Path(os.environ["FINEWS_CORPUS"]).glob("*.json")) if "FINEWS_CORPUS" in os.environ else []
# Posts of one site.
POSTS_PER_SITE = 1_700


def test_payload_corpus_is_large_and_unique() -> None:
    assert len(PAYLOADS) >= 5_000
    assert len(set(PAYLOADS.values())) == 12


@pytest.mark.parametrize("part", BUILT_PARTS)
def test_every_payload_is_shown_as_text(part: int, tmp_path: Path) -> None:
    texts = list(PAYLOADS)[part::SITE_PARTS]
    posts, rejection_reasons = save_articles(texts, tmp_path / "output")
    assert rejection_reasons == {}
    assert_rows_match_posts(posts, tmp_path / "output")
    code, pages = build_site(posts, tmp_path / "site")
    assert code == 0
    assert find_faults(pages, posts) == {}


if EXTERNAL_LISTS:

    @pytest.mark.parametrize("file", EXTERNAL_LISTS, ids=lambda file: file.stem)
    def test_external_payloads_are_shown_as_text(file: Path, tmp_path: Path) -> None:
        """Report the strings that are rejected as too complex; all others must have no faults."""
        texts = json.loads(file.read_text("utf-8"))
        faults: dict[str, list[str]] = {}
        all_rejections: dict[str, str] = {}
        for start in range(0, len(texts), POSTS_PER_SITE):
            folder = tmp_path / str(start)
            posts, rejection_reasons = save_articles(texts[start : start + POSTS_PER_SITE], folder / "output")
            assert_rows_match_posts(posts, folder / "output")
            code, pages = build_site(posts, folder / "site")
            assert code == 0
            all_rejections |= rejection_reasons
            faults |= {f"{start}/{name}": page_faults for name, page_faults in find_faults(pages, posts).items()}
        rejections = sorted(all_rejections.values())
        print(f"\n{file.stem}: {len(texts)} strings, {len(faults)} with faults, refused:", rejections)  # noqa: T201  # to be quoted
        assert faults == {}


def find_faults(pages: Path, posts: list[HostileArticle]) -> dict[str, list[str]]:
    return find_site_faults(pages, [post.expected_page() for post in posts])


def assert_rows_match_posts(posts: list[HostileArticle], output: Path) -> None:
    """Check that no string is run as SQL: all rows have their titles, and the schema is that of an empty database."""
    connection, empty_output = sqlite3.connect(output / "news.db"), output.parent / "fresh"
    try:
        assert dict(connection.execute("select code, title from articles")) == {
            post.article.code: post.article.title for post in posts
        }
        assert not [post.text for post in posts if set("<>") & set(post.article.title)]
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        save_articles([], empty_output)
        empty_connection = sqlite3.connect(empty_output / "news.db")
        schema = "select type, name, sql from sqlite_master order by 1, 2"
        assert connection.execute(schema).fetchall() == empty_connection.execute(schema).fetchall()
        empty_connection.close()
    finally:
        connection.close()


# With a defence disabled


def render_undefended(hostile: HostileArticle) -> str:
    return _concatenate_post(f'"{hostile.text}"', hostile, _raw_body(hostile))


def render_sanitised_only(hostile: HostileArticle) -> str:
    """Return a body cleaned by nh3 alone, with encoded braces: the first tag of Liquid would end the build."""
    sanitised = nh3.clean(_raw_body(hostile)).replace("{{", "&#123;{").replace("{%", "&#123;%")
    return hostile.post_text.replace(hostile.article.body_html, sanitised)


def render_unquoted_title(hostile: HostileArticle) -> str:
    return _concatenate_post(hostile.article.title, hostile, hostile.article.body_html)


def _raw_body(hostile: HostileArticle) -> str:
    return create_hostile_article(hostile.text, 0).body


def _concatenate_post(title: str, hostile: HostileArticle, body: str) -> str:
    """Return a post as the first system wrote it, by joining texts."""
    front = f"---\nlayout: post\ntitle: {title}\ndate: {format_jekyll(hostile.article.published_at)}\ncategories: {hostile.article.category.slug}\n"
    return f"{front}tags: x\n---\n{body}{hostile.post_text.split(hostile.article.body_html)[-1]}"


@pytest.mark.parametrize(
    ("render", "dangers", "kinds"),
    [
        (render_sanitised_only, set(PAYLOADS.values()), {"active", "body"}),
        (render_unquoted_title, {"formula", "sql"}, {"pages"}),
    ],
    ids=["only the sanitiser", "titles in no quotes"],
)
def test_oracle_finds_faults_without_a_defence(render: PostRenderer, dangers: set[str], kinds: set[str], tmp_path: Path) -> None:  # fmt: skip
    posts, _ = save_articles([text for text, danger in PAYLOADS.items() if danger in dangers][::9], tmp_path / "output")
    _, pages = build_site(posts, tmp_path / "site", render, strict_front_matter="false")
    faults = find_faults(pages, posts)
    assert kinds <= {
        fault.split(":")[0] if code else "pages" for code, page_faults in faults.items() for fault in page_faults
    }


def test_build_fails_without_any_defence(tmp_path: Path) -> None:
    posts, _ = save_articles(list(PAYLOADS)[::25], tmp_path / "output")
    code, pages = build_site(posts, tmp_path / "site", render_undefended)
    assert code != 0
    assert "" in find_faults(pages, posts)
