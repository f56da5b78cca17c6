"""An output folder that another program writes to: each table has rows, and files of the user must not change."""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from lxml import etree

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import CHINA_TZ
from crawler.content.post_format import parse_post_path
from crawler.crawl.policy.backoff import LONGEST_STORED_PAUSE
from crawler.items import Article, RawResponse, Reason, RunOutcome, SavedArticle
from crawler.jobs.rebuild import rebuild_database, rewrite_posts
from crawler.jobs.verify import MismatchKind, repair_output, verify_output
from crawler.publish import feeds
from crawler.publish.export import export_to_file, parse_export_options
from crawler.publish.jekyll import pages, theme_installer
from crawler.storage import Store
from crawler.storage.article_writer import save_articles
from crawler.storage.notices import take_notices
from crawler.storage.output_dir import OutputDir
from crawler.storage.search.request import SearchRequest
from tests.support.stored_articles import STOCK_LINK, create_article, entry_for

SPIDER = "eastmoney"
_RESPONSE = RawResponse("https://finance.eastmoney.com/a/1.html", "text/html", b"")
NOW = datetime(2022, 1, 12, 8, 0, tzinfo=CHINA_TZ)
# Files that are the user's, inside the output folder and next to it: a row may name any of them.
USER_FILES: Mapping[str, str] = {
    "output/about.md": "---\ntitle: 关于\n---\n",
    "output/a/index.html": "<p>mine</p>",
    "output/category/mine.html": "---\ntitle: mine\n---\n",
    "output/x.md": "mine",
    "x.md": "mine",
    "x.html": "mine",
    "x": "mine",
}
# A row for each table that is empty after a crawl; the columns follow from an article or a run.
_MORE_ROWS = (
    "INSERT INTO revisions SELECT code, 1, first_seen_at, '旧题', published_at, body_html FROM articles LIMIT 3",
    "UPDATE articles SET revision = 2, published_revision = 2, changed_at = first_seen_at"
    " WHERE code IN (SELECT code FROM revisions)",
    "INSERT INTO column_sightings SELECT code, spider, '345', '另题', published_at FROM sightings LIMIT 3",
    "INSERT INTO coverage SELECT 'eastmoney', '350', started_at, NULL, id FROM runs",
    "INSERT INTO gaps SELECT id, '345', started_at, finished_at FROM runs",
    "INSERT INTO unproven_walks SELECT 'eastmoney', '999', id, 1 FROM runs LIMIT 1",
    "INSERT INTO archived_pages VALUES ('2022/01/10/x.html', printf('%064d', 1), printf('%064d', 2))",
    "INSERT INTO pauses VALUES ('example.org', '2022-01-10T16:20:36+08:00')",
    "INSERT INTO robots VALUES ('https://example.org', x'', '2022-01-10T16:20:36+08:00')",
    "INSERT INTO conditions VALUES ('eastmoney', 'example.org: HTTP 500', '2022-01-10T16:20:36+08:00')",
    "INSERT OR IGNORE INTO quarantine (run_id, spider, kind, code, url, reason, seen_at, sha256, raw, entry)"
    " SELECT 1, spider, 'article', code, url, 'the title is empty', seen_at, sha256, x'7b7d', entry"
    " FROM raw_replies LIMIT 3",
    "INSERT INTO stale_pages VALUES ('stock', '1.600160'), ('day', '2022/01/10') ON CONFLICT DO NOTHING",
    "INSERT OR IGNORE INTO search_pending SELECT code FROM articles LIMIT 2",
    "INSERT OR IGNORE INTO story_pending SELECT code FROM articles LIMIT 2",
)


def sample_articles(count: int = 6) -> list[Article]:
    """Return articles of several days that link to stocks."""
    stocks = "".join(STOCK_LINK.format(secid, name) for secid, name in (("1.600160", "巨化"), ("90.BK0493", "新能源")))
    articles = []
    for number in range(count):
        code = f"20220110224217163{number}"
        published_at = NOW.replace(day=10 + number % 2, hour=number)
        text = f"第{number}篇，" + f"央行公开市场操作{number}，" * 12
        body = f"<p>{text}{stocks}</p>"
        url = f"https://finance.eastmoney.com/a/{code}.html"
        article = create_article(body, code=code, title=f"题{number}", published_at=published_at, url=url)
        articles.append(replace(article, fetched_at=NOW, entry=entry_for(article)))
    return articles


def make_parent(parent: Path) -> None:
    """Store articles in `parent/output`, as a crawl does, and put the user's files there."""
    output = parent / "output"
    crawl_again(output)
    with OutputDir.open_for_writing(output) as out:
        for article in sample_articles():
            out.db.raw_responses.save(SPIDER, article.entry, replace(_RESPONSE, body=article.code.encode()), NOW)
    connection = sqlite3.connect(output / "news.db")
    with connection:
        for statement in _MORE_ROWS:
            connection.execute(statement)
    connection.close()
    for path, text in USER_FILES.items():
        (parent / path).parent.mkdir(parents=True, exist_ok=True)
        (parent / path).write_text(text)


