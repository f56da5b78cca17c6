"""The baseline: a Scrapy spider that walks the same lists and yields the same articles as dicts, and nothing else.

    python benchmarks/bare_spider.py URL [lean | log] [nothing]

`lean` gives it the settings that finews has, where they need none of its parts; `log` leaves it the log that Scrapy
writes by default, of each reply and each article; `nothing` asks for lists only.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from scrapy import Request, Spider
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.http import TextResponse
from scrapy.settings import Settings

from crawler import settings as ours

COLUMNS = ("344", "345", "350", "351", "353", "354", "355")
FIELDS = "code,showTime,title,mediaName,summary,image,url,uniqueUrl,Np_dst"
LEAN = (
    "CONCURRENT_ITEMS", "ASYNCIO_EVENT_LOOP", "EXTENSIONS_BASE", "DOWNLOADER_MIDDLEWARES_BASE",
    "SPIDER_MIDDLEWARES_BASE", "DUPEFILTER_CLASS", "SCHEDULER_MEMORY_QUEUE", "STATS_CLASS",
    "STATS_DUMP", "DOWNLOAD_HANDLERS", "WARN_ON_GENERATOR_RETURN_VALUE",
)  # fmt: skip


class Bare(Spider):
    name = "bare"

    async def start(self) -> Any:
        for column in COLUMNS:
            yield self._list(column, 1)

    def _list(self, column: str, page: int) -> Request:
        query = (
            f"client=web&biz=web_news_col&column={column}&order=1&needInteractData=0&page_index={page}&page_size=100"
        )
        return Request(
            f"{self.url}/comm/web/getNewsByColumns?{query}&req_trace=1&fields={FIELDS}&types=1,20",
            self.parse,
            cb_kwargs={"column": column, "page": page},
        )

    def parse(self, response: TextResponse, column: str, page: int) -> Iterator[Any]:
        data = json.loads(response.text)["data"]
        rows = data["list"] or []
        for row in rows if not self.nothing else ():
            if row["code"] not in self.seen:
                self.seen.add(row["code"])
                url = f"{self.url}/kuaixun/v2/api/article/{row['code']}?guid=finews"
                yield Request(url, self.article, cb_kwargs={"row": row, "column": column}, priority=10)
        if rows and page < -(-data["totle_hits"] // 100) and not self.nothing:
            yield self._list(column, page + 1)

    def article(self, response: TextResponse, row: dict[str, Any], column: str) -> Iterator[Any]:
        data = json.loads(response.text)["data"]
        if not data["Art_Content"].strip():
            # Its text is on its page only.
            yield Request(f"{self.url}/a/{row['code']}.html", self.page, cb_kwargs={"data": data}, priority=10)
            return
        yield item_of(data, data["Art_Content"])

    def page(self, response: TextResponse, data: dict[str, Any]) -> Iterator[Any]:
        yield item_of(data, response.css("#ContentBody").get(""))


def item_of(data: dict[str, Any], body: str) -> dict[str, Any]:
    names = ("Art_Code", "Art_Title", "Art_ShowTime", "Art_Media_Name", "Art_Description")
    return {**{name: data[name] for name in names}, "body": body}


def main() -> None:
    url, *words = sys.argv[1:]
    changes: dict[str, Any] = {} if "log" in words else {"LOG_LEVEL": "INFO"}
    if "lean" in words:
        changes |= {name: getattr(ours, name) for name in LEAN if hasattr(ours, name)}
        changes |= {"LOG_LEVEL": "CRITICAL", "CONCURRENT_REQUESTS": 16}
    process = AsyncCrawlerProcess(Settings(changes))
    Bare.url, Bare.nothing, Bare.seen = url, "nothing" in words, set()
    process.crawl(Bare)
    process.start()


main()
