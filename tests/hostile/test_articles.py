"""Article replies: each fault strikes one article of a listing, between two that are sound."""

import base64
import gzip
import itertools
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler.items import Outcome, Reason
from crawler.sample_site import (
    Corpus,
    SampleSite,
    declare_length,
    delay_response,
    drip_response,
    omit_length,
    reset_connection,
    reset_mid_body,
    return_body,
    return_redirect,
    return_status,
    send_forever,
    send_raw,
    truncate_body,
    truncate_chunks,
)
from tests.hostile.conftest import Row, crawl, fails, rejected, reworded, rewritten, taken, typed, unreadable

COLUMN = ("--column", "345")
# A request that failed once is not sent again: which row failed how is the question here.
ONCE = ("--set", "RETRY_TIMES=0")

# 100 MiB of blanks.
BROTLI_BOMB = base64.b64decode(
    "y///P/glQOKxQCD3/o///3/wSwDEYRGA7v0f////4JcAiMMCAN37P/7//8EvARCHBQC693/8//+DXwIgDgsAdO//+P//B78EQBwWAOje//H//w9+"
    "CYA4LADQvf/j//8f/BIAcVgAoHv/x///P/glAOKwAED3/o///3/wSwDEYQGA7v0f////4JcAiMMCAN37P/7//8EvARCHBQC693/5//+DXwIgDgsA"
    "dO9/AA=="
)
ZSTD = base64.b64decode("KLUv/SAHOQAAeyJhIjoxfQ==")
BOMB = gzip.compress(b" " * (100 << 20))
HTML_ERROR = b"<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"


def data(**changes: Any) -> Any:
    """The detail with other fields; None takes one away."""

    def change(reply: Any) -> None:
        for name, value in changes.items():
            if value is None:
                del reply["data"][name]
            else:
                reply["data"][name] = value

    return reworded(change)


def spoiled_checksum(content: bytes) -> bytes:
    packed = bytearray(gzip.compress(content))
    packed[-8] ^= 1
    return bytes(packed)


def gbk(content: bytes) -> bytes:
    return content.decode().encode("gb18030")


def deep(bracket: str) -> Callable[[bytes], bytes]:
    return lambda content: content[:-1] + b',"x":' + bracket.encode() * 100_000 + b"}"


