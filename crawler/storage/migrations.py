"""Migrations: the schema in numbered steps. Append only: a released step never changes."""

import re

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from crawler.items import Outcome

migrations = Migrations("finews")

_OUTCOME_VALUES = ", ".join(f"'{outcome}'" for outcome in Outcome)
_OUTCOME_COUNT_COLUMNS = "\n".join(f'        "{outcome}" INTEGER NOT NULL DEFAULT 0,' for outcome in Outcome)
_OUTCOME_COUNT_SUM = " + ".join(f'"{outcome}"' for outcome in Outcome)

_FIRST_TABLES = (
    # A media with the slug of its pages. `aliases` is a JSON array of other names and older slugs.
    """
    CREATE TABLE categories (
        slug TEXT PRIMARY KEY,
        media TEXT NOT NULL,
        aliases TEXT NOT NULL DEFAULT '[]'
    )
    """,
    # One row per article, from which alone its post file is written. `published_revision` is the revision of the file
    # on disk; NULL or an older number: the post is not written yet.
    """
    CREATE TABLE articles (
        code TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        published_at TEXT NOT NULL,
        media TEXT NOT NULL,
        category TEXT NOT NULL REFERENCES categories(slug),
        source TEXT NOT NULL,
        url TEXT NOT NULL,
        summary TEXT NOT NULL,
        body_html TEXT NOT NULL,
        body_text TEXT NOT NULL,
        post_path TEXT NOT NULL UNIQUE,
        post_sha256 TEXT NOT NULL,
        first_seen_at TEXT NOT NULL,
        changed_at TEXT,
        revision INTEGER NOT NULL DEFAULT 1,
        withdrawn_at TEXT,
        published_revision INTEGER
    )
    """,
    "CREATE INDEX articles_published_at ON articles(published_at)",
    "CREATE INDEX articles_category ON articles(category, published_at)",
    "CREATE INDEX articles_owed ON articles(code) WHERE published_revision IS NOT revision",
    # The columns that list an article.
    """
    CREATE TABLE article_columns (
        code TEXT NOT NULL REFERENCES articles(code),
        column_id TEXT NOT NULL,
        PRIMARY KEY (code, column_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX article_columns_column ON article_columns(column_id)",
    # Older versions of corrected articles; the current version is in `articles`.
    """
    CREATE TABLE revisions (
        code TEXT NOT NULL REFERENCES articles(code),
        revision INTEGER NOT NULL,
        seen_at TEXT NOT NULL,
        title TEXT NOT NULL,
        published_at TEXT NOT NULL,
        body_html TEXT NOT NULL,
        PRIMARY KEY (code, revision)
    )
    """,
    # The stocks and boards that the body links to.
    """
    CREATE TABLE mentions (
        code TEXT NOT NULL REFERENCES articles(code),
        secid TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('stock', 'board')),
        name TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (code, secid)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX mentions_secid ON mentions(secid)",
    # One row per crawl. `outcome` is NULL while it runs; the counts of its entries by outcome add up to `listed`.
    f"""
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        spider TEXT NOT NULL,
        arguments TEXT NOT NULL DEFAULT '{{}}',
        started_at TEXT NOT NULL,
        finished_at TEXT,
        outcome TEXT CHECK (outcome IN ('done', 'partial', 'failed', 'interrupted')),
        listed INTEGER NOT NULL DEFAULT 0,
{_OUTCOME_COUNT_COLUMNS}
        detail TEXT NOT NULL DEFAULT '',
        CHECK (listed = {_OUTCOME_COUNT_SUM})
    )
    """,
    # The outcome of each listing entry of each run; NULL: not decided yet. A blank row of a listing has no code.
    f"""
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES runs(id),
        code TEXT NOT NULL,
        column_id TEXT NOT NULL,
        outcome TEXT CHECK (outcome IN ({_OUTCOME_VALUES})),
        detail TEXT NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX entries_run ON entries(run_id, outcome)",
    "CREATE INDEX entries_code ON entries(code)",
    # Title and time of an article in a spider's listing when it was last saved or rejected: if they are unchanged, the
    # article is not requested again.
    """
    CREATE TABLE sightings (
        code TEXT NOT NULL,
        spider TEXT NOT NULL,
        title TEXT NOT NULL,
        published_at TEXT NOT NULL,
        refused TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (code, spider)
    ) WITHOUT ROWID
    """,
    # Raw content that could not be parsed, once for each content and reason.
    """
    CREATE TABLE quarantine (
        id INTEGER PRIMARY KEY,
        run_id INTEGER REFERENCES runs(id),
        spider TEXT NOT NULL,
        code TEXT NOT NULL,
        url TEXT NOT NULL,
        reason TEXT NOT NULL,
        seen_at TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        raw BLOB NOT NULL,
        UNIQUE (sha256, reason)
    )
    """,
)


@migrations()
def m001_first_tables(db: Database) -> None:
    """Create the tables of a crawl."""
    for statement in _FIRST_TABLES:
        db.execute(statement)


_COVERAGE_TABLES = (
    # The range of each listing that was read completely: all entries from `oldest` (NULL: its end) to `newest`.
    """
    CREATE TABLE coverage (
        spider TEXT NOT NULL,
        column_id TEXT NOT NULL,
        newest TEXT NOT NULL,
        oldest TEXT,
        run_id INTEGER NOT NULL REFERENCES runs(id),
        PRIMARY KEY (spider, column_id)
    ) WITHOUT ROWID
    """,
    # Entries published between these times were in a listing, but no longer when it was requested.
    """
    CREATE TABLE gaps (
        run_id INTEGER NOT NULL REFERENCES runs(id),
        column_id TEXT NOT NULL,
        after TEXT NOT NULL,
        before TEXT NOT NULL,
        PRIMARY KEY (run_id, column_id)
    ) WITHOUT ROWID
    """,
    # The number of failures in a row to fetch an article as listed now.
    "ALTER TABLE sightings ADD COLUMN failures INTEGER NOT NULL DEFAULT 0",
)


@migrations()
def m002_coverage(db: Database) -> None:
    """Record the coverage of each listing and its gaps, for incremental crawls."""
    for statement in _COVERAGE_TABLES:
        db.execute(statement)


_RAW_TABLES = (
    # Raw responses, zlib-compressed, once per content; kept if KEEP_RAW is on.
    """
    CREATE TABLE raw_contents (
        sha256 TEXT PRIMARY KEY,
        content BLOB NOT NULL
    )
    """,
    # The response that each article was extracted from, the number of the spider's extractor (`reader`), and the
    # listing entry (JSON).
    """
    CREATE TABLE raw_replies (
        code TEXT PRIMARY KEY,
        spider TEXT NOT NULL,
        url TEXT NOT NULL,
        content_type TEXT NOT NULL,
        reader INTEGER NOT NULL,
        entry TEXT NOT NULL,
        sha256 TEXT NOT NULL REFERENCES raw_contents(sha256),
        seen_at TEXT NOT NULL
    )
    """,
    # The data that extracting a quarantined response again needs: its kind, and the entry that it was requested for.
    "ALTER TABLE quarantine ADD COLUMN kind TEXT NOT NULL DEFAULT 'article'",
    "ALTER TABLE quarantine ADD COLUMN column_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE quarantine ADD COLUMN content_type TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE quarantine ADD COLUMN reader INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE quarantine ADD COLUMN entry TEXT",
    "ALTER TABLE quarantine ADD COLUMN resolved_at TEXT",
)


@migrations()
def m003_raw_replies(db: Database) -> None:
    """Keep responses, which can be extracted again without a network."""
    for statement in _RAW_TABLES:
        db.execute(statement)


@migrations()
def m004_pauses(db: Database) -> None:
    """Record until when a source asks for no requests, by origin: scheme, host and port."""
    db.execute("CREATE TABLE pauses (origin TEXT PRIMARY KEY, until TEXT NOT NULL) WITHOUT ROWID")


_BRACED_CODE = re.compile(r"\{(\S*code)\}")
_INTEGER_CODE = r"CASE WHEN CAST(CAST(\1 AS INTEGER) AS TEXT) = \1 THEN CAST(\1 AS INTEGER) ELSE \1 END"


def with_integer_codes(statement: str) -> str:
    """Return SQL with each code in braces, such as `{new.code}`, replaced by the search index's form of the code.

    This is an integer of 8 bytes for a code of digits, and the text for any other.
    """
    return _BRACED_CODE.sub(_INTEGER_CODE, statement)


_SEARCH_TRIGGERS = (
    """
    CREATE TRIGGER search_article_inserted AFTER INSERT ON articles BEGIN
        DELETE FROM search_documents WHERE code = {new.code} AND current = 1;
        INSERT OR IGNORE INTO search_pending VALUES (new.code);
    END
    """,
    """
    CREATE TRIGGER search_article_updated AFTER UPDATE OF code, title, published_at, body_text, revision ON articles
    WHEN (old.code, old.title, old.published_at, old.body_text, old.revision)
        IS NOT (new.code, new.title, new.published_at, new.body_text, new.revision)
    BEGIN
        UPDATE OR REPLACE search_documents SET current = 0
        WHERE code = {old.code} AND current = 1 AND revision != new.revision
            AND EXISTS (
                SELECT 1 FROM revisions WHERE code = old.code AND revision = old.revision
                    AND (title, published_at, body_html) IS (old.title, old.published_at, old.body_html)
            );
        DELETE FROM search_documents WHERE code IN ({old.code}, {new.code}) AND current = 1;
        INSERT OR IGNORE INTO search_pending VALUES (new.code);
    END
    """,
    """
    CREATE TRIGGER search_article_deleted AFTER DELETE ON articles BEGIN
        DELETE FROM search_documents WHERE code = {old.code} AND current = 1;
    END
    """,
    """
    CREATE TRIGGER search_revision_inserted AFTER INSERT ON revisions BEGIN
        DELETE FROM search_documents WHERE code = {new.code} AND revision = new.revision AND current = 0;
        INSERT OR IGNORE INTO search_pending VALUES (new.code);
    END
    """,
    """
    CREATE TRIGGER search_revision_updated AFTER UPDATE ON revisions BEGIN
        DELETE FROM search_documents
        WHERE code IN ({old.code}, {new.code}) AND revision IN (old.revision, new.revision) AND current = 0;
        INSERT OR IGNORE INTO search_pending VALUES (new.code);
    END
    """,
    """
    CREATE TRIGGER search_revision_deleted AFTER DELETE ON revisions BEGIN
        DELETE FROM search_documents WHERE code = {old.code} AND revision = old.revision AND current = 0;
    END
    """,
)

# The search index. Triggers in plain SQL, which work for every client that writes to the database, delete outdated
# documents and list the articles to index; finews indexes its own in the same transaction (search/index.py). Articles
# that another client has written are searched without the index until finews indexes them.
_SEARCH_TABLES = (
    # All versions of an article, with the time when each was first seen; `current` is 1 for the current version.
    """
    CREATE VIEW versions AS
        SELECT code, revision, 0 AS current, seen_at, title, published_at, body_html, NULL AS body_text FROM revisions
        UNION ALL
        SELECT code, revision, 1, coalesce(changed_at, first_seen_at), title, published_at, body_html, body_text
        FROM articles
    """,
    # One row for each version whose bigrams are in `search_pairs`. `published` is in seconds since 1970.
    """
    CREATE TABLE search_documents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        code TEXT NOT NULL,
        revision INTEGER NOT NULL,
        current INTEGER NOT NULL,
        published INTEGER NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX search_documents_code ON search_documents(code, revision, current)",
    # The newest time of each block of 1,024 documents.
    "CREATE TABLE search_blocks (block INTEGER PRIMARY KEY, newest INTEGER NOT NULL)",
    # The bigrams of each document, by its id, without positions. Bigrams of an id without a document are outdated.
    """
    CREATE VIRTUAL TABLE search_pairs
    USING fts5(pairs, content = '', columnsize = 0, detail = none, tokenize = 'ascii')
    """,
    # The articles with a version that is not indexed yet.
    "CREATE TABLE search_pending (code TEXT PRIMARY KEY) WITHOUT ROWID",
    *(_BRACED_CODE.sub(r"\1", trigger) for trigger in _SEARCH_TRIGGERS),
    "INSERT INTO search_pending SELECT code FROM articles",
    # Stocks are looked up by code without the market, or by name.
    "CREATE INDEX mentions_stock_code ON mentions(substr(secid, instr(secid, '.') + 1))",
    "CREATE INDEX mentions_name ON mentions(name)",
    # For other clients: `SELECT title FROM search WHERE words MATCH '央行' ORDER BY published_at DESC LIMIT 10`.
    """
    CREATE VIEW search AS
        SELECT search_pairs.search_pairs AS words, articles.*
        FROM search_pairs
        JOIN search_documents ON search_documents.id = search_pairs.rowid AND current = 1
        JOIN articles USING (code)
    """,
    # Frequent queries. The source's times are China time, as text.
    """
    CREATE VIEW articles_per_day AS
        SELECT substr(published_at, 1, 10) AS day, media, category, count(*) AS articles
        FROM articles GROUP BY day, media, category
    """,
    """
    CREATE VIEW stocks_last_7_days AS
        SELECT secid, max(name) AS name, count(*) AS articles, sum(count) AS times, max(published_at) AS latest
        FROM articles JOIN mentions USING (code)
        WHERE kind = 'stock'
            AND published_at >= strftime('%Y-%m-%dT%H:%M:%S', 'now', '+8 hours', '-7 days')
        GROUP BY secid ORDER BY articles DESC, times DESC, secid
    """,
    """
    CREATE VIEW latest_per_category AS
        SELECT category, media, code, title, max(published_at) AS published_at FROM articles GROUP BY category
    """,
)


