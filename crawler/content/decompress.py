"""Decompression of responses, strict: a body that is truncated, corrupt or too large is an error. Pure.

Scrapy hands over what could be unpacked of a stream that was cut, or whose checksum is wrong, as if it were all.
"""

import zlib
from collections.abc import Iterable

from crawler.content.unicode_text import collapse_whitespace
from crawler.errors import IncompleteResponseError, ParseError

# What a crawl asks for: an encoding whose end and checksum show that nothing is missing, and that needs no library.
ACCEPT_ENCODING = "gzip"
# The source's are below 2 KiB.
MAX_HEADER_BYTES = 64 * 1024

_GZIP_WBITS = zlib.MAX_WBITS | 16


def check_header_size(headers: Iterable[tuple[bytes, Iterable[bytes]]]) -> None:
    """Raises ParseError for headers that are larger than those of any response."""
    size = sum(len(name) + len(value) for name, values in headers for value in values)
    if size > MAX_HEADER_BYTES:
        raise ParseError(f"the reply has {size:,} bytes of headers, over {MAX_HEADER_BYTES:,}")


def decompress(body: bytes, content_encoding: str, max_size: int) -> bytes:
    """What a body holds that is packed as its header Content-Encoding says.

    Raises IncompleteResponseError when it is cut or broken, and may come whole the next time, and ParseError before
    more than `max_size` bytes are unpacked.
    """
    encoding = content_encoding.strip().lower().removeprefix("x-")
    if not body or encoding in {"", "identity"}:
        return body
    if encoding != ACCEPT_ENCODING:
        raise IncompleteResponseError(
            f"the reply is packed as {collapse_whitespace(content_encoding)[:40]}, which was not asked for"
        )
    decompressor = zlib.decompressobj(_GZIP_WBITS)
    try:
        decompressed = decompressor.decompress(body, max_size + 1)
    except zlib.error as error:
        raise IncompleteResponseError(f"the reply is broken: {error}") from error
    if len(decompressed) > max_size:
        raise ParseError(f"the reply is over {max_size} bytes when unpacked")
    if not decompressor.eof or decompressor.unused_data:
        raise IncompleteResponseError("the reply is cut" if not decompressor.eof else "the reply goes on after its end")
    return decompressed
