"""Messages of a worker: the result of one request, serialized as text that any JSON can carry. Pure."""

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field

from crawler.errors import ParseError
from crawler.items import Reason

# The response headers that a coordinator reads.
FORWARDED_HEADERS = ("Content-Type", "Retry-After")


@dataclass(frozen=True, slots=True)
class FetchResult:
    """A response as it came, or why there is none.

    `url` is the address that answered in the end. Without a complete response `error` says why in one line, `reason` is
    its code, and `retryable` whether the next attempt may have one.
    """

    url: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    reason: Reason | None = None
    retryable: bool = False


def encode_message(result: FetchResult) -> str:
    """Compressed, and in letters: PostgreSQL's JSON holds neither bytes nor NUL.

    >>> decode_message(encode_message(FetchResult(url="https://a.cn/", status=200, body=b"x")), 100).body
    b'x'
    """
    fields = {**asdict(result), "body": base64.b64encode(result.body).decode()}
    return base64.b64encode(zlib.compress(json.dumps(fields).encode(), level=1)).decode()


def decode_message(message: str, max_size: int) -> FetchResult:
    """Return what was encoded. Raises ParseError when it is none, or its body is larger than `max_size` bytes."""
    try:
        decompressor = zlib.decompressobj()
        # Letters are a third longer than the bytes; the rest is small.
        text = decompressor.decompress(base64.b64decode(message, validate=True), 2 * max_size + 65_536)
        if not decompressor.eof:
            raise ParseError("a fetcher's message is cut or too large")
        fields = json.loads(text)
        reason = Reason(fields["reason"]) if fields["reason"] else None
        body = base64.b64decode(fields["body"], validate=True)
        result = FetchResult(**{**fields, "reason": reason, "body": body})
        _check_types(result)
        return result
    except (ValueError, TypeError, KeyError, RecursionError, zlib.error) as error:
        raise ParseError("a fetcher's message cannot be read: is its finews as new as the recorder's?") from error


def _check_types(result: FetchResult) -> None:
    """Raises TypeError for values of other types than declared, and ValueError for a status that no response has."""
    types_match = (
        isinstance(result.headers, dict)
        and all(isinstance(text, str) for text in (result.url, result.error, *result.headers, *result.headers.values()))
        and type(result.status) is int
        and type(result.retryable) is bool
    )
    if not types_match:
        raise TypeError("another type than declared")
    if result.status not in range(100, 600) and (result.status or result.reason is None):
        raise ValueError("no status of a response")
