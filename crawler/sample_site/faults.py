"""Faults of a network or a source: each answers one request in its own way.

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
    """One way to answer."""

    def apply(self, exchange: Exchange) -> None:
        """Answers, or does not."""


@dataclass(frozen=True)
class ReturnResponse:
    """Another response than the site's own."""

    response: HttpResponse

    def apply(self, exchange: Exchange) -> None:
        """Sends it."""
        exchange.send_response(self.response)


@dataclass(frozen=True)
class ResetConnection:
    """No response: the connection is reset."""

    def apply(self, exchange: Exchange) -> None:
        """Resets it."""
        exchange.reset_connection()


@dataclass(frozen=True)
class DelayResponse:
    """A long silence, then the site's own response."""

    seconds: float

    def apply(self, exchange: Exchange) -> None:
        """Waits, and answers."""
        exchange.wait(self.seconds)
        exchange.send_response(exchange.default_response)


@dataclass(frozen=True)
class TruncateBody:
    """The site's own response, whose body ends too early."""

    body_bytes: int

    def apply(self, exchange: Exchange) -> None:
        """Declares all and sends a part."""
        response = exchange.default_response
        exchange.send_response(response._replace(body=response.body[: self.body_bytes]), length=len(response.body))
        exchange.disable_keep_alive()


@dataclass(frozen=True)
class DripResponse:
    """The site's own response, some bytes at a time."""

    bytes_per_second: float

    def apply(self, exchange: Exchange) -> None:
        """Sends ten pieces a second, or one byte at a time where that is faster than asked for."""
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
        """Declares one length, sends the other, and closes: the next request could not be recognised."""
        exchange.send_response(exchange.default_response, length=self.declared_length)
        exchange.disable_keep_alive()


@dataclass(frozen=True)
class SendRaw:
    """Bytes that need not be HTTP at all."""

    data: bytes

    def apply(self, exchange: Exchange) -> None:
        """Sends them and closes."""
        exchange.send_bytes(self.data)
        exchange.disable_keep_alive()


@dataclass(frozen=True)
class EditResponse:
    """The site's own response, changed."""

    edit: Callable[[HttpResponse], HttpResponse]

    def apply(self, exchange: Exchange) -> None:
        """Sends what the change makes of it."""
        exchange.send_response(self.edit(exchange.default_response))


@dataclass(frozen=True)
class OmitLength:
    """The site's own response without its length: the end of the connection is the end of the body."""

    body_bytes: int | None

    def apply(self, exchange: Exchange) -> None:
        """Sends all or a part."""
        exchange.send_bytes(
            exchange.default_response.encode_head(0).replace(b"Content-Length: 0", b"Connection: close")
        )
        exchange.send_bytes(exchange.default_response.body[: self.body_bytes])
        exchange.disable_keep_alive()


@dataclass(frozen=True)
class TruncateChunks:
    """The site's own response in chunks, of which the last never comes."""

    body_bytes: int

    def apply(self, exchange: Exchange) -> None:
        """Sends a chunk, and the head of another."""
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
    """A body that never ends."""

    def apply(self, exchange: Exchange) -> None:
        """Sends blanks until the client closes the connection."""
        exchange.send_bytes(
            exchange.default_response.encode_head(0).replace(b"Content-Length: 0", b"Connection: close")
        )
        while not exchange.stop_event.is_set():
            exchange.send_bytes(b" " * 65536)


@dataclass(frozen=True)
class ResetMidBody:
    """A part of the site's own response, then a reset."""

    body_bytes: int

    def apply(self, exchange: Exchange) -> None:
        """Sends the part, lets it arrive, and resets."""
        exchange.send_bytes(
            exchange.default_response.encode_head(len(exchange.default_response.body))
            + exchange.default_response.body[: self.body_bytes]
        )
        exchange.wait(0.1)
        exchange.reset_connection()


def return_status(code: int, body: bytes = b"", headers: Mapping[str, str] = NO_HEADERS) -> Fault:
    """Another status."""
    return ReturnResponse(HttpResponse(body, HTML_CONTENT_TYPE, code, tuple(headers.items())))


def return_body(data: bytes, content_type: str = JSON_CONTENT_TYPE, headers: Mapping[str, str] = NO_HEADERS) -> Fault:
    """Status 200 with another body."""
    return ReturnResponse(HttpResponse(data, content_type, 200, tuple(headers.items())))


def return_redirect(url: str, code: int = 302) -> Fault:
    """A redirect."""
    return ReturnResponse(HttpResponse(b"", HTML_CONTENT_TYPE, code, (("Location", url),)))


def reset_connection() -> Fault:
    """A reset before any response."""
    return ResetConnection()


def delay_response(seconds: float) -> Fault:
    """This long nothing, then the response."""
    return DelayResponse(seconds)


def truncate_body(body_bytes: int) -> Fault:
    """The whole length declared, this many bytes of the body sent, then the end."""
    return TruncateBody(body_bytes)


def drip_response(bytes_per_second: float) -> Fault:
    """The response this slowly, headers included."""
    return DripResponse(bytes_per_second)


def declare_length(declared_length: int) -> Fault:
    """The whole body under this declared length."""
    return DeclareLength(declared_length)


def send_raw(data: bytes) -> Fault:
    """These bytes instead of a response."""
    return SendRaw(data)


def edit_response(edit: Callable[[HttpResponse], HttpResponse]) -> Fault:
    """The response, changed."""
    return EditResponse(edit)


def omit_length(body_bytes: int | None = None) -> Fault:
    """The response without its length, or this many bytes of its body."""
    return OmitLength(body_bytes)


def truncate_chunks(body_bytes: int) -> Fault:
    """This many bytes in a chunk, and no end."""
    return TruncateChunks(body_bytes)


def send_forever() -> Fault:
    """Blanks without end."""
    return SendForever()


def reset_mid_body(body_bytes: int) -> Fault:
    """This many bytes of the body, then a reset."""
    return ResetMidBody(body_bytes)
