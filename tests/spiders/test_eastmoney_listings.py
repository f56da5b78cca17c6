"""Pages of Eastmoney's listings: the last one, and the cursor of the next one."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from crawler.errors import SchemaChangedError, SourceError
from crawler.items import ListingSize, PageWindow
from crawler.spiders.eastmoney import EastmoneySpider
from crawler.spiders.flash import FlashSpider


def listing_text(**data: Any) -> str:
    return json.dumps({"code": "1", "message": "success", "data": data})


def column_page(rows: int, hits: int | None, size: int) -> str:
    return listing_text(list=[{}] * rows, totle_hits=hits, page_size=size)


@pytest.mark.parametrize(
    ("cursor", "page", "window", "is_last"),
    [
        ("1", column_page(100, 900, 100), PageWindow(1, 100, 200), False),
        ("2/195", column_page(195, 900, 195), PageWindow(2, 195, 200), False),
        ("5/188", column_page(148, 900, 188), PageWindow(5, 188, 200), True),
        ("1", column_page(80, 80, 100), PageWindow(1, 100, 200), True),
        ("2/195", column_page(0, 900, 195), PageWindow(2, 195, 200), True),
        # The source returns pages of another size than requested.
        ("2/195", column_page(20, 900, 20), PageWindow(2, 20, 20), False),
        # The source reports no entries, or no number.
        ("1", column_page(100, None, 100), PageWindow(1, 100, 200), False),
        ("1", column_page(99, 0, 100), PageWindow(1, 100, 200), True),
        # The number of entries stops at 5,000.
        ("25/200", column_page(200, 6_000, 200), PageWindow(25, 200, 200), True),
    ],
)
def test_page_of_a_column_knows_its_positions(cursor: str, page: str, window: PageWindow, is_last: bool) -> None:
    listing_page = EastmoneySpider().extract_listing(page, cursor)
    assert listing_page.window == window
    assert (listing_page.next_cursor is None) == is_last


def test_size_of_a_column_counts_the_pages_of_a_whole_walk() -> None:
    listing_page = EastmoneySpider().extract_listing(column_page(100, 900, 100), "1")
    assert listing_page.listing_size == ListingSize(900, 7)


@pytest.mark.parametrize(
    ("cursor", "index", "size"), [(EastmoneySpider.first_cursor, "1", "100"), ("3/195", "3", "195")]
)
def test_page_of_a_column_is_asked_for_by_index_and_size(cursor: str, index: str, size: str) -> None:
    query = parse_qs(urlsplit(EastmoneySpider().listing_url("345", cursor)).query)
    assert (query["page_index"], query["page_size"]) == ([index], [size])


@pytest.mark.parametrize(
    ("data", "next_cursor"),
    [
        ({"fastNewsList": [{"realSort": "8"}, {"realSort": "7"}], "sortEnd": "7"}, "7"),
        ({"fastNewsList": [{"realSort": "8"}, {"realSort": "7"}]}, "7"),
        ({"fastNewsList": [{"realSort": "8"}, {"realSort": "7"}], "sortEnd": None}, "7"),
        ({"fastNewsList": [{"realSort": "8"}, {"realSort": "7"}], "sortEnd": ""}, "7"),
        # Some rows have no cursor: the next page repeats the rows after the last one with a cursor.
        ({"fastNewsList": [{"realSort": "8"}, {}]}, "8"),
        # The same cursor again is ignored.
        ({"fastNewsList": [{"realSort": "8"}], "sortEnd": "9"}, "8"),
        ({"fastNewsList": [{"realSort": "9"}], "sortEnd": "9"}, "9"),
        ({"fastNewsList": []}, None),
        ({"fastNewsList": None}, None),
    ],
)
def test_fast_news_goes_on_by_its_cursor_or_else_by_its_last_row(data: Any, next_cursor: str | None) -> None:
    assert FlashSpider().extract_listing(listing_text(**data), "9").next_cursor == next_cursor


def test_fast_news_that_names_no_cursor_at_all_has_changed() -> None:
    with pytest.raises(SchemaChangedError, match="realSort"):
        FlashSpider().extract_listing(listing_text(fastNewsList=[{}]), "")


def test_fast_news_is_asked_for_in_pages_of_200() -> None:
    query = parse_qs(urlsplit(FlashSpider().listing_url("102", "")).query, keep_blank_values=True)
    assert (query["pageSize"], query["sortEnd"]) == (["200"], [""])


@pytest.mark.parametrize("spider", [EastmoneySpider, FlashSpider])
@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"code": 0, "message": "Required String parameter 'x' is not present"}, "Required String parameter 'x'"),
        ({"code": 0, "message": "Required String parameter 'x' is not present", "data": None}, "'x' is not present"),
        ({"code": 0, "message": "busy", "data": {}}, "busy"),
        ({"code": 0, "msg": "busy", "data": {}}, "busy"),
        ({"code": -1, "data": {}}, "code -1"),
    ],
)
def test_error_with_status_200_is_the_sources(
    spider: type[EastmoneySpider] | type[FlashSpider], response: Any, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        spider().extract_listing(json.dumps(response), spider.first_cursor)


def test_columns_have_the_names_of_their_pages() -> None:
    assert (EastmoneySpider.columns["348"], EastmoneySpider.columns["1205"]) == ("财经要闻", "晚间要闻")
