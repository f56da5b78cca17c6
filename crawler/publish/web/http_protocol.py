"""HTTP/1.1 protocol of the web view: uvicorn's, which also accepts raw bytes in an address."""

import re

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_RAW_BYTE = re.compile(rb"[\x80-\xff]")


class RawAddressProtocol(H11Protocol):
    """Protocol that accepts `/search?q=茅台` unquoted, as curl and old programs send it."""

    def data_received(self, data: bytes) -> None:
        """Quote the request line of new requests."""
        # A body must stay unchanged: its length is in a header.
        if self.conn.their_state is h11.IDLE and b"\n" not in self.conn.trailing_data[0]:
            line, newline, rest = data.partition(b"\n")
            data = quote_raw_bytes(line) + newline + rest
        super().data_received(data)


def quote_raw_bytes(line: bytes) -> bytes:
    """Quote the bytes of a request line, or a part of one, that are not ASCII.

    >>> quote_raw_bytes("GET /search?q=茅台 HTTP/1.1".encode())
    b'GET /search?q=%E8%8C%85%E5%8F%B0 HTTP/1.1'
    """
    return _RAW_BYTE.sub(lambda match: b"%%%02X" % match[0][0], line)
