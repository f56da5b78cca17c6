"""What a fetcher sends back for one request, as text that any JSON can carry. Pure."""

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field

from crawler.errors import Unreadable

# What a recorder reads of a reply's headers.
HEADERS = ("Content-Type", "Retry-After")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A reply as it came, or why there is none.

    `url` is the address that answered in the end. Without a reply `error` says why in one line, and `passing` whether
    the next attempt may have one.
    """

    url: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    body: bytes = b""
    error: str = ""
    passing: bool = False


def pack(fetched: Fetched) -> str:
    """Compressed, and in letters: PostgreSQL's JSON holds neither bytes nor NUL.

    >>> unpack(pack(Fetched(url="https://a.cn/", status=200, body=b"x")), 100).body
    b'x'
    """
    values = {**asdict(fetched), "body": base64.b64encode(fetched.body).decode()}
    return base64.b64encode(zlib.compress(json.dumps(values).encode(), level=1)).decode()


def unpack(packed: str, largest: int) -> Fetched:
    """What was packed. Raises Unreadable when it is no such thing, or its body is larger than `largest` bytes."""
    try:
        opened = zlib.decompressobj()
        # Letters are a third longer than the bytes; the rest is small.
        text = opened.decompress(base64.b64decode(packed, validate=True), 2 * largest + 65_536)
        if not opened.eof:
            raise Unreadable("a fetcher's message is cut or too large")
        values = json.loads(text)
        return Fetched(**{**values, "body": base64.b64decode(values["body"], validate=True)})
    except (ValueError, TypeError, KeyError, zlib.error) as error:
        raise Unreadable("a fetcher's message cannot be read: is its finews as new as the recorder's?") from error
