"""`finews import`: the posts of the old site, whatever their form, become articles like crawled ones."""

import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import sample_site
from crawler.content.categories import CategoryRegistry
from crawler.content.normalise import normalise_article
from crawler.errors import ItemError, ParseError
from crawler.jobs import legacy_posts
from crawler.jobs.legacy_posts import LegacyPost
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from crawler.storage.output_dir import OutputDir, create_output_dir
from tests.conftest import CHECKOUT, Answer, Finews
from tests.test_crawl import assert_books_balance, assert_posts_are_rows, posts_in
from tests.test_posts_read import NOON

REAL_POSTS = Path(sample_site.__file__).parent / "posts"
TWICE = "202204212352230938"
CODE = "202203041234567890"
SHARE_PAGE = "http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW"


@pytest.fixture
def take_in(finews: Finews, output: Path) -> Callable[..., Answer]:
    def run(folder: Path, *words: str) -> Answer:
        return finews("import", str(folder), "--output", str(output), *words)

    return run


def old_post(**changes: str) -> str:
    parts = {
        "title": '"标题"', "date": "2022-03-04 12:34:56 +0800", "categories": "zhongguonongwang", "tags": "中国农网新闻",
        "body": "<p>正文</p>", "link": f"{SHARE_PAGE}{CODE}", "back": "\n\n[返回](//a/)｜[返回首页](//b/)", **changes,
    }  # fmt: skip
    front = "".join(f"{name}: {parts[name]}\n" for name in ("title", "date", "categories", "tags"))
    return f"---\nlayout: post\n{front}---\n{parts['body']}\n\n<{parts['link']}>{parts['back']}"


ROLLING = {
    "categories": "emnews",
    "tags": "东财滚动新闻",
    "link": f"http://finance.eastmoney.com/news/1350,{CODE}.html",
}


def article(text: str, name: str = f"2022-03-04-NW{CODE}.md") -> Any:
    media = CategoryRegistry()
    return normalise_article(
        legacy_posts.parse_legacy_post(LegacyPost.from_path(name), text.encode(), media, NOON),
        media.get_or_create,
        EASTMONEY_MARKUP,
    )


def test_the_old_posts_are_taken_in(take_in: Any, finews: Finews, output: Path, query: Any) -> None:
    answer = take_in(REAL_POSTS)
    assert answer.code == 3
    assert answer.out.startswith("import: 11 files: 8 new, 1 duplicate, 2 quarantined\n")
    assert sorted(answer.err.splitlines()) == [
        "finews: not imported: -202205262391921712.md: the title is empty",
        "finews: not imported: 2021-12-01-init.md: not an article: its name holds no code",
    ]
    assert query("SELECT spider, outcome, listed, new, duplicate, quarantined FROM runs") == [
        ("import", "partial", 11, 8, 1, 2)
    ]
    assert_books_balance(query)
    assert_posts_are_rows(output)
    assert finews("verify", "--output", str(output)).code == 0
    for name in ("2022-01-10-NW202201102242171631.md", f"2022-04-21-NW{TWICE}.md"):
        assert next(output.rglob(name)).read_bytes() == (REAL_POSTS / name).read_bytes()


def test_what_each_form_says_of_its_article(take_in: Any, query: Any) -> None:
    take_in(REAL_POSTS)
    found = query("SELECT code, media, category, source, url, published_at FROM articles")
    rows = {code: row for code, *row in found}
    assert rows["202202112274017262"][:3] == ["每日经济新闻", "meirijingjixinwen", "choice"]
    assert rows["202205302396671291"] == [
        "财联社", "cailianshe", "eastmoney", "https://finance.eastmoney.com/a/202205302396671291.html",
        "2022-05-30T21:59:45+08:00",
    ]  # fmt: skip
    assert rows["202112082206672930"] == [
        "东方财富", "dongfangcaifu", "eastmoney", "https://finance.eastmoney.com/a/202112082206672930.html",
        "2021-12-08T10:46:18+08:00",
    ]  # fmt: skip
    assert rows[TWICE][0] == "财联社"
    assert rows[TWICE][2:4] == ["choice", SHARE_PAGE + TWICE]
    columns = query("SELECT column_id FROM article_columns WHERE code = '202112082206672930' ORDER BY 1")
    assert columns == ["1060", "import"]
    bodies = query("SELECT count(*) FROM articles WHERE body_html LIKE '%GetPic%' OR body_html LIKE '%<!--%'")
    assert bodies == [0]


def test_a_second_import_changes_nothing(take_in: Any, output: Path, query: Any) -> None:
    take_in(REAL_POSTS)
    before = {path: path.stat().st_mtime_ns for path in posts_in(output)}
    again = take_in(REAL_POSTS, "--json")
    assert (again.value["new"], again.value["unchanged"], again.value["quarantined"]) == (0, 9, 2)
    assert len(again.value["reported"]) == 2
    assert {path: path.stat().st_mtime_ns for path in posts_in(output)} == before
    assert query("SELECT max(revision) FROM articles") == [1]
    assert_books_balance(query)


