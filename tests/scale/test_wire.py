"""What a fetcher sends back: whatever it is, it arrives as it was, or is told to be no such thing."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from crawler.errors import Unreadable
from crawler.jobs.distributed.messages import Fetched, pack, unpack


@given(
    some.builds(
        Fetched,
        headers=some.dictionaries(some.text(), some.text()),
        flags=some.lists(some.text()),
        body=some.binary(max_size=500),
    )
)
def test_what_is_packed_is_unpacked(fetched: Fetched) -> None:
    packed = pack(fetched)
    assert packed.isascii()
    assert unpack(packed, 500) == fetched


def test_a_message_that_swells_is_not_unpacked() -> None:
    with pytest.raises(Unreadable):
        unpack(pack(Fetched(body=bytes(1_000_000))), 1000)


def test_a_message_that_is_cut_is_not_unpacked() -> None:
    whole = base64.b64decode(pack(Fetched(url="https://a.cn/")))
    with pytest.raises(Unreadable):
        unpack(base64.b64encode(whole[:-5]).decode(), 1000)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"body": ""}'[:-1], b'{"body": "", "newer": 1}', b'{"body": 5}'])
def test_a_message_of_another_version_is_told(text: bytes) -> None:
    with pytest.raises(Unreadable):
        unpack(base64.b64encode(zlib.compress(text)).decode(), 1000)


@given(some.text())
def test_no_message_is_an_accident(text: str) -> None:
    with pytest.raises(Unreadable):
        unpack(text, 1000)
