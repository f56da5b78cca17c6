"""JSON fields: parse JSON, JSONP `cb({…})` or `var x={…}`, check its fields against a schema, and read them.

A `FieldSchema` says which fields the objects of one endpoint have, and every object is checked against it before its
fields are read: the error names the field. The `get_…` functions then check the values.

Of a key that comes twice the last value counts, as in every browser and so in the source's own pages.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from types import NoneType, UnionType
from typing import Any, NoReturn

from crawler.content import dates
from crawler.content.unicode_text import clean_title
from crawler.errors import ParseError, SchemaChangedError
from crawler.items import CODE_PATTERN, CODE_PREFIX

# A page of a listing has 200 rows at most, and a listing no more than 5,000 in all; more is not a listing.
MAX_ROWS = 10_000
# An empty object takes thirty times the memory of its two characters; the source's responses have some thousands.
_MAX_CONTAINERS = 500_000

# The wrapper is never run, only looked at: what comes before and after the object, and belongs together. No two
# runs of blanks meet in it: they would share a long one in every possible way.
_JS_NAME = r"[\w$.]{1,100}"
_WRAPPER_PATTERNS = (
    (re.compile(""), re.compile(";?")),
    (re.compile(rf"(?:/\*\*/\s*)?{_JS_NAME}\s*\("), re.compile(r"\)(?:\s*;)?")),
    (re.compile(rf"(?:var\s+)?{_JS_NAME}\s*="), re.compile(";?")),
    (re.compile(""), re.compile(rf"var\s+{_JS_NAME}\s*=")),
)

# Half of a character, which JSON can escape and no file or database can hold.
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


FieldType = type | UnionType
# How the source writes a count.
CountType = int | str

_TYPE_NAMES = {str: "text", list: "a list", dict: "an object", int: "a number", NoneType: "null"}


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """The fields that the objects of one endpoint have, and the type of value of each.

    `required` must be there, of several names joined by `|` one; `optional` may be missing or null. Fields that are
    not named here are ignored.
    """

    required: Mapping[str, FieldType] = field(default_factory=dict)
    optional: Mapping[str, FieldType] = field(default_factory=dict)

    def validate(self, value: object) -> Mapping[str, Any]:
        """Return the object; raise SchemaChangedError, which names every field that is missing or of another type."""
        if not isinstance(value, dict):
            raise SchemaChangedError(f"{_describe_value_type(value)} in place of an object")
        problems: dict[str, str] = {}
        for alternatives, field_type in self.required.items():
            present_names = [name for name in alternatives.split("|") if name in value]
            if not present_names:
                problems[alternatives] = f"field {alternatives!r} is missing"
            problems.update(_find_type_problems(value, present_names, field_type))
        for name, field_type in self.optional.items():
            problems.update(_find_type_problems(value, [name] if name in value else [], field_type | None))
        if problems:
            raise SchemaChangedError(", ".join(problems.values()), next(iter(problems)))
        return value


def _find_type_problems(obj: Mapping[str, Any], names: list[str], field_type: FieldType) -> Iterator[tuple[str, str]]:
    for name in names:
        if not isinstance(obj[name], field_type) or isinstance(obj[name], bool):
            yield (
                name,
                f"field {name!r} holds {_describe_value_type(obj[name])}, not {_describe_field_type(field_type)}",
            )


def _describe_value_type(value: object) -> str:
    return _TYPE_NAMES.get(type(value), type(value).__name__)


def _describe_field_type(field_type: FieldType) -> str:
    accepted_types = field_type.__args__ if isinstance(field_type, UnionType) else (field_type,)
    return " or ".join(_TYPE_NAMES[kind] for kind in accepted_types)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON_DECODER = json.JSONDecoder(parse_constant=_reject_constant)


def parse_json(text: str) -> Mapping[str, Any]:
    """Return the one JSON object in a response, without its wrapper.

    Raises ParseError when there is none, when it is cut, too deep or too large, or holds NaN.
    """
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise ParseError(f"no JSON object in the response, which begins {text[:40]!r}")
    prefix, suffix = text[:start].lstrip("\ufeff").strip(), text[end + 1 :].strip()
    if not any(
        prefix_pattern.fullmatch(prefix) and suffix_pattern.fullmatch(suffix)
        for prefix_pattern, suffix_pattern in _WRAPPER_PATTERNS
    ):
        raise ParseError(f"not JSON, JSONP or an assignment: the response begins {text[:40]!r}")
    if text.count("{") + text.count("[") > _MAX_CONTAINERS:
        raise ParseError(f"the response holds more than {_MAX_CONTAINERS:,} objects and lists")
    try:
        value: Mapping[str, Any] = _JSON_DECODER.decode(text[start : end + 1])
        if _ESCAPED_SURROGATE.search(text):
            value = _strip_surrogates(value)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"broken JSON: {error}"[:200]) from error
    return value


def _strip_surrogates(value: Any) -> Any:
    """Return a JSON value without lone surrogates."""
    if isinstance(value, str):
        return _SURROGATE.sub("", value)
    if isinstance(value, list):
        return [_strip_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_strip_surrogates(key): _strip_surrogates(part) for key, part in value.items()}
    return value


def get_text(row: Mapping[str, Any], *names: str) -> str:
    """Return the first of these fields that holds text, or an empty string.

    A missing field, null and "" are the same; raises SchemaChangedError when a field holds something that is not text.
    """
    for name in names:
        value = row.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise SchemaChangedError(f"field {name!r} holds {_describe_value_type(value)}, not text", name)
        return value
    return ""


def get_rows(row: Mapping[str, Any], name: str) -> list[Any]:
    """Return the list of a field, an empty one for null.

    Raises SchemaChangedError for any other value, and ParseError for more than MAX_ROWS rows.
    """
    if name not in row:
        raise SchemaChangedError(f"field {name!r} is missing", name)
    value = row[name]
    if value is None:
        return []
    if not isinstance(value, list):
        raise SchemaChangedError(f"field {name!r} holds {_describe_value_type(value)}, not a list", name)
    if len(value) > MAX_ROWS:
        raise ParseError(f"field {name!r} holds {len(value):,} rows, over {MAX_ROWS:,}", name)
    return value


def get_title(row: Mapping[str, Any], *names: str) -> str:
    """Return the clean headline; raise ParseError when it is empty."""
    title = clean_title(get_text(row, *names))
    if not title:
        raise ParseError(f"field {names[0]!r} is empty", names[0])
    return title


def get_code(row: Mapping[str, Any], *names: str) -> str:
    """Return an article's code without its prefix; raise ParseError for another text."""
    code = get_text(row, *names).removeprefix(CODE_PREFIX)
    if not CODE_PATTERN.fullmatch(code):
        raise ParseError(f"field {names[0]!r} is not 18 to 24 digits: {code[:40]!r}", names[0])
    return code


def get_datetime(row: Mapping[str, Any], *names: str, zone: tzinfo) -> datetime:
    """Return the time of a field, read in `zone`; raise ParseError for another form than the three of sources."""
    try:
        return dates.parse_source_datetime(get_text(row, *names), zone)
    except ValueError as error:
        raise ParseError(f"field {names[0]!r}: {error}", names[0]) from error


def get_count(row: Mapping[str, Any], name: str) -> int:
    """Return a count, which may be written as text, 0 where it is missing; raise ParseError for another value."""
    value = row.get(name) or 0
    if isinstance(value, int | str) and re.fullmatch(r"\d{1,9}", str(value)):
        return int(value)
    raise ParseError(f"field {name!r} is not a count: {value!r}"[:120], name)
