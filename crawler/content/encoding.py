"""Bytes -> text, strictly: a reply is decoded without loss, or it is unreadable; nothing is replaced by a �.

What a header or a page says of its bytes is often wrong on Chinese sites, while bytes seldom are what they are not: a
few characters of GBK are no valid UTF-8. So the bytes come first, and what is declared comes second:

    a byte order mark, then UTF-8, then the header's charset, then the page's own, then GB 18030, which holds GBK
"""

from collections.abc import Iterator

from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding, read_bom

from crawler.errors import Unreadable

_REPLACEMENT = "\ufffd"
# From here on UTF-8 takes three bytes a character, which other encodings do not make by chance.
_FIRST_OF_THREE_BYTES = "\u0800"
# What may be declared, by w3lib's names; GBK and GB 2312 are GB 18030 there. Of all others, most take any bytes for
# text, some are none for text at all, and UTF-16 has its mark.
_DECLARABLE = frozenset({"gb18030", "big5hkscs", "cp950", "euc_jp", "cp932", "cp949"})


def decode(body: bytes, content_type: str = "") -> str:
    """The text of a reply, without its byte order mark. Raises Unreadable."""
    for encoding, data in _candidates(body, content_type):
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    raise Unreadable("the reply is no text in any encoding that it could be in")


def _candidates(body: bytes, content_type: str) -> Iterator[tuple[str, bytes]]:
    marked, mark = read_bom(body)
    if marked and mark:
        yield marked, body[len(mark) :]
        return
    yield "utf-8", body
    if _is_damaged_utf8(body):
        return
    declared = (http_content_type_encoding(content_type), html_body_declared_encoding(body))
    yield from ((name, body) for name in declared if name in _DECLARABLE)
    yield "gb18030", body


def _is_damaged_utf8(body: bytes) -> bool:
    """Whether bytes that are no valid UTF-8 mostly are: GB 18030 would read them as other characters."""
    text = body.decode("utf-8", "replace")
    broken = text.count(_REPLACEMENT)
    return sum(character >= _FIRST_OF_THREE_BYTES for character in text) - broken > broken
