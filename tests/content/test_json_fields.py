"""JSON in the source's wrappers, and fields that must hold what the endpoint answers."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crawler
from crawler.content.dates import CHINA_TZ
from crawler.content.json_fields import (
    FieldSchema,
    get_code,
    get_count,
    get_datetime,
    get_rows,
    get_text,
    get_title,
    parse_json,
)
from crawler.errors import ParseError, SchemaChangedError

RECORDED_RESPONSES = sorted((Path(crawler.__file__).parent / "sample_site" / "recorded").glob("*.json"))
SAMPLE_VALUE = {"code": "1", "data": {"list": [{"title": "“甲”)};{(\\ 乙", "n": 1.5}], "x": None, "y": True}}
SAMPLE_JSON = json.dumps(SAMPLE_VALUE, ensure_ascii=False)
WRAPPERS = {
    "bare": "%s",
    "blanks": " \r\n%s\n",
    "JSONP": "jQuery351087_1668256937995(%s)",
    "JSONP with semicolon": "cb(%s);",
    "JSONP of an object's method": "window.a.b(%s)",
    "JSONP behind a comment": "/**/cb(%s)",
    "var": "var ajaxResult=%s",
    "var with semicolon": "var ajaxResult = %s ;\n",
    "prefix after the JSON": "%svar ajaxResult=",
    "BOM": "\ufeff%s",
    "BOM before JSONP": "\ufeffcb(%s)",
}


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS.keys())
def test_object_is_parsed_from_each_wrapper(wrapper: str) -> None:
    assert parse_json(wrapper % SAMPLE_JSON) == SAMPLE_VALUE


@pytest.mark.parametrize("path", RECORDED_RESPONSES, ids=lambda path: path.stem)
def test_recorded_responses_are_parsed(path: Path) -> None:
    assert parse_json(path.read_text("utf-8")) == json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("wrapper", ["%s", "var ajaxResult=%s", "jQuery1(%s)"], ids=["bare", "var", "JSONP"])
def test_truncated_json_is_a_parse_error(wrapper: str) -> None:
    complete = wrapper % SAMPLE_JSON
    assert parse_json(complete) == SAMPLE_VALUE
    for length in range(len(complete)):
        with pytest.raises(ParseError):
            parse_json(complete[:length])


@pytest.mark.parametrize("path", RECORDED_RESPONSES, ids=lambda path: path.stem)
def test_truncated_recorded_response_is_a_parse_error(path: Path) -> None:
    complete = path.read_text("utf-8").strip()
    for length in range(0, len(complete), 7):
        with pytest.raises(ParseError):
            parse_json(complete[:length])


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "null", "5", "[]", '"{}"', "{", "}", "}{", "<html><body>maintenance</body></html>",
        '<html><script>var a={"x":1}</script></html>', '<p>{"a":1}</p>', '{"a":1,}', "{'a':1}", "{a:1}",
        '{"a":1}{"b":2}', 'cb({"a":1},{"b":2})', 'if(x){cb({"a":1})}', '{"a":NaN}', '{"a":Infinity}',
        '{"a":-Infinity}',
        '{"a":"\n"}', '\x00{"a":1}', '{"a":' + "9" * 5_000 + "}", "x" * 300 + '({"a":1})', '{"a":1}' + ";" * 300,
        '{"a":01}', '{"a":"\\x"}', '{"a":1}// "b"',
    ],
    ids=lambda text: ascii(text[:24]),
)  # fmt: skip
def test_non_json_text_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError, match=r"\S"):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [f"cb({SAMPLE_JSON});alert(1)", f"alert(1);cb({SAMPLE_JSON})", f"[{SAMPLE_JSON}]", f"cb([{SAMPLE_JSON}])"],
    ids=["a call after it", "a call before it", "a list", "a list in JSONP"],
)
def test_only_the_documented_wrappers_are_accepted(text: str) -> None:
    with pytest.raises(ParseError):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' + "[" * 100_000 + "]" * 100_000 + "}", '{"a":' * 100_000 + "1" + "}" * 100_000],
    ids=["brackets", "lists", "objects"],
)
def test_deeply_nested_json_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        parse_json(text)


@pytest.mark.parametrize(
    "text", ["~!{}", "cb~!({})", "cb(~!{})", "var~!={}", "{}~!", "{};~!", "cb({})~;~!", "{}var~!="]
)
def test_long_whitespace_takes_linear_time(text: str) -> None:
    """Scanned again from each of its characters, it would take hours."""
    with pytest.raises(ParseError):
        parse_json(text.replace("~", " " * 4_000_000))


def test_parse_error_is_one_short_line() -> None:
    with pytest.raises(ParseError) as exc_info:
        parse_json("<html>\n" + "x" * 10_000)
    assert len(str(exc_info.value)) < 200
    assert "\n" not in str(exc_info.value)


@given(st.text(max_size=60) | st.text(alphabet=st.sampled_from('{}[]()":,;=\\ a1\n'), max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_is_an_object_or_a_parse_error(text: str) -> None:
    try:
        value = parse_json(text)
    except ParseError:
        return
    assert isinstance(value, dict)


@given(
    st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=20), max_size=4),
    st.sampled_from(sorted(WRAPPERS.values())),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_any_object_round_trip_in_every_wrapper(value: dict[str, Any], wrapper: str, escaped: bool) -> None:
    assert parse_json(wrapper.replace("%s", json.dumps(value, ensure_ascii=escaped))) == value


# Fields

NON_TEXT_VALUES = [5, 0, 1.5, True, False, [], ["a"], {}, {"a": 1}]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"a": "x"}, "x"),
        ({"a": "x", "b": "y"}, "x"),
        ({"a": "", "b": "y"}, "y"),
        ({"a": None, "b": "y"}, "y"),
        ({"b": "y"}, "y"),
        ({"a": " ", "b": "y"}, " "),
        ({"a": None, "b": None}, ""),
        ({}, ""),
    ],
    ids=["text", "the first", "empty", "null", "missing", "blank is text", "both null", "both missing"],
)
def test_text_field_is_the_first_non_empty_alias(row: dict[str, Any], expected: str) -> None:
    assert get_text(row, "a", "b") == expected


@pytest.mark.parametrize("value", NON_TEXT_VALUES, ids=repr)
def test_non_text_error_names_the_field(value: object) -> None:
    with pytest.raises(ParseError, match=r"field 'a' holds .*, not text"):
        get_text({"a": value, "b": "y"}, "a", "b")


@pytest.mark.parametrize("value", [None, "", " ", "　", "\u200b", "<em></em>", "&nbsp;"], ids=ascii)
def test_invisible_title_is_a_parse_error(value: str | None) -> None:
    with pytest.raises(ParseError, match="field 'title' is empty"):
        get_title({"title": value}, "title")


def test_title_field_is_cleaned() -> None:
    assert get_title({"simtitle": " <em>茅台</em>\n&amp; "}, "title", "simtitle") == "茅台 &"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("202201102242171631", "202201102242171631"),
        ("NW202201102242171631", "202201102242171631"),
        ("20260702101113747001360", "20260702101113747001360"),
        ("2" * 24, "2" * 24),
    ],
    ids=["code", "infoCode", "blog post", "longest"],
)
def test_code_field_is_digits(text: str, expected: str) -> None:
    assert get_code({"infoCode": text}, "code", "infoCode") == expected


@pytest.mark.parametrize(
    "value",
    [
        None, "", "test123", "2022011022421716", "2" * 17, "2" * 25, "AN202508131726844474", "nw202201102242171631",
        "NWNW202201102242171631", " 202201102242171631", "202201102242171631\n",
        "２０２２０１１０２２４２１７１６３１",
        "../../../etc/passwd", "202201102242171631/..", "20220110224217163\x00", 202201102242171631, [], True,
    ],
    ids=ascii,
)  # fmt: skip
def test_invalid_code_is_a_parse_error(value: object) -> None:
    with pytest.raises(ParseError, match="field 'code'"):
        get_code({"code": value}, "code")


def test_time_field_is_the_first_non_empty_alias() -> None:
    row = {"showtime": "", "datetime": "2022-01-10 16:20:36"}
    assert get_datetime(row, "showtime", "datetime", zone=CHINA_TZ) == datetime(
        2022, 1, 10, 16, 20, 36, tzinfo=CHINA_TZ
    )


@pytest.mark.parametrize("value", [None, "", "2022-02-30 10:00:00", "2022-01-10", 1641802836000, {}], ids=repr)
def test_invalid_time_is_a_parse_error(value: object) -> None:
    with pytest.raises(ParseError, match="field 'showTime'"):
        get_datetime({"showTime": value}, "showTime", zone=CHINA_TZ)


@pytest.mark.parametrize(
    ("row", "expected"),
    [({"n": 5}, 5), ({"n": "5000"}, 5000), ({"n": 0}, 0), ({"n": "0"}, 0), ({"n": None}, 0), ({"n": ""}, 0), ({}, 0)],
    ids=repr,
)
def test_number_field_is_a_number_or_digits(row: dict[str, Any], expected: int) -> None:
    assert get_count(row, "n") == expected


@pytest.mark.parametrize(
    "value",
    ["x", "-1", -1, 1.5, "1.5", True, " 5", "5\n", 10**9, "9" * 5_000, [1], {"a": 1}],
    ids=lambda v: repr(v)[:20],
)
def test_invalid_number_is_a_parse_error(value: object) -> None:
    with pytest.raises(ParseError, match="field 'n'") as exc_info:
        get_count({"n": value}, "n")
    assert len(str(exc_info.value)) <= 120


def test_rows_field_is_a_list_or_null() -> None:
    assert get_rows({"list": [{"a": 1}, 5]}, "list") == [{"a": 1}, 5]
    assert get_rows({"list": []}, "list") == []
    assert get_rows({"list": None}, "list") == []


@pytest.mark.parametrize("row", [{}, {"list": {}}, {"list": ""}, {"list": 5}, {"list": False}, {"List": []}], ids=repr)
def test_non_list_rows_are_a_parse_error(row: dict[str, Any]) -> None:
    with pytest.raises(ParseError, match="field 'list'"):
        get_rows(row, "list")


SCHEMA = FieldSchema(required={"code|id": str, "list": list | None}, optional={"n": int | str, "note": str})
CONFORMING_VALUES: list[dict[str, Any]] = [
    {"code": "1", "list": []},
    {"id": "1", "list": None, "n": None, "note": None},
    {"code": "1", "id": "2", "list": [1], "n": "5", "x": [{}]},
    {"code": "1", "list": [], "n": 5},
]
VIOLATIONS: list[tuple[object, str, str]] = [
    ([], "a list in place of an object", ""),
    (None, "null in place of an object", ""),
    ("x", "text in place of an object", ""),
    ({}, "field 'code|id' is missing, field 'list' is missing", "code|id"),
    ({"code": 1, "list": []}, "field 'code' holds a number, not text", "code"),
    ({"code": "1", "id": [], "list": []}, "field 'id' holds a list, not text", "id"),
    ({"code": "1", "list": {}}, "field 'list' holds an object, not a list or null", "list"),
    ({"code": "1", "list": [], "n": True}, "field 'n' holds bool, not a number or text or null", "n"),
    ({"code": "1", "list": [], "n": 1.5}, "field 'n' holds float, not a number or text or null", "n"),
    ({"code": None, "list": [], "note": {}}, "field 'code' holds null, not text, field 'note' holds an object, not text or null", "code"),
]  # fmt: skip


@pytest.mark.parametrize("value", CONFORMING_VALUES, ids=str)
def test_conforming_value_is_returned_unchanged(value: dict[str, Any]) -> None:
    assert SCHEMA.validate(value) is value


@pytest.mark.parametrize(("value", "expected_message", "field"), VIOLATIONS)
def test_schema_error_names_all_fields(value: object, expected_message: str, field: str) -> None:
    with pytest.raises(SchemaChangedError) as exc_info:
        SCHEMA.validate(value)
    assert (str(exc_info.value), exc_info.value.field) == (expected_message, field)


def test_too_many_objects_are_a_parse_error() -> None:
    with pytest.raises(ParseError, match="500,000 objects and lists"):
        parse_json('{"a":[' + ",".join(["{}"] * 500_000) + "]}")
