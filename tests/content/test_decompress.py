"""Is a reply whole? And how long does a source want to be left alone?"""

import gzip

import pytest

from crawler.content.decompress import MAX_HEADER_BYTES, check_header_size, decompress
from crawler.errors import ParseError, SourceError

GZIPPED = gzip.compress(b"x" * 1_000, mtime=0)


@pytest.mark.parametrize("content_encoding", ["", "identity", " IDENTITY "])
def test_identity_encoding_is_returned_unchanged(content_encoding: str) -> None:
    assert decompress(GZIPPED, content_encoding, 1) == GZIPPED


@pytest.mark.parametrize("content_encoding", ["gzip", "x-gzip", " GZIP"])
def test_gzip_is_decompressed_up_to_max_size(content_encoding: str) -> None:
    assert decompress(GZIPPED, content_encoding, 1_000) == b"x" * 1_000
    with pytest.raises(ParseError, match="over 999 bytes"):
        decompress(GZIPPED, content_encoding, 999)
    assert decompress(b"", content_encoding, 1) == b""


@pytest.mark.parametrize("end", range(1, len(GZIPPED)))
def test_truncated_gzip_is_an_error(end: int) -> None:
    with pytest.raises(SourceError, match="cut"):
        decompress(GZIPPED[:end], "gzip", 1_000)


@pytest.mark.parametrize(
    ("body", "content_encoding", "expected_message"),
    [
        (GZIPPED + b"x", "gzip", "after its end"),
        (GZIPPED[:-8] + b"\0" + GZIPPED[-7:], "gzip", "incorrect data check"),
        (b"plain", "gzip", "incorrect header check"),
        (GZIPPED, "br", "packed as br"),
        (GZIPPED, "gzip, gzip", "packed as gzip, gzip"),
        (GZIPPED, "\x1b[31m", r"packed as \[31m"),
    ],
)
def test_invalid_compression_is_an_error(body: bytes, content_encoding: str, expected_message: str) -> None:
    with pytest.raises(SourceError, match=expected_message):
        decompress(body, content_encoding, 1_000)


def test_header_size_includes_names() -> None:
    check_header_size([(b"a", [b"x" * (MAX_HEADER_BYTES - 1)])])
    with pytest.raises(ParseError, match="bytes of headers"):
        check_header_size([(b"a", [b"x" * (MAX_HEADER_BYTES // 2)] * 2)])
