"""Recorded articles, from the recorded responses of the source.

Most have only a row in a list; then the text of the row is the body. ``load_recorded_detail`` has the other
fields, such as keywords.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from crawler.sample_site.articles import SHANGHAI_TIME, SourceArticle

_BRACKETED_HEADLINE = re.compile(r"^\s*【[^】]*】")
_MEDIA_SUFFIX = re.compile(r"（(?P<media>[^（）]+)）$")


@cache
def read_recording(name: str) -> bytes:
    """Return a recorded response unchanged."""
    return (files("crawler.sample_site") / "recorded" / name).read_bytes()


@cache
def load_recorded_detail() -> dict[str, str]:
    """Return the ``data`` of the one recorded JSON detail (wire contract, c1)."""
    data: dict[str, str] = _load_recording("df_article_real.json")["data"]
    return data


def load_recorded_articles() -> list[SourceArticle]:
    """Return every article in a recorded response that is not one of the old posts."""
    return [
        *_articles_from_columns(),
        *_articles_from_fast_news(),
        *_articles_from_stock_list(),
        *_articles_from_pc_client(),
        *_articles_from_push_list(),
    ]


def _load_recording(name: str) -> Any:
    return json.loads(read_recording(name))


def _articles_from_columns() -> Iterator[SourceArticle]:
    detail = load_recorded_detail()
    for row in _load_recording("df_list_344.json")["data"]["list"]:
        has_detail = row["code"] == detail["Art_Code"]
        primary_column = re.search(r"/news/1(\d+),", row["url"])
        yield SourceArticle(
            code=row["code"],
            title=row["title"],
            media=row["mediaName"],
            published_at=_parse_time(row["showTime"]),
            summary=row["summary"],
            image=row["image"],
            content=detail["Art_Content"] if has_detail else _wrap_in_paragraph(row["summary"]),
            columns=tuple(detail["Art_Column_List"].split(","))
            if has_detail
            else (primary_column[1] if primary_column else "344", "344"),
        )


def _articles_from_fast_news() -> Iterator[SourceArticle]:
    for row in _load_recording("fastnews.json")["data"]["fastNewsList"]:
        yield SourceArticle(
            code=row["code"],
            title=row["title"],
            published_at=_parse_time(row["showTime"]),
            summary=row["summary"].strip(),
            flash_override=row["summary"],
            content=_wrap_in_paragraph(row["summary"]),
            secids=tuple(row["stockList"]),
            is_fast_news=True,
            fast_images=tuple(row["image"]),
            title_color=row["titleColor"],
        )


def _articles_from_stock_list() -> Iterator[SourceArticle]:
    """Yield the 财富号 row of a stock's list; its title is also its text."""
    for row in _load_recording("getListInfo.json")["data"]["list"]:
        if row["Np_dst"] == "CFH":
            yield SourceArticle(
                code=row["Art_Code"],
                title=row["Art_Title"],
                media=row["Author"],
                published_at=_parse_time(row["Art_ShowTime"]),
                summary=row["Art_Title"],
                content=_wrap_in_paragraph(row["Art_Title"]),
                columns=("353", "350"),
                np_dst="CFH",
            )


def _articles_from_pc_client() -> Iterator[SourceArticle]:
    """Yield the PC client's row that ends with its media; the other row is an old post."""
    for row in _load_recording("pc_fastnews.json")["items"]:
        media_suffix = _MEDIA_SUFFIX.search(row["digest"])
        if media_suffix:
            yield SourceArticle(
                code=row["code"],
                title=row["title"],
                media=media_suffix["media"],
                published_at=datetime.fromtimestamp(row["updateTime"] / 1000, SHANGHAI_TIME),
                summary=_MEDIA_SUFFIX.sub("", row["digest"]),
                flash_override=row["digest"],
                content=_wrap_in_paragraph(_MEDIA_SUFFIX.sub("", row["digest"])),
                columns=("351",),
                legacy_lists=("102",),
                is_fast_news=True,
            )


def _articles_from_push_list() -> Iterator[SourceArticle]:
    for row in _load_recording("pushlist_745.json")["data"]["list"]:
        yield SourceArticle(
            code=row["code"],
            title=row["title"],
            media=row["source"],
            published_at=_parse_time(row["showtime"]),
            summary=row["digest"],
            image=row["image"],
            content=_wrap_in_paragraph(row["digest"]),
            columns=tuple(row["columns"].split(",")),
        )


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI_TIME)


def _wrap_in_paragraph(text: str) -> str:
    return f"<p>　　{html.escape(_BRACKETED_HEADLINE.sub('', text).strip(), quote=False)}</p>"