@migrations()
def m005_search(db: Database) -> None:
    """Create an index that finds every part of a title or a text, and views for frequent queries."""
    for statement in _SEARCH_TABLES:
        db.execute(statement)


# The day in a post's path: `_posts/2022/01/10/...`.
_POST_DAY = "substr({}.post_path, 8, 10)"
_INSERT_STALE_PAGES = "INSERT INTO stale_pages (kind, name) VALUES {} ON CONFLICT DO NOTHING"
_INSERT_STALE_STOCK_PAGES = """INSERT INTO stale_pages (kind, name) SELECT 'stock', secid FROM mentions
            WHERE code = NEW.code AND kind = 'stock' ON CONFLICT DO NOTHING"""
MARK_ALL_PAGES_STALE = (
    "INSERT OR IGNORE INTO stale_pages SELECT DISTINCT 'category', category FROM articles",
    "INSERT OR IGNORE INTO stale_pages SELECT DISTINCT 'day', substr(articles.post_path, 8, 10) FROM articles",
    "INSERT OR IGNORE INTO stale_pages SELECT DISTINCT 'stock', secid FROM mentions WHERE kind = 'stock'",
)
_STALE_PAGE_TABLES = (
    # The site's pages that are out of date. Triggers fill the table, whichever program writes the articles; finews
    # empties it when it writes the pages.
    """
    CREATE TABLE stale_pages (
        kind TEXT NOT NULL CHECK (kind IN ('category', 'day', 'stock')),
        name TEXT NOT NULL,
        PRIMARY KEY (kind, name)
    ) WITHOUT ROWID
    """,
    f"""
    CREATE TRIGGER stale_pages_of_new AFTER INSERT ON articles BEGIN
        {_INSERT_STALE_PAGES.format(f"('category', NEW.category), ('day', {_POST_DAY.format('NEW')})")};
    END
    """,
    f"""
    CREATE TRIGGER stale_pages_of_changed AFTER UPDATE OF title, published_at, media, category, post_path ON articles
    BEGIN
        {_INSERT_STALE_PAGES.format("('category', OLD.category), ('category', NEW.category)")};
        {_INSERT_STALE_PAGES.format(f"('day', {_POST_DAY.format('OLD')}), ('day', {_POST_DAY.format('NEW')})")};
        {_INSERT_STALE_STOCK_PAGES};
    END
    """,
    f"""
    CREATE TRIGGER stale_pages_of_deleted AFTER DELETE ON articles BEGIN
        {_INSERT_STALE_PAGES.format(f"('category', OLD.category), ('day', {_POST_DAY.format('OLD')})")};
    END
    """,
    f"""
    CREATE TRIGGER stale_pages_of_mention AFTER INSERT ON mentions WHEN NEW.kind = 'stock' BEGIN
        {_INSERT_STALE_PAGES.format("('stock', NEW.secid)")};
    END
    """,
    f"""
    CREATE TRIGGER stale_pages_of_no_mention AFTER DELETE ON mentions WHEN OLD.kind = 'stock' BEGIN
        {_INSERT_STALE_PAGES.format("('stock', OLD.secid)")};
    END
    """,
    # At this version, reprints were found by their title.
    "CREATE INDEX articles_title ON articles(title)",
    *MARK_ALL_PAGES_STALE,
)


