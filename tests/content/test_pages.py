"""Pages of one article, kept as one text and joined into one body."""

import pytest

from crawler.content.pages import join_bodies, pack_pages, unpack_pages
from crawler.errors import ParseError
from crawler.items import RawResponse
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP

LINE = '<p class="em_media">（文章来源：林业周报）</p>'


def test_pages_are_kept_in_order() -> None:
    response = pack_pages(
        [RawResponse("a", "text/html", "<p>甲\f</p>".encode()), RawResponse("b", "", b"\xbc\xd7\xd2\xd2")]
    )
    assert response.url == "a"
    assert unpack_pages(response) == ["<p>甲\f</p>", "甲乙"]


def test_any_other_response_is_one_page() -> None:
    assert unpack_pages(RawResponse("a", "text/html", b'["x", "y"]')) == ['["x", "y"]']


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[1]", b"[", b"\xff"])
def test_what_is_no_list_of_pages_is_refused(body: bytes) -> None:
    content_type = pack_pages([RawResponse("", "", b"")]).content_type
    with pytest.raises(ParseError):
        unpack_pages(RawResponse("", content_type, body))


@pytest.mark.parametrize(
    ("bodies", "joined"),
    [
        (["<p>甲</p>", "<p>乙</p>"], "<p>甲</p><p>乙</p>"),
        ([f"<p>甲</p>{LINE}", f"<p>乙</p>\n{LINE}\n"], f"<p>甲</p><p>乙</p>\n{LINE}"),
        ([f"<p>甲</p>{LINE}", "<p>乙</p>"], f"<p>甲</p><p>乙</p>{LINE}"),
        (["<p>甲</p>", f"<p>乙</p>{LINE}"], f"<p>甲</p><p>乙</p>{LINE}"),
        (["<p>甲</p><p>（来源：林业周报）</p>", f"<p>乙</p>{LINE}"], f"<p>甲</p><p>乙</p>{LINE}"),
        ([f"{LINE}<p>甲</p>", "<p>乙</p>"], f"{LINE}<p>甲</p><p>乙</p>"),
        (["甲", "<pre>乙</pre>"], "甲<pre>乙</pre>"),
    ],
)
def test_source_line_is_written_once_at_the_end(bodies: list[str], joined: str) -> None:
    assert join_bodies(bodies, EASTMONEY_MARKUP) == joined