def test_what_was_crawled_is_not_touched(crawl: Finews, take_in: Any, output: Path, query: Any) -> None:
    crawl("choice")
    known = query("SELECT * FROM articles ORDER BY code")
    answer = take_in(REAL_POSTS, "--json")
    assert answer.value["unchanged"] > 0
    assert (
        query("SELECT * FROM articles WHERE code IN (SELECT code FROM entries WHERE run_id = 1) ORDER BY code") == known
    )
    assert_posts_are_rows(output)


def test_a_crawl_after_the_import_knows_what_it_lists_the_same(crawl: Finews, take_in: Any, query: Any) -> None:
    take_in(REAL_POSTS)
    assert crawl("choice").value["updated"] == 0
    assert query("SELECT count(*) FROM articles WHERE code = ?", TWICE) == [1]
    assert_books_balance(query)


def test_a_post_of_ours_comes_out_as_it_went_in(take_in: Any, tmp_path: Path, output: Path) -> None:
    """Also of an article that has a host of its own."""
    recorded = CHECKOUT / "tests/sites/eastmoney/caifuhao/post.md"
    code = re.search(r"https://caifuhao.eastmoney.com/news/(\d+)", recorded.read_text())
    assert code
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copy(recorded, folder / f"2026-07-02-NW{code[1]}.md")
    assert take_in(folder).code == 0
    assert [post.read_bytes() for post in posts_in(output)] == [recorded.read_bytes()]


@pytest.mark.parametrize("media_first", [True, False])
def test_an_article_stored_twice_is_one(take_in: Any, tmp_path: Path, query: Any, media_first: bool) -> None:
    """In whatever folders the two stand, whichever comes first."""
    folder = tmp_path / "old"
    for name, place in ((f"2022-04-21-{TWICE}.md", media_first), (f"2022-04-21-NW{TWICE}.md", not media_first)):
        (folder / str(int(place))).mkdir(parents=True)
        shutil.copy(REAL_POSTS / name, folder / str(int(place)))
    answer = take_in(folder, "--json")
    assert (answer.code, answer.value["new"], answer.value["duplicate"]) == (0, 1, 1)
    assert query("SELECT source FROM articles") == ["choice"]


def test_rolling_news_stand_in_for_a_media_post_that_is_broken(take_in: Any, tmp_path: Path, query: Any) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copy(REAL_POSTS / f"2022-04-21-{TWICE}.md", folder)
    (folder / f"2022-04-21-NW{TWICE}.md").write_text("half")
    answer = take_in(folder, "--json")
    assert (answer.code, answer.value["new"], answer.value["quarantined"]) == (3, 1, 1)
    assert query("SELECT source FROM articles") == ["eastmoney"]


def test_other_files_are_reported_and_hidden_ones_passed_over(take_in: Any, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / f"2022-03-04-NW{CODE}.md").write_bytes(b"\xff\xfe")
    (folder / "README.md").write_text("# read me")
    (folder / os.fsdecode("简介.md".encode("gbk"))).write_text("# read me")
    (folder / f"2022-03-04-{CODE}.md").symlink_to("nowhere")
    answer = take_in(folder, "--json")
    assert answer.code == 3
    assert {each["path"]: each["reason"] for each in answer.value["reported"]} == {
        f"2022-03-04-NW{CODE}.md": "not UTF-8",
        "README.md": "not an article: its name holds no code",
        "���.md": "not an article: its name holds no code",
        f"2022-03-04-{CODE}.md": "a link that leads nowhere",
    }


# What stands in a stranger's folder; the last is a file that refuses to be read, whoever asks.
NO_FILES = {"1": "..", "2": "/dev/zero", "3": "loop", "4": "fifo", "5": "/proc/self/mem"}


