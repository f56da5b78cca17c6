"""Media are found by name, slug or alias; a name that is new gets an unused slug."""

import pytest

from crawler.content.categories import CategoryRegistry, bundled_categories
from crawler.content.slugs import SLUG_PATTERN, name_key
from crawler.errors import UsageError
from crawler.items import Category

FARMERS_SLUG = "zhongguonongwang"


@pytest.fixture
def registry() -> CategoryRegistry:
    return CategoryRegistry()


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("中国农网", FARMERS_SLUG),
        ("中国 农网", FARMERS_SLUG),
        (" 中国农网\n", FARMERS_SLUG),
        (FARMERS_SLUG, FARMERS_SLUG),
        ("ZhongGuoNongWang", FARMERS_SLUG),
        (f" {FARMERS_SLUG} ", FARMERS_SLUG),
        ("ｚｈｏｎｇｇｕｏｎｏｎｇｗａｎｇ", FARMERS_SLUG),
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
def test_category_is_found_by_name_slug_or_alias(registry: CategoryRegistry, text: str, slug: str) -> None:
    found_category = registry.find(text)
    assert found_category is not None
    assert found_category.slug == slug
    assert registry.resolve_or_create(text) is found_category


@pytest.mark.parametrize("text", ["", " ", "　", "不存在的新报纸", "nosuchpaper", "中国", "农网"])
def test_unknown_name_is_not_found(registry: CategoryRegistry, text: str) -> None:
    assert registry.find(text) is None


@pytest.mark.parametrize("category", bundled_categories(), ids=lambda category: category.slug)
def test_shipped_category_is_found_by_all_its_names(category: Category) -> None:
    registry = CategoryRegistry()
    for name in (category.slug, category.media, *category.aliases):
        assert registry.find(name) == registry.get_or_create(name) == category


# A new name


def test_new_name_creates_one_category(registry: CategoryRegistry) -> None:
    created = registry.get_or_create("全新的报纸")
    assert created == Category("quanxindebaozhi", "全新的报纸")
    assert registry.get_or_create("全新的报纸") is created
    assert registry.get_or_create(" 全新的　报纸\u200b") is created
    assert registry.find("全新的报纸") is registry.find("quanxindebaozhi") is created


def test_homophones_are_two_categories(registry: CategoryRegistry) -> None:
    assert registry.get_or_create("全新的报纸").slug == "quanxindebaozhi"
    assert registry.get_or_create("全心的报纸").slug == "quanxindebaozhi2"
    assert registry.get_or_create("全新的报纸").slug == "quanxindebaozhi"


def test_homophone_of_shipped_category_gets_its_own_slug(registry: CategoryRegistry) -> None:
    created = registry.get_or_create("中国农往")
    assert created.slug == FARMERS_SLUG + "2"
    assert registry.get_or_create("中国农网").slug == FARMERS_SLUG


def test_numeric_name_gets_a_non_numeric_slug(registry: CategoryRegistry) -> None:
    assert registry.get_or_create("999").slug == "m999"


def test_new_categories_do_not_leak_between_registries() -> None:
    CategoryRegistry().get_or_create("全新的报纸")
    assert CategoryRegistry().find("全新的报纸") is None


# What a person asks for


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("zhongguonongwan", f"{FARMERS_SLUG} (中国农网)"),
        ("Cailianse", "cailianshe (财联社)"),
        ("techwebb", "techweb (TechWeb)"),
    ],
)
def test_misspelt_slug_error_suggests_the_nearest(registry: CategoryRegistry, text: str, nearest: str) -> None:
    with pytest.raises(UsageError) as exc_info:
        registry.resolve_or_create(text)
    assert f"unknown category {text!r}: did you mean " in str(exc_info.value)
    assert nearest in str(exc_info.value)
    assert "\n" not in str(exc_info.value)


@pytest.mark.parametrize("text", ["qqqqqqqq", "", " ", "　"])
def test_unknown_slug_error_names_the_list_command(registry: CategoryRegistry, text: str) -> None:
    with pytest.raises(UsageError, match=r"unknown category .*: `finews categories --all` lists them"):
        registry.resolve_or_create(text)


def test_unknown_chinese_name_error_suggests_the_nearest(registry: CategoryRegistry) -> None:
    with pytest.raises(UsageError) as exc_info:
        registry.resolve("中国农业网")
    assert str(exc_info.value).startswith("unknown category '中国农业网': did you mean ")
    assert f"{FARMERS_SLUG} (中国农网)" in str(exc_info.value)


def test_unknown_chinese_name_creates_a_category(registry: CategoryRegistry) -> None:
    created = registry.resolve_or_create("不存在的新报纸")
    assert created.media == "不存在的新报纸"
    assert registry.get_or_create("不存在的新报纸") is created


@pytest.mark.parametrize("text", ["\u200b", "\ufeff \u200d", "——", "、", "“”", "😀"], ids=ascii)
def test_name_without_chinese_creates_no_category(registry: CategoryRegistry, text: str) -> None:
    with pytest.raises(UsageError, match="unknown category"):
        registry.resolve_or_create(text)


# What the database has met comes first


def test_stored_slug_wins_over_shipped_slug() -> None:
    registry = CategoryRegistry([Category("cls", "财联社")])
    assert registry.get_or_create("财联社").slug == "cls"
    assert registry.resolve_or_create("财联社").slug == "cls"
    assert registry.find("cls") == Category("cls", "财联社")


def test_published_slug_never_changes_its_owner() -> None:
    registry = CategoryRegistry([Category(FARMERS_SLUG, "中国农往")])
    assert registry.find(FARMERS_SLUG) == Category(FARMERS_SLUG, "中国农往")
    assert registry.get_or_create("中国农往").slug == FARMERS_SLUG
    assert registry.get_or_create("中国农网").slug == FARMERS_SLUG + "2"


def test_stored_category_is_found_by_its_aliases() -> None:
    registry = CategoryRegistry([Category("cls", "财联社", ("旧财联", "cailian"))])
    assert registry.get_or_create("旧财联").slug == "cls"
    assert registry.resolve_or_create("cailian").slug == "cls"


def test_new_name_does_not_take_a_stored_slug() -> None:
    assert (
        CategoryRegistry([Category("quanxindebaozhi", "全心的报纸")]).get_or_create("全新的报纸").slug
        == "quanxindebaozhi2"
    )


@pytest.mark.parametrize("name", ["cailianshe", "财联社"])
def test_shipped_names_still_find_a_stored_category(name: str) -> None:
    assert CategoryRegistry([Category("cls", "财联社")]).resolve_or_create(name).slug == "cls"


def test_new_shipped_alias_finds_the_stored_category() -> None:
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