@migrations()
def m006_stale_pages(db: Database) -> None:
    """Record the pages of the published site that have to be written again."""
    for statement in _STALE_PAGE_TABLES:
        db.execute(statement)


# The clusters (stories) of reprints. As for the search index, triggers in plain SQL list the changed articles, and
# finews clusters them (reprints/clusters.py). Except for `story_pending`, all rows are derived from the articles.
_STORY_TABLES = (
    # Each text once, by its letters, with a sketch that estimates the similarity of two texts.
    "CREATE TABLE story_texts (digest BLOB PRIMARY KEY, sketch BLOB NOT NULL) WITHOUT ROWID",
    # `id` is derived from the code, `published` is in seconds since 1970, `story` is the least id of a cluster.
    """
    CREATE TABLE story_articles (
        id INTEGER PRIMARY KEY,
        code TEXT NOT NULL UNIQUE,
        media TEXT NOT NULL,
        published INTEGER NOT NULL,
        digest BLOB NOT NULL,
        figures BLOB NOT NULL,
        story INTEGER NOT NULL
    )
    """,
    "CREATE INDEX story_articles_story ON story_articles(story, published, code)",
    "CREATE INDEX story_articles_digest ON story_articles(digest)",
    # The articles by the keys of their texts, in order of time.
    """
    CREATE TABLE story_keys (
        key INTEGER NOT NULL,
        published INTEGER NOT NULL,
        id INTEGER NOT NULL,
        PRIMARY KEY (key, published, id)
    ) WITHOUT ROWID
    """,
    # The articles that have to be clustered again, or were deleted.
    "CREATE TABLE story_pending (code TEXT PRIMARY KEY) WITHOUT ROWID",
    """
    CREATE TRIGGER story_article_inserted AFTER INSERT ON articles BEGIN
        INSERT OR IGNORE INTO story_pending VALUES (new.code);
    END
    """,
    """
    CREATE TRIGGER story_article_updated AFTER UPDATE OF code, media, published_at, body_text ON articles
    WHEN (old.code, old.media, old.published_at, old.body_text)
        IS NOT (new.code, new.media, new.published_at, new.body_text)
    BEGIN
        INSERT OR IGNORE INTO story_pending VALUES (old.code), (new.code);
    END
    """,
    """
    CREATE TRIGGER story_article_deleted AFTER DELETE ON articles BEGIN
        INSERT OR IGNORE INTO story_pending VALUES (old.code);
    END
    """,
    "INSERT INTO story_pending SELECT code FROM articles",
    # Each reprint with the earliest article of its cluster.
    """
    CREATE VIEW reprints AS
        SELECT articles.code, articles.title, articles.media, articles.published_at,
               first.code AS original, first.title AS original_title, first.media AS original_media,
               first.published_at AS original_published_at, (here.published - earliest.published) / 60 AS minutes_later
        FROM story_articles AS here
        JOIN story_articles AS earliest ON earliest.id =
            (SELECT id FROM story_articles AS there WHERE there.story = here.story ORDER BY published, code LIMIT 1)
        JOIN articles ON articles.code = here.code
        JOIN articles AS first ON first.code = earliest.code
        WHERE here.id != earliest.id
    """,
)


