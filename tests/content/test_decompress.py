"""Decompression of responses: complete, truncated, corrupt and too large ones."""

import gzip

import pytest

from crawler.content.decompress import MAX_HEADER_BYTES, check_header_size, decompress
from crawler.errors import ParseError, SourceError

GZIPPED = gzip.compress(b"x" * 1_000, mtime=0)


@pytest.mark.parametrize(
    "content_encoding", ["", "identity", " IDENTITY ", "none", "UTF-8", "gbk", "identity, utf-8", ",", "\x1b[31m"]
)
def test_body_without_encoding_is_returned_unchanged(content_encoding: str) -> None:
    assert decompress(GZIPPED, content_encoding, 1) == GZIPPED


@pytest.mark.parametrize(
    "content_encoding", ["gzip", "x-gzip", " GZIP", "identity, gzip", "gzip, identity", "UTF-8,gzip", "gzip, none"]
)
def test_gzip_is_decompressed_up_to_max_size(content_encoding: str) -> None:
    assert decompress(GZIPPED, content_encoding, 1_000) == b"x" * 1_000
    with pytest.raises(ParseError, match="over 999 bytes"):
        decompress(GZIPPED, content_encoding, 999)
    assert decompress(b"", content_encoding, 1) == b""


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 10_000], ids=len)
def test_all_members_of_gzip_are_read(padding: bytes) -> None:
    members = [gzip.compress(text, mtime=0) for text in (b"a" * 500, b"", b"b" * 500)]
    assert decompress(padding.join((*members, b"")), "gzip", 1_000) == b"a" * 500 + b"b" * 500


def test_max_size_is_that_of_all_members_together() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000, mtime=0)
    with pytest.raises(ParseError, match="over 1999 bytes"):
        decompress(GZIPPED * 2, "gzip", 1_999)
    for body in (bomb, GZIPPED + bomb, bomb + GZIPPED):
        with pytest.raises(ParseError, match="over 1000 bytes"):
            decompress(body, "gzip", 1_000)


def test_time_for_many_members_is_bounded() -> None:
    with pytest.raises(ParseError, match="members"):
        decompress(gzip.compress(b"", mtime=0) * 100_000, "gzip", 1_000)


@pytest.mark.parametrize("end", range(1, len(GZIPPED)))
def test_truncated_gzip_is_an_error(end: int) -> None:
    for body in (GZIPPED[:end], GZIPPED + GZIPPED[:end], GZIPPED + b"\0" + GZIPPED[:end]):
        with pytest.raises(SourceError, match="cut"):
            decompress(body, "gzip", 2_000)


@pytest.mark.parametrize(
    ("body", "content_encoding", "expected_message"),
    [
        (GZIPPED + b"x", "gzip", "after its end"),
        (GZIPPED + b"\0x", "gzip", "after its end"),
        (GZIPPED + b"\x1f\x8c", "gzip", "after its end"),
        (GZIPPED + GZIPPED[:-8] + b"\0" + GZIPPED[-7:], "gzip", "incorrect data check"),
        (GZIPPED[:-8] + b"\0" + GZIPPED[-7:], "gzip", "incorrect data check"),
        (b"plain", "gzip", "incorrect header check"),
        (GZIPPED, "br", "packed as br"),
        (GZIPPED, "identity, Zstd", "packed as zstd"),
        (GZIPPED, "gzip, gzip", "packed as gzip, gzip"),
        (GZIPPED, "gzip, deflate", "packed as gzip, deflate"),
    ],
)
def test_invalid_compression_is_an_error(body: bytes, content_encoding: str, expected_message: str) -> None:
    with pytest.raises(SourceError, match=expected_message):
        decompress(body, content_encoding, 2_000)


def test_header_size_includes_names() -> None:
    check_header_size([(b"a", [b"x" * (MAX_HEADER_BYTES - 1)])])
    with pytest.raises(ParseError, match="bytes of headers"):
        check_header_size([(b"a", [b"x" * (MAX_HEADER_BYTES // 2)] * 2)])
