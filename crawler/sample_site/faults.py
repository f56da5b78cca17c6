"""What can go wrong on the wire: each fault answers one request in its own way.

    with SampleSite() as site:
        site.fail(r"/kuaixun/v2/api/article/", status(503, headers={"Retry-After": "30"}), times=2)
        site.fail(r"getNewsByColumns.*page_index=2", cut(100))

A new fault is a class with ``apply`` and a small function that makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from crawler.sample_site.http import HTML, JSON, Exchange, Reply

NOTHING: Mapping[str, str] = {}


class Fault(Protocol):
    """One way to answer."""

    def apply(self, exchange: Exchange) -> None:
        """Answers, or does not."""


@dataclass(frozen=True)
class Instead:
    """Another reply than the site's own."""

    reply: Reply

    def apply(self, exchange: Exchange) -> None:
        """Sends it."""
        exchange.answer(self.reply)


@dataclass(frozen=True)
class Reset:
    """No reply: the connection is reset."""

    def apply(self, exchange: Exchange) -> None:
        """Resets it."""
        exchange.reset()


@dataclass(frozen=True)
class Hang:
    """A long silence, then the site's own reply."""

    seconds: float

    def apply(self, exchange: Exchange) -> None:
        """Waits, and answers."""
        exchange.wait(self.seconds)
        exchange.answer(exchange.reply)


@dataclass(frozen=True)
class Cut:
    """The site's own reply, whose body ends too early."""

    sent: int

    def apply(self, exchange: Exchange) -> None:
        """Declares all and sends a part."""
        reply = exchange.reply
        exchange.answer(reply._replace(body=reply.body[: self.sent]), length=len(reply.body))
        exchange.hang_up()


@dataclass(frozen=True)
class Drip:
    """The site's own reply, some bytes at a time."""

    bytes_per_second: float

    def apply(self, exchange: Exchange) -> None:
        """Sends ten pieces a second, or one byte at a time where that is faster than asked for."""
        data = exchange.reply.head(len(exchange.reply.body)) + exchange.reply.body
        piece = max(1, round(self.bytes_per_second / 10))
        for start in range(0, len(data), piece):
            exchange.send(data[start : start + piece])
            exchange.wait(piece / self.bytes_per_second)


@dataclass(frozen=True)
class WrongLength:
    """The site's own reply with a wrong length."""

    declared: int

    def apply(self, exchange: Exchange) -> None:
        """Declares one length, sends the other, and closes: the next request could not be told apart."""
        exchange.answer(exchange.reply, length=self.declared)
        exchange.hang_up()


@dataclass(frozen=True)
class Raw:
    """Bytes that need not be HTTP at all."""

    data: bytes

    def apply(self, exchange: Exchange) -> None:
        """Sends them and closes."""
        exchange.send(self.data)
        exchange.hang_up()


@dataclass(frozen=True)
class Edited:
    """The site's own reply, changed."""

    change: Callable[[Reply], Reply]

    def apply(self, exchange: Exchange) -> None:
        """Sends what the change makes of it."""
        exchange.answer(self.change(exchange.reply))


@dataclass(frozen=True)
class Undeclared:
    """The site's own reply without its length: the end of the connection is the end of the body."""

    sent: int | None

    def apply(self, exchange: Exchange) -> None:
        """Sends all or a part."""
        exchange.send(exchange.reply.head(0).replace(b"Content-Length: 0", b"Connection: close"))
        exchange.send(exchange.reply.body[: self.sent])
        exchange.hang_up()


@dataclass(frozen=True)
class CutChunks:
    """The site's own reply in chunks, of which the last never comes."""

    sent: int

    def apply(self, exchange: Exchange) -> None:
        """Sends a chunk, and the head of another."""
        exchange.send(exchange.reply.head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
        exchange.send(b"%x\r\n%b\r\n400\r\n" % (self.sent, exchange.reply.body[: self.sent].ljust(self.sent)))
        exchange.hang_up()


@dataclass(frozen=True)
class Endless:
    """A body that never ends."""

    def apply(self, exchange: Exchange) -> None:
        """Sends blanks until nobody wants more."""
        exchange.send(exchange.reply.head(0).replace(b"Content-Length: 0", b"Connection: close"))
        while not exchange.stopping.is_set():
            exchange.send(b" " * 65536)


@dataclass(frozen=True)
class ResetInBody:
    """A part of the site's own reply, then a reset."""

    sent: int

    def apply(self, exchange: Exchange) -> None:
        """Sends the part, lets it arrive, and resets."""
        exchange.send(exchange.reply.head(len(exchange.reply.body)) + exchange.reply.body[: self.sent])
        exchange.wait(0.1)
        exchange.reset()


def status(code: int, body: bytes = b"", headers: Mapping[str, str] = NOTHING) -> Fault:
    """Another status."""
    return Instead(Reply(body, HTML, code, tuple(headers.items())))


def body(data: bytes, content_type: str = JSON, headers: Mapping[str, str] = NOTHING) -> Fault:
    """Status 200 with another body."""
    return Instead(Reply(data, content_type, 200, tuple(headers.items())))


def redirect(url: str, code: int = 302) -> Fault:
    """A redirect."""
    return Instead(Reply(b"", HTML, code, (("Location", url),)))


def reset() -> Fault:
    """A reset before any reply."""
    return Reset()


def hang(seconds: float) -> Fault:
    """This long nothing, then the reply."""
    return Hang(seconds)


def cut(n: int) -> Fault:
    """The whole length declared, this many bytes of the body sent, then the end."""
    return Cut(n)


def drip(bytes_per_second: float) -> Fault:
    """The reply this slowly, headers included."""
    return Drip(bytes_per_second)


def wrong_length(n: int) -> Fault:
    """The whole body under this declared length."""
    return WrongLength(n)


def raw(data: bytes) -> Fault:
    """These bytes instead of a reply."""
    return Raw(data)


def edited(change: Callable[[Reply], Reply]) -> Fault:
    """The reply, changed."""
    return Edited(change)


def undeclared(sent: int | None = None) -> Fault:
    """The reply without its length, or this many bytes of its body."""
    return Undeclared(sent)


def cut_chunks(sent: int) -> Fault:
    """This many bytes in a chunk, and no end."""
    return CutChunks(sent)


def endless() -> Fault:
    """Blanks without end."""
    return Endless()


def reset_in_body(sent: int) -> Fault:
    """This many bytes of the body, then a reset."""
    return ResetInBody(sent)