@migrations()
def m007_stories(db: Database) -> None:
    """Record which articles are reprints of one another."""
    for statement in _STORY_TABLES:
        db.execute(statement)


@migrations()
def m008_search_blocks(db: Database) -> None:
    """Make the blocks of the search index smaller, and sort them by their newest: a search reads fewer documents."""
    db.execute("DELETE FROM search_blocks")
    db.execute("INSERT INTO search_blocks SELECT id >> 6, max(published) FROM search_documents GROUP BY id >> 6")
    db.execute("CREATE INDEX search_blocks_newest ON search_blocks(newest)")


@migrations()
def m009_pages_anew(db: Database) -> None:
    """Write all pages again: they hold their articles as HTML, and list reprints by their clusters."""
    for statement in ("DROP INDEX articles_title", *MARK_ALL_PAGES_STALE):
        db.execute(statement)


_SMALLER_SEARCH_TABLES = (
    *(
        f"DROP TRIGGER search_{what}"
        for what in (
            "article_inserted", "article_updated", "article_deleted",
            "revision_inserted", "revision_updated", "revision_deleted",
        )
    ),
    "DROP VIEW search",
    # `code` has no type: integers and texts are stored as they are.
    """
    CREATE TABLE search_documents_anew (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        code NOT NULL,
        revision INTEGER NOT NULL,
        current INTEGER NOT NULL,
        published INTEGER NOT NULL
    )
    """,
    """
    INSERT INTO search_documents_anew
        SELECT id, {code}, revision, current, published FROM search_documents ORDER BY id
    """,
    # Ids are never used again, those of deleted documents included.
    "DELETE FROM sqlite_sequence WHERE name = 'search_documents_anew'",
    """
    INSERT INTO sqlite_sequence (name, seq)
        SELECT 'search_documents_anew', seq FROM sqlite_sequence WHERE name = 'search_documents'
    """,
    "DROP TABLE search_documents",
    "ALTER TABLE search_documents_anew RENAME TO search_documents",
    "CREATE UNIQUE INDEX search_documents_code ON search_documents(code, revision, current)",
    # The newest and the oldest time of each block of documents.
    "DROP TABLE search_blocks",
    "CREATE TABLE search_blocks (block INTEGER PRIMARY KEY, newest INTEGER NOT NULL, oldest INTEGER NOT NULL)",
    """
    INSERT INTO search_blocks SELECT id >> 6, max(published), min(published) FROM search_documents GROUP BY id >> 6
    """,
    "CREATE INDEX search_blocks_newest ON search_blocks(newest)",
    *_SEARCH_TRIGGERS,
    """
    CREATE VIEW search AS
        SELECT search_pairs.search_pairs AS words, articles.*
        FROM search_pairs
        JOIN search_documents ON search_documents.id = search_pairs.rowid AND current = 1
        JOIN articles ON articles.code = CAST(search_documents.code AS TEXT)
    """,
)  # fmt: skip


