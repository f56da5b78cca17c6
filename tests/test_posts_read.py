"""A post file says all that a post is made of: what was rendered is read back, and nothing else is read."""

import re
from datetime import datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from crawler import sample_site
from crawler.content import post_format
from crawler.content.categories import CategoryRegistry, bundled_categories
from crawler.content.dates import CHINA_TZ
from crawler.content.normalise import normalise_article
from crawler.content.post_format import (
    SiteLinks,
    infer_media,
    parse_front_matter,
    render_post,
    tag_for_media,
)
from crawler.content.slugs import make_slug
from crawler.errors import ItemError, ParseError
from crawler.items import NO_COLUMN, Article, Category, ListingEntry, Post, RawArticle, RawResponse
from crawler.jobs.spider_lookup import find_markup_by_url
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP

SITE = SiteLinks("//finews.withounder.com")
parse_post = partial(post_format.parse_post, find_markup=find_markup_by_url)
REAL_POSTS = Path(sample_site.__file__).parent / "posts"
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=CHINA_TZ)
URLS = (
    "http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW{}",
    "https://finance.eastmoney.com/a/{}.html",
    "https://caifuhao.eastmoney.com/news/{}",
)
HOSTILE = (
    "每日经济", "每日经济新闻", "新闻", "新闻新闻", "央视 新闻", "Career In 投行PEVC", "漯河日报", "陕西日报", "陕西日报新闻", "上期所",
    "上期所新闻", "Techweb", "TechWeb", "重 庆日报", "重庆某报", "重 庆某报", "999", "yes", "null", "信文", "信文新闻", "···", "···新闻",
    "a: b", "a #b", "- a", "{{ a }}", "{% a %}", "{: .a}", "a b c", "[a](b)", "*a*", "'a'", '"a"', "a\\", "🦊", "重" * 40, "重" * 38 + "新闻",
    "长" * 24, "长" * 24 + "新闻", "---", "&amp;amp;", "ＡＢＣ", "abc", "东方财富网", "no", "0x1f",
)  # fmt: skip
NAMES = st.sampled_from([*HOSTILE, *(known.media for known in bundled_categories())]) | st.text(max_size=20)
NEWS_NAMES = st.builds(lambda name, more: name + more, NAMES, st.sampled_from(["", "新闻", "新闻网", " 新闻"]))
TITLES = st.sampled_from(
    [
        '"',
        "\\",
        'a\\"b',
        "---",
        "a: b",
        "#",
        "😀",
        "👨‍👩‍👧 全家",
        "{{ a }}",
        "<b>",
        "\ud800a",
        "a\r\nb",
        "- a",
        "'",
        "~",
        "2022-01-10",
    ]
) | st.text(min_size=1, max_size=60)
BODIES = st.sampled_from(
    [
        "<p>正文</p>",
        "正文\n\n<http://a>\n\n[返回](b)",
        "<p>---</p>",
        "---\nlayout: post\n---\n",
        "<pre>a\n\n\n---\n</pre>",
        "<p>甲</p>" * 600,
        '<p><a href="https://quote.eastmoney.com/unify/r/1.600160">巨化</a>{{ a }}</p>',
    ]
) | st.text(min_size=1, max_size=80)


@cache
def the_shipped_media() -> CategoryRegistry:
    return CategoryRegistry()


def raw(
    media: str,
    title: str = "标题",
    body: str = "<p>正文</p>",
    url: str = URLS[0],
    minutes: int = 0,
    code: str = "202201102242171631",
) -> RawArticle:
    entry = ListingEntry(code, title, NOON - timedelta(minutes=minutes), NO_COLUMN, url.format(code), media)
    return RawArticle(
        entry,
        body=body,
        spider="choice",
        default_media="东方财富网",
        fetched_at=NOON,
        response=RawResponse(url, "text/html", b""),
    )


def post(article: Article) -> Post:
    return Post(
        code=article.code,
        title=article.title,
        published_at=article.published_at,
        category=article.category.slug,
        media=article.media,
        body_html=article.body_html,
        url=article.url,
    )


@settings(max_examples=500, deadline=None)
@given(
    st.builds(raw, NEWS_NAMES, TITLES, BODIES, st.sampled_from(URLS), st.integers(0, 10_000_000)),
    st.lists(NEWS_NAMES, max_size=4),
)
@example(raw("每日经济"), ["每日经济新闻"])
@example(raw("重 庆某报"), ["重庆某报"])
@example(raw("重庆某报"), ["重 庆某报"])
@example(raw("信文"), [])
@example(raw("信文新闻"), ["信文"])
def test_what_was_rendered_is_read_back(article: RawArticle, met_before: list[str]) -> None:
    """Whatever the database had met before, which the file does not know."""
    media = CategoryRegistry()
    for name in met_before:
        assume(name.split())
        media.get_or_create(name)
    try:
        wanted = post(normalise_article(article, media.get_or_create, EASTMONEY_MARKUP))
    except ItemError:
        assume(False)
    text = render_post(wanted, SITE)
    assert parse_post(text, SITE, registry=media) == wanted
    assert told_or_nothing(text) in {wanted, None}


def told_or_nothing(text: str) -> Post | None:
    """Without the database the package's media have to do; where they do not, the file is not guessed at."""
    try:
        return parse_post(text, SITE)
    except ParseError:
        return None


@pytest.mark.parametrize("known", bundled_categories(), ids=lambda known: known.slug)
def test_the_media_of_the_package_are_told_from_their_posts(known: Category) -> None:
    for name in (known.media, known.media + "新闻", *known.aliases):
        wanted = post(normalise_article(raw(name), CategoryRegistry().get_or_create, EASTMONEY_MARKUP))
        assert parse_post(render_post(wanted, SITE), SITE) == wanted


