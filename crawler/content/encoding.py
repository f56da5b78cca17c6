"""Character encodings: a response is decoded without loss or rejected; nothing is replaced by a �.

Chinese sites often declare the wrong charset, but a wrong charset rarely decodes: a few GBK characters are already
invalid UTF-8. So the bytes come first, the declared charset second:

    a byte order mark, then UTF-8, then the header's charset, then the page's own, then GB 18030, which holds GBK
"""

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
    """Return the text of a response, without its byte order mark; raise ParseError when no encoding fits."""
    if not body.startswith(_FIRST_BYTES_OF_A_BOM):
        with suppress(UnicodeDecodeError):
            return body.decode("utf-8")  # as nearly every response is
    bom_encoding, bom = read_bom(body)
    if bom_encoding and bom:
        body = body[len(bom) :]
        encodings: tuple[str | None, ...] = (bom_encoding,)
    else:
        encodings = ("utf-8",)
        # Mostly valid UTF-8 is damaged UTF-8: GB 18030 would decode it to other characters.
        text = body.decode("utf-8", "replace")
        replaced_count = text.count(_REPLACEMENT_CHAR)
        if sum(character >= _FIRST_THREE_BYTE_CHAR for character in text) - replaced_count <= replaced_count:
            declared = (http_content_type_encoding(content_type), html_body_declared_encoding(body))
            encodings += (*(name for name in declared if name in _ACCEPTED_DECLARED_ENCODINGS), "gb18030")
    for encoding in filter(None, encodings):
        try:
            return body.decode(encoding)
        except UnicodeError:
            continue
    raise ParseError("the response is not text in any possible encoding")