@migrations()
def m010_smaller_search(db: Database) -> None:
    """Store codes as integers in the search index, and the oldest time of each block."""
    for statement in _SMALLER_SEARCH_TABLES:
        db.execute(with_integer_codes(statement))


@migrations()
def m011_raw_contents_in_use(db: Database) -> None:
    """Delete responses that no article refers to."""
    db.execute("CREATE INDEX raw_replies_sha256 ON raw_replies(sha256)")
    db.execute("DELETE FROM raw_contents WHERE sha256 NOT IN (SELECT sha256 FROM raw_replies)")


# Reason codes of texts that earlier versions wrote, by outcome and LIKE pattern; the first match counts.
_REASONS_BY_TEXT = {
    "unchanged": {
        "": "not_modified",
        "kept by %": "other_source",
        "in quarantine since an earlier crawl: %": "rejected_earlier",
        "%: in the database already, from %": "already_stored",
    },
    "duplicate": {"%": "listed_twice"},
    "new": {"": "scraped", "read again from its kept reply": "replayed", "%.md": "imported"},
    "updated": {
        "": "scraped",
        "withdrawn at the source: %": "withdrawn",
        "read again from its kept reply": "replayed",
    },
    "filtered": {
        "category: %": "other_category",
        "before --since": "before_since",
        "after --until": "after_until",
        "over --limit": "over_limit",
        "%": "no_body",
    },
    "failed": {
        "HTTP ___": "http_error",
        "internal error: %": "bug",
        "the crawl was stopped": "interrupted",
        "the crawl was killed before its answer came": "interrupted",
        "the import was stopped": "interrupted",
        "Forbidden by robots.txt": "request_dropped",
        "%the request was dropped": "request_dropped",
        "its request was dropped": "request_dropped",
        "given up after %": "request_dropped",
        "the source asks to be left alone until %": "request_dropped",
        "%, which is none of its hosts": "request_dropped",
        "%, which is no public address": "request_dropped",
        "the reply is larger than %": "response_too_large",
        "the reply is over % bytes when unpacked": "response_too_large",
        "the reply has % bytes of headers, over %": "response_too_large",
        "the reply is broken: %": "response_incomplete",
        "the reply is packed as %": "response_incomplete",
        "the reply is cut": "response_incomplete",
        "the reply goes on after its end": "response_incomplete",
        "the page is cut: it has no end": "response_incomplete",
        "the source answers: %": "source_error",
    },
    "quarantined": {
        "% has changed: %": "schema_changed",
        "too complex: %": "rejected",
        "dated %": "rejected",
        "the title %": "rejected",
        "Art_Content is empty": "no_body",
        "neither text nor content holds anything": "no_body",
        "the article reply holds no article": "no_body",
        "the body holds nothing to read": "no_body",
        "the page has no #ContentBody": "no_body",
    },
}


