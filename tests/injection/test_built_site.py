"""All hostile strings as one newspaper: taken in as a crawl does, built by Jekyll, and read as a browser reads.

A sanitiser alone proves nothing: kramdown and Liquid run after it. So the built page is what is judged, and the same judge
must find fault with the same strings when a defence is switched off.
"""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import nh3
import pytest

from crawler.content.dates import format_jekyll
from tests.injection.building import Hostile, Render, build, raw, taken_in
from tests.injection.grammar import corpus
from tests.injection.oracle import faults_of

pytestmark = pytest.mark.skipif(not shutil.which("jekyll"), reason="needs Jekyll: apt-get install jekyll")

CORPUS = corpus()
# Sites of so many posts take Jekyll some 15 s each; one of all takes it minutes.
PARTS = 4
# Lists of others, whose text is not ours to keep here: a folder of JSON files, each an array of strings.
LISTS = sorted(Path(os.environ["FINEWS_CORPUS"]).glob("*.json")) if "FINEWS_CORPUS" in os.environ else []
# Sites of so many posts.
SIZE = 1_700


def test_the_corpus_is_large_and_each_string_stands_in_it_once() -> None:
    assert len(CORPUS) >= 5_000
    assert len(set(CORPUS.values())) == 12


@pytest.mark.parametrize("part", range(PARTS))
def test_every_string_is_shown_as_the_text_that_it_is(part: int, tmp_path: Path) -> None:
    texts = list(CORPUS)[part::PARTS]
    posts, refused = taken_in(texts, tmp_path / "output")
    assert refused == {}
    assert_rows_hold_what_posts_say(posts, tmp_path / "output")
    code, pages = build(posts, tmp_path / "site")
    assert code == 0
    assert found(pages, posts) == {}


if LISTS:

    @pytest.mark.parametrize("file", LISTS, ids=lambda file: file.stem)
    def test_strings_of_others_are_shown_as_the_text_that_they_are(file: Path, tmp_path: Path) -> None:
        """What is refused, for being too complex, is told; of the rest nothing may be wrong."""
        texts = json.loads(file.read_text("utf-8"))
        faults: dict[str, list[str]] = {}
        reasons: dict[str, str] = {}
        for start in range(0, len(texts), SIZE):
            folder = tmp_path / str(start)
            posts, refused = taken_in(texts[start : start + SIZE], folder / "output")
            assert_rows_hold_what_posts_say(posts, folder / "output")
            code, pages = build(posts, folder / "site")
            assert code == 0
            reasons |= refused
            faults |= {f"{start}/{name}": listed for name, listed in found(pages, posts).items()}
        print(f"\n{file.stem}: {len(texts)} strings, {len(faults)} with faults, refused:", sorted(reasons.values()))  # noqa: T201  # to be quoted
        assert faults == {}


def found(pages: Path, posts: list[Hostile]) -> dict[str, list[str]]:
    return faults_of(pages, [post.wanted() for post in posts])


def assert_rows_hold_what_posts_say(posts: list[Hostile], output: Path) -> None:
    """No string is read as SQL: every row is there with its title, and the schema is that of a database without news."""
    connection, fresh = sqlite3.connect(output / "news.db"), output.parent / "fresh"
    try:
        assert dict(connection.execute("select code, title from articles")) == {
            post.article.code: post.article.title for post in posts
        }
        assert not [post.text for post in posts if set("<>") & set(post.article.title)]
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        taken_in([], fresh)
        without_news = sqlite3.connect(fresh / "news.db")
        schema = "select type, name, sql from sqlite_master order by 1, 2"
        assert connection.execute(schema).fetchall() == without_news.execute(schema).fetchall()
        without_news.close()
    finally:
        connection.close()


# With a defence switched off


def all_off(hostile: Hostile) -> str:
    return _glued(f'"{hostile.text}"', hostile, _body(hostile))


def only_the_sanitiser(hostile: Hostile) -> str:
    """The body as nh3 leaves it; braces of Liquid are encoded, since the first of them would end the build."""
    clean = nh3.clean(_body(hostile)).replace("{{", "&#123;{").replace("{%", "&#123;%")
    return hostile.post.replace(hostile.article.body_html, clean)


def titles_in_no_quotes(hostile: Hostile) -> str:
    return _glued(hostile.article.title, hostile, hostile.article.body_html)


def _body(hostile: Hostile) -> str:
    return raw(hostile.text, 0).body


def _glued(title: str, hostile: Hostile, body: str) -> str:
    """A post as the first system wrote it: texts, one after the other."""
    front = f"---\nlayout: post\ntitle: {title}\ndate: {format_jekyll(hostile.article.published_at)}\ncategories: {hostile.article.category.slug}\n"
    return f"{front}tags: x\n---\n{body}{hostile.post.split(hostile.article.body_html)[-1]}"


@pytest.mark.parametrize(
    ("render", "dangers", "kinds"),
    [
        (only_the_sanitiser, set(CORPUS.values()), {"active", "body"}),
        (titles_in_no_quotes, {"formulas", "sql"}, {"pages"}),
    ],
    ids=["only the sanitiser", "titles in no quotes"],
)
def test_the_judge_finds_fault_when_a_defence_is_switched_off(render: Render, dangers: set[str], kinds: set[str], tmp_path: Path) -> None:  # fmt: skip
    posts, _ = taken_in([text for text, danger in CORPUS.items() if danger in dangers][::9], tmp_path / "output")
    _, pages = build(posts, tmp_path / "site", render, strict_front_matter="false")
    faults = found(pages, posts)
    assert kinds <= {fault.split(":")[0] if code else "pages" for code, listed in faults.items() for fault in listed}


def test_the_whole_build_stops_when_all_defences_are_switched_off(tmp_path: Path) -> None:
    posts, _ = taken_in(list(CORPUS)[::25], tmp_path / "output")
    code, pages = build(posts, tmp_path / "site", all_off)
    assert code != 0
    assert "" in found(pages, posts)
