"""Media are found by name, slug or alias; a name that is new gets a slug that nobody has."""

import pytest

from crawler.content.categories import Media, shipped
from crawler.content.slugs import SLUG, fold
from crawler.errors import UsageError
from crawler.items import Category

FARMERS = "zhongguonongwang"


@pytest.fixture
def media() -> Media:
    return Media()


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("中国农网", FARMERS),
        ("中国 农网", FARMERS),
        (" 中国农网\n", FARMERS),
        (FARMERS, FARMERS),
        ("ZhongGuoNongWang", FARMERS),
        (f" {FARMERS} ", FARMERS),
        ("ｚｈｏｎｇｇｕｏｎｏｎｇｗａｎｇ", FARMERS),
        ("21世界经济报道", "21shijijingjibaodao"),
        ("21shijiejingjibaodao", "21shijijingjibaodao"),
        ("21世纪经济报道 21财经APP", "21shijijingjibaodao"),
        ("TechWeb", "techweb"),
        ("Techweb", "techweb"),
        ("ＴＥＣＨＷＥＢ", "techweb"),
    ],
    ids=[
        "name", "name with a space", "name with blanks around", "slug", "slug in capitals", "slug with blanks",
        "slug in full width", "misspelt name", "misspelt slug", "name with its app", "Latin name",
        "Latin name, other case",
        "Latin name, full width",
    ],
)  # fmt: skip
def test_a_media_is_found_by_whatever_it_is_called(media: Media, text: str, slug: str) -> None:
    found = media.find(text)
    assert found is not None
    assert found.slug == slug
    assert media.wanted(text) is found


@pytest.mark.parametrize("text", ["", " ", "　", "不存在的新报纸", "nosuchpaper", "中国", "农网"])
def test_what_nobody_knows_is_not_found(media: Media, text: str) -> None:
    assert media.find(text) is None


@pytest.mark.parametrize("category", shipped(), ids=lambda category: category.slug)
def test_every_shipped_media_is_found_by_all_its_names(category: Category) -> None:
    media = Media()
    for name in (category.slug, category.media, *category.aliases):
        assert media.find(name) == media.of(name) == category


# A new name


def test_a_new_name_gets_a_category_once(media: Media) -> None:
    made = media.of("全新的报纸")
    assert made == Category("quanxindebaozhi", "全新的报纸")
    assert media.of("全新的报纸") is made
    assert media.of(" 全新的　报纸\u200b") is made
    assert media.find("全新的报纸") is media.find("quanxindebaozhi") is made


def test_homophones_are_two_media(media: Media) -> None:
    assert media.of("全新的报纸").slug == "quanxindebaozhi"
    assert media.of("全心的报纸").slug == "quanxindebaozhi2"
    assert media.of("全新的报纸").slug == "quanxindebaozhi"


def test_a_homophone_of_a_shipped_media_does_not_take_its_slug(media: Media) -> None:
    made = media.of("中国农往")
    assert made.slug == FARMERS + "2"
    assert media.of("中国农网").slug == FARMERS


def test_a_name_that_reads_as_a_number_gets_a_slug_that_does_not(media: Media) -> None:
    assert media.of("999").slug == "m999"


def test_the_media_of_one_crawl_are_not_those_of_the_next() -> None:
    Media().of("全新的报纸")
    assert Media().find("全新的报纸") is None


# What a person asks for


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("zhongguonongwan", f"{FARMERS} (中国农网)"),
        ("Cailianse", "cailianshe (财联社)"),
        ("techwebb", "techweb (TechWeb)"),
    ],
)
def test_a_slip_of_the_fingers_is_told_the_nearest(media: Media, text: str, nearest: str) -> None:
    with pytest.raises(UsageError) as caught:
        media.wanted(text)
    assert f"unknown category {text!r}: did you mean " in str(caught.value)
    assert nearest in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["qqqqqqqq", "", " ", "　"])
def test_what_is_near_nothing_is_told_where_to_look(media: Media, text: str) -> None:
    with pytest.raises(UsageError, match=r"unknown category .*: `finews categories --all` lists them"):
        media.wanted(text)


def test_a_chinese_name_that_nobody_knows_is_told_the_nearest(media: Media) -> None:
    with pytest.raises(UsageError) as caught:
        media.known("中国农业网")
    assert str(caught.value).startswith("unknown category '中国农业网': did you mean ")
    assert f"{FARMERS} (中国农网)" in str(caught.value)


def test_a_new_chinese_name_is_taken(media: Media) -> None:
    asked = media.wanted("不存在的新报纸")
    assert asked.media == "不存在的新报纸"
    assert media.of("不存在的新报纸") is asked


@pytest.mark.parametrize("text", ["\u200b", "\ufeff \u200d", "——", "、", "“”", "😀"], ids=ascii)
def test_what_holds_no_chinese_is_not_taken_as_a_chinese_name(media: Media, text: str) -> None:
    with pytest.raises(UsageError, match="unknown category"):
        media.wanted(text)


# What the database has met comes first


def test_a_slug_of_the_database_wins_over_the_packages() -> None:
    media = Media([Category("cls", "财联社")])
    assert media.of("财联社").slug == "cls"
    assert media.wanted("财联社").slug == "cls"
    assert media.find("cls") == Category("cls", "财联社")


def test_a_slug_that_was_published_never_changes_its_owner() -> None:
    media = Media([Category(FARMERS, "中国农往")])
    assert media.find(FARMERS) == Category(FARMERS, "中国农往")
    assert media.of("中国农往").slug == FARMERS
    assert media.of("中国农网").slug == FARMERS + "2"


def test_a_name_of_the_database_is_found_by_its_aliases() -> None:
    media = Media([Category("cls", "财联社", ("旧财联", "cailian"))])
    assert media.of("旧财联").slug == "cls"
    assert media.wanted("cailian").slug == "cls"


def test_a_new_name_does_not_take_a_slug_of_the_database() -> None:
    assert Media([Category("quanxindebaozhi", "全心的报纸")]).of("全新的报纸").slug == "quanxindebaozhi2"


@pytest.mark.parametrize("name", ["cailianshe", "财联社"])
def test_what_the_package_calls_a_media_still_leads_to_it(name: str) -> None:
    assert Media([Category("cls", "财联社")]).wanted(name).slug == "cls"


def test_an_alias_that_a_newer_package_knows_leads_to_the_media_of_the_database() -> None:
    newer = next(category for category in shipped() if category.aliases)
    older = Category(newer.slug, newer.media)
    assert Media([older]).of(newer.aliases[-1]).slug == newer.slug


# The registry's own shape


def test_all_shipped_slugs_are_slugs_and_no_name_is_shared() -> None:
    slugs = [category.slug for category in shipped()]
    names = [fold(category.media) for category in shipped()]
    assert all(SLUG.fullmatch(slug) for slug in slugs)
    assert len(set(slugs)) == len(slugs)
    assert len(set(names)) == len(names)
