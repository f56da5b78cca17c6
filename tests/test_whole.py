"""Is a reply whole? And how long does a source want to be left alone?"""

import gzip
from datetime import timedelta

import pytest

from crawler.content.clock import now
from crawler.content.decompress import LARGEST_HEADERS, check_headers, unpack
from crawler.crawl.policy.backoff import asked_for, of_itself
from crawler.errors import Refused, Unreadable

PACKED = gzip.compress(b"x" * 1_000, mtime=0)


@pytest.mark.parametrize("packing", ["", "identity", " IDENTITY "])
def test_what_is_not_packed_is_itself(packing: str) -> None:
    assert unpack(PACKED, packing, 1) == PACKED


@pytest.mark.parametrize("packing", ["gzip", "x-gzip", " GZIP"])
def test_what_is_packed_is_unpacked_up_to_the_bound(packing: str) -> None:
    assert unpack(PACKED, packing, 1_000) == b"x" * 1_000
    with pytest.raises(Unreadable, match="over 999 bytes"):
        unpack(PACKED, packing, 999)
    assert unpack(b"", packing, 1) == b""


@pytest.mark.parametrize("end", range(1, len(PACKED)))
def test_what_is_cut_anywhere_is_not_whole(end: int) -> None:
    with pytest.raises(Refused, match="cut"):
        unpack(PACKED[:end], "gzip", 1_000)


@pytest.mark.parametrize(
    ("body", "packing", "says"),
    [
        (PACKED + b"x", "gzip", "after its end"),
        (PACKED[:-8] + b"\0" + PACKED[-7:], "gzip", "incorrect data check"),
        (b"plain", "gzip", "incorrect header check"),
        (PACKED, "br", "packed as br"),
        (PACKED, "gzip, gzip", "packed as gzip, gzip"),
        (PACKED, "\x1b[31m", r"packed as \[31m"),
    ],
)
def test_what_is_broken_is_told(body: bytes, packing: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        unpack(body, packing, 1_000)


def test_headers_are_counted_with_their_names() -> None:
    check_headers([(b"a", [b"x" * (LARGEST_HEADERS - 1)])])
    with pytest.raises(Unreadable, match="bytes of headers"):
        check_headers([(b"a", [b"x" * (LARGEST_HEADERS // 2)] * 2)])


@pytest.mark.parametrize("header", ["", "0", "-1", "1.5", "soon", "1e3", "９", "86401", "9" * 400, "Mon, 99 Jan 2001", "\0"])  # fmt: skip
def test_a_wait_that_nobody_means_is_none(header: str) -> None:
    assert asked_for(header, now()) is None


def test_a_wait_is_a_number_or_a_date() -> None:
    assert asked_for(" 120 ", now()) == timedelta(minutes=2)
    assert asked_for("86400", now()) == timedelta(days=1)


def test_a_wait_of_itself_doubles_from_a_minute_to_six_hours() -> None:
    lasted, waits = timedelta(0), []
    for _ in range(12):
        waits.append(of_itself(lasted) // timedelta(minutes=1))
        lasted += of_itself(lasted)
    assert waits == [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]
