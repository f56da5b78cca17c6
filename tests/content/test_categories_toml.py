"""The registry of media: its shape, its slugs, and that no name leads to two papers."""

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

import pypinyin
import pytest
import yaml

import crawler

REGISTRY_PATH = Path(crawler.__file__).parent / "content" / "categories.toml"
SLUG_PATTERN = re.compile(r"[a-z0-9]+")
# What some YAML 1.1 reader takes for a number, a truth value or nothing, though PyYAML may not.
YAML_TRAP = re.compile(r"(\d+(e\d+)?|0x[0-9a-f]+|0b[01]+|0o?[0-7]+|y|n|yes|no|on|off|true|false|null)")

WELL_KNOWN_SLUGS = {
    "中国农网": "zhongguonongwang",
    "财联社": "cailianshe",
    "证券时报": "zhengquanshibao",
    "每日经济新闻": "meirijingjixinwen",
    "重庆日报": "chongqingribao",
    "东方财富Choice数据": "dongfangcaifuchoiceshuju",
}

# Name -> why its slug is not what pypinyin reads.
PINYIN_CORRECTIONS = {
    "Career In 投行PEVC": "行 in 投行 (investment bank) is hang; pypinyin reads xing",
    "漯河日报": "漯 in the city of 漯河 is luo; pypinyin reads ta",
    "陕西日报": "Shaanxi is spelt with two a, or it would share shanxiribao with 山西日报 (Shanxi)",
}


@pytest.fixture(scope="module")
def registry_entries() -> list[dict[str, Any]]:
    """All entries of the registry, in the order of the file."""
    tables = tomllib.loads(REGISTRY_PATH.read_text(encoding="utf-8"))
    entries: list[dict[str, Any]] = tables.pop("media")
    assert tables == {}
    return entries


def comparison_key(text: str) -> str:
    """Return the form in which two names are compared."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def pypinyin_slug(name: str) -> str:
    """Return the slug of pypinyin alone."""
    return re.sub(r"[^a-z0-9]", "", "".join(pypinyin.lazy_pinyin(name)).lower())


def test_registry_is_filled(registry_entries: list[dict[str, Any]]) -> None:
    """A truncated file does not pass for a registry."""
    assert len(registry_entries) >= 100


def test_shape_of_every_entry(registry_entries: list[dict[str, Any]]) -> None:
    """Name and slug are text; aliases, when there, are a list of distinct texts other than the slug."""
    for entry in registry_entries:
        assert {"name", "slug"} <= set(entry) <= {"name", "slug", "aliases"}, entry
        aliases = entry.get("aliases", [])
        assert isinstance(aliases, list), entry
        assert bool(aliases) == ("aliases" in entry), entry
        for text in [entry["name"], entry["slug"], *aliases]:
            assert isinstance(text, str), entry
            assert text, entry
            assert text == text.strip(), entry
        assert len(set(aliases)) == len(aliases), entry
        assert entry["slug"] not in aliases, entry


def test_slugs_are_plain(registry_entries: list[dict[str, Any]]) -> None:
    """A slug is safe in a URL, as a file name and unquoted in YAML."""
    for entry in registry_entries:
        slug = entry["slug"]
        assert SLUG_PATTERN.fullmatch(slug), entry
        assert not YAML_TRAP.fullmatch(slug), entry
        assert yaml.safe_load(slug) == slug, entry


def test_no_name_is_shared_by_two_entries(registry_entries: list[dict[str, Any]]) -> None:
    """Slugs, names and aliases of different entries stay apart, whatever the case, width and spaces."""
    owner: dict[str, str] = {}
    for entry in registry_entries:
        for key in {comparison_key(text) for text in [entry["slug"], entry["name"], *entry.get("aliases", [])]}:
            assert key not in owner, f"{key} leads to {owner[key]} and {entry['name']}"
            owner[key] = entry["name"]


def test_sorted_by_slug(registry_entries: list[dict[str, Any]]) -> None:
    """A new media has one place to go."""
    slugs = [entry["slug"] for entry in registry_entries]
    assert slugs == sorted(slugs)


@pytest.mark.parametrize(("name", "slug"), WELL_KNOWN_SLUGS.items())
def test_well_known_slugs(registry_entries: list[dict[str, Any]], name: str, slug: str) -> None:
    """The slugs of the papers seen most are part of published URLs and never change."""
    assert [entry["slug"] for entry in registry_entries if entry["name"] == name] == [slug]


def test_slugs_are_pinyin(registry_entries: list[dict[str, Any]]) -> None:
    """Exactly the slugs listed as corrections differ from what pypinyin reads."""
    differing = {entry["name"] for entry in registry_entries if entry["slug"] != pypinyin_slug(entry["name"])}
    assert differing == set(PINYIN_CORRECTIONS)
