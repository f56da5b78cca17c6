"""The recorded replies of the source, as articles.

Most of them have only a row in a list; then the row's own text is their body. What a reply says beside
the article, such as its keywords, is in ``recorded_detail``.
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

from crawler.sample_site.articles import SHANGHAI, SourceArticle

_HEADLINE = re.compile(r"^\s*【[^】]*】")
_ENDING = re.compile(r"（(?P<media>[^（）]+)）$")


@cache
def recorded_bytes(name: str) -> bytes:
    """One recorded reply as it is."""
    return (files("crawler.sample_site") / "recorded" / name).read_bytes()


@cache
def recorded_detail() -> dict[str, str]:
    """The ``data`` of the one recorded JSON detail (wire contract, c1)."""
    data: dict[str, str] = _recorded("df_article_real.json")["data"]
    return data


def recorded_articles() -> list[SourceArticle]:
    """Every article that a recorded reply tells of and that is not one of the old posts."""
    return [*_column_rows(), *_fast_rows(), *_stock_rows(), *_client_rows(), *_push_rows()]


def _recorded(name: str) -> Any:
    return json.loads(recorded_bytes(name))


def _column_rows() -> Iterator[SourceArticle]:
    detail = recorded_detail()
    for row in _recorded("df_list_344.json")["data"]["list"]:
        has_detail = row["code"] == detail["Art_Code"]
        primary = re.search(r"/news/1(\d+),", row["url"])
        yield SourceArticle(
            code=row["code"],
            title=row["title"],
            media=row["mediaName"],
            published=_time(row["showTime"]),
            summary=row["summary"],
            image=row["image"],
            content=detail["Art_Content"] if has_detail else _body(row["summary"]),
            columns=tuple(detail["Art_Column_List"].split(","))
            if has_detail
            else (primary[1] if primary else "344", "344"),
        )


def _fast_rows() -> Iterator[SourceArticle]:
    for row in _recorded("fastnews.json")["data"]["fastNewsList"]:
        yield SourceArticle(
            code=row["code"],
            title=row["title"],
            published=_time(row["showTime"]),
            summary=row["summary"].strip(),
            digest=row["summary"],
            content=_body(row["summary"]),
            stocks=tuple(row["stockList"]),
            fast=True,
            fast_images=tuple(row["image"]),
            title_color=row["titleColor"],
        )


def _stock_rows() -> Iterator[SourceArticle]:
    """Of the rows of one stock only the 财富号 one; its text is made up of its title."""
    for row in _recorded("getListInfo.json")["data"]["list"]:
        if row["Np_dst"] == "CFH":
            yield SourceArticle(
                code=row["Art_Code"],
                title=row["Art_Title"],
                media=row["Author"],
                published=_time(row["Art_ShowTime"]),
                summary=row["Art_Title"],
                content=_body(row["Art_Title"]),
                columns=("353", "350"),
                np_dst="CFH",
            )


def _client_rows() -> Iterator[SourceArticle]:
    """Of the PC client's two rows one is an old post, and its digest there is the post's."""
    for row in _recorded("pc_fastnews.json")["items"]:
        media = _ENDING.search(row["digest"])
        if media:
            yield SourceArticle(
                code=row["code"],
                title=row["title"],
                media=media["media"],
                published=datetime.fromtimestamp(row["updateTime"] / 1000, SHANGHAI),
                summary=_ENDING.sub("", row["digest"]),
                digest=row["digest"],
                content=_body(_ENDING.sub("", row["digest"])),
                columns=("351",),
                lists=("102",),
                fast=True,
            )


def _push_rows() -> Iterator[SourceArticle]:
    for row in _recorded("pushlist_745.json")["data"]["list"]:
        yield SourceArticle(
            code=row["code"],
            title=row["title"],
            media=row["source"],
            published=_time(row["showtime"]),
            summary=row["digest"],
            image=row["image"],
            content=_body(row["digest"]),
            columns=tuple(row["columns"].split(",")),
        )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def _body(text: str) -> str:
    return f"<p>　　{html.escape(_HEADLINE.sub('', text).strip(), quote=False)}</p>"
