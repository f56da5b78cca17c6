"""Is a reply whole? And how long does a source want to be left alone?"""

import gzip
from datetime import timedelta

import pytest

from crawler.content.clock import now
from crawler.content.decompress import MAX_HEADER_BYTES, check_header_size, decompress
from crawler.crawl.policy.backoff import backoff_delay, parse_retry_after
from crawler.errors import ParseError, SourceError

PACKED = gzip.compress(b"x" * 1_000, mtime=0)


@pytest.mark.parametrize("packing", ["", "identity", " IDENTITY "])
def test_what_is_not_packed_is_itself(packing: str) -> None:
    assert decompress(PACKED, packing, 1) == PACKED


@pytest.mark.parametrize("packing", ["gzip", "x-gzip", " GZIP"])
def test_what_is_packed_is_unpacked_up_to_the_bound(packing: str) -> None:
    assert decompress(PACKED, packing, 1_000) == b"x" * 1_000
    with pytest.raises(ParseError, match="over 999 bytes"):
        decompress(PACKED, packing, 999)
    assert decompress(b"", packing, 1) == b""


@pytest.mark.parametrize("end", range(1, len(PACKED)))
def test_what_is_cut_anywhere_is_not_whole(end: int) -> None:
    with pytest.raises(SourceError, match="cut"):
        decompress(PACKED[:end], "gzip", 1_000)


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
    with pytest.raises(SourceError, match=says):
        decompress(body, packing, 1_000)


def test_headers_are_counted_with_their_names() -> None:
    check_header_size([(b"a", [b"x" * (MAX_HEADER_BYTES - 1)])])
    with pytest.raises(ParseError, match="bytes of headers"):
        check_header_size([(b"a", [b"x" * (MAX_HEADER_BYTES // 2)] * 2)])


@pytest.mark.parametrize("header", ["", "0", "-1", "1.5", "soon", "1e3", "９", "86401", "9" * 400, "Mon, 99 Jan 2001", "\0"])  # fmt: skip
def test_a_wait_that_nobody_means_is_none(header: str) -> None:
    assert parse_retry_after(header, now()) is None


def test_a_wait_is_a_number_or_a_date() -> None:
    assert parse_retry_after(" 120 ", now()) == timedelta(minutes=2)
    assert parse_retry_after("86400", now()) == timedelta(days=1)


def test_a_wait_of_itself_doubles_from_a_minute_to_six_hours() -> None:
    lasted, waits = timedelta(0), []
    for _ in range(12):
        waits.append(backoff_delay(lasted) // timedelta(minutes=1))
        lasted += backoff_delay(lasted)
    assert waits == [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]
