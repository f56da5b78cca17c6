"""The media we know: those the package ships, and those the database has met. Names and slugs are looked up here."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from crawler.content.slugs import fold, slug_of
from crawler.content.unicode_text import one_line
from crawler.errors import UsageError
from crawler.items import Category

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# A name of the source longer than this is not a name.
LONGEST_NAME = 40


@cache
def shipped() -> tuple[Category, ...]:
    """The media of `categories.toml`, in the order of the file."""
    table = tomllib.loads(files("crawler").joinpath("content/categories.toml").read_text("utf-8"))
    return tuple(Category(media["slug"], media["name"], tuple(media.get("aliases", ()))) for media in table["media"])


class Media:
    """Finds a category by name, slug or alias, and makes one for a name that is new.

    What the database knows comes first: a slug that has been published never changes its owner.
    """

    def __init__(self, met: Iterable[Category] = ()) -> None:
        self._by_slug: dict[str, Category] = {}
        self._by_name: dict[str, Category] = {}
        for category in met:
            self._add(category)
        for category in shipped():
            self._add_shipped(category)

    def of(self, name: str) -> Category:
        """The category of a media that wrote an article; one is made for a name that is new."""
        name = one_line(name)
        known = self._by_name.get(fold(name))
        return known or self._add(Category(slug_of(name, taken=self._by_slug), name))

    def find(self, text: str) -> Category | None:
        """The category that a name, a slug or an alias stands for; None when nobody knows it."""
        return self._by_slug.get(text.strip().lower()) or self._by_name.get(fold(text))

    def all(self) -> list[Category]:
        """Every category that is known, in the order of the slugs."""
        return [self._by_slug[slug] for slug in sorted(self._by_slug)]

    def is_slug(self, text: str) -> bool:
        """Whether a category is filed under exactly this."""
        return text in self._by_slug

    def wanted(self, text: str) -> Category:
        """The category that a person asks for.

        A Chinese name that is new is taken, since new papers appear. Anything else that is new is a slip of the
        fingers: UsageError, with the nearest known slugs and names.
        """
        if self.find(text) is None and _HAN.search(text):
            return self.of(text)
        return self.known(text)

    def known(self, text: str) -> Category:
        """The category that a person asks for, among those that are known. Raises UsageError."""
        if category := self.find(text):
            return category
        raise UsageError(self.unknown(text))

    def unknown(self, text: str) -> str:
        """What is told of a name that nobody knows: the nearest known slugs and names."""
        is_name = bool(_HAN.search(text))
        typed, known = (fold(text), self._by_name) if is_name else (text.lower(), self._by_slug)
        near = dict.fromkeys(known[each] for each in difflib.get_close_matches(typed, known, n=3, cutoff=0.6))
        hint = ", ".join(f"{category.slug} ({category.media})" for category in near)
        told = f"did you mean {hint}?" if hint else "`finews categories --all` lists them"
        return f"unknown category {text!r}: {told}"

    def _add_shipped(self, category: Category) -> None:
        """A media of the package's; where the database has met it under a slug of its own, all its names lead there."""
        if met := self._by_name.get(fold(category.media)):
            self._name(met, category)
            if category.slug not in self._by_slug:
                self._by_slug[category.slug] = met
        elif category.slug not in self._by_slug:
            self._add(category)

    def _name(self, owner: Category, category: Category) -> None:
        for name in (category.media, *category.aliases, category.slug):
            self._by_name.setdefault(fold(name), owner)

    def _add(self, category: Category) -> Category:
        self._by_slug[category.slug] = category
        self._name(category, category)
        return category
