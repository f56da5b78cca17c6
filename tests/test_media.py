"""Media are found by name, slug or alias; a name that is new gets a slug that nobody has."""

import pytest

from crawler.content.categories import CategoryRegistry, bundled_categories
from crawler.content.slugs import SLUG_PATTERN, name_key
from crawler.errors import UsageError
from crawler.items import Category

FARMERS = "zhongguonongwang"


@pytest.fixture
def media() -> CategoryRegistry:
    return CategoryRegistry()


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
def test_a_media_is_found_by_whatever_it_is_called(media: CategoryRegistry, text: str, slug: str) -> None:
    found = media.find(text)
    assert found is not None
    assert found.slug == slug
    assert media.resolve_or_create(text) is found


@pytest.mark.parametrize("text", ["", " ", "　", "不存在的新报纸", "nosuchpaper", "中国", "农网"])
def test_what_nobody_knows_is_not_found(media: CategoryRegistry, text: str) -> None:
    assert media.find(text) is None


@pytest.mark.parametrize("category", bundled_categories(), ids=lambda category: category.slug)
def test_every_shipped_media_is_found_by_all_its_names(category: Category) -> None:
    media = CategoryRegistry()
    for name in (category.slug, category.media, *category.aliases):
        assert media.find(name) == media.get_or_create(name) == category


# A new name


def test_a_new_name_gets_a_category_once(media: CategoryRegistry) -> None:
    made = media.get_or_create("全新的报纸")
    assert made == Category("quanxindebaozhi", "全新的报纸")
    assert media.get_or_create("全新的报纸") is made
    assert media.get_or_create(" 全新的　报纸\u200b") is made
    assert media.find("全新的报纸") is media.find("quanxindebaozhi") is made


def test_homophones_are_two_media(media: CategoryRegistry) -> None:
    assert media.get_or_create("全新的报纸").slug == "quanxindebaozhi"
    assert media.get_or_create("全心的报纸").slug == "quanxindebaozhi2"
    assert media.get_or_create("全新的报纸").slug == "quanxindebaozhi"


def test_a_homophone_of_a_shipped_media_does_not_take_its_slug(media: CategoryRegistry) -> None:
    made = media.get_or_create("中国农往")
    assert made.slug == FARMERS + "2"
    assert media.get_or_create("中国农网").slug == FARMERS


def test_a_name_that_reads_as_a_number_gets_a_slug_that_does_not(media: CategoryRegistry) -> None:
    assert media.get_or_create("999").slug == "m999"


def test_the_media_of_one_crawl_are_not_those_of_the_next() -> None:
    CategoryRegistry().get_or_create("全新的报纸")
    assert CategoryRegistry().find("全新的报纸") is None


# What a person asks for


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("zhongguonongwan", f"{FARMERS} (中国农网)"),
        ("Cailianse", "cailianshe (财联社)"),
        ("techwebb", "techweb (TechWeb)"),
    ],
)
def test_a_slip_of_the_fingers_is_told_the_nearest(media: CategoryRegistry, text: str, nearest: str) -> None:
    with pytest.raises(UsageError) as caught:
        media.resolve_or_create(text)
    assert f"unknown category {text!r}: did you mean " in str(caught.value)
    assert nearest in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["qqqqqqqq", "", " ", "　"])
def test_what_is_near_nothing_is_told_where_to_look(media: CategoryRegistry, text: str) -> None:
    with pytest.raises(UsageError, match=r"unknown category .*: `finews categories --all` lists them"):
        media.resolve_or_create(text)


def test_a_chinese_name_that_nobody_knows_is_told_the_nearest(media: CategoryRegistry) -> None:
    with pytest.raises(UsageError) as caught:
        media.resolve("中国农业网")
    assert str(caught.value).startswith("unknown category '中国农业网': did you mean ")
    assert f"{FARMERS} (中国农网)" in str(caught.value)


def test_a_new_chinese_name_is_taken(media: CategoryRegistry) -> None:
    asked = media.resolve_or_create("不存在的新报纸")
    assert asked.media == "不存在的新报纸"
    assert media.get_or_create("不存在的新报纸") is asked


@pytest.mark.parametrize("text", ["\u200b", "\ufeff \u200d", "——", "、", "“”", "😀"], ids=ascii)
def test_what_holds_no_chinese_is_not_taken_as_a_chinese_name(media: CategoryRegistry, text: str) -> None:
    with pytest.raises(UsageError, match="unknown category"):
        media.resolve_or_create(text)


# What the database has met comes first


def test_a_slug_of_the_database_wins_over_the_packages() -> None:
    media = CategoryRegistry([Category("cls", "财联社")])
    assert media.get_or_create("财联社").slug == "cls"
    assert media.resolve_or_create("财联社").slug == "cls"
    assert media.find("cls") == Category("cls", "财联社")


def test_a_slug_that_was_published_never_changes_its_owner() -> None:
    media = CategoryRegistry([Category(FARMERS, "中国农往")])
    assert media.find(FARMERS) == Category(FARMERS, "中国农往")
    assert media.get_or_create("中国农往").slug == FARMERS
    assert media.get_or_create("中国农网").slug == FARMERS + "2"


def test_a_name_of_the_database_is_found_by_its_aliases() -> None:
    media = CategoryRegistry([Category("cls", "财联社", ("旧财联", "cailian"))])
    assert media.get_or_create("旧财联").slug == "cls"
    assert media.resolve_or_create("cailian").slug == "cls"


def test_a_new_name_does_not_take_a_slug_of_the_database() -> None:
    assert (
        CategoryRegistry([Category("quanxindebaozhi", "全心的报纸")]).get_or_create("全新的报纸").slug
        == "quanxindebaozhi2"
    )


@pytest.mark.parametrize("name", ["cailianshe", "财联社"])
def test_what_the_package_calls_a_media_still_leads_to_it(name: str) -> None:
    assert CategoryRegistry([Category("cls", "财联社")]).resolve_or_create(name).slug == "cls"


def test_an_alias_that_a_newer_package_knows_leads_to_the_media_of_the_database() -> None:
    newer = next(category for category in bundled_categories() if category.aliases)
    older = Category(newer.slug, newer.media)
    assert CategoryRegistry([older]).get_or_create(newer.aliases[-1]).slug == newer.slug


# The registry's own shape


def test_all_shipped_slugs_are_slugs_and_no_name_is_shared() -> None:
    slugs = [category.slug for category in bundled_categories()]
    names = [name_key(category.media) for category in bundled_categories()]
    assert all(SLUG_PATTERN.fullmatch(slug) for slug in slugs)
    assert len(set(slugs)) == len(slugs)
    assert len(set(names)) == len(names)
