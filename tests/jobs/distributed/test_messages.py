"""Messages of workers: they arrive unchanged, or are rejected."""

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy import Request
from scrapy.exceptions import IgnoreRequest

from crawler.crawl.interface import request_reason
from crawler.errors import ParseError
from crawler.items import Reason
from crawler.jobs.distributed.coordinator import build_response
from crawler.jobs.distributed.messages import FetchResult, decode_message, encode_message
from crawler.middlewares import IncompleteResponse


@given(
    st.builds(
        FetchResult,
        status=st.sampled_from([200, 429]),
        headers=st.dictionaries(st.text(), st.text()),
        body=st.binary(max_size=500),
        reason=st.none() | st.sampled_from(Reason),
    )
)
def test_message_round_trip(fetched: FetchResult) -> None:
    message = encode_message(fetched)
    assert message.isascii()
    assert decode_message(message, 500) == fetched


REQUEST = Request("https://a.cn/")


def test_truncated_flag_survives_the_message() -> None:
    fetched = FetchResult(
        "https://a.cn/", 429, {"Retry-After": "5"}, b"x", "the response is cut", Reason.RESPONSE_INCOMPLETE
    )
    response = build_response(decode_message(encode_message(fetched), 100), REQUEST)
    assert isinstance(response, IncompleteResponse)
    assert (response.status, response.body, response.headers["Retry-After"]) == (429, b"x", b"5")
    assert str(response.error) == "the response is cut"


@pytest.mark.parametrize("passing", [True, False])
@pytest.mark.parametrize(
    "reason", [Reason.CONNECTION_ERROR, Reason.RESPONSE_INCOMPLETE, Reason.REQUEST_DROPPED, Reason.RESPONSE_TOO_LARGE]
)
def test_failure_reason_survives_the_message(reason: Reason, passing: bool) -> None:
    fetched = decode_message(encode_message(FetchResult(error="it failed", reason=reason, retryable=passing)), 100)
    with pytest.raises(Exception, match="it failed") as raised:
        build_response(fetched, REQUEST)
    assert isinstance(raised.value, IgnoreRequest) is not passing
    if not passing or reason in {Reason.CONNECTION_ERROR, Reason.RESPONSE_INCOMPLETE}:
        assert request_reason(raised.value) is reason


def test_oversized_message_is_rejected() -> None:
    with pytest.raises(ParseError):
        decode_message(encode_message(FetchResult(body=bytes(1_000_000))), 1000)


def test_truncated_message_is_rejected() -> None:
    message = base64.b64decode(encode_message(FetchResult(url="https://a.cn/")))
    with pytest.raises(ParseError):
        decode_message(base64.b64encode(message[:-5]).decode(), 1000)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"body": ""}'[:-1], b'{"body": "", "newer": 1}', b'{"body": 5}'])
def test_message_of_another_version_is_rejected(text: bytes) -> None:
    with pytest.raises(ParseError):
        decode_message(base64.b64encode(zlib.compress(text)).decode(), 1000)


@given(st.text())
def test_arbitrary_text_is_no_message(text: str) -> None:
    with pytest.raises(ParseError):
        decode_message(text, 1000)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": 5},
        {"status": "200"},
        {"status": True},
        {"status": 99_999},
        {"status": 0},
        {"headers": []},
        {"headers": {"Content-Type": 5}},
        {"headers": None},
        {"error": ["x"]},
        {"reason": "no such reason"},
        {"reason": ["x"]},
        {"retryable": "yes"},
        {"body": 5},
        {"body": "no base64"},
        {"more": 1},
    ],
    ids=str,
)
def test_message_with_other_fields_is_rejected(fields: dict[str, object]) -> None:
    right = {"url": "https://a.cn/", "status": 200, "headers": {}, "body": "", "error": "", "reason": None, "retryable": False}  # fmt: skip
    assert decode_message(encode_json(json.dumps(right)), 100).status == 200
    with pytest.raises(ParseError):
        decode_message(encode_json(json.dumps({**right, **fields})), 100)


@pytest.mark.parametrize("text", ["", "5", "null", "[]", "{}", "[" * 60_000, "\ud800"], ids=lambda text: text[:5])
def test_message_that_is_no_object_is_rejected(text: str) -> None:
    with pytest.raises(ParseError):
        decode_message(encode_json(text), 100)


def encode_json(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode("utf-8", "surrogatepass"))).decode()
