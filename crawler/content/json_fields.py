"""JSON as the source sends it: bare, as JSONP `cb({…})`, or as `var x={…}`, with or without a final `;`.

A `Shape` says which fields the objects of one endpoint have, and every object is held to it before its fields are read:
what is not of it is told by the field's name. The readers of fields then look at what the values say.

Of a key that comes twice the last value counts, as in every browser and so in the source's own pages.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, NoReturn

from crawler.content import dates
from crawler.content.unicode_text import headline
from crawler.errors import ShapeChanged, Unreadable

# 18 digits; a 财富号 post has more (23 were recorded). File names are made of it, so nothing but digits passes.
CODE = re.compile(r"[0-9]{18,24}", re.ASCII)

# A page of a listing has 200 rows at most, and a listing no more than 5,000 in all; more is not a listing.
MOST_ROWS = 10_000
# An empty object takes thirty times the memory of its two characters; the source's replies have some thousands.
_MOST_CONTAINERS = 500_000

# The wrapper is never run, only looked at: what stands before and after the object, and belongs together. No two
# runs of blanks meet in it: they would share a long one in every possible way.
_NAME = r"[\w$.]{1,100}"
_WRAPPERS = (
    (re.compile(""), re.compile(";?")),
    (re.compile(rf"(?:/\*\*/\s*)?{_NAME}\s*\("), re.compile(r"\)(?:\s*;)?")),
    (re.compile(rf"(?:var\s+)?{_NAME}\s*="), re.compile(";?")),
    (re.compile(""), re.compile(rf"var\s+{_NAME}\s*=")),
)

# Half of a character, which JSON can escape and no file or database can hold.
_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")


Holds = type | UnionType
# How the source writes a count.
Count = int | str

_TYPE_NAMES = {str: "text", list: "a list", dict: "an object", int: "a number", NoneType: "null"}


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields that the objects of one endpoint have, and the type of value of each.

    `needs` must be there, of several names joined by `|` one; `may` may be missing or null. Fields that are not named
    here are nobody's concern.
    """

    needs: Mapping[str, Holds] = field(default_factory=dict)
    may: Mapping[str, Holds] = field(default_factory=dict)

    def check(self, value: object) -> Mapping[str, Any]:
        """The object itself. Raises ShapeChanged, which names every field that is not of this shape."""
        if not isinstance(value, dict):
            raise ShapeChanged(f"{_type_name(value)} in place of an object")
        problems = dict(self._problems(value))
        if problems:
            raise ShapeChanged(", ".join(problems.values()), next(iter(problems)))
        return value

    def _problems(self, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for names, holds in self.needs.items():
            present = [name for name in names.split("|") if name in value]
            if not present:
                yield names, f"field {names!r} is missing"
            yield from _wrong(value, present, holds)
        for name, holds in self.may.items():
            yield from _wrong(value, [name] if name in value else [], holds | None)


def _wrong(value: Mapping[str, Any], names: list[str], holds: Holds) -> Iterator[tuple[str, str]]:
    for name in names:
        if not isinstance(value[name], holds) or isinstance(value[name], bool):
            yield name, f"field {name!r} holds {_type_name(value[name])}, not {_holds_name(holds)}"


def _type_name(value: object) -> str:
    return _TYPE_NAMES.get(type(value), type(value).__name__)


def _holds_name(holds: Holds) -> str:
    kinds = holds.__args__ if isinstance(holds, UnionType) else (holds,)
    return " or ".join(_TYPE_NAMES[kind] for kind in kinds)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read(text: str) -> Mapping[str, Any]:
    """The one JSON object in a reply, out of its wrapper.

    Raises Unreadable when there is none, when it is cut, too deep or too large, or holds NaN.
    """
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise Unreadable(f"no JSON object in the reply, which begins {text[:40]!r}")
    before, after = text[:start].lstrip("\ufeff").strip(), text[end + 1 :].strip()
    if not any(opens.fullmatch(before) and closes.fullmatch(after) for opens, closes in _WRAPPERS):
        raise Unreadable(f"not JSON, JSONP or an assignment: the reply begins {text[:40]!r}")
    if text.count("{") + text.count("[") > _MOST_CONTAINERS:
        raise Unreadable(f"the reply holds more than {_MOST_CONTAINERS:,} objects and lists")
    try:
        value: Mapping[str, Any] = _DECODER.decode(text[start : end + 1])
        if _ESCAPED_HALF.search(text):
            value = _whole(value)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"broken JSON: {error}"[:200]) from error
    return value


def _whole(value: Any) -> Any:
    """The value without half characters, wherever they stand in it."""
    if isinstance(value, str):
        return _HALF.sub("", value)
    if isinstance(value, list):
        return [_whole(part) for part in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(part) for name, part in value.items()}
    return value


def text_field(row: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that holds text, or an empty string.

    A missing field, null and "" are the same; raises ShapeChanged when a field holds something that is not text.
    """
    for name in names:
        value = row.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise ShapeChanged(f"field {name!r} holds {_type_name(value)}, not text", name)
        return value
    return ""


def rows_field(row: Mapping[str, Any], name: str) -> list[Any]:
    """A field that must hold a list; null is an empty one. Raises ShapeChanged, or Unreadable when it is too long."""
    if name not in row:
        raise ShapeChanged(f"field {name!r} is missing", name)
    value = row[name]
    if value is None:
        return []
    if not isinstance(value, list):
        raise ShapeChanged(f"field {name!r} holds {_type_name(value)}, not a list", name)
    if len(value) > MOST_ROWS:
        raise Unreadable(f"field {name!r} holds {len(value):,} rows, over {MOST_ROWS:,}", name)
    return value


def title_field(row: Mapping[str, Any], *names: str) -> str:
    """A headline that must not be empty; raises Unreadable."""
    title = headline(text_field(row, *names))
    if not title:
        raise Unreadable(f"field {names[0]!r} is empty", names[0])
    return title


def code_field(row: Mapping[str, Any], *names: str) -> str:
    """An article's code, with or without the `NW` of the share pages, as its digits; raises Unreadable."""
    code = text_field(row, *names).removeprefix("NW")
    if not CODE.fullmatch(code):
        raise Unreadable(f"field {names[0]!r} is not 18 to 24 digits: {code[:40]!r}", names[0])
    return code


def moment_field(row: Mapping[str, Any], *names: str) -> datetime:
    """A time in one of the source's three forms; raises Unreadable."""
    try:
        return dates.parse(text_field(row, *names))
    except ValueError as error:
        raise Unreadable(f"field {names[0]!r}: {error}", names[0]) from error


def number_field(row: Mapping[str, Any], name: str) -> int:
    """A count, which the source writes as a number or as text; 0 where it is missing. Raises Unreadable."""
    value = row.get(name) or 0
    if isinstance(value, int | str) and re.fullmatch(r"\d{1,9}", str(value)):
        return int(value)
    raise Unreadable(f"field {name!r} is not a count: {value!r}"[:120], name)
