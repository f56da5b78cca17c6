"""Replay: parse stored responses again with the current extractors, without network."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scrapy.crawler import Crawler
from scrapy.settings import Settings

from crawler import settings as our_settings
from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.encoding import decode_body
from crawler.content.flash_format import drop_false_media
from crawler.content.normalise import normalise_article
from crawler.errors import ItemError, ParseError
from crawler.items import NO_COLUMN, ListingEntry, Outcome, RawArticle, RawResponse, Reason, RunOutcome
from crawler.jobs import legacy_posts
from crawler.jobs.legacy_posts import LegacyPost
from crawler.jobs.spider_lookup import find_markup, load_spider_class
from crawler.publish.jekyll.site_source import update_site_source
from crawler.spiders.base import SourceSpider
from crawler.storage.article_upsert import find_differences
from crawler.storage.article_writer import save_article
from crawler.storage.output_dir import OutputDir
from crawler.storage.quarantine import KIND_ARTICLE, KIND_FILE, KIND_LISTING
from crawler.storage.raw_responses import entry_from_json


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """Result for one stored response: whether it is readable, why not, and old and new values of changed columns."""

    code: str
    kind: str
    readable: bool
    detail: str = ""
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Replayer:
    """Parser of the stored responses of an output folder. With `dry_run` nothing is written.

    `outcome` is DONE, or PARTIAL after a response that is not readable.
    """

    def __init__(self, out: OutputDir, *, dry_run: bool) -> None:
        settings = Settings()
        settings.setmodule(our_settings)
        self._out, self._dry_run = out, dry_run
        self._settings = settings
        self._registry = CategoryRegistry(out.db.categories.all())
        self._spiders: dict[str, SourceSpider] = {}
        self.outcome = RunOutcome.DONE
        self._run_id = 0 if dry_run else out.db.runs.start("replay", {}, clock.now())

    def replay_quarantine(self) -> Iterator[ReplayResult]:
        """Yield a result per row in quarantine, oldest first; the next crawl saves entries of readable listings."""
        for row in self._out.db.quarantine.unresolved():
            try:
                result = self._replay_quarantined(row)
            except ItemError as error:
                yield self._report_failure(row["code"], row["kind"], error)
                continue
            if not self._dry_run:
                self._out.db.quarantine.mark_resolved(row["id"], clock.now())
            yield result

    def replay_articles(self) -> Iterator[ReplayResult]:
        """Yield a result for each stored response that is unreadable or changes its article."""
        for spider, entry, response in self._out.db.raw_responses.all():
            try:
                result = self._replay_article(spider, entry, response)
            except ItemError as error:
                yield self._report_failure(entry.code, KIND_ARTICLE, error)
                continue
            if result.changes:
                yield result

    def close(self) -> None:
        """Cluster reprints, update the pages and finish the run, unless this is a dry run."""
        if not self._dry_run:
            self._out.db.reprint_clusters.cluster_pending()
            update_site_source(self._out)
            self._out.db.runs.finish(self._run_id, self.outcome, clock.now())

    def _report_failure(self, code: str, kind: str, error: ItemError) -> ReplayResult:
        self.outcome = RunOutcome.PARTIAL
        return ReplayResult(code, kind, readable=False, detail=str(error))

    def _replay_quarantined(self, row: Mapping[str, Any]) -> ReplayResult:
        response = RawResponse(
            row["url"], row["content_type"], self._out.db.quarantine.get_raw(row["id"]), row["reader"]
        )
        if row["kind"] == KIND_FILE:  # of an import, which changes no article in the database
            legacy_post = LegacyPost.from_path(response.url)
            if self._out.db.articles.get(legacy_post.code):
                return ReplayResult(legacy_post.code, KIND_FILE, readable=True, detail="in the database already")
            raw = legacy_posts.parse_legacy_post(legacy_post, response.body, self._registry, clock.now())
            return self._compare_with_stored(raw, KIND_FILE)
        spider = self._load_spider(row["spider"])
        if row["kind"] == KIND_ARTICLE:
            if row["entry"] is None:
                raise ParseError("it was stored without its listing entry")
            return self._replay_article(row["spider"], entry_from_json(row["entry"]), response)
        if row["kind"] == KIND_LISTING:
            text = decode_body(response.body, response.content_type)
            row_count = len(spider.extract_listing(text, spider.first_cursor).rows)
            return ReplayResult("", KIND_LISTING, readable=True, detail=f"{row_count} rows: the next crawl takes them")
        try:
            fields = json.loads(response.body)
        except ValueError as error:
            raise ParseError("the stored response is not a row of a listing") from error
        entry = spider.parse_and_check_row(fields, row["column_id"], clock.now())
        return ReplayResult(entry.code, row["kind"], readable=True, detail="the next crawl takes it")

    def _replay_article(self, spider: str, entry: ListingEntry, response: RawResponse) -> ReplayResult:
        entry = replace(entry, media=drop_false_media(entry.media, entry.summary))
        raw = self._load_spider(spider).extract_article(response, entry, clock.now())
        row = self._out.db.articles.get(entry.code)
        if row and raw.spider in self._find_spider_class(row["source"]).supersedes:
            return ReplayResult(entry.code, KIND_ARTICLE, readable=True, detail=f"kept by {row['source']}")
        return self._compare_with_stored(raw, KIND_ARTICLE)

    def _compare_with_stored(self, raw: RawArticle, kind: str) -> ReplayResult:
        article = normalise_article(raw, self._registry.get_or_create, find_markup(raw.spider))
        row = self._out.db.articles.get(article.code)
        changes = find_differences(article, row) if row else {"article": ("", article.title)}
        if changes and not self._dry_run:
            saved = save_article(self._out, article, markup=find_markup(raw.spider), compare_markup=True)
            outcome = Outcome.NEW if saved.outcome is Outcome.NEW else Outcome.UPDATED
            entry = (article.code, NO_COLUMN, outcome, Reason.REPLAYED, "parsed again from its stored response")
            self._out.db.runs.add_entries(self._run_id, [entry])
        return ReplayResult(article.code, kind, readable=True, changes=changes)

    def _find_spider_class(self, name: str) -> type[SourceSpider]:
        try:
            return load_spider_class(name)
        except KeyError as error:
            raise ParseError(f"no spider is called {name[:40]!r}") from error

    def _load_spider(self, name: str) -> SourceSpider:
        if name not in self._spiders:
            spider_class = self._find_spider_class(name)
            self._spiders[name] = spider_class.from_crawler(Crawler(spider_class, self._settings))
        return self._spiders[name]


@contextmanager
def open_replayer(output: Path, address: str, *, dry_run: bool) -> Iterator[Replayer]:
    """Open a folder for replaying; unless it is a dry run, hold the lock of crawls and record a run."""
    if dry_run:
        with OutputDir.open_for_reading(output, address=address) as out:
            yield Replayer(out, dry_run=True)
        return
    with OutputDir.open_for_writing(output, address=address) as out:
        replayer = Replayer(out, dry_run=False)
        yield replayer
        replayer.close()