@pytest.mark.parametrize("name", [name for name in HOSTILE if len(name) < 24])
def test_a_media_is_told_by_its_tag_and_category(name: str) -> None:
    wanted = post(normalise_article(raw(name), CategoryRegistry().get_or_create, EASTMONEY_MARKUP))
    assert parse_post(render_post(wanted, SITE), SITE) == wanted


def test_homophones_have_numbers_and_are_told_apart() -> None:
    media = CategoryRegistry()
    posts = [
        post(normalise_article(raw(name), media.get_or_create, EASTMONEY_MARKUP))
        for name in ("重工日报", "重公日报", "重公日报新闻", "重工日报新闻")
    ]
    assert [found.category for found in posts] == [
        "zhonggongribao", "zhonggongribao2", "zhonggongribaoxinwen", "zhonggongribaoxinwen2",
    ]  # fmt: skip
    assert [parse_post(render_post(found, SITE), SITE) for found in posts] == posts


@pytest.mark.parametrize("foot", ["长" * 24, "长" * 24 + "新闻"])
def test_where_the_slug_does_not_tell_the_source_line_does(foot: str) -> None:
    """Both names have the same 60 letters."""
    body = f'<p>正文</p><p class="em_media">（文章来源：{foot}）</p>'
    assert infer_media(tag_for_media(foot), make_slug("长" * 24), body, the_shipped_media(), EASTMONEY_MARKUP) == foot
    with pytest.raises(ParseError, match="cannot be told"):
        infer_media(tag_for_media(foot), make_slug("长" * 24), "<p>正文</p>", the_shipped_media(), EASTMONEY_MARKUP)


def test_where_neither_tells_the_database_does() -> None:
    known = CategoryRegistry()
    known.get_or_create("长" * 24 + "新闻")
    assert (
        infer_media("长" * 24 + "新闻", make_slug("长" * 24), "<p>正文</p>", known, EASTMONEY_MARKUP)
        == "长" * 24 + "新闻"
    )


def test_a_space_in_a_tag_is_one_that_jekyll_does_not_split_at() -> None:
    assert tag_for_media("Career In 投行PEVC") == "Career\xa0In\xa0投行PEVC新闻"


@pytest.mark.parametrize("name", ["2022-01-10-NW202201102242171631.md", "2022-04-21-NW202204212352230938.md"])
def test_the_first_posts_are_read(name: str) -> None:
    text = (REAL_POSTS / name).read_text("utf-8")
    found = parse_post(text, SITE)
    assert found.media in {"中国农网", "财联社"}
    assert f"NW{found.code}" in name
    assert render_post(found, SITE) == text


GOOD = render_post(post(normalise_article(raw("中国农网"), CategoryRegistry().get_or_create, EASTMONEY_MARKUP)), SITE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no front matter"),
        ("祝贺开站", "no front matter"),
        (GOOD.replace("layout: post\n", ""), "line 2"),
        (GOOD.replace("title: ", "titel: "), "no title"),
        (GOOD.replace('"标题"', "标题"), "line 3"),
        (GOOD.replace('"标题"', '"标"题"'), "not YAML"),
        (GOOD.replace('"标题"', '"\\u6807题"'), "line 3"),
        (GOOD.replace('"标题"', "[" * 3_000), "not YAML"),
        (GOOD.replace('"标题"', '"' + "标" * 5_000 + '"'), "4000 characters"),
        (GOOD.replace("+0800", "+0900"), "line 4"),
        (GOOD.replace(" +0800", ""), "date is not like"),
        (GOOD.replace("2026-11", "2026-13"), "date is not like"),
        (GOOD.replace("categories: zhong", "categories: ../zhong"), "no slug"),
        (GOOD.replace("tags: 中国农网新闻", "tags: 中国农网"), "not a media's"),
        (GOOD.replace("NW202201102242171631", "NW2022"), "names no article"),
        (GOOD.replace("<http", "http"), "source link"),
        (GOOD[:-40], "line 12"),
        (GOOD + "\n", "line 13"),
        (GOOD.replace("//finews.withounder.com/)", "//elsewhere.example/)"), "line 12"),
    ],
)
def test_what_is_not_ours_is_told_with_its_fault(text: str, reason: str) -> None:
    assert text != GOOD
    with pytest.raises(ParseError, match=reason):
        parse_post(text, SITE)


# A few hundred characters that stand for millions; some more, and it were gigabytes.
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{key}: &{key} [{', '.join([f'*{before}'] * 10)}]\n" for before, key in pairwise("abcdefg")
)


def test_aliases_that_nobody_reads_are_not_written_out() -> None:
    front, _ = parse_front_matter(GOOD.replace("layout: post\n", BOMB))
    assert front["title"] == "标题"
    assert len(str(front)) < len(GOOD)


@pytest.mark.parametrize("name", ["title", "date", "categories", "tags"])
def test_a_value_that_is_no_single_text_is_none(name: str) -> None:
    bombed = re.sub(rf"^{name}: .*$", f"{name}: *g", GOOD.replace("layout: post\n", BOMB), flags=re.MULTILINE)
    with pytest.raises(ParseError, match=f"has no {name}"):
        parse_post(bombed, SITE)


@pytest.mark.parametrize("name", sorted(path.name for path in REAL_POSTS.glob("*.md")))
def test_the_old_sites_front_matter_is_read_as_text(name: str) -> None:
    front, content = parse_front_matter((REAL_POSTS / name).read_text("utf-8"))
    assert isinstance(front["date"], str)
    assert content