def _reason_by_text() -> str:
    """Return SQL that converts an entry's text to its reason code."""
    cases = [
        f"WHEN outcome = '{outcome}' AND detail LIKE '{text}' THEN '{reason}'"
        for outcome, reasons in _REASONS_BY_TEXT.items()
        for text, reason in reasons.items()
    ]
    return f"CASE {' '.join(cases)} ELSE 'unspecified' END"


@migrations()
def m012_reasons(db: Database) -> None:
    """Add the reason of an entry's outcome, as a code; NULL as long as `outcome` is."""
    db.execute("ALTER TABLE entries ADD COLUMN reason TEXT")
    db.execute(" ".join(("UPDATE entries SET reason =", _reason_by_text(), "WHERE outcome IS NOT NULL")))


@migrations()
def m013_robots(db: Database) -> None:
    """Keep the robots.txt of each origin, which all crawls of a day use."""
    db.execute("CREATE TABLE robots (origin TEXT PRIMARY KEY, content BLOB NOT NULL, fetched_at TEXT NOT NULL)")


_CHANGING_LISTINGS = (
    # The number of walks in a row that did not prove that they read a whole listing: the next crawl reads it again.
    """
    CREATE TABLE unproven_walks (
        spider TEXT NOT NULL,
        column_id TEXT NOT NULL,
        run_id INTEGER NOT NULL REFERENCES runs(id),
        walks INTEGER NOT NULL,
        PRIMARY KEY (spider, column_id)
    ) WITHOUT ROWID
    """,
    # Title and time of an article in a column, if it was fetched because they differed from `sightings`.
    """
    CREATE TABLE column_sightings (
        code TEXT NOT NULL,
        spider TEXT NOT NULL,
        column_id TEXT NOT NULL,
        title TEXT NOT NULL,
        published_at TEXT NOT NULL,
        PRIMARY KEY (code, spider, column_id)
    ) WITHOUT ROWID
    """,
    # Resolve the quarantine of articles that were stored later.
    """
    UPDATE quarantine SET resolved_at = (SELECT first_seen_at FROM articles WHERE articles.code = quarantine.code)
    WHERE resolved_at IS NULL AND kind IN ('row', 'article')
        AND EXISTS (SELECT 1 FROM articles WHERE articles.code = quarantine.code AND first_seen_at >= seen_at)
    """,
    "CREATE INDEX quarantine_unresolved ON quarantine(code) WHERE resolved_at IS NULL",
)


