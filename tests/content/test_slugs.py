"""Names of media as slugs that are safe in a URL, as a file name and unquoted in YAML."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.slugs import SLUG_PATTERN, make_slug, name_key

MANY_EXAMPLES = settings(max_examples=200, deadline=None)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("中国农网", "zhongguonongwang"),
        ("财联社", "cailianshe"),
        ("重庆日报", "chongqingribao"),
        ("厦门网", "xiamenwang"),
        ("会计网", "kuaijiwang"),
        ("西藏日报", "xizangribao"),
        ("21世纪经济报道", "21shijijingjibaodao"),
        ("东方财富Choice数据", "dongfangcaifuchoiceshuju"),
        ("安信国际证券(香港)", "anxinguojizhengquanxianggang"),
        ("安信国际证券（香港）", "anxinguojizhengquanxianggang"),
        ("Career In 商业", "careerinshangye"),
        ("21世纪经济报道  南财理财通", "21shijijingjibaodaonancailicaitong"),
        ("TechWeb", "techweb"),
        ("ＤｏＮｅｗｓ", "donews"),
        ("Ünïcode", "unicode"),
        ("No.1财经", "no1caijing"),
        ("新华·网—经济", "xinhuawangjingji"),
    ],
)
def test_slug_is_lower_case_pinyin(name: str, slug: str) -> None:
    assert make_slug(name) == slug


@pytest.mark.parametrize(
    "name",
    [
        "999", "1.0", "010", "1e5", "12e3", "0x1f", "0xdead", "0b1", "0o7", "1_000", "12:30", "y", "Y", "n", "No",
        "YES",
        "on", "OFF", "True", "false", "null", "Null", "~", "是", "²", "\udcff",
    ],
)  # fmt: skip
def test_a_slug_is_text_in_yaml(name: str) -> None:
    slug = make_slug(name)
    assert SLUG_PATTERN.fullmatch(slug)
    assert yaml.safe_load(f"categories: {slug}") == {"categories": slug}
    assert not slug.isdigit()
    assert slug not in {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


@pytest.mark.parametrize("name", ["한국", "привет", "😀", "——", "～", "ابجد"])
def test_name_without_pinyin_gets_a_stable_slug(name: str) -> None:
    assert make_slug(name).startswith("media")
    assert make_slug(name) == make_slug(name)
    assert make_slug(name) != make_slug(name * 2)


def test_homophones_get_numbered_slugs() -> None:
    used_slugs: set[str] = set()
    for name in ("北京", "背景", "贝京", "北经"):
        used_slugs.add(make_slug(name, used_slugs))
    assert used_slugs == {"beijing", "beijing2", "beijing3", "beijing4"}


def test_numeric_name_gets_a_non_numeric_slug() -> None:
    slug = make_slug("0x", taken_slugs={"0x"})
    assert yaml.safe_load(slug) == slug


@MANY_EXAMPLES
@given(st.text(max_size=30))
def test_every_name_has_a_slug(name: str) -> None:
    slug = make_slug(name)
    assert SLUG_PATTERN.fullmatch(slug)
    assert yaml.safe_load(slug) == slug
    assert make_slug(name) == slug


@MANY_EXAMPLES
@given(st.lists(st.text(alphabet=st.sampled_from("北背京景 Aa（)1报社"), min_size=1, max_size=6), max_size=12))
def test_consecutive_slugs_are_unique(names: list[str]) -> None:
    used_slugs: set[str] = set()
    for name in names:
        slug = make_slug(name, used_slugs)
        assert slug not in used_slugs
        assert SLUG_PATTERN.fullmatch(slug)
        used_slugs.add(slug)


def test_a_long_name_has_a_bounded_slug_even_when_it_is_taken() -> None:
    long = make_slug("人民日报海外版" * 20)
    numbered_slug = make_slug("人民日报海外版" * 20, taken_slugs={long})
    assert SLUG_PATTERN.fullmatch(long)
    assert SLUG_PATTERN.fullmatch(numbered_slug)
    assert long != numbered_slug


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("TechWeb", "Techweb"),
        ("ＤｏＮｅｗｓ", "donews"),
        ("21世纪经济报道  南财", "21世纪经济报道 南财"),
        ("安信（香港）", "安信(香港)"),
        (" 财联社\n", "财联社"),
        ("财联社\u3000", "财联社"),
        ("STRASSE", "straße"),
    ],
)
def test_width_case_and_spaces_do_not_change_the_key(first: str, second: str) -> None:
    assert name_key(first) == name_key(second)


@pytest.mark.parametrize(("first", "second"), [("北京", "背景"), ("财联社", "财联"), ("证券报", "证劵报")])
def test_other_characters_change_the_key(first: str, second: str) -> None:
    assert name_key(first) != name_key(second)
