"""`finews serve`: requests to the real command."""

import asyncio
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import time
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import feedparser
import pytest
from datasette.app import Datasette

from crawler.content import clock
from crawler.publish.web import datasette_database
from crawler.sample_site import Corpus, SampleSite
from crawler.storage import Store
from crawler.storage.connection import as_store_error
from tests.publish.web.conftest import HttpResponse, WebServer, run_crawl, run_web_server
from tests.support.commands import CommandRunner
from tests.support.database import execute_sql

STRICT_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HOSTILE_SCRIPT = "<script>alert(1)</script>"


def fetch_rows(output: Path, sql: str, *values: object) -> list[Any]:
    connection = sqlite3.connect(output / "news.db")
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def result_codes(page: str) -> list[str]:
    return re.findall(r'<h2><a href="/article/(\d+)', page)


# pages


def test_every_page_opens_without_script_or_foreign_request(web_server: WebServer, crawled_output: Path) -> None:
    ((code, secid),) = fetch_rows(crawled_output, "SELECT code, secid FROM mentions LIMIT 1")
    ((slug, post_path),) = fetch_rows(crawled_output, "SELECT category, post_path FROM articles LIMIT 1")
    day = post_path[7:17].replace("/", "-")
    for page_path in (
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
        response = web_server.get(page_path)
        assert response.status == 200, page_path
        assert response.headers["content-security-policy"] == STRICT_CONTENT_SECURITY_POLICY
        assert "<script" not in response.text
        assert not re.search(r'(?:src|rel="stylesheet" href)="(?:https?:)?//', response.text), page_path


@pytest.mark.parametrize("query", ["公司", "涨停", "A股", "公司 -涨停", '"公司" OR 央行', "%", "60%", "a" * 3000, "-"])
def test_web_search_equals_command_search(
    web_server: WebServer, finews: CommandRunner, crawled_output: Path, query: str
) -> None:
    response = web_server.get("/search?q=" + query.replace("%", "%25"))
    command_hits = finews("search", "--output", str(crawled_output), "--limit", "20", "--json", "--", query[:500]).json
    assert result_codes(response.text) == [hit["code"] for hit in command_hits]


@pytest.mark.parametrize("category", ["财联杜", "贵阳日报", "nosuchpaper"])
def test_unknown_category_is_a_bad_request(web_server: WebServer, category: str) -> None:
    response = web_server.get(f"/search?category={category}")
    assert response.status == 400
    assert f"unknown category {category!r}".replace("'", "&#39;") in response.text


@pytest.mark.parametrize("options", [("oldest", 0), ("oldest", 3), ("newest", 3), ("relevance", 5), ("newest", 9999)])
def test_web_search_has_the_order_and_offset_of_the_command(
    web_server: WebServer, finews: CommandRunner, crawled_output: Path, options: tuple[str, int]
) -> None:
    sort, offset = options
    response = web_server.get(f"/search?q=公司&sort={sort}&offset={offset}")
    args = ("--sort", sort, "--offset", str(offset), "--limit", "20", "--json", "--output", str(crawled_output))
    assert result_codes(response.text) == [hit["code"] for hit in finews("search", "公司", *args).json]
    assert response.status == 200


def test_web_search_says_what_to_try_and_what_is_no_operator(web_server: WebServer) -> None:
    assert "没有一篇含有全部的词：" in web_server.get("/search?q=公司+无此词").text
    assert "去掉“起始日期”，有" in web_server.get("/search?q=公司&since=2099-01-01").text
    assert "“site:”按文字搜索" in web_server.get("/search?q=site:x.cn").text


def test_stock_page_has_every_form_of_its_code(web_server: WebServer, crawled_output: Path) -> None:
    ((secid,),) = fetch_rows(crawled_output, "SELECT secid FROM mentions WHERE secid LIKE '0.______' LIMIT 1")
    page = web_server.get(f"/stock/{secid}").text
    for form in ("{}.SZ", "sz{}", "SZ{}"):
        response = web_server.get(f"/stock/{form.format(secid[2:])}")
        assert (response.status, response.text) == (200, page), form


def test_control_character_query_is_a_bad_request(web_server: WebServer) -> None:
    assert web_server.get("/search?q=%00").status == 400


@pytest.mark.parametrize("query", ['"', '""'])
def test_query_without_a_word_is_an_error_in_web_and_command(
    web_server: WebServer, finews: CommandRunner, crawled_output: Path, query: str
) -> None:
    response = web_server.get("/search?q=" + query)
    result = finews("search", "--output", str(crawled_output), "--", query)
    assert (response.status, result.exit_code) == (400, 2)
    assert "holds no word" in response.text
    assert "holds no word" in result.stderr


def test_hits_are_highlighted_and_facets_narrow(web_server: WebServer) -> None:
    page = web_server.get("/search?q=公司").text
    assert "<mark>公司</mark>" in page
    facets = re.findall(r'<li><a href="(/search\?[^"]+)">([^<]+)</a> <span class="count">(\d+)</span>', page)
    assert {"category", "since", "stock"} <= {
        name for link, *_ in facets for name in ("category", "since", "stock") if f"{name}=" in link
    }
    for link, label, number in facets[:3]:
        response = web_server.get(link.replace("&amp;", "&"))
        assert f"找到 {number} 篇" in response.text, (link, label)


RAW_ADDRESSES = (
    "/search?q=涨停",
    "/search?q=公司&category=中国农网",
    "/category/中国农网",
    "/stock/茅台",
    "/-/search?q=茅台",
    "/茅台",
    "/茅台/",
    "/茅台/茅台.json",
    "/feed.atom?q=涨停",
    "/finews/articles?media=中国农网",
    "/finews/articles?title__contains=涨停&_sort=code",
    "/finews/articles.json?_search=涨停&媒体=茅台",
    "/finews/articles/茅台",
    "/finews/茅台?q=茅台",
    "/static/茅台.css",
)
"""Addresses as typed, and as sent by programs that do not quote them."""


def connect(server: WebServer) -> socket.socket:
    address = urlsplit(server.address)
    connection = socket.create_connection((address.hostname, address.port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_response(connection: socket.socket) -> HttpResponse:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return HttpResponse(response.status, {**response.headers}, response.read())


def send_raw(server: WebServer, *chunks: bytes) -> HttpResponse:
    """Send the chunks of a request unchanged, and return the response."""
    with connect(server) as connection:
        for chunk in chunks:
            connection.sendall(chunk)
        return read_response(connection)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_raw_bytes_in_an_address_are_as_quoted_ones(web_server: WebServer, encoding: str) -> None:
    for address in RAW_ADDRESSES:
        quoted = quote(address.encode(encoding), safe="/?=&")
        raw, expected = (
            send_raw(web_server, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            for target in (address.encode(encoding), quoted.encode())
        )
        assert (raw.status, raw.content) == (expected.status, expected.content), address
        assert raw.status < 500, (address, raw.text)
        if encoding == "utf-8" and address.startswith("/search"):
            assert result_codes(raw.text), address


def test_raw_bytes_that_come_in_parts_on_a_connection_that_is_kept(web_server: WebServer) -> None:
    expected = web_server.get("/search?q=涨停").content
    request = "GET /search?q=涨停 HTTP/1.1\r\nHost: localhost\r\nX-Name: 茅台\r\nConnection: close\r\n\r\n".encode()
    cut = request.index("停".encode()) + 1
    assert send_raw(web_server, request[:cut], request[cut:]).content == expected
    first = "GET /search?q=无 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    assert send_raw(web_server, first).status == 200
    with connect(web_server) as connection:
        for sent in (first, request):
            connection.sendall(sent)
            response = read_response(connection)
    assert response.content == expected


def test_body_of_a_request_is_left_as_it_is(web_server: WebServer) -> None:
    """Check that a body is not quoted: it would exceed its Content-Length, and the rest be taken for another request."""
    body = "茅台\n".encode() * 9
    head = f"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    last = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connect(web_server) as connection:
        statuses = []
        for sent in (head + body, last):
            connection.sendall(sent)
            statuses.append(read_response(connection).status)
    assert statuses == [200, 404]


def test_invalid_date_is_a_bad_request(web_server: WebServer) -> None:
    response = web_server.get("/search?q=公司&since=never")
    assert response.status == 400
    assert "is not a date" in response.text
    assert web_server.get("/nothing").status == 404
    assert web_server.get("/article/123456789012345678").status == 404
    assert web_server.get("/stock/nobody").status == 404


def test_article_page_shows_title_link_and_stocks(web_server: WebServer, crawled_output: Path) -> None:
    ((code, title, url, secid),) = fetch_rows(
        crawled_output,
        "SELECT code, title, url, secid FROM articles JOIN mentions USING (code) WHERE body_html LIKE '%quote.eastmoney%' LIMIT 1",
    )
    page = web_server.get(f"/article/{code}").text
    assert title.replace("&", "&amp;").replace('"', "&#34;") in page
    assert f'href="/stock/{secid}"' in page
    assert f'href="{url}"' in page
    assert "<img" not in page


def test_feed_is_valid_and_follows_a_search(web_server: WebServer) -> None:
    codes = result_codes(web_server.get("/search?q=公司").text)
    for feed_format, media_type in (("atom", "application/atom+xml"), ("rss", "application/rss+xml")):
        response = web_server.get(f"/feed.{feed_format}?q=公司")
        assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
        feed = feedparser.parse(response.text)
        assert not feed.bozo
        assert [entry.id for entry in feed.entries][:20] == [f"tag:finews,2021:{code}" for code in codes]
    response = web_server.get("/feed.json?q=公司")
    assert response.headers["content-type"] == "application/feed+json; charset=utf-8"
    assert [item["id"] for item in json.loads(response.text)["items"]][:20] == [
        f"tag:finews,2021:{code}" for code in codes
    ]


@pytest.mark.parametrize("query", ["公司", '"国债 期货" -央行 OR a', "60% <b> [x] {y} | \\ ^ ` #?/&="])
def test_feed_of_a_search_has_a_valid_id(web_server: WebServer, query: str) -> None:
    feed = feedparser.parse(web_server.get(f"/feed.atom?q={quote(query, safe='')}&since=2020-01-01").text)
    assert re.fullmatch(r"tag:finews,2021:feed:([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})+", feed.feed.id)
    assert feed.feed.id != feedparser.parse(web_server.get("/feed.atom").text).feed.id
    assert parse_qs(feed.feed.id.partition("?")[2]) == {"q": [query], "since": ["2020-01-01"]}


@pytest.mark.parametrize(("parameters", "entries"), [("", 50), ("?limit=1", 1), ("?limit=51", 51), ("?limit=500", 500)])
def test_feed_has_as_many_entries_as_asked(
    web_server: WebServer, crawled_output: Path, parameters: str, entries: int
) -> None:
    ((articles,),) = fetch_rows(crawled_output, "SELECT count(*) FROM articles WHERE withdrawn_at IS NULL")
    assert 51 < articles < 500
    feed = feedparser.parse(web_server.get(f"/feed.atom{parameters}").text)
    assert len(feed.entries) == min(entries, articles)


@pytest.mark.parametrize("limit", ["0", "501", "-1", "1e2", "０", "99999999999999999999", "x"])
def test_feed_limit_is_bounded(web_server: WebServer, limit: str) -> None:
    response = web_server.get(f"/feed.atom?limit={limit}")
    assert response.status == 400
    assert "use a number from 1 to 500" in response.text


def test_unchanged_feed_is_not_sent_again(output: Path, crawled_output: Path) -> None:
    shutil.copytree(crawled_output, output)
    hour_ago = int(time.time()) - 3600
    os.utime(output / "news.db", (hour_ago, hour_ago))
    with run_web_server(output) as server:
        first = server.get("/feed.atom?q=公司")
        etag, modified = first.headers["etag"], first.headers["last-modified"]
        assert parsedate_to_datetime(modified).timestamp() == hour_ago
        for headers in (
            {"If_None_Match": etag},
            {"If_None_Match": f'"other", {etag.removeprefix("W/")}'},
            {"If_None_Match": "*"},
            {"If_Modified_Since": modified},
        ):
            response = server.get("/feed.atom?q=公司", **headers)
            assert (response.status, response.content) == (304, b""), headers
            assert response.headers["last-modified"] == modified
            assert "Accept-Encoding" in response.headers["vary"]
        for headers in (
            {"If_None_Match": '"other"', "If_Modified_Since": modified},
            {"If_Modified_Since": format_datetime(datetime.fromtimestamp(hour_ago - 1, UTC), usegmt=True)},
            {"If_Modified_Since": "yesterday"},
        ):
            assert server.get("/feed.atom?q=公司", **headers).status == 200, headers
        assert server.get("/feed.atom?q=央行", If_None_Match=etag).status == 200
        # The newest article is withdrawn and missing from the feed; the other entries are unchanged.
        code = feedparser.parse(first.text).entries[0].id.rpartition(":")[2]
        execute_sql(output, "UPDATE articles SET withdrawn_at = published_at WHERE code = ?", code)
        for headers in ({"If_None_Match": etag}, {"If_Modified_Since": modified}):
            response = server.get("/feed.atom?q=公司", **headers)
            assert response.status == 200
            assert response.headers["etag"] != etag
            assert code not in response.text


@pytest.mark.parametrize("feed_format", ["atom", "rss", "json"])
def test_etag_follows_the_entries_alone(web_server: WebServer, feed_format: str) -> None:
    first, second, shorter = (
        web_server.get(f"/feed.{feed_format}{parameters}").headers["etag"] for parameters in ("", "", "?limit=3")
    )
    assert first == second != shorter
    assert first.startswith('W/"')


def test_change_within_the_second_of_a_response_is_not_missed(output: Path, crawled_output: Path) -> None:
    shutil.copytree(crawled_output, output)
    with run_web_server(output) as server:
        now = int(time.time()) + 5  # like a database that is being written to
        os.utime(output / "news.db", (now, now))
        modified = server.get("/feed.atom").headers["last-modified"]
        assert parsedate_to_datetime(modified).timestamp() < time.time()
        assert server.get("/feed.atom", If_Modified_Since=modified).status == 200


def test_feed_is_compressed_for_clients_that_accept_it(web_server: WebServer) -> None:
    plain = web_server.get("/feed.atom", Accept_Encoding="identity")
    assert "content-encoding" not in plain.headers
    packed = web_server.get("/feed.atom", Accept_Encoding="br, gzip;q=0.9")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) / 2
    assert packed.headers["etag"] == plain.headers["etag"]
    assert "content-encoding" not in web_server.get("/feed.atom", Accept_Encoding="gzip;q=0").headers


def test_datasette_pages_json_and_canned_queries(web_server: WebServer, crawled_output: Path) -> None:
    assert web_server.get("/news").status == 200
    ((code,),) = fetch_rows(crawled_output, "SELECT code FROM articles LIMIT 1")
    assert json.loads(web_server.get(f"/news/articles/{code}.json").text)["rows"][0][0] == code
    hits = json.loads(web_server.get("/news/search_articles.json?q=公司&_shape=array").text)
    assert [row["code"] for row in hits][:20] == result_codes(web_server.get("/search?q=公司").text)
    for name in ("stocks_of_7_days", "latest_of_each_media", "corrected", "withdrawn", "crawls"):
        assert web_server.get(f"/news/{name}.json").status == 200, name


def test_overview_hides_internal_tables(web_server: WebServer) -> None:
    tables = json.loads(web_server.get("/news.json").text)["tables"]
    assert {table["name"] for table in tables if not table["hidden"]} == {
        "article_columns", "articles", "categories", "entries", "gaps", "mentions", "quarantine", "revisions", "runs",
    }  # fmt: skip


def test_everything_in_the_overview_opens(sql_server: WebServer) -> None:
    overview = json.loads(sql_server.get("/news.json").text)
    names = [resource["name"] for resource in overview["tables"] if not resource["hidden"]]
    names += [resource["name"] for kind in ("views", "queries") for resource in overview[kind]]
    assert {"articles", "articles_per_day", "crawls"} <= set(names)
    for name in names:
        for form in ("", ".json", ".csv"):
            assert sql_server.get(f"/news/{name}{form}").status == 200, f"{name}{form}"
    assert sql_server.get("/news.json?sql=select+count(*)+from+search+where+words+match+'公司'").status == 200


# next to writers


def test_new_articles_appear_while_server_runs(output: Path) -> None:
    corpus = Corpus.sample(12, newest_at=clock.now())
    with SampleSite(corpus) as sample_site:
        run_crawl(sample_site, output, "--limit", "3")
        with run_web_server(output) as server:
            before = fetch_rows(output, "SELECT count(*) FROM articles")
            assert server.get("/").status == 200
            run_crawl(sample_site, output)
            assert fetch_rows(output, "SELECT count(*) FROM articles") > before
            newest = fetch_rows(output, "SELECT code FROM articles ORDER BY published_at DESC LIMIT 1")[0][0]
            assert f"/article/{newest}" in server.get("/").text


def test_pages_are_readable_during_a_write(crawled_output: Path, web_server: WebServer) -> None:
    writer = sqlite3.connect(crawled_output / "news.db", isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE articles SET summary = summary || '.'")
        assert web_server.get("/").status == 200
        assert web_server.get("/search?q=公司").status == 200
    finally:
        writer.execute("ROLLBACK")
        writer.close()


def test_correction_is_shown_with_its_changes(output: Path) -> None:
    with SampleSite(Corpus.sample(6, newest_at=clock.now())) as sample_site:
        run_crawl(sample_site, output)
    ((code, title, body),) = fetch_rows(output, "SELECT code, title, body_html FROM articles LIMIT 1")
    execute_sql(
        output,
        "INSERT INTO revisions SELECT code, 1, first_seen_at, ?, published_at, ? FROM articles WHERE code = ?",
        title,
        body,
        code,
    )
    execute_sql(
        output,
        "UPDATE articles SET revision = 2, title = ?, changed_at = first_seen_at WHERE code = ?",
        f"{title}（更正）",
        code,
    )
    with run_web_server(output) as server:
        assert f"/article/{code}/changes/2" in server.get(f"/article/{code}").text
        assert "<ins>（更正）</ins>" in server.get(f"/article/{code}/changes/2").text
        assert server.get(f"/article/{code}/changes/3").status == 404


def test_rebuilt_database_is_used(output: Path, finews: CommandRunner) -> None:
    with SampleSite(Corpus.sample(6, newest_at=clock.now())) as sample_site:
        run_crawl(sample_site, output)
    with run_web_server(output) as server:
        assert server.get("/").status == server.get("/news/articles").status == 200
        assert finews("rebuild", "db", "--output", str(output)).exit_code == 0
        execute_sql(output, "UPDATE articles SET title = '改过的题目'")
        assert "改过的题目" in server.get("/").text
        assert "改过的题目" in server.get("/news/articles").text


@pytest.mark.parametrize("is_relative", [False, True], ids=["absolute", "relative"])
def test_output_folder_that_vanishes_and_comes_back_is_served_again(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_relative: bool
) -> None:
    with SampleSite(Corpus.sample(6, newest_at=clock.now())) as sample_site:
        run_crawl(sample_site, output)
    shutil.copytree(output, tmp_path / "copy")
    if is_relative:
        monkeypatch.chdir(output)
    with run_web_server(Path() if is_relative else output) as server:
        titles = [server.get("/").text for _ in range(8)]  # each thread has its own connection
        for come_back in (tmp_path / "moved", tmp_path / "copy"):
            output.rename(tmp_path / "moved")
            responses = [
                server.get(path) for path in ("/", "/search?q=x", "/news/articles.json", "/-/databases.json") * 3
            ]
            assert {response.status for response in responses} <= {200, 500, 503}
            assert "Traceback" not in "".join(response.text for response in responses)
            come_back.rename(output)
            assert [server.get("/").text for _ in range(8)] == titles
            assert server.get("/news/articles.json").status == 200


# hostile text and hostile sites


@pytest.fixture(scope="module")
def hostile_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write rows that no finews crawl writes, but another program could."""
    output = tmp_path_factory.mktemp("hostile") / "output"
    with SampleSite(Corpus.sample(6, newest_at=clock.now())) as sample_site:
        run_crawl(sample_site, output)
    hostile_text = f'{HOSTILE_SCRIPT}"><img src=x onerror=alert(2)>'
    execute_sql(
        output,
        "UPDATE articles SET title = ?, media = ?, body_html = ?, body_text = ?, url = 'javascript:alert(3)'",
        hostile_text,
        hostile_text,
        f"<p>{hostile_text}公司</p>",
        hostile_text + "公司",
    )
    execute_sql(output, "UPDATE mentions SET name = ?", hostile_text)
    return output


def test_hostile_text_never_becomes_markup(hostile_output: Path) -> None:
    ((code,),) = fetch_rows(hostile_output, "SELECT code FROM articles JOIN mentions USING (code) LIMIT 1")
    ((secid,),) = fetch_rows(hostile_output, "SELECT secid FROM mentions LIMIT 1")
    with run_web_server(hostile_output, "--sql") as server:
        for path in (
            "/",
            "/search?q=公司",
            f"/search?q={HOSTILE_SCRIPT}".replace("<", "%3C"),
            f"/article/{code}",
            f"/stock/{secid}",
            "/stock",
            "/category",
        ):
            page = server.get(path).text
            assert HOSTILE_SCRIPT not in page, path
            assert "<img" not in page, path
            assert 'href="javascript:' not in page, path
        for path in (
            "/news/articles",
            f"/news/articles/{code}",
            f"/news?sql=select+'{HOSTILE_SCRIPT}'".replace("<", "%3C"),
        ):
            assert HOSTILE_SCRIPT not in server.get(path).text, path


def test_every_response_has_security_headers(web_server: WebServer) -> None:
    for path in ("/", "/nothing", "/news", "/news/articles.json", "/assets/site.css", "/-/versions.json"):
        headers = web_server.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert not re.search(r"script-src[^;]*'unsafe", policy)
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8001", "127.0.0.1.nip.io", ""])
def test_foreign_host_header_is_refused(web_server: WebServer, host: str) -> None:
    assert web_server.get("/", Host=host).status == 421


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
def test_cross_site_requests_may_only_navigate(web_server: WebServer, headers: dict[str, str], status: int) -> None:
    assert web_server.get("/", **headers).status == status


def test_database_is_read_only(sql_server: WebServer, crawled_output: Path) -> None:
    before = fetch_rows(crawled_output, "SELECT count(*), max(title) FROM articles")
    assert sql_server.get("/news", method="POST").status == 405
    for sql in (
        "delete from articles",
        "with x as (select 1) delete from articles",
        "attach 'x.db' as x",
        "pragma journal_mode=delete",
    ):
        assert sql_server.get(f"/news.json?sql={sql.replace(' ', '+')}").status == 400, sql
    assert fetch_rows(crawled_output, "SELECT count(*), max(title) FROM articles") == before


def test_long_sql_query_is_stopped(sql_server: WebServer) -> None:
    endless_query = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"
    response = sql_server.get(f"/news.json?sql={endless_query.replace(' + ', '%2B').replace(' ', '+')}")
    assert response.status == 400
    assert "too long" in response.text


def test_slow_page_is_stopped(crawled_output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(store: Store) -> None:
        with as_store_error():
            store.connection.execute(
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
            )

    monkeypatch.setattr(datasette_database, "_QUERY_TIMEOUT_MS", 20)
    datasette = Datasette()
    try:
        with pytest.raises(datasette_database.QueryTimeoutError):
            asyncio.run(datasette_database.FinewsDatabase(datasette, crawled_output).execute_on_store(endless))
    finally:
        datasette.executor.shutdown()


@pytest.mark.parametrize(("args", "status"), [((), 403), (("--sql",), 200)])
def test_sql_needs_the_option_wherever_it_listens(crawled_output: Path, args: tuple[str, ...], status: int) -> None:
    with run_web_server(crawled_output, "--host", "0.0.0.0", *args) as server:  # noqa: S104  # others can reach it
        local_server = WebServer(server.address.replace("0.0.0.0", "127.0.0.1"), server.process)  # noqa: S104  # as above
        assert local_server.get("/").status == 200
        assert local_server.get("/news.json?sql=select+1").status == status
        assert local_server.get("/news/articles.json?_where=1").status == status
        assert ("<textarea" in local_server.get("/news").text) == (status == 200)
        assert local_server.get("/news/search_articles.json?q=公司").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, 200),
        ({"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, 200),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, 403),
        ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, 403),
        ({"Referer": "https://evil.example/"}, 403),
        ({"Referer": "http://127.0.0.1:1/"}, 403),
        ({"Referer": "http://["}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_sql_comes_from_this_site_or_its_reader(sql_server: WebServer, headers: dict[str, str], status: int) -> None:
    assert sql_server.get("/news.json?sql=select+1", **headers).status == status
    assert sql_server.get("/news/articles.json?_where=1", **headers).status == status
    assert sql_server.get("/news/articles.json?_size=1").status == 200


def test_sql_of_this_site_is_answered(sql_server: WebServer) -> None:
    referer = {"Referer": f"{sql_server.address}news"}
    response = sql_server.get("/news.json?sql=select+1+as+x,+2+as+x&_shape=arrays", **referer)
    assert response.status == 200
    assert json.loads(response.text)["columns"] == ["x", "x"]
    assert json.loads(response.text)["rows"] == [[1, 2]]


# the command


def test_port_in_use_and_missing_database(crawled_output: Path, finews: CommandRunner, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other_server:
        port = str(other_server.getsockname()[1])
        port_in_use = finews("serve", "--output", str(crawled_output), "--port", port)
    assert (port_in_use.exit_code, port_in_use.stdout) == (1, "")
    assert re.fullmatch(rf"finews: cannot listen on 127\.0\.0\.1 port {port}: [^\n]+\n", port_in_use.stderr)
    no_database = finews("serve", "--output", str(tmp_path / "none"), "--port", "0")
    assert no_database.exit_code == 1
    assert re.fullmatch(r"finews: no finews database at [^\n]+\n", no_database.stderr)
    assert finews("serve", "--output", str(crawled_output), "--host", "no such host").exit_code == 2


def test_missing_datasette_message_says_what_to_install(
    crawled_output: Path, finews: CommandRunner, tmp_path: Path
) -> None:
    (tmp_path / "datasette.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'datasette'\", name='datasette')"
    )
    result = finews("serve", "--output", str(crawled_output), PYTHONPATH=str(tmp_path))
    assert (result.exit_code, result.stderr) == (
        2,
        "finews: serve needs datasette: pip install '.[serve]' in the checkout of finews\n",
    )


@pytest.mark.parametrize(
    ("signum", "expected"), [(signal.SIGINT, (130, "finews: stopped\n")), (signal.SIGTERM, (0, ""))]
)
def test_server_stops_cleanly_on_signal(
    crawled_output: Path, signum: signal.Signals, expected: tuple[int, str]
) -> None:
    # As a shell starts background jobs.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with run_web_server(crawled_output) as server:
        signal.signal(signal.SIGINT, handler)
        assert server.get("/").status == 200
        server.process.send_signal(signum)
        _, err = server.process.communicate(timeout=30)
    assert (server.process.returncode, err) == expected


def test_open_option_starts_the_browser(crawled_output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_url_file = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened_url_file}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    with run_web_server(crawled_output, "--open") as server:
        server.get("/")
    assert opened_url_file.read_text().strip() == server.address
