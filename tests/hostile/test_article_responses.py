"""Article responses: each fault is in one article of a listing, between two without faults."""

import base64
import gzip
import itertools
import json
import zlib
from collections.abc import Callable
from functools import cache
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
from tests.support.hostile import (
    FaultCase,
    accepted_case,
    failed_case,
    filtered_case,
    list_as_blog_posts,
    rejected_case,
    rewrite_body,
    rewrite_json,
    run_crawl,
    unreadable_case,
    with_content_type,
)

COLUMN_ARGS = ("--column", "345")
# No retries, since each row's own failure is compared. One request at a time, since an endpoint that fails twice in
# a row gets no further requests.
WITHOUT_RETRIES = ("--set", "RETRY_TIMES=0", "--set", "CONCURRENT_REQUESTS=1")

# 100 MiB of spaces.
BROTLI_BOMB = base64.b64decode(
    "y///P/glQOKxQCD3/o///3/wSwDEYRGA7v0f////4JcAiMMCAN37P/7//8EvARCHBQC693/8//+DXwIgDgsAdO//+P//B78EQBwWAOje//H//w9+"
    "CYA4LADQvf/j//8f/BIAcVgAoHv/x///P/glAOKwAED3/o///3/wSwDEYQGA7v0f////4JcAiMMCAN37P/7//8EvARCHBQC693/5//+DXwIgDgsA"
    "dO9/AA=="
)
ZSTD_BODY = base64.b64decode("KLUv/SAHOQAAeyJhIjoxfQ==")
CHALLENGE_PAGE = '<html><body><div class="em_capt">身份核实</div></body></html>'.encode()
HTML_ERROR_PAGE = b"<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"


def change_data_fields(**changes: Any) -> Any:
    """Return the detail with other fields; None removes a field."""

    def transform(response_json: Any) -> None:
        for name, value in changes.items():
            if value is None:
                del response_json["data"][name]
            else:
                response_json["data"][name] = value

    return rewrite_json(transform)


@cache
def gzip_bomb() -> bytes:
    """Return 100 MiB of blanks."""
    return gzip.compress(b" " * (100 << 20))


def corrupt_gzip_checksum(content: bytes) -> bytes:
    compressed = bytearray(gzip.compress(content))
    compressed[-8] ^= 1
    return bytes(compressed)


def transcode_to_gbk(content: bytes) -> bytes:
    return content.decode().encode("gb18030")


def nest_deeply(bracket: str) -> Callable[[bytes], bytes]:
    return lambda content: content[:-1] + b',"x":' + bracket.encode() * 100_000 + b"}"


