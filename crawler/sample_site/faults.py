"""Faults of a network or a source, each for one request.

    with SampleSite() as site:
        site.add_fault(r"/kuaixun/v2/api/article/", return_status(503, headers={"Retry-After": "30"}), times=2)
        site.add_fault(r"getNewsByColumns.*page_index=2", truncate_body(100))

A new fault is a class with ``apply`` and a small function that makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from crawler.sample_site.http_exchange import HTML_CONTENT_TYPE, JSON_CONTENT_TYPE, Exchange, HttpResponse

NO_HEADERS: Mapping[str, str] = {}


class Fault(Protocol):
    """A way to respond to a request."""

    def apply(self, exchange: Exchange) -> None:
        """Send a response, a part of one, or nothing."""


@dataclass(frozen=True)
class ReturnResponse:
    """A given response instead of the site's own."""

    response: HttpResponse

    def apply(self, exchange: Exchange) -> None:
        """Send the given response."""
        exchange.send_response(self.response)


@dataclass(frozen=True)
class ResetConnection:
    """No response: the connection is reset."""

    def apply(self, exchange: Exchange) -> None:
        """Reset the connection."""
        exchange.reset_connection()


@dataclass(frozen=True)
class DelayResponse:
    """A long silence, then the site's own response."""

    seconds: float

    def apply(self, exchange: Exchange) -> None:
        """Wait, then send the response."""
        exchange.wait(self.seconds)
        exchange.send_response(exchange.default_response)


@dataclass(frozen=True)
class TruncateBody:
    """The site's own response with a truncated body."""

    body_bytes: int

    def apply(self, exchange: Exchange) -> None:
        """Declare the whole length, send a part of the body, and close."""
        response = exchange.default_response
        exchange.send_response(response._replace(body=response.body[: self.body_bytes]), length=len(response.body))
        exchange.disable_keep_alive()


@dataclass(frozen=True)
class DripResponse:
    """The site's own response, some bytes at a time."""

    bytes_per_second: float

    def apply(self, exchange: Exchange) -> None:
        """Send ten pieces a second, or single bytes below ten bytes a second."""
        raw_response = (
            exchange.default_response.encode_head(len(exchange.default_response.body)) + exchange.default_response.body
        )
        chunk_size = max(1, round(self.bytes_per_second / 10))
        for start in range(0, len(raw_response), chunk_size):
            exchange.send_bytes(raw_response[start : start + chunk_size])
            exchange.wait(chunk_size / self.bytes_per_second)


@dataclass(frozen=True)
class DeclareLength:
    """The site's own response with a wrong length."""

    declared_length: int

    def apply(self, exchange: Exchange) -> None:
        """Send the whole body under the wrong length, and close: a next response would be misread."""
        exchange.send_response(exchange.default_response, length=self.declared_length)
        exchange.disable_keep_alive()


@dataclass(frozen=True)
class SendRaw:
    """Raw bytes, not necessarily HTTP."""

    data: bytes

    def apply(self, exchange: Exchange) -> None:
        """Send the bytes and close."""
        exchange.send_bytes(self.data)
        exchange.disable_keep_alive()


@dataclass(frozen=True)
class EditResponse:
    """The site's own response, edited."""

    edit: Callable[[HttpResponse], HttpResponse]

    def apply(self, exchange: Exchange) -> None:
        """Send the edited response."""
        exchange.send_response(self.edit(exchange.default_response))


@dataclass(frozen=True)
class OmitLength:
    """The site's own response without ``Content-Length``: the body ends with the connection."""

    body_bytes: int | None

    def apply(self, exchange: Exchange) -> None:
        """Send the body or a part, and close."""
        exchange.send_bytes(
            exchange.default_response.encode_head(0).replace(b"Content-Length: 0", b"Connection: close")
        )
        exchange.send_bytes(exchange.default_response.body[: self.body_bytes])
        exchange.disable_keep_alive()


@dataclass(frozen=True)
class TruncateChunks:
    """The site's own response in chunks, without the last one."""

    body_bytes: int

    def apply(self, exchange: Exchange) -> None:
        """Send a chunk and the head of another, and close."""
        exchange.send_bytes(
            exchange.default_response.encode_head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        )
        exchange.send_bytes(
            b"%x\r\n%b\r\n400\r\n"
            % (self.body_bytes, exchange.default_response.body[: self.body_bytes].ljust(self.body_bytes))
        )
        exchange.disable_keep_alive()


@dataclass(frozen=True)
class SendForever:
    """An endless body."""

    def apply(self, exchange: Exchange) -> None:
        """Send blanks until the client closes the connection."""
        exchange.send_bytes(
            exchange.default_response.encode_head(0).replace(b"Content-Length: 0", b"Connection: close")
        )
        while not exchange.stop_event.is_set():
            exchange.send_bytes(b" " * 65536)


@dataclass(frozen=True)
class ResetMidBody:
    """The site's own response, reset within the body."""

    body_bytes: int

    def apply(self, exchange: Exchange) -> None:
        """Send a part, wait 0.1 s for it to arrive, and reset."""
        exchange.send_bytes(
            exchange.default_response.encode_head(len(exchange.default_response.body))
            + exchange.default_response.body[: self.body_bytes]
        )
        exchange.wait(0.1)
        exchange.reset_connection()


def return_status(code: int, body: bytes = b"", headers: Mapping[str, str] = NO_HEADERS) -> Fault:
    """Respond with this status, by default without a body."""
    return ReturnResponse(HttpResponse(body, HTML_CONTENT_TYPE, code, tuple(headers.items())))


def return_body(data: bytes, content_type: str = JSON_CONTENT_TYPE, headers: Mapping[str, str] = NO_HEADERS) -> Fault:
    """Respond with status 200 and this body."""
    return ReturnResponse(HttpResponse(data, content_type, 200, tuple(headers.items())))


def return_redirect(url: str, code: int = 302) -> Fault:
    """Redirect to a URL."""
    return ReturnResponse(HttpResponse(b"", HTML_CONTENT_TYPE, code, (("Location", url),)))


def reset_connection() -> Fault:
    """Reset the connection before any response."""
    return ResetConnection()


def delay_response(seconds: float) -> Fault:
    """Send nothing for some seconds, then the response."""
    return DelayResponse(seconds)


def truncate_body(body_bytes: int) -> Fault:
    """Declare the whole length, send a number of bytes of the body, and close."""
    return TruncateBody(body_bytes)


def drip_response(bytes_per_second: float) -> Fault:
    """Send the response at this rate, headers included."""
    return DripResponse(bytes_per_second)


def declare_length(declared_length: int) -> Fault:
    """Send the whole body under this declared length in bytes."""
    return DeclareLength(declared_length)


def send_raw(data: bytes) -> Fault:
    """Send these bytes instead of a response."""
    return SendRaw(data)


def edit_response(edit: Callable[[HttpResponse], HttpResponse]) -> Fault:
    """Send the response as changed by a function."""
    return EditResponse(edit)


def omit_length(body_bytes: int | None = None) -> Fault:
    """Send the response without its length; with a number of bytes, truncate the body."""
    return OmitLength(body_bytes)


def truncate_chunks(body_bytes: int) -> Fault:
    """Send one chunk of this size in bytes, and no last chunk."""
    return TruncateChunks(body_bytes)


def send_forever() -> Fault:
    """Send an endless body."""
    return SendForever()


def reset_mid_body(body_bytes: int) -> Fault:
    """Send a number of bytes of the body, then reset the connection."""
    return ResetMidBody(body_bytes)
