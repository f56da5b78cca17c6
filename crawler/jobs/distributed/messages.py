"""Messages of a worker: the result of one request, serialized as text that any JSON can carry. Pure."""

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field

from crawler.errors import ParseError
from crawler.items import Reason

# Response headers that coordinators use.
FORWARDED_HEADERS = ("Content-Type", "Retry-After")


@dataclass(frozen=True, slots=True)
class FetchResult:
    """Response as received, or the error.

    `url` is the address after redirects. Without a complete response, `error` is one line, `reason` its code, and
    `retryable` is True if another attempt may succeed.
    """

    url: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    reason: Reason | None = None
    retryable: bool = False


def encode_message(result: FetchResult) -> str:
    """Return a result as compressed Base64, since PostgreSQL's JSON can contain neither bytes nor NUL.

    >>> decode_message(encode_message(FetchResult(url="https://a.cn/", status=200, body=b"x")), 100).body
    b'x'
    """
    fields = {**asdict(result), "body": base64.b64encode(result.body).decode()}
    return base64.b64encode(zlib.compress(json.dumps(fields).encode(), level=1)).decode()


def decode_message(message: str, max_size: int) -> FetchResult:
    """Return the result of a message. Raises ParseError if it is malformed or its body exceeds `max_size` bytes."""
    try:
        decompressor = zlib.decompressobj()
        # Base64 is a third longer than the body; 64 KiB are for the other fields.
        text = decompressor.decompress(base64.b64decode(message, validate=True), 2 * max_size + 65_536)
        if not decompressor.eof:
            raise ParseError("the worker's message is truncated or too large")
        fields = json.loads(text)
        reason = Reason(fields["reason"]) if fields["reason"] else None
        body = base64.b64decode(fields["body"], validate=True)
        result = FetchResult(**{**fields, "reason": reason, "body": body})
        texts = (result.url, result.error, *result.headers, *result.headers.values())
        if not all(isinstance(text, str) for text in texts) or type(result.retryable) is not bool:
            raise TypeError("another type than declared")
        # Status 0 means that there is no response, and needs a reason.
        is_valid_status = result.status in range(100, 600) or (result.status == 0 and result.reason is not None)
        if type(result.status) is not int or not is_valid_status:
            raise ValueError("no status of a response")
        return result
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, zlib.error) as error:
        raise ParseError(
            "the worker's message cannot be read: install the same version of finews on all machines"
        ) from error
