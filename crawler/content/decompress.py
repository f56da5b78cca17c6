"""Decompression of responses, strict: a body that is truncated, corrupt or too large is an error. Pure.

Scrapy passes on the readable part of a truncated or corrupt stream as if it were complete.
"""

import zlib
from collections.abc import Iterable

from crawler.errors import IncompleteResponseError, ParseError

# The only encoding that a crawl accepts: its end and checksum prove a complete body, and zlib is in the library.
ACCEPT_ENCODING = "gzip"
# Bytes; the source sends less than 2 KiB.
MAX_HEADER_BYTES = 64 * 1024

# The registered encodings that change a body (RFC 9110, section 8.4.1). Any other name, such as `none` or a charset, is
# a server's mistake and says nothing of the body: browsers pass it on as it is.
_ENCODINGS = frozenset({"aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "gzip", "pack200-gzip", "zstd"})
_GZIP_WBITS = zlib.MAX_WBITS | 16
_GZIP_MAGIC = b"\x1f\x8b"
# Members; each costs a copy of what follows it, 1 s in all for a body of 8 MiB.
_MAX_GZIP_MEMBERS = 1_000


def check_header_size(headers: Iterable[tuple[bytes, Iterable[bytes]]]) -> None:
    """Check the size of headers; raise ParseError when it is over MAX_HEADER_BYTES."""
    size = sum(len(name) + len(value) for name, values in headers for value in values)
    if size > MAX_HEADER_BYTES:
        raise ParseError(f"the response has {size:,} bytes of headers, over {MAX_HEADER_BYTES:,}")


def decompress(body: bytes, content_encoding: str, max_size: int) -> bytes:
    """Return a response body, decoded as its header Content-Encoding says.

    All members of a gzip file (RFC 1952) are decoded; zeros may follow each. Raises IncompleteResponseError when the
    body is truncated or corrupt, so a retry may help, and ParseError before more than `max_size` bytes are unpacked.
    """
    names = (name.strip().lower().removeprefix("x-") for name in content_encoding.split(","))
    encodings = [name for name in names if name in _ENCODINGS]
    if not body or not encodings:
        return body
    if encodings != [ACCEPT_ENCODING]:
        raise IncompleteResponseError(f"the response is packed as {', '.join(encodings)[:40]}, which was not requested")
    contents: list[bytes] = []
    size = 0
    while body:
        if len(contents) == _MAX_GZIP_MEMBERS:
            raise ParseError(f"the response has over {_MAX_GZIP_MEMBERS:,} gzip members")
        decompressor = zlib.decompressobj(_GZIP_WBITS)
        try:
            contents.append(decompressor.decompress(body, max_size + 1 - size))
        except zlib.error as error:
            raise IncompleteResponseError(f"the response is broken: {error}") from error
        size += len(contents[-1])
        if size > max_size:
            raise ParseError(f"the response is over {max_size} bytes when unpacked")
        if not decompressor.eof:
            raise IncompleteResponseError("the response is cut")
        body = decompressor.unused_data.lstrip(b"\0")
        if not _GZIP_MAGIC.startswith(body[: len(_GZIP_MAGIC)]):
            raise IncompleteResponseError("the response goes on after its end")
    return b"".join(contents)
