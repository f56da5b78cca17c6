"""Articles of the sample site, as the source knows them.

``ListedArticle`` has the fields of the listings; ``SourceArticle`` adds the body. A body is generated only
when it is requested, so a site can have a hundred thousand articles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

SHANGHAI_TIME = timezone(timedelta(hours=8))

BodyLocation = Literal["json", "page2022", "page2018"]
CUT_MARK = "[点击查看全文]"
_CUT_CHARS = 20
_BRACKETED_HEADLINE = re.compile(r"^\s*【[^】]*】")


def compute_real_sort(code: str, published_at: datetime) -> int:
    """Return the Unix second, a 0 and the code's last five digits as one number, as in all recorded rows."""
    code_digits = "".join(filter(str.isdigit, code))[-5:]
    return int(f"{int(published_at.timestamp())}0{code_digits:0>5}")


@dataclass(frozen=True, kw_only=True)
class ListedArticle:
    """One article as a listing has it."""

    code: str
    title: str
    published_at: datetime
    media: str = ""
    summary: str = ""
    flash_override: str = ""
    """The text of fast news and of list 102; empty: ``【title】summary（media）``."""
    image: str = ""
    columns: tuple[str, ...] = ()
    """Column ids, the primary one first: the old links are named after it."""
    legacy_lists: tuple[str, ...] = ()
    """2022 lists that contain it: "102", "45", "37", "38", "39"."""
    secids: tuple[str, ...] = ()
    """Stocks and boards, as "<market>.<code>"."""
    np_dst: Literal["CMS", "CFH"] = "CMS"
    is_fast_news: bool = False
    """Listed in fast news: in column 102, which holds all fast news, and in ``fast_columns``."""
    fast_columns: tuple[str, ...] = ()
    fast_title: str | None = None
    """Title in fast news, where it differs from the article's; may be empty."""
    fast_images: tuple[str, ...] = ()
    is_cut_in_fast_news: bool = False
    """Fast news has only the beginning of the text."""
    title_color: int = 0
    """0, or 3 for red."""
    is_blank: bool = False
    """A blank row of list 102: no title, time or link, and only the 2022 site has its text."""

    def __post_init__(self) -> None:
        if self.published_at.tzinfo is None:
            raise ValueError(f"{self.code}: published needs an offset")

    @property
    def info_code(self) -> str:
        """Return the code as in the 2022 lists (wire contract, section e)."""
        return f"NW{self.code}"

    @property
    def local_time(self) -> datetime:
        """Return the publication time in Shanghai, as the source prints it."""
        return self.published_at.astimezone(SHANGHAI_TIME)

    @property
    def show_time(self) -> str:
        """Return the time as ``2026-09-19 01:09:08``; empty for a blank row."""
        return "" if self.is_blank else f"{self.local_time:%Y-%m-%d %H:%M:%S}"

    @property
    def real_sort(self) -> int:
        """Return the sort key of fast news."""
        return compute_real_sort(self.code, self.published_at)

    @property
    def page_url(self) -> str:
        """Return today's link; empty for a 财富号 article and a blank row."""
        if self.is_blank or self.np_dst == "CFH":
            return ""
        return f"http://finance.eastmoney.com/a/{self.code}.html"

    @property
    def listing_url(self) -> str:
        """Return the link of the listings: the old form, or for 财富号 on its own host."""
        if self.np_dst == "CFH":
            return f"http://caifuhao.eastmoney.com/news/{self.code}"
        if self.is_blank or not self.columns:
            return self.page_url
        return f"http://finance.eastmoney.com/news/1{self.columns[0]},{self.code}.html"

    @property
    def flash_text(self) -> str:
        """Return the text of fast news and of lists 102 and 45: ``【title】summary（media）``, or cut, with a mark."""
        if self.flash_override:
            return self.flash_override
        if self.is_cut_in_fast_news:
            return f"【{self.title}】{_BRACKETED_HEADLINE.sub('', self.summary)[:_CUT_CHARS]}。{CUT_MARK}"
        media_suffix = f"（{self.media}）" if self.media else ""
        return f"【{self.title}】{_BRACKETED_HEADLINE.sub('', self.summary)}{media_suffix}"


@dataclass(frozen=True, kw_only=True)
class SourceArticle(ListedArticle):
    """One article with its body: the HTML as the source holds it, quirks and all."""

    content: str = ""
    body_location: BodyLocation = "json"
    """The JSON detail has the body, or only the HTML page in the layout of that year."""
    page_count: int = 1
    """Number of HTML pages: ``/a/<code>.html``, ``/a/<code>_2.html``, …"""
