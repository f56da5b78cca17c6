"""A post file: its bytes follow from its parts, it reads back as they are, and it is written whole or not at all."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import frontmatter
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

import crawler
from crawler.content.dates import CHINA_TZ
from crawler.content.html_cleaner import clean_html
from crawler.content.post_format import SiteLinks, render_post, tag_for_media
from crawler.content.unicode_text import clean_title
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from tests.support.articles import SITE_LINKS, create_post

POSTS_DIR = Path(crawler.__file__).parent / "sample_site" / "posts"
FIRST_POST_NAME = "2022-01-10-NW202201102242171631.md"
MANY_EXAMPLES = settings(max_examples=300, deadline=None)


def load_front_matter(text: str) -> dict[str, Any]:
    """Return the six lines as PyYAML reads them; their end is found by Jekyll's own rule."""
    match = re.match(r"\A(---\s*\n.*?\n?)^((---|\.\.\.)\s*$\n?)", text, re.DOTALL | re.MULTILINE)
    assert match
    loaded: dict[str, Any] = yaml.safe_load(match[1])
    return loaded


# The bytes


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (FIRST_POST_NAME, {}),
        (
            "2022-04-21-NW202204212352230938.md",
            {
                "code": "202204212352230938",
                "title": "长春发布若干政策措施支持市场主体纾困促进经济恢复发展",
                "published_at": datetime(2022, 4, 21, 18, 36, 14, tzinfo=CHINA_TZ),
                "category": "cailianshe",
                "media": "财联社",
                "url": "http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW202204212352230938",
            },
        ),
    ],
    ids=["the first post", "another"],
)
def test_first_posts_are_rendered_byte_for_byte(name: str, changes: dict[str, Any]) -> None:
    expected = (POSTS_DIR / name).read_text("utf-8")
    body = expected.split("---\n", 2)[2].split("\n\n<", 1)[0]
    assert render_post(create_post(body_html=body, **changes), SITE_LINKS) == expected


def test_rendered_post_layout() -> None:
    assert render_post(create_post(), SITE_LINKS) == (
        "---\n"
        "layout: post\n"
        'title: "山西运城：固好脱贫成果 启好振兴之路"\n'
        "date: 2022-01-10 16:20:36 +0800\n"
        "categories: zhongguonongwang\n"
        "tags: 中国农网新闻\n"
        "---\n"
        "<p>正文</p>\n"
        "\n"
        "<http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW202201102242171631>\n"
        "\n"
        "[返回中国农网新闻](//finews.withounder.com/category/zhongguonongwang.html)"
        "｜[返回首页](//finews.withounder.com/)"
    )


def test_back_links_use_the_site_address() -> None:
    text = render_post(create_post(), SiteLinks("//news.example"))
    assert text.endswith(
        "[返回中国农网新闻](//news.example/category/zhongguonongwang.html)｜[返回首页](//news.example/)"
    )
    assert "withounder" not in text


def test_date_is_written_in_china_time() -> None:
    moment = datetime(2022, 1, 10, 20, 30, tzinfo=UTC)
    assert "\ndate: 2022-01-11 04:30:00 +0800\n" in render_post(create_post(published_at=moment), SITE_LINKS)


def test_long_body_is_unchanged() -> None:
    body = "\n".join(f"<p>{number}</p>" for number in range(600))
    assert f"---\n{body}\n\n<http" in render_post(create_post(body_html=body), SITE_LINKS)


@pytest.mark.parametrize("body", ["<p>---</p>", "<p>a</p>\n---\n<p>b</p>", "<pre>&#10;---&#10;</pre>"])
def test_horizontal_rule_in_body_does_not_end_front_matter(body: str) -> None:
    text = render_post(create_post(body_html=body), SITE_LINKS)
    assert frontmatter.loads(text).content.startswith(body)
    assert load_front_matter(text)["tags"] == "中国农网新闻"


# Reading back

AWKWARD_TITLES = [
    'a"b', '"', '"quoted"', "\\", "a\\", "\\n", "\\u4e2d", 'a\\"b', "it's", "'", "---", "...", "a: b", ": ", "a:",
    "#", "a # b",
    "# a", "- a", "? a", "!a", "!!python/object:os.system", "&a *a", "*a", "%x", "@a", "`a`", "[a", "{a", "{{ a }}",
    "{% a %}",
    "> a", "| a", "yes", "null", "~", "123", "0123", "1.5", "12:30:45", "2022-01-10", "<<", "=", "😀",
    "👨‍👩‍👧 全家", "𠮷",
    "\ue000", "\ufffd", "，。", "a  b", "\U0010fffd",
]  # fmt: skip