NETWORK_FAULTS = [
    failed_case("reset before the response", reset_connection(), "closed without a response", Reason.REFUSED),
    failed_case("reset in the body", reset_mid_body(200), "", Reason.RESPONSE_INCOMPLETE),
    failed_case("no response", delay_response(30), "took longer"),
    failed_case("body byte by byte", drip_response(40), "took longer"),
    failed_case("body cut", truncate_body(100), "", Reason.RESPONSE_INCOMPLETE),
    failed_case("length too large", declare_length(1 << 20), "", Reason.RESPONSE_INCOMPLETE),
    unreadable_case("length too small", declare_length(50), "no JSON object"),
    unreadable_case("no length, body cut", omit_length(300), "no JSON object"),
    accepted_case("no length, whole body", omit_length()),
    failed_case("chunks cut", truncate_chunks(120), "", Reason.RESPONSE_INCOMPLETE),
    failed_case("endless body", send_forever(), "DOWNLOAD_MAXSIZE", Reason.RESPONSE_TOO_LARGE),
    failed_case("declared too large", rewrite_body(lambda content: content + b" " * (9 << 20)), "DOWNLOAD_MAXSIZE", Reason.RESPONSE_TOO_LARGE),
    failed_case("not HTTP", send_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "", Reason.REFUSED),
    failed_case("HTTP/0.9", send_raw(b"<p>no status line</p>\r\n"), ""),
    failed_case("closed at once", send_raw(b""), "closed without a response", Reason.REFUSED),
    failed_case("400", return_status(400), "HTTP 400", Reason.REFUSED),
    failed_case("403", return_status(403, HTML_ERROR_PAGE), "HTTP 403", Reason.REFUSED),
    failed_case("500", return_status(500), "HTTP 500", Reason.HTTP_ERROR),
    failed_case("502", return_status(502, HTML_ERROR_PAGE), "HTTP 502", Reason.HTTP_ERROR),
    failed_case("503", return_status(503), "HTTP 503", Reason.HTTP_ERROR),
    failed_case("429", return_status(429), "HTTP 429", Reason.REFUSED),
    failed_case("gzip cut", rewrite_body(lambda content: gzip.compress(content)[:-200], Content_Encoding="gzip"), "cut", Reason.RESPONSE_INCOMPLETE),
    failed_case("gzip without its end", rewrite_body(lambda c: gzip.compress(c)[:-8], Content_Encoding="gzip"), "cut", Reason.RESPONSE_INCOMPLETE),
    failed_case("gzip with a wrong checksum", rewrite_body(corrupt_gzip_checksum, Content_Encoding="gzip"), "incorrect data check", Reason.RESPONSE_INCOMPLETE),
    failed_case("gzip that is none", rewrite_body(bytes, Content_Encoding="gzip"), "broken", Reason.RESPONSE_INCOMPLETE),
    failed_case("gzip and more", rewrite_body(lambda c: gzip.compress(c) + b"{}", Content_Encoding="gzip"), "after its end", Reason.RESPONSE_INCOMPLETE),
    accepted_case("gzip", rewrite_body(gzip.compress, Content_Encoding="gzip")),
    accepted_case("gzip of two members", rewrite_body(lambda c: gzip.compress(c[:99]) + gzip.compress(c[99:]), Content_Encoding="gzip")),
    accepted_case("gzip padded with zeros", rewrite_body(lambda c: gzip.compress(c) + bytes(512), Content_Encoding="gzip")),
    accepted_case("gzip after identity", rewrite_body(gzip.compress, Content_Encoding="identity, gzip")),
    accepted_case("a charset as its encoding", rewrite_body(bytes, Content_Encoding="UTF-8")),
    accepted_case("none as its encoding", rewrite_body(bytes, Content_Encoding="none")),
    accepted_case("x-gzip", rewrite_body(gzip.compress, Content_Encoding="x-gzip")),
    failed_case("gzip bomb as second member", rewrite_body(lambda c: gzip.compress(c) + gzip_bomb(), Content_Encoding="gzip"), "over 8388608 bytes", Reason.RESPONSE_TOO_LARGE),
    failed_case("second member cut", rewrite_body(lambda c: (gzip.compress(c) * 2)[:-9], Content_Encoding="gzip"), "cut", Reason.RESPONSE_INCOMPLETE),
    failed_case("gzip bomb", rewrite_body(lambda _: gzip_bomb(), Content_Encoding="gzip"), "over 8388608 bytes", Reason.RESPONSE_TOO_LARGE),
    failed_case(
        "gzip in gzip", rewrite_body(lambda _: gzip.compress(gzip_bomb()), Content_Encoding="gzip, gzip"), "not requested",
        Reason.RESPONSE_INCOMPLETE,
    ),
    failed_case("brotli bomb", rewrite_body(lambda _: BROTLI_BOMB, Content_Encoding="br"), "packed as br", Reason.RESPONSE_INCOMPLETE),
    failed_case("brotli cut", rewrite_body(lambda _: BROTLI_BOMB[:90], Content_Encoding="br"), "packed as br", Reason.RESPONSE_INCOMPLETE),
    failed_case("zstd", rewrite_body(lambda _: ZSTD_BODY, Content_Encoding="zstd"), "packed as zstd", Reason.RESPONSE_INCOMPLETE),
    failed_case("deflate", rewrite_body(zlib.compress, Content_Encoding="deflate"), "packed as deflate", Reason.RESPONSE_INCOMPLETE),
    accepted_case("an unknown encoding", rewrite_body(bytes, Content_Encoding="rot13\x1b[31m")),
    failed_case("megabytes of headers", rewrite_body(bytes, **{f"X-{n}": "x" * 4000 for n in range(250)}), "bytes of headers", Reason.RESPONSE_TOO_LARGE),
    failed_case("thousands of headers", rewrite_body(bytes, **{f"X-{n}": "x" * 20 for n in range(4000)}), "bytes of headers", Reason.RESPONSE_TOO_LARGE),
    failed_case("redirect to itself", return_redirect(""), "redirect", Reason.REQUEST_DROPPED),
    unreadable_case("redirect to the front page", return_redirect("/robots.txt"), "another page"),
    failed_case("redirect to a file", return_redirect("file:///etc/passwd"), "HTTP 302", Reason.HTTP_ERROR),
    failed_case("redirect to nowhere", return_status(302), "HTTP 302", Reason.HTTP_ERROR),
]  # fmt: skip

