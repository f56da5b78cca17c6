"""Decompression of responses, strict: a body that is truncated, corrupt or too large is an error. Pure.

Scrapy hands over what could be unpacked of a stream that was cut, or whose checksum is wrong, as if it were all.
"""

import zlib
from collections.abc import Iterable

from crawler.errors import IncompleteResponseError, ParseError

# What a crawl asks for: an encoding whose end and checksum show that nothing is missing, and that needs no library.
ACCEPT_ENCODING = "gzip"
# The source's are below 2 KiB.
MAX_HEADER_BYTES = 64 * 1024

# The registered encodings that change a body (RFC 9110, section 8.4.1). Any other name, such as `none` or a charset, is
# a server's mistake and says nothing of the body: browsers pass it on as it is.
_ENCODINGS = frozenset({"aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "gzip", "pack200-gzip", "zstd"})
_GZIP_WBITS = zlib.MAX_WBITS | 16
_GZIP_MAGIC = b"\x1f\x8b"
# Members; each costs a copy of what follows it, 1 s in all for a body of 8 MiB.
_MAX_GZIP_MEMBERS = 1_000


def check_header_size(headers: Iterable[tuple[bytes, Iterable[bytes]]]) -> None:
    """Raises ParseError for headers that are larger than those of any response."""
    size = sum(len(name) + len(value) for name, values in headers for value in values)
    if size > MAX_HEADER_BYTES:
        raise ParseError(f"the reply has {size:,} bytes of headers, over {MAX_HEADER_BYTES:,}")


def decompress(body: bytes, content_encoding: str, max_size: int) -> bytes:
    """Return the body that is packed as its header Content-Encoding says.

    Raises IncompleteResponseError when it is cut or broken, and may come whole the next time, and ParseError before
    more than `max_size` bytes are unpacked.
    """
    names = (name.strip().lower().removeprefix("x-") for name in content_encoding.split(","))
    encodings = [name for name in names if name in _ENCODINGS]
    if not body or not encodings:
        return body
    if encodings != [ACCEPT_ENCODING]:
        raise IncompleteResponseError(f"the reply is packed as {', '.join(encodings)[:40]}, which was not asked for")
    return _decompress_gzip(body, max_size)


def _decompress_gzip(body: bytes, max_size: int) -> bytes:
    """Return the contents of all members of a gzip file (RFC 1952); zeros may follow each member.

    Raises as `decompress` does.
    """
    contents: list[bytes] = []
    size = 0
    while body:
        if len(contents) == _MAX_GZIP_MEMBERS:
            raise ParseError(f"the reply has over {_MAX_GZIP_MEMBERS:,} gzip members")
        decompressor = zlib.decompressobj(_GZIP_WBITS)
        try:
            contents.append(decompressor.decompress(body, max_size + 1 - size))
        except zlib.error as error:
            raise IncompleteResponseError(f"the reply is broken: {error}") from error
        size += len(contents[-1])
        if size > max_size:
            raise ParseError(f"the reply is over {max_size} bytes when unpacked")
        if not decompressor.eof:
            raise IncompleteResponseError("the reply is cut")
        body = decompressor.unused_data.lstrip(b"\0")
        if not _GZIP_MAGIC.startswith(body[: len(_GZIP_MAGIC)]):
            raise IncompleteResponseError("the reply goes on after its end")
    return b"".join(contents)
