"""`finews serve`: the real command, asked over HTTP."""

import asyncio
import json
import re
import signal
import socket
import sqlite3
from pathlib import Path
from typing import Any

import feedparser
import pytest
from datasette.app import Datasette

from crawler.content import clock
from crawler.publish.web import datasette_database
from crawler.sample_site import Corpus, SampleSite
from crawler.storage import Store
from crawler.storage.connection import as_store_error
from tests.conftest import Finews
from tests.serve.conftest import Served, crawl, serving

STRICT = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SCRIPT = "<script>alert(1)</script>"


def rows(output: Path, sql: str, *values: object) -> list[Any]:
    connection = sqlite3.connect(output / "news.db")
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def change(output: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(output / "news.db") as connection:
        connection.execute(sql, values)
    connection.close()


def codes(page: str) -> list[str]:
    return re.findall(r'<h2><a href="/article/(\d+)', page)


# pages


def test_every_page_opens_without_script_or_foreign_request(served: Served, crawled: Path) -> None:
    ((code, secid),) = rows(crawled, "SELECT code, secid FROM mentions LIMIT 1")
    ((slug, path),) = rows(crawled, "SELECT category, post_path FROM articles LIMIT 1")
    day = path[7:17].replace("/", "-")
    for where in (
        "/",
        "/search",
        f"/article/{code}",
        f"/stock/{secid}",
        "/stock",
        "/category",
        f"/category/{slug}",
        "/day",
        f"/day/{day}",
    ):
        reply = served.get(where)
        assert reply.status == 200, where
        assert reply.headers["content-security-policy"] == STRICT
        assert "<script" not in reply.text
        assert not re.search(r'(?:src|rel="stylesheet" href)="(?:https?:)?//', reply.text), where


@pytest.mark.parametrize("query", ["公司", "涨停", "A股", "公司 -涨停", '"公司" OR 央行', "%", "60%", "a" * 3000, "-"])
def test_search_finds_what_the_command_finds(served: Served, finews: Finews, crawled: Path, query: str) -> None:
    shown = served.get("/search?q=" + query.replace("%", "%25"))
    found = finews("search", "--output", str(crawled), "--limit", "20", "--json", "--", query[:500]).value
    assert codes(shown.text) == [each["code"] for each in found]


def test_a_query_of_what_cannot_be_typed_holds_no_word(served: Served) -> None:
    assert served.get("/search?q=%00").status == 400


@pytest.mark.parametrize("query", ['"', '""'])
def test_a_query_without_a_word_is_a_mistake_in_both(served: Served, finews: Finews, crawled: Path, query: str) -> None:
    shown = served.get("/search?q=" + query)
    answer = finews("search", "--output", str(crawled), "--", query)
    assert (shown.status, answer.code) == (400, 2)
    assert "holds no word" in shown.text
    assert "holds no word" in answer.err


def test_hits_are_marked_and_facets_narrow(served: Served) -> None:
    page = served.get("/search?q=公司").text
    assert "<mark>公司</mark>" in page
    facets = re.findall(r'<li><a href="(/search\?[^"]+)">([^<]+)</a> <span class="count">(\d+)</span>', page)
    assert {"category", "since", "stock"} <= {
        name for link, *_ in facets for name in ("category", "since", "stock") if f"{name}=" in link
    }
    for link, label, number in facets[:3]:
        narrowed = served.get(link.replace("&amp;", "&"))
        assert f"找到 {number} 篇" in narrowed.text, (link, label)


def test_a_wrong_date_is_told_in_a_line(served: Served) -> None:
    reply = served.get("/search?q=公司&since=never")
    assert reply.status == 400
    assert "is not a date" in reply.text
    assert served.get("/nothing").status == 404
    assert served.get("/article/123456789012345678").status == 404
    assert served.get("/stock/nobody").status == 404


def test_an_article_reads_as_one(served: Served, crawled: Path) -> None:
    ((code, title, url, secid),) = rows(
        crawled,
        "SELECT code, title, url, secid FROM articles JOIN mentions USING (code) WHERE body_html LIKE '%quote.eastmoney%' LIMIT 1",
    )
    page = served.get(f"/article/{code}").text
    assert title.replace("&", "&amp;").replace('"', "&#34;") in page
    assert f'href="/stock/{secid}"' in page
    assert f'href="{url}"' in page
    assert "<img" not in page


def test_the_feed_is_valid_and_follows_a_search(served: Served) -> None:
    reply = served.get("/feed.atom?q=公司")
    assert reply.headers["content-type"].startswith("application/atom+xml")
    feed = feedparser.parse(reply.text)
    assert not feed.bozo
    assert [entry.id.rpartition(":")[2] for entry in feed.entries][:20] == codes(served.get("/search?q=公司").text)


def test_datasettes_own_pages_json_and_canned_queries(served: Served, crawled: Path) -> None:
    assert served.get("/news").status == 200
    ((code,),) = rows(crawled, "SELECT code FROM articles LIMIT 1")
    assert json.loads(served.get(f"/news/articles/{code}.json").text)["rows"][0][0] == code
    found = json.loads(served.get("/news/search_articles.json?q=公司&_shape=array").text)
    assert [row["code"] for row in found][:20] == codes(served.get("/search?q=公司").text)
    for name in ("stocks_of_7_days", "latest_of_each_media", "corrected", "withdrawn", "crawls"):
        assert served.get(f"/news/{name}.json").status == 200, name


def test_the_overview_leaves_out_our_own_bookkeeping(served: Served) -> None:
    tables = json.loads(served.get("/news.json").text)["tables"]
    assert {table["name"] for table in tables if not table["hidden"]} == {
        "article_columns", "articles", "categories", "entries", "gaps", "mentions", "quarantine", "revisions", "runs",
    }  # fmt: skip


def test_everything_in_the_overview_opens(served: Served) -> None:
    overview = json.loads(served.get("/news.json").text)
    shown = [each["name"] for each in overview["tables"] if not each["hidden"]]
    shown += [each["name"] for kind in ("views", "queries") for each in overview[kind]]
    assert {"articles", "articles_per_day", "crawls"} <= set(shown)
    for name in shown:
        for form in ("", ".json", ".csv"):
            assert served.get(f"/news/{name}{form}").status == 200, f"{name}{form}"
    assert served.get("/news.json?sql=select+count(*)+from+search+where+words+match+'公司'").status == 200


# beside writers


def test_new_articles_appear_while_it_runs(output: Path) -> None:
    corpus = Corpus.sample(12, newest_at=clock.now())
    with SampleSite(corpus) as site:
        crawl(site, output, "--limit", "3")
        with serving(output) as server:
            before = rows(output, "SELECT count(*) FROM articles")
            assert server.get("/").status == 200
            crawl(site, output)
            assert rows(output, "SELECT count(*) FROM articles") > before
            newest = rows(output, "SELECT code FROM articles ORDER BY published_at DESC LIMIT 1")[0][0]
            assert f"/article/{newest}" in server.get("/").text


def test_pages_are_read_in_the_middle_of_a_write(crawled: Path, served: Served) -> None:
    writer = sqlite3.connect(crawled / "news.db", isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE articles SET summary = summary || '.'")
        assert served.get("/").status == 200
        assert served.get("/search?q=公司").status == 200
    finally:
        writer.execute("ROLLBACK")
        writer.close()


def test_a_correction_is_shown_with_what_changed(output: Path) -> None:
    with SampleSite(Corpus.sample(6, newest_at=clock.now())) as site:
        crawl(site, output)
    ((code, title, body),) = rows(output, "SELECT code, title, body_html FROM articles LIMIT 1")
    change(
        output,
        "INSERT INTO revisions SELECT code, 1, first_seen_at, ?, published_at, ? FROM articles WHERE code = ?",
        title,
        body,
        code,
    )
    change(
        output,
        "UPDATE articles SET revision = 2, title = ?, changed_at = first_seen_at WHERE code = ?",
        f"{title}（更正）",
        code,
    )
    with serving(output) as server:
        assert f"/article/{code}/changes/2" in server.get(f"/article/{code}").text
        assert "<ins>（更正）</ins>" in server.get(f"/article/{code}/changes/2").text
        assert server.get(f"/article/{code}/changes/3").status == 404


def test_a_database_made_anew_is_seen(output: Path, finews: Finews) -> None:
    with SampleSite(Corpus.sample(6, newest_at=clock.now())) as site:
        crawl(site, output)
    with serving(output) as server:
        assert server.get("/").status == 200
        assert finews("rebuild", "db", "--output", str(output)).code == 0
        change(output, "UPDATE articles SET title = '改过的题目'")
        assert "改过的题目" in server.get("/").text


# hostile text and hostile sites


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows as no crawl of ours writes them, but another program could."""
    output = tmp_path_factory.mktemp("hostile") / "output"
    with SampleSite(Corpus.sample(6, newest_at=clock.now())) as site:
        crawl(site, output)
    bad = f'{SCRIPT}"><img src=x onerror=alert(2)>'
    change(
        output,
        "UPDATE articles SET title = ?, media = ?, body_html = ?, body_text = ?, url = 'javascript:alert(3)'",
        bad,
        bad,
        f"<p>{bad}公司</p>",
        bad + "公司",
    )
    change(output, "UPDATE mentions SET name = ?", bad)
    return output


def test_hostile_text_never_becomes_markup(hostile: Path) -> None:
    ((code,),) = rows(hostile, "SELECT code FROM articles JOIN mentions USING (code) LIMIT 1")
    ((secid,),) = rows(hostile, "SELECT secid FROM mentions LIMIT 1")
    with serving(hostile) as server:
        for where in (
            "/",
            "/search?q=公司",
            f"/search?q={SCRIPT}".replace("<", "%3C"),
            f"/article/{code}",
            f"/stock/{secid}",
            "/stock",
            "/category",
        ):
            page = server.get(where).text
            assert SCRIPT not in page, where
            assert "<img" not in page, where
            assert 'href="javascript:' not in page, where
        for where in ("/news/articles", f"/news/articles/{code}", f"/news?sql=select+'{SCRIPT}'".replace("<", "%3C")):
            assert SCRIPT not in server.get(where).text, where


def test_every_answer_brings_the_guards_headers(served: Served) -> None:
    for where in ("/", "/nothing", "/news", "/news/articles.json", "/assets/site.css", "/-/versions.json"):
        headers = served.get(where).headers
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert not re.search(r"script-src[^;]*'unsafe", policy)
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8001", "127.0.0.1.nip.io", ""])
def test_a_name_that_leads_here_is_refused(served: Served, host: str) -> None:
    assert served.get("/", Host=host).status == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}, 403),
        ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, 200),
        ({"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}, 200),
    ],
)
def test_other_sites_may_link_and_no_more(served: Served, headers: dict[str, str], status: int) -> None:
    assert served.get("/", **headers).status == status


def test_nothing_can_be_written(served: Served, crawled: Path) -> None:
    before = rows(crawled, "SELECT count(*), max(title) FROM articles")
    assert served.get("/news", method="POST").status == 405
    for sql in (
        "delete from articles",
        "with x as (select 1) delete from articles",
        "attach 'x.db' as x",
        "pragma journal_mode=delete",
    ):
        assert served.get(f"/news.json?sql={sql.replace(' ', '+')}").status == 400, sql
    assert rows(crawled, "SELECT count(*), max(title) FROM articles") == before


def test_endless_sql_is_stopped(served: Served) -> None:
    endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"
    reply = served.get(f"/news.json?sql={endless.replace(' + ', '%2B').replace(' ', '+')}")
    assert reply.status == 400
    assert "too long" in reply.text


def test_a_page_that_takes_too_long_is_stopped(crawled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(store: Store) -> None:
        with as_store_error():
            store.connection.execute(
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
            )

    monkeypatch.setattr(datasette_database, "_MILLISECONDS", 20)
    datasette = Datasette()
    try:
        with pytest.raises(datasette_database.QueryTimeoutError):
            asyncio.run(datasette_database.FinewsDatabase(datasette, crawled).execute_on_store(endless))
    finally:
        datasette.executor.shutdown()


def test_sql_can_be_typed_on_loopback_alone(crawled: Path, served: Served) -> None:
    assert served.get("/news.json?sql=select+1").status == 200
    with serving(crawled, "--host", "0.0.0.0") as server:  # noqa: S104  # that is the case
        local = Served(server.address.replace("0.0.0.0", "127.0.0.1"), server.process)  # noqa: S104  # as above
        assert local.get("/").status == 200
        assert local.get("/news.json?sql=select+1").status == 403


# the command


def test_a_port_that_is_taken_and_a_folder_without_a_database(crawled: Path, finews: Finews, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        taken = finews("serve", "--output", str(crawled), "--port", port)
    assert (taken.code, taken.out) == (1, "")
    assert re.fullmatch(rf"finews: cannot listen on 127\.0\.0\.1 port {port}: [^\n]+\n", taken.err)
    none = finews("serve", "--output", str(tmp_path / "none"), "--port", "0")
    assert none.code == 1
    assert re.fullmatch(r"finews: no finews database at [^\n]+\n", none.err)
    assert finews("serve", "--output", str(crawled), "--host", "no such host").code == 2


def test_without_datasette_it_says_what_to_install(crawled: Path, finews: Finews, tmp_path: Path) -> None:
    (tmp_path / "datasette.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'datasette'\", name='datasette')"
    )
    answer = finews("serve", "--output", str(crawled), PYTHONPATH=str(tmp_path))
    assert (answer.code, answer.err) == (
        2,
        "finews: serve needs datasette: pip install '.[serve]' in the checkout of finews\n",
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(crawled: Path, number: signal.Signals) -> None:
    with serving(crawled) as server:
        assert server.get("/").status == 200
        server.process.send_signal(number)
        _, err = server.process.communicate(timeout=30)
    assert (server.process.returncode, err) == (0, "")


def test_open_shows_it_in_the_browser(crawled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {note}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    with serving(crawled, "--open") as server:
        server.get("/")
    assert note.read_text().strip() == server.address
