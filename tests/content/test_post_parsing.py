"""A post file says all that a post is made of: what was rendered is read back, and nothing else is read."""

import re
from functools import cache, partial
from itertools import pairwise

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from crawler.content import post_format
from crawler.content.categories import CategoryRegistry, bundled_categories
from crawler.content.normalise import normalise_article
from crawler.content.post_format import (
    infer_media,
    parse_front_matter,
    render_post,
    tag_for_media,
)
from crawler.content.slugs import make_slug
from crawler.errors import ItemError, ParseError
from crawler.items import Article, Category, Post, RawArticle
from crawler.jobs.spider_lookup import find_markup_by_url
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from tests.support.articles import (
    BODIES,
    HOSTILE_MEDIA_NAMES,
    LEGACY_POSTS_DIR,
    MEDIA_NAMES_WITH_SUFFIX,
    SITE_LINKS,
    TITLES,
    URL_TEMPLATES,
    create_raw_article,
)

parse_post = partial(post_format.parse_post, find_markup=find_markup_by_url)


@cache
def shipped_registry() -> CategoryRegistry:
    return CategoryRegistry()


def post_from_article(article: Article) -> Post:
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
    st.builds(
        create_raw_article,
        MEDIA_NAMES_WITH_SUFFIX,
        TITLES,
        BODIES,
        st.sampled_from(URL_TEMPLATES),
        st.integers(0, 10_000_000),
    ),
    st.lists(MEDIA_NAMES_WITH_SUFFIX, max_size=4),
)
@example(create_raw_article("每日经济"), ["每日经济新闻"])
@example(create_raw_article("重 庆某报"), ["重庆某报"])
@example(create_raw_article("重庆某报"), ["重 庆某报"])
@example(create_raw_article("信文"), [])
@example(create_raw_article("信文新闻"), ["信文"])
def test_render_parse_round_trip(article: RawArticle, met_before: list[str]) -> None:
    """Whatever the database had met before, which the file does not know."""
    registry = CategoryRegistry()
    for name in met_before:
        assume(name.split())
        registry.get_or_create(name)
    try:
        expected = post_from_article(normalise_article(article, registry.get_or_create, EASTMONEY_MARKUP))
    except ItemError:
        assume(False)
    text = render_post(expected, SITE_LINKS)
    assert parse_post(text, SITE_LINKS, registry=registry) == expected
    assert parse_or_none(text) in {expected, None}


def parse_or_none(text: str) -> Post | None:
    """Without the database the package's media have to do; where they do not, the file is not guessed at."""
    try:
        return parse_post(text, SITE_LINKS)
    except ParseError:
        return None


@pytest.mark.parametrize("category", bundled_categories(), ids=lambda category: category.slug)
def test_shipped_media_are_recognised_in_posts(category: Category) -> None:
    for name in (category.media, category.media + "新闻", *category.aliases):
        expected = post_from_article(
            normalise_article(create_raw_article(name), CategoryRegistry().get_or_create, EASTMONEY_MARKUP)
        )
        assert parse_post(render_post(expected, SITE_LINKS), SITE_LINKS) == expected


@pytest.mark.parametrize("name", [name for name in HOSTILE_MEDIA_NAMES if len(name) < 24])
def test_media_is_recognised_by_tag_and_category(name: str) -> None:
    expected = post_from_article(
        normalise_article(create_raw_article(name), CategoryRegistry().get_or_create, EASTMONEY_MARKUP)
    )
    assert parse_post(render_post(expected, SITE_LINKS), SITE_LINKS) == expected


def test_homophones_are_distinguished_by_numbered_slugs() -> None:
    registry = CategoryRegistry()
    posts = [
        post_from_article(normalise_article(create_raw_article(name), registry.get_or_create, EASTMONEY_MARKUP))
        for name in ("重工日报", "重公日报", "重公日报新闻", "重工日报新闻")
    ]
    assert [rendered_post.category for rendered_post in posts] == [
        "zhonggongribao", "zhonggongribao2", "zhonggongribaoxinwen", "zhonggongribaoxinwen2",
    ]  # fmt: skip
    assert [parse_post(render_post(rendered_post, SITE_LINKS), SITE_LINKS) for rendered_post in posts] == posts


@pytest.mark.parametrize("foot", ["长" * 24, "长" * 24 + "新闻"])
def test_ambiguous_slug_is_resolved_by_the_source_line(foot: str) -> None:
    """Both names have the same 60 letters."""
    body = f'<p>正文</p><p class="em_media">（文章来源：{foot}）</p>'
    assert infer_media(tag_for_media(foot), make_slug("长" * 24), body, shipped_registry(), EASTMONEY_MARKUP) == foot
    with pytest.raises(ParseError, match="media unknown"):
        infer_media(tag_for_media(foot), make_slug("长" * 24), "<p>正文</p>", shipped_registry(), EASTMONEY_MARKUP)


def test_ambiguous_media_is_resolved_by_the_registry() -> None:
    registry = CategoryRegistry()
    registry.get_or_create("长" * 24 + "新闻")
    assert (
        infer_media("长" * 24 + "新闻", make_slug("长" * 24), "<p>正文</p>", registry, EASTMONEY_MARKUP)
        == "长" * 24 + "新闻"
    )


