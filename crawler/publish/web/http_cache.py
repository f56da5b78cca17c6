"""HTTP caching (RFC 9110): responses with validators and gzip, or 304 where the client's copy is current."""

import gzip
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256

from datasette.utils.asgi import Request, Response

_ZERO_QUALITY = re.compile(r"q\s*=\s*0(?:\.0*)?")
# Clients must revalidate a stored response each time. It depends on the encodings that the client accepts.
_CACHE_HEADERS = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}


def is_unmodified(request: Request, modified_at: int | None) -> bool:
    """Return whether the copy of a client without an ETag is current; `modified_at` is in seconds since 1970."""
    if modified_at is None or request.headers.get("if-none-match"):
        return False
    try:
        return parsedate_to_datetime(request.headers.get("if-modified-since", "")).timestamp() >= modified_at
    except (ValueError, OverflowError):
        return False


def build_response(
    request: Request, content: bytes, content_type: str, modified_at: int | None, now: datetime
) -> Response:
    """Return a response with validators, compressed if the client accepts gzip, or 304 if its copy is current.

    `modified_at` is None if it is not known.
    """
    # Weak, since the compressed content has the same ETag.
    etag = f'W/"{sha256(content).hexdigest()[:32]}"'
    headers = {**_CACHE_HEADERS, "ETag": etag, **_last_modified(modified_at, now)}
    if _has_etag(request.headers.get("if-none-match", ""), etag):
        return Response(status=304, headers=headers)
    if _accepts_gzip(request.headers.get("accept-encoding", "")):
        content, headers["Content-Encoding"] = gzip.compress(content, mtime=0), "gzip"
    return Response(content, headers=headers, content_type=content_type)


def build_not_modified(modified_at: int | None, now: datetime) -> Response:
    """Return a 304 without an ETag, which would need the content."""
    return Response(status=304, headers={**_CACHE_HEADERS, **_last_modified(modified_at, now)})


def _last_modified(modified_at: int | None, now: datetime) -> dict[str, str]:
    """Return the header, at most the previous second: another change may follow within this second."""
    if modified_at is None:
        return {}
    seconds = min(modified_at, int(now.timestamp()) - 1)
    return {"Last-Modified": format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)}


def _has_etag(if_none_match: str, etag: str) -> bool:
    """Return whether a request header contains an ETag, weak or strong, or `*`.

    >>> _has_etag('"a", W/"b"', 'W/"b"'), _has_etag('"b"', 'W/"b"'), _has_etag('*', 'W/"b"'), _has_etag('', 'W/"b"')
    (True, True, True, False)
    """
    names = {name.strip().removeprefix("W/") for name in if_none_match.split(",")}
    return bool(names & {etag.removeprefix("W/"), "*"})


def _accepts_gzip(accept_encoding: str) -> bool:
    """Return whether a client accepts gzip.

    >>> [_accepts_gzip(header) for header in ("br, gzip;q=0.5", "*", "gzip;q=0, *", "identity", "")]
    [True, True, False, False, False]
    """
    parts = (part.partition(";") for part in accept_encoding.lower().split(","))
    quality_by_coding = {coding.strip(): quality.strip() for coding, _, quality in parts}
    quality = quality_by_coding.get("gzip", quality_by_coding.get("*", "q=0"))
    return not _ZERO_QUALITY.fullmatch(quality)