NETWORK = [
    fails("reset before the reply", reset_connection(), "Connection"),
    fails("reset in the body", reset_mid_body(200), "", Reason.RESPONSE_INCOMPLETE),
    fails("no reply", delay_response(30), "took longer"),
    fails("body byte by byte", drip_response(40), "took longer"),
    fails("body cut", truncate_body(100), "", Reason.RESPONSE_INCOMPLETE),
    fails("length too large", declare_length(1 << 20), "", Reason.RESPONSE_INCOMPLETE),
    unreadable("length too small", declare_length(50), "no JSON object"),
    unreadable("no length, body cut", omit_length(300), "no JSON object"),
    taken("no length, whole body", omit_length()),
    fails("chunks cut", truncate_chunks(120), "", Reason.RESPONSE_INCOMPLETE),
    fails("endless body", send_forever(), "DOWNLOAD_MAXSIZE", Reason.RESPONSE_TOO_LARGE),
    fails("declared too large", rewritten(lambda content: content + b" " * (9 << 20)), "DOWNLOAD_MAXSIZE", Reason.RESPONSE_TOO_LARGE),
    fails("not HTTP", send_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), ""),
    fails("HTTP/0.9", send_raw(b"<p>no status line</p>\r\n"), ""),
    fails("closed at once", send_raw(b""), ""),
    fails("400", return_status(400), "HTTP 400", Reason.HTTP_ERROR),
    fails("403", return_status(403, HTML_ERROR), "HTTP 403", Reason.HTTP_ERROR),
    fails("500", return_status(500), "HTTP 500", Reason.HTTP_ERROR),
    fails("502", return_status(502, HTML_ERROR), "HTTP 502", Reason.HTTP_ERROR),
    fails("503", return_status(503), "HTTP 503", Reason.HTTP_ERROR),
    fails("429", return_status(429), "HTTP 429", Reason.HTTP_ERROR),
    fails("gzip cut", rewritten(lambda content: gzip.compress(content)[:-200], Content_Encoding="gzip"), "cut", Reason.RESPONSE_INCOMPLETE),
    fails("gzip without its end", rewritten(lambda c: gzip.compress(c)[:-8], Content_Encoding="gzip"), "cut", Reason.RESPONSE_INCOMPLETE),
    fails("gzip with a wrong checksum", rewritten(spoiled_checksum, Content_Encoding="gzip"), "incorrect data check", Reason.RESPONSE_INCOMPLETE),
    fails("gzip that is none", rewritten(bytes, Content_Encoding="gzip"), "broken", Reason.RESPONSE_INCOMPLETE),
    fails("gzip and more", rewritten(lambda c: gzip.compress(c) + b"{}", Content_Encoding="gzip"), "after its end", Reason.RESPONSE_INCOMPLETE),
    taken("gzip", rewritten(gzip.compress, Content_Encoding="gzip")),
    taken("x-gzip", rewritten(gzip.compress, Content_Encoding="x-gzip")),
    fails("gzip bomb", rewritten(lambda _: BOMB, Content_Encoding="gzip"), "over 8388608 bytes", Reason.RESPONSE_TOO_LARGE),
    fails(
        "gzip in gzip", rewritten(lambda _: gzip.compress(BOMB), Content_Encoding="gzip, gzip"), "not asked for",
        Reason.RESPONSE_INCOMPLETE,
    ),
    fails("brotli bomb", rewritten(lambda _: BROTLI_BOMB, Content_Encoding="br"), "packed as br", Reason.RESPONSE_INCOMPLETE),
    fails("brotli cut", rewritten(lambda _: BROTLI_BOMB[:90], Content_Encoding="br"), "packed as br", Reason.RESPONSE_INCOMPLETE),
    fails("zstd", rewritten(lambda _: ZSTD, Content_Encoding="zstd"), "packed as zstd", Reason.RESPONSE_INCOMPLETE),
    fails("deflate", rewritten(zlib.compress, Content_Encoding="deflate"), "packed as deflate", Reason.RESPONSE_INCOMPLETE),
    fails("a packing that nobody has", rewritten(bytes, Content_Encoding="rot13\x1b[31m"), "packed as rot13", Reason.RESPONSE_INCOMPLETE),
    fails("megabytes of headers", rewritten(bytes, **{f"X-{n}": "x" * 4000 for n in range(250)}), "bytes of headers", Reason.RESPONSE_TOO_LARGE),
    fails("thousands of headers", rewritten(bytes, **{f"X-{n}": "x" * 20 for n in range(4000)}), "bytes of headers", Reason.RESPONSE_TOO_LARGE),
    fails("redirect to itself", return_redirect(""), "redirect", Reason.REQUEST_DROPPED),
    unreadable("redirect to the front page", return_redirect("/robots.txt"), "another page"),
    fails("redirect to a file", return_redirect("file:///etc/passwd"), "HTTP 302", Reason.HTTP_ERROR),
    fails("redirect to nowhere", return_status(302), "HTTP 302", Reason.HTTP_ERROR),
]  # fmt: skip