PAYLOAD_FAULTS = [
    unreadable_case("HTML error page", return_body(HTML_ERROR_PAGE, "text/html"), "no JSON object"),
    unreadable_case("a meta refresh to elsewhere", return_body(b'<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/">'), "no JSON"),
    failed_case("nothing", return_body(b""), "an empty response", Reason.REFUSED),
    failed_case("a check for humans", return_body(CHALLENGE_PAGE, "text/html"), "a check for humans (身份核实)", Reason.REFUSED),
    unreadable_case("a picture", return_body(b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "image/png"), "not text in any possible encoding"),
    unreadable_case("JSON cut", rewrite_body(lambda content: content[: content.rindex(b"\"Art_Title")] + b"}"), "broken JSON"),
    unreadable_case("JSON followed by script", rewrite_body(lambda content: content + b"<script>x()</script>"), "not JSON"),
    unreadable_case("a list", rewrite_body(lambda content: b"[%s]" % content), "JSON"),
    unreadable_case("NaN", rewrite_body(lambda content: content[:-1] + b',"x":NaN}'), "NaN"),
    unreadable_case("lists in lists", rewrite_body(nest_deeply("[")), "broken JSON"),
    unreadable_case("objects in objects", rewrite_body(nest_deeply('{"a":')), "broken JSON"),
    unreadable_case("a number of 5,000 digits", rewrite_body(lambda content: content[:-1] + b',"x":' + b"9" * 5000 + b"}"), "digits"),
    accepted_case("JSONP", rewrite_body(lambda content: b"jQuery351087_16682569(" + content + b");")),
    accepted_case("JSONP of an object's method", rewrite_body(lambda content: b"/**/window.a.b(" + content + b")")),
    accepted_case("an assignment", rewrite_body(lambda content: b"var ajaxResult=" + content + b";")),
    accepted_case("a key twice", rewrite_body(lambda content: b'{"data":null,' + content[1:])),
    accepted_case("a number without end", rewrite_body(lambda content: content[:-1] + b',"x":1e999}')),
    accepted_case("unknown fields", rewrite_json(lambda response: response["data"].update({"x": [1], "__proto__": {}, "": None}))),
    unreadable_case("data of another type", rewrite_json(lambda response: response.update(data=[])), "has changed: field 'data' holds a list", Reason.SCHEMA_CHANGED),
    unreadable_case("data missing", rewrite_json(lambda _: {"success": 1}), "has changed: field 'data' is missing", Reason.SCHEMA_CHANGED),
    unreadable_case("text missing", change_data_fields(Art_Content=None), "has changed: field 'Art_Content' is missing", Reason.SCHEMA_CHANGED),
    unreadable_case("text a number", change_data_fields(Art_Content=5), "field 'Art_Content' holds a number, not text", Reason.SCHEMA_CHANGED),
    unreadable_case("text a list", change_data_fields(Art_Content=["<p>x</p>"]), "field 'Art_Content' holds a list, not text", Reason.SCHEMA_CHANGED),
    unreadable_case("text a truth", change_data_fields(Art_Content=True), "field 'Art_Content' holds bool, not text", Reason.SCHEMA_CHANGED),
    unreadable_case("title an object", change_data_fields(Art_Title={}), "field 'Art_Title' holds an object", Reason.SCHEMA_CHANGED),
    unreadable_case("another article", change_data_fields(Art_Code="202201102242171631"), "the response is of article"),
    unreadable_case("code missing", change_data_fields(Art_Code=None), "field 'Art_Code' is missing", Reason.SCHEMA_CHANGED),
    unreadable_case("30 February", change_data_fields(Art_ShowTime="2026/02/30 10:00:00"), "field 'Art_ShowTime'"),
    unreadable_case("a time in milliseconds", change_data_fields(Art_ShowTime="1790556000000"), "field 'Art_ShowTime'"),
    rejected_case("a time in 2099", change_data_fields(Art_ShowTime="2099/01/01 00:00:00"), "24 hours ahead"),
    rejected_case("a time in 1899", change_data_fields(Art_ShowTime="1899/12/31 23:59:59"), "before 1990"),
    rejected_case("a body of 100,000 elements", change_data_fields(Art_Content="<p>x" * 100_000), "too complex"),
    rejected_case("a tag of 200,000 attributes", change_data_fields(Art_Content="<p " + " ".join(f"a{n:x}" for n in range(200_000))), "too complex"),
    rejected_case("a tag of 200,000 attributes that touch", change_data_fields(Art_Content="<p " + "".join(f"{n:x}=''" for n in range(110_000))), "too complex"),
    rejected_case("a body of nested tags", change_data_fields(Art_Content="<div>" * 5_000 + "x"), "too complex"),
    filtered_case("a video", change_data_fields(Art_Content="<video src='https://v.cn/'></video>"), "a video without text: https://", Reason.NO_BODY),
    rejected_case("a body of nothing but a script", change_data_fields(Art_Content="<script>x()</script>"), "nothing to read", Reason.NO_BODY),
    accepted_case("columns that are none", change_data_fields(Art_Column_List={"345": 1})),
]  # fmt: skip