@migrations()
def m014_changing_listings(db: Database) -> None:
    """Support listings that change while they are read, or that disagree; resolve old rows of quarantine."""
    for statement in _CHANGING_LISTINGS:
        db.execute(statement)


@migrations()
def m015_conditions(db: Database) -> None:
    """Record lasting problems of a source, and when each was reported last."""
    db.execute(
        "CREATE TABLE conditions (spider TEXT NOT NULL, detail TEXT NOT NULL, reported_at TEXT NOT NULL,"
        " PRIMARY KEY (spider, detail))"
    )


@migrations()
def m016_archived_pages(db: Database) -> None:
    """Record hashes of archived pages and their sources; write lists again when a summary changes."""
    db.execute(
        "CREATE TABLE archived_pages (path TEXT PRIMARY KEY, source_sha256 TEXT NOT NULL, page_sha256 TEXT NOT NULL)"
        " WITHOUT ROWID"
    )
    db.execute(
        """
        CREATE TRIGGER stale_pages_of_changed_text AFTER UPDATE OF summary, body_text ON articles
        WHEN NEW.summary IS NOT OLD.summary OR NEW.body_text IS NOT OLD.body_text
        BEGIN
            INSERT INTO stale_pages (kind, name) VALUES ('category', NEW.category) ON CONFLICT DO NOTHING;
        END
        """
    )


