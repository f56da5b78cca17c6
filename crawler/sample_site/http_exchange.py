"""HTTP exchange over one connection: requests in, responses out, each response in one write.

The standard library's HTTP handler reads headers with the mail parser, which takes longer than all else
here together; a sample site that is slower than the crawler would be no use to a benchmark.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import responses
from io import BufferedIOBase
from threading import Event
from time import monotonic
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

HTML_CONTENT_TYPE = "text/html; charset=utf-8"
JSON_CONTENT_TYPE = "application/json; charset=utf-8"
SCRIPT_CONTENT_TYPE = "application/javascript; charset=utf-8"
TEXT_CONTENT_TYPE = "text/plain; charset=utf-8"

_MAX_LINE_BYTES = 1 << 16
# Scheme and host, which stand before the path where a client takes the site for a proxy.
_ABSOLUTE_FORM = re.compile(r"^http://[^/]*", re.ASCII | re.IGNORECASE)


class HttpRequest(NamedTuple):
    """A request as it came. The names of the headers are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    target: str = ""
    """Path and query as sent."""
    received_at: float = 0.0
    """When, on the monotonic clock."""


class HttpResponse(NamedTuple):
    """A whole response; ``headers`` come on top of the type and the length."""

    body: bytes
    content_type: str = HTML_CONTENT_TYPE
    status: int = 200
    headers: Sequence[tuple[str, str]] = ()

    def encode_head(self, length: int) -> bytes:
        """Status line and headers, with the length to declare."""
        lines = [
            f"HTTP/1.1 {self.status} {responses.get(self.status, 'Unknown')}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {length}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join((*lines, "", "")).encode("utf-8")


@dataclass
class Exchange:
    """A request and what may be done about it: all that a fault needs."""

    request: HttpRequest
    connection: socket.socket
    stop_event: Event
    default_response: HttpResponse
    """What the site would answer."""
    keep_alive: bool = True

    def send_response(self, response: HttpResponse, length: int | None = None) -> None:
        """Sends a response, with a declared length of its own if there is one."""
        head = response.encode_head(len(response.body) if length is None else length)
        self.send_bytes(head if self.request.method == "HEAD" else head + response.body)

    def send_bytes(self, data: bytes) -> None:
        """These bytes, in one write."""
        self.connection.sendall(data)

    def wait(self, seconds: float) -> None:
        """Does nothing, unless the site stops before."""
        self.stop_event.wait(seconds)

    def disable_keep_alive(self) -> None:
        """Ends the connection after this exchange."""
        self.keep_alive = False

    def reset_connection(self) -> None:
        """Ends the connection at once and rudely: the client sees a reset, not an end."""
        self.disable_keep_alive()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Reading keeps a copy of the file descriptor open; only closing that itself sends the reset.
        socket.close(self.connection.detach())


def read_request(stream: BufferedIOBase) -> HttpRequest | None:
    """The next request, or None when the client is gone or does not speak HTTP."""
    request_line = stream.readline(_MAX_LINE_BYTES).split()
    if len(request_line) != 3:
        return None
    headers = _read_headers(stream)
    if (length := headers.get("content-length", "")).isdecimal():
        stream.read(int(length))
    method, target = request_line[0].decode("latin-1"), request_line[1].decode("latin-1")
    target = _ABSOLUTE_FORM.sub("", target, 1)
    path, _, query = target.partition("?")
    if request_line[2] == b"HTTP/1.0":
        headers.setdefault("connection", "close")
    return HttpRequest(method, unquote(path), _parse_query(query), headers, target, monotonic())


def wants_keep_alive(headers: Mapping[str, str]) -> bool:
    """Shall the connection be kept?"""
    return headers.get("connection", "").lower() != "close"


def _read_headers(stream: BufferedIOBase) -> dict[str, str]:
    headers: dict[str, str] = {}
    while (line := stream.readline(_MAX_LINE_BYTES)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return headers


def _parse_query(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True)) if query else {}