def test_what_is_no_file_or_may_not_be_read_is_its_own_failure(take_in: Any, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for number, target in NO_FILES.items():
        (folder / f"NW{CODE[:-1]}{number}.md").symlink_to(tmp_path / target)
    os.mkfifo(folder / f"NW{CODE[:-1]}6.md")
    (folder / "picture").symlink_to("/dev/zero")
    (folder / f"NW{CODE}.md").write_text(old_post())
    answer = take_in(folder, "--json")
    assert (answer.code, answer.value["new"], answer.value["quarantined"]) == (3, 1, 7)
    reasons = {each["path"].removesuffix(".md")[-1]: each["reason"] for each in answer.value["reported"]}
    assert reasons.pop("5").startswith("cannot read ")
    assert reasons == {
        **dict.fromkeys("1246", "no file, but a folder or a device"),
        "3": "a link that leads nowhere",
        "e": "not an article: its name holds no code",
    }


@pytest.mark.parametrize("place", ["body", "date", "title", "tags", "back"])
@pytest.mark.parametrize("blank", ["\n", " "])
def test_a_file_of_the_largest_size_is_read_in_one_go(place: str, blank: str) -> None:
    """By what looks at each blank anew for each that stands before it, this would take days."""
    text = old_post(**{place: f"x{blank * (8 << 20)}x"})
    with suppress(ParseError):
        legacy_posts.parse_legacy_post(LegacyPost.from_path(f"NW{CODE}.md"), text.encode(), CategoryRegistry(), NOON)


def test_an_import_waits_for_no_crawl(take_in: Any, output: Path) -> None:
    create_output_dir(output)
    with OutputDir.lock(output):
        answer = take_in(REAL_POSTS)
    assert (answer.code, len(answer.err.splitlines())) == (75, 1)


def test_a_folder_that_is_not_there_is_wrong_usage(take_in: Any, tmp_path: Path, output: Path) -> None:
    assert take_in(tmp_path / "nowhere").code == 2
    assert not output.exists()


# One file


@pytest.mark.parametrize(
    ("changes", "media"),
    [
        ({}, "中国农网"),
        ({"tags": "每日经济新闻新闻", "categories": "meirijingjixinwen"}, "每日经济新闻"),
        ({"tags": "每日经济新闻", "categories": "meirijingjixinwen"}, "每日经济新闻"),
        ({"tags": "每日经济新闻", "categories": "meirijingji"}, "每日经济"),
        (
            {"tags": "21世纪经济报道 21财经APP新闻", "categories": "21shijijingjibaodao 21caijingAPP"},
            "21世纪经济报道 21财经APP",
        ),
        ({"tags": "TechWeb新闻", "categories": "TechWeb"}, "TechWeb"),
        ({"tags": "新闻", "categories": ""}, "东方财富"),
        ({"tags": "新闻", "categories": "", "body": '<p>文</p><p class="em_media">（文章来源：财联社）</p>'}, "财联社"),
    ],
)
def test_the_media_of_a_media_post(changes: dict[str, str], media: str) -> None:
    assert article(old_post(**changes)).media == media


@pytest.mark.parametrize(
    ("body", "media", "text"),
    [
        ("> 摘要（财联社）\n\n<p>正文</p>", "财联社", "正文"),
        ("> 摘要（财联社）\n\n<p>正文</p><p>（文章来源：中国农网）</p>", "中国农网", "正文\n（文章来源：中国农网）"),
        ("> 摘要（2022年）\n\n<p>正文</p>", "东方财富", "正文"),
        ("> 摘要（财联社）\n\n", "财联社", "摘要（财联社）"),
        ("\n一段 <文字> {{ a }}（财联社）", "财联社", "一段 <文字> {{ a }}（财联社）"),
    ],
)
def test_the_media_and_text_of_rolling_news(body: str, media: str, text: str) -> None:
    found = article(old_post(body=body, **ROLLING), f"2022-03-04-{CODE}.md")
    assert (found.media, found.body_text) == (media, text)
    assert found.columns == ("import", "350")


@pytest.mark.parametrize(
    ("title", "read"),
    [
        ('"他说"好""', '他说"好"'),
        ('"AC\\DC"', "AC\\DC"),
        ('"a: b"', "a: b"),
        ("无引号", "无引号"),
        ('"&lt;b&gt;"', "＜b＞"),
    ],
)
def test_titles_that_were_glued_into_the_front_matter(title: str, read: str) -> None:
    assert article(old_post(title=title)).title == read


@pytest.mark.parametrize(
    "change", [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text, lambda text: text + "\n"]
)
def test_line_ends_and_marks_of_editors_do_not_count(change: Callable[[str], str]) -> None:
    assert article(change(old_post())) == article(old_post())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"title": '""'}, "title is empty"),
        ({"date": "+0800"}, "not a time"),
        ({"date": "2022-02-30 12:00:00 +0800"}, "day is out of range|not a time"),
        ({"link": ""}, "source link"),
        ({"link": SHARE_PAGE + "202203041234567891"}, "source link"),
        ({"body": "<!-- nothing -->"}, "nothing to read"),
    ],
)
def test_what_an_article_must_have(changes: dict[str, str], reason: str) -> None:
    with pytest.raises(ItemError, match=reason):
        article(old_post(**changes))


@settings(max_examples=200, deadline=None)
@given(
    title=st.text(max_size=30),
    tags=st.text(max_size=12),
    body=st.text(max_size=60),
    cut=st.integers(0, 400),
)
def test_any_file_is_an_article_or_told(title: str, tags: str, body: str, cut: int) -> None:
    text = old_post(title=f'"{title}"', tags=tags, body=f"<p>{body}</p>")
    for content in (text, text[:-cut]):
        assert told_or_taken(content.encode("utf-8", "replace").decode())


def told_or_taken(content: str) -> str:
    try:
        found = article(content)
    except ItemError as error:
        return str(error)
    assert found.code == CODE
    return str(found.title)
