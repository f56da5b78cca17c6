"""Articles of the sample site, as the source knows them.

``Listed`` is what the listings say of an article; ``SourceArticle`` adds its body. A listing never needs
the body, so a site of a hundred thousand articles writes a body only when somebody asks for it.
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
    """Sixteen digits: the second, a 0, the code's last five. So it is in all recorded rows."""
    code_digits = "".join(filter(str.isdigit, code))[-5:]
    return int(f"{int(published_at.timestamp())}0{code_digits:0>5}")


@dataclass(frozen=True, kw_only=True)
class ListedArticle:
    """One article as the listings tell it."""

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
    """Those of the 2022 lists that carry it: "102", "45", "37", "38", "39"."""
    secids: tuple[str, ...] = ()
    """What fast news calls them: "<market>.<code>"."""
    np_dst: Literal["CMS", "CFH"] = "CMS"
    is_fast_news: bool = False
    """Is it in fast news? Then it stands in column 102, which is all of it, and in ``fast_columns``."""
    fast_columns: tuple[str, ...] = ()
    fast_title: str | None = None
    """Where fast news says another title than the article does, such as none."""
    fast_images: tuple[str, ...] = ()
    is_cut_in_fast_news: bool = False
    """Does fast news hold the beginning of its text alone?"""
    title_color: int = 0
    """0, or 3 for red."""
    is_blank: bool = False
    """A blank row of list 102: no title, time or link, and only the 2022 site has its text."""

    def __post_init__(self) -> None:
        if self.published_at.tzinfo is None:
            raise ValueError(f"{self.code}: published needs an offset")

    @property
    def info_code(self) -> str:
        """The code as the 2022 lists write it (wire contract, section e)."""
        return f"NW{self.code}"

    @property
    def local_time(self) -> datetime:
        """Every time the source writes is of Shanghai, without offset."""
        return self.published_at.astimezone(SHANGHAI_TIME)

    @property
    def show_time(self) -> str:
        """``2026-09-19 01:09:08``; a blank row has none."""
        return "" if self.is_blank else f"{self.local_time:%Y-%m-%d %H:%M:%S}"

    @property
    def real_sort(self) -> int:
        """The order of fast news."""
        return compute_real_sort(self.code, self.published_at)

    @property
    def page_url(self) -> str:
        """Today's link; a 财富号 article has none, a blank row neither."""
        if self.is_blank or self.np_dst == "CFH":
            return ""
        return f"http://finance.eastmoney.com/a/{self.code}.html"

    @property
    def listing_url(self) -> str:
        """The link of the listings: the old form, "1" and the primary column; 财富号 has its own host."""
        if self.np_dst == "CFH":
            return f"http://caifuhao.eastmoney.com/news/{self.code}"
        if self.is_blank or not self.columns:
            return self.page_url
        return f"http://finance.eastmoney.com/news/1{self.columns[0]},{self.code}.html"

    @property
    def flash_text(self) -> str:
        """``【title】text（media）``, the text of fast news, of list 102 and of type 45; a cut one ends with a mark."""
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
    """Who has the body: the JSON detail, or only the page, in the layout of that year."""
    page_count: int = 1
    """Over how many pages the body goes on: ``/a/<code>.html``, ``/a/<code>_2.html``, …"""
