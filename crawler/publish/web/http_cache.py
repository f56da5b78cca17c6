"""HTTP caching: a response with validators and gzip, or 304 for what the client has already (RFC 9110)."""

import gzip
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256

from datasette.utils.asgi import Request, Response

_ZERO_QUALITY = re.compile(r"q\s*=\s*0(?:\.0*)?")
# Clients may keep the response, but ask each time whether it is current; it differs by what they accept.
_CACHE_HEADERS = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}


def is_unmodified(request: Request, modified_at: int | None) -> bool:
    """Return whether a client that has no ETag to compare has what was last modified then, in seconds since 1970."""
    if modified_at is None or request.headers.get("if-none-match"):
        return False
    try:
        return parsedate_to_datetime(request.headers.get("if-modified-since", "")).timestamp() >= modified_at
    except (ValueError, OverflowError):
        return False


def build_response(
    request: Request, content: bytes, content_type: str, modified_at: int | None, now: datetime
) -> Response:
    """Return content with its validators, compressed where the client accepts it; 304 where the client has it.

    `modified_at` is None where it is not known.
    """
    # Weak: the compressed form has the same.
    etag = f'W/"{sha256(content).hexdigest()[:32]}"'
    headers = {**_CACHE_HEADERS, "ETag": etag, **_last_modified(modified_at, now)}
    if _has_etag(request.headers.get("if-none-match", ""), etag):
        return Response(status=304, headers=headers)
    if _accepts_gzip(request.headers.get("accept-encoding", "")):
        content, headers["Content-Encoding"] = gzip.compress(content, mtime=0), "gzip"
    return Response(content, headers=headers, content_type=content_type)


def build_not_modified(modified_at: int | None, now: datetime) -> Response:
    """Return a 304 without the ETag, which takes the content to know."""
    return Response(status=304, headers={**_CACHE_HEADERS, **_last_modified(modified_at, now)})


def _last_modified(modified_at: int | None, now: datetime) -> dict[str, str]:
    """Return the header. A second that is not over may bring another change: the one before is certain."""
    if modified_at is None:
        return {}
    seconds = min(modified_at, int(now.timestamp()) - 1)
    return {"Last-Modified": format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)}


def _has_etag(if_none_match: str, etag: str) -> bool:
    """Return whether the header of a request names an ETag, weak or not; `*` is any.

    >>> _has_etag('"a", W/"b"', 'W/"b"'), _has_etag('"b"', 'W/"b"'), _has_etag('*', 'W/"b"'), _has_etag('', 'W/"b"')
    (True, True, True, False)
    """
    names = {name.strip().removeprefix("W/") for name in if_none_match.split(",")}
    return bool(names & {etag.removeprefix("W/"), "*"})


def _accepts_gzip(accept_encoding: str) -> bool:
    """Return whether a client takes gzip.

    >>> [_accepts_gzip(header) for header in ("br, gzip;q=0.5", "*", "gzip;q=0, *", "identity", "")]
    [True, True, False, False, False]
    """
    parts = (part.partition(";") for part in accept_encoding.lower().split(","))
    quality_by_coding = {coding.strip(): quality.strip() for coding, _, quality in parts}
    quality = quality_by_coding.get("gzip", quality_by_coding.get("*", "q=0"))
    return not _ZERO_QUALITY.fullmatch(quality)
