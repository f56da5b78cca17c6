"""Is a reply whole, and of a size to be one? Pure.

Scrapy hands over what could be unpacked of a stream that was cut, or whose checksum is wrong, as if it were all.
"""

import zlib
from collections.abc import Iterable

from crawler.content.unicode_text import one_line
from crawler.errors import Refused, Unreadable

# What a crawl asks for: a packing whose end and checksum tell that nothing is missing, and that needs no library.
PACKING = "gzip"
# The source's are below 2 KiB.
LARGEST_HEADERS = 64 * 1024

_GZIP = zlib.MAX_WBITS | 16


def check_headers(headers: Iterable[tuple[bytes, Iterable[bytes]]]) -> None:
    """Raises Unreadable for headers that are larger than those of any reply."""
    size = sum(len(name) + len(value) for name, values in headers for value in values)
    if size > LARGEST_HEADERS:
        raise Unreadable(f"the reply has {size:,} bytes of headers, over {LARGEST_HEADERS:,}")


def unpack(body: bytes, packing: str, largest: int) -> bytes:
    """What a body holds that is packed as its header Content-Encoding says.

    Raises Refused when it is cut or broken, and may come whole the next time, and Unreadable before more than `largest`
    bytes are unpacked.
    """
    name = packing.strip().lower().removeprefix("x-")
    if not body or name in {"", "identity"}:
        return body
    if name != PACKING:
        raise Refused(f"the reply is packed as {one_line(packing)[:40]}, which was not asked for")
    stream = zlib.decompressobj(_GZIP)
    try:
        unpacked = stream.decompress(body, largest + 1)
    except zlib.error as error:
        raise Refused(f"the reply is broken: {error}") from error
    if len(unpacked) > largest:
        raise Unreadable(f"the reply is over {largest} bytes when unpacked")
    if not stream.eof or stream.unused_data:
        raise Refused("the reply is cut" if not stream.eof else "the reply goes on after its end")
    return unpacked
