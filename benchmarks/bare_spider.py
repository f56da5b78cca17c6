"""The baseline: a Scrapy spider that fetches the same listings and yields the same articles as dicts.

    python benchmarks/bare_spider.py URL [lean | log] [nothing]

`lean` uses those settings of finews that need no component of finews; `log` keeps Scrapy's default log of each
response and each item; `nothing` fetches listings only.
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

LISTED_COLUMNS = ("344", "345", "350", "351", "353", "354", "355")
ROW_FIELDS = "code,showTime,title,mediaName,summary,image,url,uniqueUrl,Np_dst"
SHARED_SETTINGS = (
    "CONCURRENT_ITEMS", "EXTENSIONS_BASE", "DOWNLOADER_MIDDLEWARES_BASE", "TELNETCONSOLE_ENABLED", "REFERER_ENABLED",
    "METAREFRESH_ENABLED", "DUPEFILTER_CLASS", "SCHEDULER_MEMORY_QUEUE", "SCHEDULER_START_MEMORY_QUEUE",
    "DOWNLOAD_HANDLERS", "WARN_ON_GENERATOR_RETURN_VALUE",
)  # fmt: skip


class BareSpider(Spider):
    name = "bare"

    async def start(self) -> Any:
        for column in LISTED_COLUMNS:
            yield self._listing_request(column, 1)

    def _listing_request(self, column: str, page: int) -> Request:
        query = (
            f"client=web&biz=web_news_col&column={column}&order=1&needInteractData=0&page_index={page}&page_size=100"
        )
        return Request(
            f"{self.url}/comm/web/getNewsByColumns?{query}&req_trace=1&fields={ROW_FIELDS}&types=1,20",
            self.parse,
            cb_kwargs={"column": column, "page": page},
        )

    def parse(self, response: TextResponse, column: str, page: int) -> Iterator[Any]:
        data = json.loads(response.text)["data"]
        rows = data["list"] or []
        for row in rows if not self.listings_only else ():
            if row["code"] not in self.seen_codes:
                self.seen_codes.add(row["code"])
                url = f"{self.url}/kuaixun/v2/api/article/{row['code']}?guid=finews"
                yield Request(url, self.parse_article, cb_kwargs={"row": row, "column": column}, priority=10)
        if rows and page < -(-data["totle_hits"] // 100) and not self.listings_only:
            yield self._listing_request(column, page + 1)

    def parse_article(self, response: TextResponse, row: dict[str, Any], column: str) -> Iterator[Any]:
        data = json.loads(response.text)["data"]
        if not data["Art_Content"].strip():
            # The text is only on the article's page.
            yield Request(f"{self.url}/a/{row['code']}.html", self.parse_page, cb_kwargs={"data": data}, priority=10)
            return
        yield build_item(data, data["Art_Content"])

    def parse_page(self, response: TextResponse, data: dict[str, Any]) -> Iterator[Any]:
        yield build_item(data, response.css("#ContentBody").get(""))


def build_item(data: dict[str, Any], body: str) -> dict[str, Any]:
    names = ("Art_Code", "Art_Title", "Art_ShowTime", "Art_Media_Name", "Art_Description")
    return {**{name: data[name] for name in names}, "body": body}


def main() -> None:
    url, *flags = sys.argv[1:]
    setting_overrides: dict[str, Any] = {} if "log" in flags else {"LOG_LEVEL": "INFO"}
    if "lean" in flags:
        setting_overrides |= {name: getattr(ours, name) for name in SHARED_SETTINGS}
        setting_overrides |= {"LOG_LEVEL": "CRITICAL", "CONCURRENT_REQUESTS": 16}
    process = AsyncCrawlerProcess(Settings(setting_overrides))
    BareSpider.url, BareSpider.listings_only, BareSpider.seen_codes = url, "nothing" in flags, set()
    process.crawl(BareSpider)
    process.start()


main()
