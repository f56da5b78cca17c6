"""Category registry: names, slugs and aliases of media, from the package and from the database."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from crawler.content.near_names import find_near_names
from crawler.content.slugs import make_slug, name_key
from crawler.content.unicode_text import collapse_whitespace
from crawler.errors import UsageError
from crawler.items import Category

_HAN_CHAR = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# A name of the source longer than this is not a name.
MAX_MEDIA_NAME_CHARS = 40


@cache
def bundled_categories() -> tuple[Category, ...]:
    """Return the media of `categories.toml`, in the order of the file."""
    table = tomllib.loads(files("crawler").joinpath("content/categories.toml").read_text("utf-8"))
    return tuple(Category(entry["slug"], entry["name"], tuple(entry.get("aliases", ()))) for entry in table["media"])


@cache
def bundled_registry() -> "CategoryRegistry":
    """Return the registry of the bundled media alone. It is shared: nothing is added to it."""
    return CategoryRegistry()


class CategoryRegistry:
    """Registry that finds a category by name, slug or alias, and creates one for a new name.

    What the database knows comes first: a slug that has been published never changes its owner.
    """

    def __init__(self, stored_categories: Iterable[Category] = ()) -> None:
        self._by_slug: dict[str, Category] = {}
        self._by_name: dict[str, Category] = {}
        # Spelt as it is given: most articles are of a name that is found as it is.
        self._by_exact_name: dict[str, Category] = {}
        for category in stored_categories:
            self._add(category)
        for category in bundled_categories():
            if existing := self._by_name.get(name_key(category.media)):
                # The database has this media, perhaps under another slug: all bundled names lead to that category.
                self._index_names(existing, category)
                self._by_slug.setdefault(category.slug, existing)
            elif category.slug not in self._by_slug:
                self._add(category)

    def get_or_create(self, name: str) -> Category:
        """Return the category of an article's media; create it for a new name."""
        if category := self._by_exact_name.get(name):
            return category
        name = collapse_whitespace(name)
        category = self._by_name.get(name_key(name))
        return category or self._add(Category(make_slug(name, taken_slugs=self._by_slug), name))

    def find(self, text: str) -> Category | None:
        """Return the category of a name, a slug or an alias; None for an unknown one."""
        return self._by_slug.get(text.strip().lower()) or self._by_name.get(name_key(text))

    def all(self) -> list[Category]:
        """Return all known categories, in the order of the slugs."""
        return [self._by_slug[slug] for slug in sorted(self._by_slug)]

    def has_slug(self, text: str) -> bool:
        """Return whether a category has exactly this slug."""
        return text in self._by_slug

    def resolve_or_create(self, text: str) -> Category:
        """Return the category that a user named, creating it for a Chinese name that is unlike all known names.

        Raises UsageError, with the nearest known slugs and names, for any other unknown text: a typing error.
        """
        if self.find(text) is None and _HAN_CHAR.search(text) and not self._near_categories(text):
            return self.get_or_create(text)
        return self.resolve(text)

    def resolve(self, text: str) -> Category:
        """Return the known category that a user named; raise UsageError for an unknown one."""
        if category := self.find(text):
            return category
        raise UsageError(f"unknown category {text!r}: {self.suggest(text)}")

    def suggest(self, text: str) -> str:
        """Return a hint for an unknown name: the nearest known slugs and names."""
        is_name = bool(_HAN_CHAR.search(text))
        suggestions = self._near_categories(text) if is_name else []
        if not suggestions:
            key, index = (name_key(text), self._by_name) if is_name else (text.lower(), self._by_slug)
            suggestions = [index[match] for match in difflib.get_close_matches(key, index, cutoff=0.6)]
        hint = ", ".join(f"{category.slug} ({category.media})" for category in [*dict.fromkeys(suggestions)][:3])
        return f"did you mean {hint}?" if hint else "`finews categories --all` lists them"

    def _near_categories(self, text: str) -> list[Category]:
        """Return the categories whose name may have been meant, the nearest first."""
        return [self._by_name[name] for name in find_near_names(text, self._by_name)]

    def _index_names(self, owner: Category, category: Category) -> None:
        for name in (category.media, *category.aliases, category.slug):
            if self._by_name.setdefault(name_key(name), owner) is owner:
                self._by_exact_name.setdefault(name, owner)

    def _add(self, category: Category) -> Category:
        self._by_slug[category.slug] = category
        self._index_names(category, category)
        return category