PAYLOAD = [
    unreadable("HTML error page", return_body(HTML_ERROR, "text/html"), "no JSON object"),
    unreadable("a meta refresh to elsewhere", return_body(b'<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/">'), "no JSON"),
    unreadable("nothing", return_body(b""), "no JSON object"),
    unreadable("a picture", return_body(b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "image/png"), "no text in any encoding"),
    unreadable("JSON cut", rewritten(lambda content: content[: content.rindex(b"\"Art_Title")] + b"}"), "broken JSON"),
    unreadable("JSON followed by script", rewritten(lambda content: content + b"<script>x()</script>"), "not JSON"),
    unreadable("a list", rewritten(lambda content: b"[%s]" % content), "JSON"),
    unreadable("NaN", rewritten(lambda content: content[:-1] + b',"x":NaN}'), "NaN"),
    unreadable("lists in lists", rewritten(deep("[")), "broken JSON"),
    unreadable("objects in objects", rewritten(deep('{"a":')), "broken JSON"),
    unreadable("a number of 5,000 digits", rewritten(lambda content: content[:-1] + b',"x":' + b"9" * 5000 + b"}"), "digits"),
    taken("JSONP", rewritten(lambda content: b"jQuery351087_16682569(" + content + b");")),
    taken("JSONP of an object's method", rewritten(lambda content: b"/**/window.a.b(" + content + b")")),
    taken("an assignment", rewritten(lambda content: b"var ajaxResult=" + content + b";")),
    taken("a key twice", rewritten(lambda content: b'{"data":null,' + content[1:])),
    taken("a number without end", rewritten(lambda content: content[:-1] + b',"x":1e999}')),
    taken("fields that nobody knows", reworded(lambda reply: reply["data"].update({"x": [1], "__proto__": {}, "": None}))),
    unreadable("data of another type", reworded(lambda reply: reply.update(data=[])), "has changed: field 'data' holds a list", Reason.SCHEMA_CHANGED),
    unreadable("data missing", reworded(lambda _: {"success": 1}), "has changed: field 'data' is missing", Reason.SCHEMA_CHANGED),
    unreadable("text missing", data(Art_Content=None), "has changed: field 'Art_Content' is missing", Reason.SCHEMA_CHANGED),
    unreadable("text a number", data(Art_Content=5), "field 'Art_Content' holds a number, not text", Reason.SCHEMA_CHANGED),
    unreadable("text a list", data(Art_Content=["<p>x</p>"]), "field 'Art_Content' holds a list, not text", Reason.SCHEMA_CHANGED),
    unreadable("text a truth", data(Art_Content=True), "field 'Art_Content' holds bool, not text", Reason.SCHEMA_CHANGED),
    unreadable("title an object", data(Art_Title={}), "field 'Art_Title' holds an object", Reason.SCHEMA_CHANGED),
    unreadable("another article", data(Art_Code="202201102242171631"), "is about"),
    unreadable("code missing", data(Art_Code=None), "field 'Art_Code' is missing", Reason.SCHEMA_CHANGED),
    unreadable("30 February", data(Art_ShowTime="2026/02/30 10:00:00"), "field 'Art_ShowTime'"),
    unreadable("a time in milliseconds", data(Art_ShowTime="1790556000000"), "field 'Art_ShowTime'"),
    rejected("a time in 2099", data(Art_ShowTime="2099/01/01 00:00:00"), "24 hours ahead"),
    rejected("a time in 1899", data(Art_ShowTime="1899/12/31 23:59:59"), "before 1990"),
    rejected("a title without end", data(Art_Title="长" * 10_000), "characters"),
    rejected("a body without end", data(Art_Content="<p>" + "长" * 600_000 + "</p>"), "too complex"),
    rejected("a tag of 200,000 attributes", data(Art_Content="<p " + " ".join(f"a{n:x}" for n in range(200_000))), "too complex"),
    rejected("a tag of 200,000 attributes that touch", data(Art_Content="<p " + "".join(f"{n:x}=''" for n in range(110_000))), "too complex"),
    rejected("a body of nested tags", data(Art_Content="<div>" * 5_000 + "x"), "too complex"),
    rejected("a body of nothing but a script", data(Art_Content="<script>x()</script>"), "nothing to read", Reason.NO_BODY),
    taken("columns that are none", data(Art_Column_List={"345": 1})),
]  # fmt: skip