def crawl_again(output: Path) -> int:
    """Save the sample articles as a crawl does; return the number of repaired rows."""
    articles = sample_articles()
    codes = [article.code for article in articles]
    with OutputDir.open_for_writing(output) as out:
        store = out.db
        CategoryRegistry(store.categories.all())
        run_id = store.runs.start(SPIDER, {}, NOW)
        store.coverage.for_spider(SPIDER, NOW)
        store.pauses.get_active(NOW, LONGEST_STORED_PAUSE)
        store.conditions.reported_at(SPIDER)
        store.robots_files.get("https://example.org")
        store.runs.failing_since(SPIDER)
        store.articles.get_known(codes, SPIDER, "350")
        store.articles.entries_to_refresh(SPIDER, NOW.replace(day=1))
        store.runs.find_listed(store.runs.last_entry_id(), "350", codes)
        entry_ids = store.runs.add_entries(run_id, [(code, "350", None, None, "") for code in codes])
        entries = [
            replace(article.entry, entry_id=entry_id) for article, entry_id in zip(articles, entry_ids, strict=True)
        ]
        results = save_articles(out, [replace(a, entry=entry) for a, entry in zip(articles, entries, strict=True)])
        assert all(isinstance(result, SavedArticle) for result in results), results
        store.sightings.record_failure(replace(entries[0], code="9" * 18), SPIDER)
        store.sightings.mark_rejected(entries[0], SPIDER, "")
        store.coverage.add_unproven_walk(run_id, SPIDER, "350")
        store.reprint_clusters.cluster_pending()
        out.repair_met_rows()
        theme_installer.install_theme(out.path, out.links)
        pages.update_pages(out.path, store)
        store.runs.fail_open_entries(run_id, "")
        for entry_id in entry_ids:
            store.runs.set_outcome(entry_id, results[0].outcome, Reason.SCRAPED)  # type: ignore[union-attr]  # asserted
        store.runs.finish(run_id, RunOutcome.DONE, NOW)
        store.runs.get(run_id)
        return len(store.repaired_rows)


def find_faults(parent: Path) -> list[str]:
    """Run the jobs of the commands after another program has written to news.db; return the errors."""
    output, faults = parent / "output", list[str]()
    read_all(output, parent / "export.jsonl")
    verify_output(output, "")
    crawl_again(output)
    faults += [f"crawl: {fault}" for fault in find_written_outside(parent)]
    repair_output(output, "")
    faults += [f"repair: {fault}" for fault in _remaining(output)]
    if again := crawl_again(output):
        faults.append(f"crawl after repair: {again} rows repaired")
    rewrite_posts(output, "")
    rebuild_database(output, "")
    faults += [f"rebuild: {fault}" for fault in _remaining(output)]
    read_all(output, parent / "export.jsonl")
    take_notices()
    return faults + find_written_outside(parent)


def _remaining(output: Path) -> list[str]:
    mismatches = verify_output(output, "").mismatches
    return [f"{mismatch.kind} {mismatch.detail}" for mismatch in mismatches if mismatch.kind != MismatchKind.EXTRA]


def read_all(output: Path, export: Path) -> None:
    """Read all data that commands and pages show."""
    with Store.open_ro(output) as store:
        rows = list(store.search.rows(SearchRequest(text="央行")))
        rows += store.search.rows(SearchRequest(text="行", as_of=NOW))
        rows += store.search.rows(SearchRequest(stock="600160", collapse_reprints=True))
        all_rows = list(store.search.rows_with_relations(SearchRequest()))
        rows += store.search.rows_with_relations(SearchRequest(as_of=NOW))
        info = feeds.FeedInfo("//example.org", {})
        etree.fromstring(feeds.render_atom(all_rows, info).encode())
        json.loads(feeds.render_json_feed(all_rows, info))
        for path in (export, export.with_suffix(".csv"), export.with_suffix(".parquet")):
            export_to_file(all_rows, path, parse_export_options(path.name, None, compress=False, excel=False))
        answers = [
            rows, store.categories.with_article_counts(), store.stocks.with_article_counts(9), store.runs.latest(9),
            store.stocks.get_details("600160", 9), store.articles.counts_by_column(), store.daily_counts.latest_media(9),
            store.daily_counts.by_day_and_media(30), store.daily_counts.newest_day(), store.coverage.latest_gaps(9),
            store.site_pages.periods_with_articles(10), store.site_pages.article_counts_by_day("2022"),
            store.quarantine.unresolved(), store.articles.code_with_most_mentions(),
            *(store.history.for_code(article.code) for article in sample_articles()),
            *(store.articles.get_full(article.code) for article in sample_articles()),
            *(store.search.get_full_as_of(article.code, NOW) for article in sample_articles()),
        ]  # fmt: skip
        json.dumps(answers).encode("utf-8")
        list(store.raw_responses.all())
    for line in export.read_text().splitlines():
        json.loads(line)


def find_written_outside(parent: Path) -> list[str]:
    """Return unexpected files, and the user's files that have changed."""
    faults = [f"changed: {path}" for path, text in USER_FILES.items() if (parent / path).read_text() != text]
    for path in (path for path in parent.rglob("*") if path.is_file()):
        name = str(path.relative_to(parent))
        if name in USER_FILES or name.startswith("export."):
            continue
        top, _, inside = name.partition("/")
        if top != "output":
            faults.append(f"outside: {name}")
        elif inside.startswith("_posts/") and parse_post_path(inside) is None:
            faults.append(f"no post: {name}")
    connection = sqlite3.connect(parent / "output/news.db")
    try:
        faults += [f"integrity: {row}" for row in connection.execute("PRAGMA integrity_check") if row != ("ok",)]
    except sqlite3.DatabaseError as error:
        faults.append(f"news.db: {error}")
    connection.close()
    return faults


def copy_parent(source: Path, target: Path) -> Path:
    """Copy the folder that `make_parent` created."""
    shutil.copytree(source, target)
    return target
