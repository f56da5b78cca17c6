"""What a fetcher sends back: whatever it is, it arrives as it was, or is told to be no such thing."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from crawler.errors import ParseError
from crawler.jobs.distributed.messages import FetchResult, decode_message, encode_message


@given(
    some.builds(
        FetchResult,
        headers=some.dictionaries(some.text(), some.text()),
        flags=some.lists(some.text()),
        body=some.binary(max_size=500),
    )
)
def test_what_is_packed_is_unpacked(fetched: FetchResult) -> None:
    packed = encode_message(fetched)
    assert packed.isascii()
    assert decode_message(packed, 500) == fetched


def test_a_message_that_swells_is_not_unpacked() -> None:
    with pytest.raises(ParseError):
        decode_message(encode_message(FetchResult(body=bytes(1_000_000))), 1000)


def test_a_message_that_is_cut_is_not_unpacked() -> None:
    whole = base64.b64decode(encode_message(FetchResult(url="https://a.cn/")))
    with pytest.raises(ParseError):
        decode_message(base64.b64encode(whole[:-5]).decode(), 1000)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"body": ""}'[:-1], b'{"body": "", "newer": 1}', b'{"body": 5}'])
def test_a_message_of_another_version_is_told(text: bytes) -> None:
    with pytest.raises(ParseError):
        decode_message(base64.b64encode(zlib.compress(text)).decode(), 1000)


@given(some.text())
def test_no_message_is_an_accident(text: str) -> None:
    with pytest.raises(ParseError):
        decode_message(text, 1000)