ENCODING_FAULTS = [
    accepted_case("GBK, declared", with_content_type("application/json; charset=gbk", transcode_to_gbk)),
    accepted_case("GBK, declared as GB 2312", with_content_type("application/json; charset=gb2312", transcode_to_gbk)),
    accepted_case("GBK, undeclared", with_content_type("application/json", transcode_to_gbk)),
    accepted_case("GBK, declared as UTF-8", with_content_type("application/json; charset=utf-8", transcode_to_gbk)),
    accepted_case("GBK, declared as Latin 1", with_content_type("application/json; charset=iso-8859-1", transcode_to_gbk)),
    accepted_case("UTF-8, declared as GBK", with_content_type("application/json; charset=gbk")),
    accepted_case("UTF-8, declared as Latin 1", with_content_type("application/json; charset=iso-8859-1")),
    accepted_case("UTF-8, declared as nonsense", with_content_type("application/json; charset=%%X")),
    accepted_case("UTF-8 of no type", with_content_type("")),
    accepted_case("UTF-8 of another type", with_content_type("application/octet-stream")),
    accepted_case("a byte order mark", rewrite_body(lambda content: b"\xef\xbb\xbf" + content)),
    accepted_case("UTF-16", with_content_type("application/json", lambda content: content.decode().encode("utf-16"))),
    unreadable_case("UTF-8 with a bad byte", rewrite_body(lambda content: content.replace("。".encode(), b"\xe3\x80", 1)), "not text"),
]  # fmt: skip

ALL_FAULTS: list[FaultCase] = [*NETWORK_FAULTS, *PAYLOAD_FAULTS, *ENCODING_FAULTS]


class FaultCrawls:
    """Three crawls of a site, and the article of each fault."""

    def __init__(self, folder: Path) -> None:
        with SampleSite(Corpus.sample(760)) as sample_site:
            articles = [sample_site.corpus.find_article(code) for code in sample_site.corpus.codes_in_columns(["345"])]
            codes = [article.code for article in articles if article and article.body_location == "json"]
            assert len(codes) >= 2 * len(ALL_FAULTS)
            self.code_by_fault = dict(
                zip((row.name for row in ALL_FAULTS), itertools.islice(codes, 0, None, 2), strict=False)
            )
            for row in ALL_FAULTS:
                sample_site.add_fault(f"/article/{self.code_by_fault[row.name]}", row.fault)
            sample_site.add_fault("getNewsByColumns", list_as_blog_posts(set(self.code_by_fault.values())))
            self.faulty_crawl = run_crawl(sample_site, folder / "output", *COLUMN_ARGS, *WITHOUT_RETRIES)
            sample_site.reset()
            self.recovered_crawl = run_crawl(sample_site, folder / "output", *COLUMN_ARGS)
            self.sound_crawl = run_crawl(sample_site, folder / "right", *COLUMN_ARGS)