@pytest.mark.parametrize("title", AWKWARD_TITLES)
def test_awkward_title_round_trip(title: str) -> None:
    text = render_post(create_post(title=clean_title(title)), SITE_LINKS)
    assert load_front_matter(text)["title"] == clean_title(title)


@MANY_EXAMPLES
@given(
    st.text(max_size=60)
    | st.text(alphabet=st.sampled_from("\"'\\-:# \n\t{}[]%&*!|>@`,?~0aeE.中😀\u200d\u2028\x85"), max_size=40)
)
@example('\\" \\')
def test_any_title_round_trip(text: str) -> None:
    title = clean_title(text)
    rendered = render_post(create_post(title=title), SITE_LINKS)
    expected = {
        "layout": "post",
        "title": title,
        "date": "2022-01-10 16:20:36 +0800",
        "categories": "zhongguonongwang",
        "tags": "中国农网新闻",
    }
    assert load_front_matter(rendered) == expected
    assert frontmatter.loads(rendered).metadata == expected
    assert len(rendered.split("\n")) == len(render_post(create_post(), SITE_LINKS).split("\n"))


HOSTILE_MEDIA_NAMES = [
    "中国农网", "每日经济新闻", "新闻", "yes", "null", "123", "1.0", "0x1f", "12:30", "21财经", "A股", "~", "a: b",
    "a #b", "#a", "- a",
    "!a", "&a", "*a", "*a*", "_a_", "中_国", "`a`", "[a](b)", "a]", "](javascript:alert(1))", "![a](b)", "<b>",
    "a|b", "|", ">", "%a",
    "@a", '"a"', "'a'", "\\", "a\\", "{{ a }}", "{% a %}", "{: .a}", "&amp;", "&lt;", "a b c", "a\tb",
    "安信国际（香港）", "中国·新闻",
    "《读者》", "😀", "$$a$$", "~~a~~", "^a", "a--b", "a...b", "(c)", "http://a.cn", "www.a.cn", "<http://a.cn>",
    "＜b＞", "中国新闻社",
]  # fmt: skip


@pytest.mark.parametrize("media", HOSTILE_MEDIA_NAMES)
def test_hostile_media_name_is_one_tag_and_one_link(media: str) -> None:
    text = render_post(create_post(media=clean_title(media)), SITE_LINKS)
    tag = tag_for_media(clean_title(media))
    assert load_front_matter(text)["tags"] == tag
    assert not re.search(r"\s", tag, re.ASCII)
    assert_links_show_tag(text, tag)


@MANY_EXAMPLES
@given(st.text(max_size=40) | st.text(alphabet=st.sampled_from("[]()<>`*_\\!&;#{}%:|~$\"' \n-a中新闻1."), max_size=30))
def test_any_media_name_is_one_tag_and_one_link(name: str) -> None:
    media = clean_title(name) or "东方财富网"
    text = render_post(create_post(media=media), SITE_LINKS)
    assert load_front_matter(text)["tags"] == tag_for_media(media)
    assert not re.search(r"\s", tag_for_media(media), re.ASCII)
    assert_links_show_tag(text, tag_for_media(media))


def assert_links_show_tag(text: str, tag: str) -> None:
    """Check that the last line shows the tag, and has no markup of Markdown or Liquid but its two links."""
    last_line = text.rsplit("\n", 1)[1]
    match = re.fullmatch(
        r"\[返回(.*)\]\(//finews\.withounder\.com/category/zhongguonongwang\.html\)｜\[返回首页\]\(//finews\.withounder\.com/\)",
        last_line,
    )
    assert match
    assert not set(re.sub(r"&#\d+;", "", match[1])) & set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    assert re.sub(r"&#(\d+);", lambda number: chr(int(number[1])), match[1]) == tag


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        ("中国农网", "中国农网新闻"),
        ("每日经济新闻", "每日经济新闻"),
        ("新闻", "新闻"),
        ("中国新闻社", "中国新闻社新闻"),
        ("Career In 投行PEVC", "Career\xa0In\xa0投行PEVC新闻"),
        ("央视 新闻", "央视\xa0新闻"),
    ],
)
def test_label_has_one_news_suffix_and_no_breaking_space(media: str, expected: str) -> None:
    assert tag_for_media(media) == expected


@given(st.text(alphabet=st.sampled_from("<>{}%:a\n中&; "), max_size=60))
@settings(max_examples=100, deadline=None)
def test_clean_body_stays_inside_the_post(source: str) -> None:
    body = clean_html(source, "https://finance.eastmoney.com/a/202201102242171631.html", EASTMONEY_MARKUP)
    text = render_post(create_post(body_html=body), SITE_LINKS)
    assert text == render_post(create_post(body_html="BODY"), SITE_LINKS).replace("BODY", body)
    assert not re.search(r"\{[{%:]", text)
