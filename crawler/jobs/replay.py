"""Replies that were kept are read again by the extractors of today, without any network."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scrapy.crawler import Crawler
from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from crawler import settings as our_settings
from crawler.content import clock
from crawler.content.categories import Media
from crawler.content.normalise import normalise
from crawler.content.post_format import Site
from crawler.errors import Unusable
from crawler.items import NO_COLUMN, Article, Entry, Outcome, RawArticle, Reply, RunOutcome
from crawler.jobs import legacy_posts
from crawler.jobs.legacy_posts import OldPost
from crawler.spiders.base import SiteSpider, response_of
from crawler.storage import Store, post_files
from crawler.storage.articles import differences
from crawler.storage.output_dir import hold, prepare
from crawler.storage.quarantine import ARTICLE, FILE, LISTING
from crawler.storage.raw_responses import entry_from
from crawler.storage.recovery import finish_what_was_left


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one kept reply: `readable` or not, why not, and which columns of the article change how."""

    code: str
    kind: str
    readable: bool
    detail: str = ""
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Replay:
    """Reads the kept replies of one output folder again. With `dry_run` nothing is written.

    `outcome` is a crawl's word for how that went so far.
    """

    def __init__(self, output: Path, store: Store, site: Site, *, dry_run: bool) -> None:
        settings = Settings()
        settings.setmodule(our_settings)
        self._output, self._store, self._site, self._dry_run = output, store, site, dry_run
        self._settings = settings
        self._media = Media(store.categories.all())
        self._spiders: dict[str, SiteSpider] = {}
        self.outcome = RunOutcome.DONE
        self._run_id = 0 if dry_run else store.runs.begin("replay", {}, clock.now())

    def quarantine(self) -> Iterator[Replayed]:
        """What stands in quarantine, oldest first. A listing or a row that is readable now is for the next crawl."""
        for row in self._store.quarantine.unresolved():
            try:
                replayed = self._read_quarantined(row)
            except Unusable as error:
                yield self._left_out(row["code"], row["kind"], error)
                continue
            if not self._dry_run:
                self._store.quarantine.resolve(row["id"], clock.now())
            yield replayed

    def articles(self) -> Iterator[Replayed]:
        """The articles whose replies were kept, and that would come out differently today."""
        for spider, entry, reply in self._store.raw.all():
            try:
                replayed = self._read_article(spider, entry, reply)
            except Unusable as error:
                yield self._left_out(entry.code, ARTICLE, error)
                continue
            if replayed.changes:
                yield replayed

    def close(self) -> None:
        if not self._dry_run:
            self._store.stories.catch_up()
            self._store.runs.finish(self._run_id, self.outcome, clock.now())

    def _left_out(self, code: str, kind: str, error: Unusable) -> Replayed:
        self.outcome = RunOutcome.PARTIAL
        return Replayed(code, kind, readable=False, detail=str(error))

    def _read_quarantined(self, row: Mapping[str, Any]) -> Replayed:
        reply = Reply(row["url"], row["content_type"], self._store.quarantine.raw(row["id"]), row["reader"])
        if row["kind"] == FILE:
            return self._read_file(reply)
        spider = self._spider(row["spider"])
        if row["kind"] == ARTICLE:
            return self._read_article(row["spider"], entry_from(row["entry"]), reply)
        if row["kind"] == LISTING:
            listing = spider.read_listing(response_of(reply), spider.first_cursor)
            return Replayed("", LISTING, readable=True, detail=f"{len(listing.rows)} rows: the next crawl takes them")
        entry = spider.entry_of(json.loads(reply.body), row["column_id"], clock.now())
        return Replayed(entry.code, row["kind"], readable=True, detail="the next crawl takes it")

    def _read_file(self, reply: Reply) -> Replayed:
        """As an import does it, which does not touch what the database has already."""
        old = OldPost.named(reply.url)
        if self._store.articles.get(old.code):
            return Replayed(old.code, FILE, readable=True, detail="in the database already")
        raw = legacy_posts.read(old, reply.body, self._media, clock.now())
        return self._compared(raw, legacy_posts.entry_of(raw), FILE)

    def _read_article(self, spider: str, entry: Entry, reply: Reply) -> Replayed:
        return self._compared(self._spider(spider).read_reply(reply, entry, clock.now()), entry, ARTICLE)

    def _compared(self, raw: RawArticle, entry: Entry, kind: str) -> Replayed:
        article = normalise(raw, self._media.of)
        row = self._store.articles.get(article.code)
        changes = differences(article, row) if row else {"article": ("", article.title)}
        if changes and not self._dry_run:
            self._take_in(article, entry)
        return Replayed(article.code, kind, readable=True, changes=changes)

    def _take_in(self, article: Article, entry: Entry) -> None:
        recorded = self._store.articles.save(article, entry, self._site, markup_too=True)
        if recorded.post_text:
            post_files.put(self._output, recorded.post_path, recorded.post_text)
        self._store.articles.published(article.code, recorded.revision)
        outcome = Outcome.NEW if recorded.outcome is Outcome.NEW else Outcome.UPDATED
        self._store.runs.list_entries(
            self._run_id, [(article.code, NO_COLUMN, outcome, "read again from its kept reply")]
        )

    def _spider(self, name: str) -> SiteSpider:
        if name not in self._spiders:
            loader = SpiderLoader.from_settings(self._settings)
            spider_class: Any = loader.load(name)
            self._spiders[name] = spider_class.from_crawler(Crawler(spider_class, self._settings))
        return self._spiders[name]


@contextmanager
def replaying(output: Path, site: Site, *, dry_run: bool) -> Iterator[Replay]:
    """A replay of an output folder; under the crawl's lock, and with its books, unless it is a dry run."""
    if dry_run:
        with Store.reading(output) as store:
            yield Replay(output, store, site, dry_run=True)
        return
    prepare(output)
    with hold(output), Store.writing(output) as store:
        finish_what_was_left(output, store, site, clock.now())
        replay = Replay(output, store, site, dry_run=False)
        yield replay
        replay.close()
