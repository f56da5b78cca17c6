"""Character encodings: a response is decoded without loss or rejected; nothing is replaced by a �.

What a header or a page says of its bytes is often wrong on Chinese sites, while bytes seldom are what they are not: a
few characters of GBK are no valid UTF-8. So the bytes come first, and what is declared comes second:

    a byte order mark, then UTF-8, then the header's charset, then the page's own, then GB 18030, which holds GBK
"""

from collections.abc import Iterator
from contextlib import suppress

from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding, read_bom

from crawler.errors import ParseError

_REPLACEMENT_CHAR = "\ufffd"
# From here on UTF-8 takes three bytes a character, which other encodings do not make by chance.
_FIRST_THREE_BYTE_CHAR = "\u0800"
# What may be declared, by w3lib's names; GBK and GB 2312 are GB 18030 there. Of all others, most take any bytes for
# text, some are none for text at all, and UTF-16 has its mark.
_ACCEPTED_DECLARED_ENCODINGS = frozenset({"gb18030", "big5hkscs", "cp950", "euc_jp", "cp932", "cp949"})


# UTF-8's, and those of UTF-16 and UTF-32.
_FIRST_BYTES_OF_A_BOM = (b"\xef", b"\xff", b"\xfe", b"\x00")


def decode_body(body: bytes, content_type: str = "") -> str:
    """The text of a response, without its byte order mark. Raises ParseError."""
    if not body.startswith(_FIRST_BYTES_OF_A_BOM):
        with suppress(UnicodeDecodeError):
            return body.decode("utf-8")  # as nearly every response is
    for encoding, data in _candidate_encodings(body, content_type):
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    raise ParseError("the reply is no text in any encoding that it could be in")


def _candidate_encodings(body: bytes, content_type: str) -> Iterator[tuple[str, bytes]]:
    bom_encoding, bom = read_bom(body)
    if bom_encoding and bom:
        yield bom_encoding, body[len(bom) :]
        return
    yield "utf-8", body
    if _is_damaged_utf8(body):
        return
    declared_encodings = (http_content_type_encoding(content_type), html_body_declared_encoding(body))
    yield from ((name, body) for name in declared_encodings if name in _ACCEPTED_DECLARED_ENCODINGS)
    yield "gb18030", body


def _is_damaged_utf8(body: bytes) -> bool:
    """Whether bytes that are no valid UTF-8 mostly are: GB 18030 would read them as other characters."""
    text = body.decode("utf-8", "replace")
    replaced_count = text.count(_REPLACEMENT_CHAR)
    return sum(character >= _FIRST_THREE_BYTE_CHAR for character in text) - replaced_count > replaced_count
