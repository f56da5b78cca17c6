"""JSON as the source sends it: bare, as JSONP `cb({…})`, or as `var x={…}`, with or without a final `;`.

The readers of fields are the shape that a reply is held to: what is not of it is told by the field's name.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from crawler.errors import Unreadable
from crawler.text import dates
from crawler.text.characters import headline

# 18 digits; a 财富号 post has more (23 were recorded). File names are made of it, so nothing but digits passes.
CODE = re.compile(r"[0-9]{18,24}", re.ASCII)

# The wrapper is never run, only looked at: `cb(`, behind a comment or not, or `var x =`, before the object or after it.
_NAME = r"[\w$][\w$.]{0,120}"
_ASSIGNMENT = rf"(?:var\s+)?{_NAME}\s*=\s*"
_BEFORE = re.compile(rf"\ufeff?\s*(?:(?:/\*\*/)?\s*(?P<call>{_NAME}\()|{_ASSIGNMENT})?\s*", re.ASCII)
_AFTER = re.compile(rf"\s*;?\s*(?:{_ASSIGNMENT})?", re.ASCII)
_AFTER_CALL = re.compile(r"\s*\)\s*;?\s*", re.ASCII)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read(text: str) -> Mapping[str, Any]:
    """The one JSON object in a reply, out of its wrapper.

    Raises Unreadable when there is none, when it is cut, too deep, or holds NaN.
    """
    before = _BEFORE.match(text)
    if not before or text[before.end() : before.end() + 1] != "{":
        raise Unreadable(f"not JSON, JSONP or an assignment: the reply begins {text[:40]!r}")
    try:
        value, end = _DECODER.raw_decode(text, before.end())
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"broken JSON: {error}"[:200]) from error
    after = _AFTER_CALL if before["call"] else _AFTER
    if not after.fullmatch(text, end):
        raise Unreadable(f"not one JSON object: behind it stands {text[end : end + 40]!r}")
    found: Mapping[str, Any] = value
    return found


def text_field(row: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that holds text, or an empty string.

    A missing field, null and "" are the same; raises Unreadable when a field holds something that is not text.
    """
    for name in names:
        value = row.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise Unreadable(f"field {name!r} holds {type(value).__name__}, not text")
        return value
    return ""


def object_field(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that must hold an object; raises Unreadable."""
    value = row.get(name)
    if not isinstance(value, dict):
        raise Unreadable(f"field {name!r} holds {type(value).__name__}, not an object")
    return value


def rows_field(row: Mapping[str, Any], name: str) -> list[Any]:
    """A field that must hold a list; null is an empty one, and a missing field or another type raises Unreadable."""
    if name not in row:
        raise Unreadable(f"field {name!r} is missing")
    value = row[name]
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable(f"field {name!r} holds {type(value).__name__}, not a list")
    return value


def title_field(row: Mapping[str, Any], *names: str) -> str:
    """A headline that must not be empty; raises Unreadable."""
    title = headline(text_field(row, *names))
    if not title:
        raise Unreadable(f"field {names[0]!r} is empty")
    return title


def code_field(row: Mapping[str, Any], *names: str) -> str:
    """An article's code, with or without the `NW` of the share pages, as its digits; raises Unreadable."""
    code = text_field(row, *names).removeprefix("NW")
    if not CODE.fullmatch(code):
        raise Unreadable(f"field {names[0]!r} is not 18 to 24 digits: {code[:40]!r}")
    return code


def moment_field(row: Mapping[str, Any], *names: str) -> datetime:
    """A time in one of the source's three forms; raises Unreadable."""
    try:
        return dates.parse(text_field(row, *names))
    except ValueError as error:
        raise Unreadable(f"field {names[0]!r}: {error}") from error


def number_field(row: Mapping[str, Any], name: str) -> int:
    """A count, which the source writes as a number or as text; 0 where it is missing. Raises Unreadable."""
    value = row.get(name) or 0
    if isinstance(value, int | str) and re.fullmatch(r"\d{1,9}", str(value)):
        return int(value)
    raise Unreadable(f"field {name!r} is not a count: {value!r}"[:120])