_INDEX_ALL_AGAIN = (
    "DELETE FROM search_documents",
    "DELETE FROM sqlite_sequence WHERE name = 'search_documents'",
    "DELETE FROM search_blocks",
    "INSERT OR IGNORE INTO search_pending SELECT code FROM versions",
)
_SCANNABLE_SEARCH_TABLES = (
    "DROP VIEW search",
    "DROP TABLE search_pairs",
    # As before, but with the lengths of the documents (`search_pairs_docsize`), which ranking by BM25 needs, and
    # without which a scan of the table fails: `SELECT count(*)` and dumps.
    "CREATE VIRTUAL TABLE search_pairs USING fts5(pairs, content = '', detail = none, tokenize = 'ascii')",
    """
    CREATE VIEW search AS
        SELECT search_pairs.search_pairs AS words, articles.*
        FROM search_pairs
        JOIN search_documents ON search_documents.id = search_pairs.rowid AND current = 1
        JOIN articles ON articles.code = CAST(search_documents.code AS TEXT)
    """,
    *_INDEX_ALL_AGAIN,
)


@migrations()
def m017_scannable_search(db: Database) -> None:
    """Create a search index that every client can scan, with the data for ranking; index all articles again."""
    for statement in _SCANNABLE_SEARCH_TABLES:
        db.execute(statement)


@migrations()
def m018_feed_ids(db: Database) -> None:
    """Write a day's page, and with it the lists, again: the feed has other ids and times of changes."""
    db.execute(
        "INSERT OR IGNORE INTO stale_pages"
        " SELECT 'day', substr(path, 8, 10) FROM (SELECT max(post_path) AS path FROM articles) WHERE path IS NOT NULL"
    )


_REPRINT_WORDING = (
    "DROP TRIGGER story_article_updated",
    """
    CREATE TRIGGER story_article_updated AFTER UPDATE OF code, title, media, published_at, body_html, body_text
    ON articles
    WHEN (old.code, old.title, old.media, old.published_at, old.body_html, old.body_text)
        IS NOT (new.code, new.title, new.media, new.published_at, new.body_html, new.body_text)
    BEGIN
        INSERT OR IGNORE INTO story_pending VALUES (old.code), (new.code);
    END
    """,
    "INSERT OR IGNORE INTO story_pending SELECT code FROM articles",
)


@migrations()
def m019_reprint_wording(db: Database) -> None:
    """Compare all articles again: reprints are compared by titles and links, too."""
    for statement in _REPRINT_WORDING:
        db.execute(statement)


@migrations()
def m020_folded_search(db: Database) -> None:
    """Index all articles again, by simplified characters, without meaningless spaces and commas.

    A step like this is needed whenever storage/search/folding.py changes its output, as with new tables of OpenCC.
    """
    db.execute("INSERT INTO search_pairs (search_pairs) VALUES ('delete-all')")
    for statement in _INDEX_ALL_AGAIN:
        db.execute(statement)


_FORGET_REFUSED_SIZES = (
    "CREATE TEMP TABLE refused_sizes AS SELECT code, spider FROM sightings"
    " WHERE refused LIKE 'too complex: %' OR refused LIKE 'the title has % characters, over %'",
    "DELETE FROM column_sightings WHERE (code, spider) IN (SELECT code, spider FROM temp.refused_sizes)",
    "UPDATE sightings SET title = '', published_at = '', refused = ''"
    " WHERE (code, spider) IN (SELECT code, spider FROM temp.refused_sizes)",
    "DROP TABLE temp.refused_sizes",
)


@migrations()
def m021_long_articles(db: Database) -> None:
    """Forget articles that were rejected only for their size: they are fetched again if they are still listed."""
    for statement in _FORGET_REFUSED_SIZES:
        db.execute(statement)
