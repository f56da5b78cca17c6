"""Bytes as text: whatever they are said to be, they are read without loss or not at all."""

import pytest

from crawler.content.encoding import decode_body
from crawler.errors import ParseError

TEXT = "朱镕基：沪指涨2%，€1。"

DECODABLE = {
    "UTF-8": (TEXT.encode(), ""),
    "UTF-8 that is said to be GBK": (TEXT.encode(), "text/html; charset=gbk"),
    "UTF-8 with a mark": (b"\xef\xbb\xbf" + TEXT.encode(), "text/html; charset=gbk"),
    "UTF-16, low byte first": (b"\xff\xfe" + TEXT.encode("utf-16-le"), "text/html; charset=utf-8"),
    "UTF-16, high byte first": (b"\xfe\xff" + TEXT.encode("utf-16-be"), ""),
    "GB 18030 that nobody names": (TEXT.encode("gb18030"), ""),
    "GB 18030 that is said to be GB 2312": (TEXT.encode("gb18030"), "text/html; charset=gb2312"),
    "GB 18030 that is said to be UTF-8": (TEXT.encode("gb18030"), "text/html; charset=utf-8"),
    "GB 18030 that is said to be Latin 1": (TEXT.encode("gb18030"), "text/html; charset=iso-8859-1"),
    "GB 18030 that is said to be nonsense": (TEXT.encode("gb18030"), "text/html; charset=%%X"),
    **{
        f"GB 18030 that is said to be {name}": (TEXT.encode("gb18030"), f"text/html; charset={name}")
        for name in ("zlib", "base64", "rot13", "cp437", "ibm866", "tis-620", "hp-roman8", "unicode_escape", "utf-16le")
    },
}


@pytest.mark.parametrize("name", DECODABLE)
def test_text_is_decoded_exactly(name: str) -> None:
    assert decode_body(*DECODABLE[name]) == TEXT


@pytest.mark.parametrize("encoding", ["big5", "gbk", "euc-jp", "shift_jis"])
def test_meta_charset_is_used(encoding: str) -> None:
    page = f'<meta charset="{encoding}"><p>經濟</p>'
    assert decode_body(page.encode(encoding)) == page


@pytest.mark.parametrize(
    "body",
    [TEXT.encode()[:-2], TEXT.encode().replace("沪".encode(), b"\xe6\xff"), b"\x89PNG\r\n\x1a\n\xff\xff", b"\xff\xfe\x00"],
    ids=["UTF-8 cut in a character", "UTF-8 with a bad byte", "a picture", "half of a UTF-16 character"],
)  # fmt: skip
def test_damaged_text_is_a_parse_error(body: bytes) -> None:
    with pytest.raises(ParseError, match="not text in any possible encoding"):
        decode_body(body)