ENCODING = [
    taken("GBK, declared", typed("application/json; charset=gbk", gbk)),
    taken("GBK, declared as GB 2312", typed("application/json; charset=gb2312", gbk)),
    taken("GBK, undeclared", typed("application/json", gbk)),
    taken("GBK, declared as UTF-8", typed("application/json; charset=utf-8", gbk)),
    taken("GBK, declared as Latin 1", typed("application/json; charset=iso-8859-1", gbk)),
    taken("UTF-8, declared as GBK", typed("application/json; charset=gbk")),
    taken("UTF-8, declared as Latin 1", typed("application/json; charset=iso-8859-1")),
    taken("UTF-8, declared as nonsense", typed("application/json; charset=%%X")),
    taken("UTF-8 of no type", typed("")),
    taken("UTF-8 of another type", typed("application/octet-stream")),
    taken("a byte order mark", rewritten(lambda content: b"\xef\xbb\xbf" + content)),
    taken("UTF-16", typed("application/json", lambda content: content.decode().encode("utf-16"))),
    unreadable("UTF-8 with a bad byte", rewritten(lambda content: content.replace("。".encode(), b"\xe3\x80", 1)), "no text"),
]  # fmt: skip

ROWS: list[Row] = [*NETWORK, *PAYLOAD, *ENCODING]


class Place:
    """The site, which article meets which fault, and the three crawls."""

    def __init__(self, folder: Path) -> None:
        with SampleSite(Corpus.sample(760)) as site:
            articles = [site.corpus.find_article(code) for code in site.corpus.codes_in_columns(["345"])]
            codes = [found.code for found in articles if found and found.body_location == "json"]
            assert len(codes) >= 2 * len(ROWS)
            self.codes = dict(zip((row.name for row in ROWS), itertools.islice(codes, 0, None, 2), strict=False))
            for row in ROWS:
                site.add_fault(f"/article/{self.codes[row.name]}", row.fault)
            self.faulty = crawl(site, folder / "output", *COLUMN, *ONCE)
            site.reset()
            self.healed = crawl(site, folder / "output", *COLUMN)
            self.right = crawl(site, folder / "right", *COLUMN)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("articles"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_fault_strikes_its_article_alone_and_the_next_crawl_makes_up_for_it(place: Place, row: Row) -> None:
    code = place.codes[row.name]
    outcome, reason, detail = place.faulty.entries[code]
    assert (outcome, reason) == (row.outcome, row.reason), detail
    assert row.says in detail
    assert "\n" not in detail
    assert len(detail) < 400
    assert bool(place.faulty.kept(code)) == (row.outcome is Outcome.QUARANTINED)
    assert place.healed.entries[code][0] == row.then
    if row.then is Outcome.UNCHANGED:
        known = Reason.NOT_MODIFIED if row.outcome is Outcome.NEW else Reason.REJECTED_EARLIER
        assert place.healed.entries[code][1] == known
    if row.then is Outcome.NEW or row.outcome is Outcome.NEW:
        assert place.healed.articles[code] == place.right.articles[code]
    else:
        assert code not in place.healed.articles


def test_all_other_articles_are_taken_in(place: Place) -> None:
    struck = set(place.codes.values())
    outcomes = {outcome for code, (outcome, *_) in place.faulty.entries.items() if code not in struck}
    assert outcomes == {"new"}
    assert place.faulty.answer.code == 3
    assert place.faulty.answer.value["listed"] == place.right.answer.value["new"]


def test_the_next_crawl_is_done(place: Place) -> None:
    assert (place.healed.answer.code, place.healed.answer.err) == (0, "")


def test_many_failures_are_a_few_lines(place: Place) -> None:
    lines = place.faulty.answer.err.splitlines()
    assert len(lines) <= 11
    assert all(line.startswith("finews: ") for line in lines)
    told = sum(trouble["count"] for trouble in place.faulty.answer.value["failures"])
    assert f"and {sum(row.outcome is not Outcome.NEW for row in ROWS) - told} more" in lines[-1]


def test_what_is_kept_is_what_came(place: Place) -> None:
    sql = "SELECT raw FROM quarantine WHERE code = ?"
    assert place.faulty.query(sql, place.codes["HTML error page"]) == [HTML_ERROR]
    (half,) = place.faulty.query(sql, place.codes["JSON cut"])
    with pytest.raises(ValueError, match=r"Expecting|Illegal"):
        json.loads(half)