def test_tag_has_no_breaking_space() -> None:
    assert tag_for_media("Career In 投行PEVC") == "Career\xa0In\xa0投行PEVC新闻"


@pytest.mark.parametrize("name", ["2022-01-10-NW202201102242171631.md", "2022-04-21-NW202204212352230938.md"])
def test_first_posts_are_parsed(name: str) -> None:
    text = (LEGACY_POSTS_DIR / name).read_text("utf-8")
    post = parse_post(text, SITE_LINKS)
    assert post.media in {"中国农网", "财联社"}
    assert f"NW{post.code}" in name
    assert render_post(post, SITE_LINKS) == text


SOUND_POST = render_post(
    post_from_article(
        normalise_article(create_raw_article("中国农网"), CategoryRegistry().get_or_create, EASTMONEY_MARKUP)
    ),
    SITE_LINKS,
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no front matter"),
        ("祝贺开站", "no front matter"),
        (SOUND_POST.replace("layout: post\n", ""), "line 2"),
        (SOUND_POST.replace("title: ", "titel: "), "no title"),
        (SOUND_POST.replace('"标题"', "标题"), "line 3"),
        (SOUND_POST.replace('"标题"', '"标"题"'), "not YAML"),
        (SOUND_POST.replace('"标题"', '"\\u6807题"'), "line 3"),
        (SOUND_POST.replace('"标题"', "[" * 3_000), "not YAML"),
        (SOUND_POST.replace('"标题"', '"' + "标" * 5_000 + '"'), "4000 characters"),
        (SOUND_POST.replace("+0800", "+9900"), "date is not like"),
        (re.sub(r" [\d:]+ \+0800", "", SOUND_POST), "date is not like"),
        (SOUND_POST.replace("2026-11", "2026-13"), "date is not like"),
        (SOUND_POST.replace("categories: zhong", "categories: ../zhong"), "no slug"),
        (SOUND_POST.replace("tags: 中国农网新闻", "tags: 中国农网"), "not a media's"),
        (SOUND_POST.replace("NW202201102242171631", "NW2022"), "names no article"),
        (SOUND_POST.replace("<http", "http"), "source link"),
        (SOUND_POST[:-40], "line 12"),
        (SOUND_POST + "\n", "line 13"),
        (SOUND_POST.replace("//finews.withounder.com/)", "//elsewhere.example/)"), "line 12"),
    ],
)
def test_invalid_post_is_a_parse_error_with_reason(text: str, reason: str) -> None:
    assert text != SOUND_POST
    with pytest.raises(ParseError, match=reason):
        parse_post(text, SITE_LINKS)


@pytest.mark.parametrize(
    "date",
    [
        "2026-11-24T12:00:00+08:00", "2026-11-24T12:00+0800", "2026-11-24 12:00:00", "2026-11-24t04:00:00.5z",
        "2026-11-24 12:00:00 +8", "'2026-11-24T12:00'", '"2026-11-23 23:00:00.00 -05:00"',
    ],
)  # fmt: skip
def test_date_may_be_of_another_form(date: str) -> None:
    assert "date: 2026-11-24 12:00:00 +0800\n" in SOUND_POST
    text = re.sub("^date: .*$", f"date: {date}", SOUND_POST, flags=re.MULTILINE)
    assert parse_post(text, SITE_LINKS) == parse_post(SOUND_POST, SITE_LINKS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_text_of_a_post_that_was_written_by_another_system(encoding: str, line_end: str) -> None:
    assert post_format.decode_post(SOUND_POST.replace("\n", line_end).encode(encoding)) == SOUND_POST


@pytest.mark.parametrize("content", [b"\xff", SOUND_POST.encode().replace("题".encode(), b"\xff")])
def test_bytes_that_are_no_text_are_a_parse_error(content: bytes) -> None:
    with pytest.raises(ParseError, match="not UTF-8"):
        post_format.decode_post(content)


# A few hundred characters that stand for millions; some more, and it were gigabytes.
YAML_ALIAS_BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{key}: &{key} [{', '.join([f'*{before}'] * 10)}]\n" for before, key in pairwise("abcdefg")
)


def test_unused_yaml_aliases_are_not_expanded() -> None:
    front, _ = parse_front_matter(SOUND_POST.replace("layout: post\n", YAML_ALIAS_BOMB))
    assert front["title"] == "标题"
    assert len(str(front)) < len(SOUND_POST)


@pytest.mark.parametrize("name", ["title", "date", "categories", "tags"])
def test_non_scalar_value_is_a_parse_error(name: str) -> None:
    bombed = re.sub(
        rf"^{name}: .*$", f"{name}: *g", SOUND_POST.replace("layout: post\n", YAML_ALIAS_BOMB), flags=re.MULTILINE
    )
    with pytest.raises(ParseError, match=f"has no {name}"):
        parse_post(bombed, SITE_LINKS)


@pytest.mark.parametrize("name", sorted(path.name for path in LEGACY_POSTS_DIR.glob("*.md")))
def test_legacy_front_matter_is_read_as_text(name: str) -> None:
    front, content = parse_front_matter((LEGACY_POSTS_DIR / name).read_text("utf-8"))
    assert isinstance(front["date"], str)
    assert content