@pytest.fixture(scope="module")
def crawls(tmp_path_factory: pytest.TempPathFactory) -> FaultCrawls:
    return FaultCrawls(tmp_path_factory.mktemp("articles"))


@pytest.mark.parametrize("case", ALL_FAULTS, ids=lambda case: case.name)
def test_fault_affects_only_its_article_and_next_crawl_recovers(crawls: FaultCrawls, case: FaultCase) -> None:
    code = crawls.code_by_fault[case.name]
    outcome, reason, detail = crawls.faulty_crawl.entries[code]
    assert (outcome, reason) == (case.outcome, case.reason), detail
    assert case.expected_detail in detail
    assert "\n" not in detail
    assert len(detail) < 400
    assert bool(crawls.faulty_crawl.quarantine_reasons(code)) == (case.outcome is Outcome.QUARANTINED)
    assert crawls.recovered_crawl.entries[code][0] == case.outcome_after_recovery
    if case.outcome_after_recovery is not Outcome.NEW:
        known = Reason.NOT_MODIFIED if case.outcome is Outcome.NEW else Reason.REJECTED_EARLIER
        assert crawls.recovered_crawl.entries[code][1] == known
    if case.outcome_after_recovery is Outcome.NEW or case.outcome is Outcome.NEW:
        assert crawls.recovered_crawl.articles[code] == crawls.sound_crawl.articles[code]
    else:
        assert code not in crawls.recovered_crawl.articles


def test_all_other_articles_are_saved(crawls: FaultCrawls) -> None:
    faulty_codes = set(crawls.code_by_fault.values())
    outcomes = {outcome for code, (outcome, *_) in crawls.faulty_crawl.entries.items() if code not in faulty_codes}
    assert outcomes == {"new"}
    assert crawls.faulty_crawl.result.exit_code == 3
    assert crawls.faulty_crawl.result.json["listed"] == crawls.sound_crawl.result.json["new"]


def test_next_crawl_reports_what_is_refused_still_and_no_more(crawls: FaultCrawls) -> None:
    result = crawls.recovered_crawl.result
    assert result.exit_code == 3
    refused_codes = {
        crawls.code_by_fault[case.name] for case in ALL_FAULTS if case.outcome_after_recovery is Outcome.QUARANTINED
    }
    assert result.json["quarantined"] == len(refused_codes)
    failures = result.json["failures"]
    assert {failure["code"] for failure in failures} <= refused_codes
    assert {failure["reason"] for failure in failures} == {Reason.REJECTED_EARLIER}
    lines = [line for line in result.stderr.splitlines() if not line.startswith("finews: no longer: newsinfo.")]
    assert len(lines) >= len(failures)
    assert all(line.startswith(("finews: quarantined: ", "finews: and ")) for line in lines)


def test_many_failures_are_summarised_in_few_lines(crawls: FaultCrawls) -> None:
    lines = crawls.faulty_crawl.result.stderr.splitlines()
    assert len(lines) <= 12
    assert all(line.startswith("finews: ") for line in lines)
    reported = sum(failure["count"] for failure in crawls.faulty_crawl.result.json["failures"])
    assert (
        f"and {sum(row.outcome not in {Outcome.NEW, Outcome.FILTERED} for row in ALL_FAULTS) - reported} more"
        in lines[-1]
    )


def test_quarantine_keeps_the_raw_response(crawls: FaultCrawls) -> None:
    sql = "SELECT raw FROM quarantine WHERE code = ?"
    assert crawls.faulty_crawl.query(sql, crawls.code_by_fault["HTML error page"]) == [HTML_ERROR_PAGE]
    (truncated,) = crawls.faulty_crawl.query(sql, crawls.code_by_fault["JSON cut"])
    with pytest.raises(ValueError, match=r"Expecting|Illegal"):
        json.loads(truncated)
