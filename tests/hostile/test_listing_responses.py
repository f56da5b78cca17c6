"""Listing responses: each fault is in the listing of one column, and the other listings have none."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import (
    Corpus,
    Fault,
    SampleSite,
    delay_response,
    reset_connection,
    return_body,
    return_redirect,
    return_status,
    truncate_body,
)
from crawler.spiders.eastmoney import COLUMNS
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS
from tests.support.hostile import FinishedCrawl, rewrite_body, rewrite_json, run_crawl

LISTING_ENDPOINT = "np-listapi.eastmoney.com/comm/web/getNewsByColumns"
LISTING_ROW = {"code": "202609180000000001", "title": "题", "showTime": "2026-09-18 10:00:00", "mediaName": "新华社"}
SOUND_COLUMNS = ("350", "351")


def listing_response(*rows: object, **more_fields: Any) -> Fault:
    data = {"page_index": 1, "list": list(rows), "totle_hits": len(rows), "page_size": 100, **more_fields}
    response_json = {"code": "1", "message": "success", "data": data}
    return return_body(json.dumps(response_json, ensure_ascii=False).encode())


def row_without_field(name: str) -> Callable[[Any], None]:
    return lambda response: response["data"].pop(name)


# Listings that are missing or invalid, with the reason.
FAILED_LISTINGS: dict[str, tuple[Fault, str]] = {
    "reset": (reset_connection(), "closed without a response"),
    "hang": (delay_response(30), "took longer"),
    "cut": (truncate_body(100), ""),
    "404": (return_status(404), "HTTP 404"),
    "410": (return_status(410), "HTTP 410"),
    "503": (return_status(503), "HTTP 503"),
    "redirect elsewhere": (return_redirect("http://127.0.0.1:9/"), "not one of the source's hosts"),
    "redirect in a circle": (return_redirect(""), "redirect"),
    "error shell": (return_body(b'{"code":0,"message":"\\u001b[31mRequired \\n parameter"}'), "error of the source: [31mRequired parameter"),
    "HTML": (return_body(b"<html>maintenance</html>", "text/html"), f"{LISTING_ENDPOINT}: no JSON object"),
    "cut JSON": (rewrite_body(lambda content: content[:-40] + b"}"), f"{LISTING_ENDPOINT}: broken JSON"),
    "code missing": (rewrite_json(lambda response: response.pop("code") and None), f"{LISTING_ENDPOINT} has changed: field 'code' is missing"),
    "data missing": (rewrite_json(lambda response: response.pop("data") and None), f"{LISTING_ENDPOINT} has changed: field 'data' is missing"),
    "data a list": (rewrite_json(lambda response: response.update(data=[])), f"{LISTING_ENDPOINT} has changed: field 'data' holds a list"),
    "rows renamed": (rewrite_json(lambda response: response["data"].update(rows=response["data"].pop("list"))), "field 'list' is missing"),
    "rows an object": (listing_response(list={}), "field 'list' holds an object"),
    "count missing": (listing_response(LISTING_ROW, totle_hits=[]), "field 'totle_hits' holds a list"),
    "100,000 rows": (listing_response(*({"code": str(number)} for number in range(100_000))), "100,000 rows, over 10,000"),
}  # fmt: skip

# Rows that are not entries: the reason of the first, and their number.
BAD_ROWS: dict[str, tuple[Fault, str]] = {
    "blank title": (listing_response({**LISTING_ROW, "title": " \u200b"}), "field 'title' is empty"),
    "title null": (listing_response({**LISTING_ROW, "title": None}), "has changed: field 'title' holds null"),
    "title a list": (listing_response({**LISTING_ROW, "title": []}), "has changed: field 'title' holds a list"),
    "title renamed": (listing_response({"code": LISTING_ROW["code"], "showTime": LISTING_ROW["showTime"], "Title": "x"}), "field 'title' is missing"),
    "no code": (listing_response({**LISTING_ROW, "code": ""}), "field 'code' is not 18 to 24 digits"),
    "a path for a code": (listing_response({**LISTING_ROW, "code": "../../../../etc/x"}), "field 'code'"),
    "a number for a code": (listing_response({**LISTING_ROW, "code": 202609180000000001}), "field 'code' holds a number"),
    "30 February": (listing_response({**LISTING_ROW, "showTime": "2026-02-30 10:00:00"}), "field 'showTime'"),
    "no time": (listing_response({**LISTING_ROW, "showTime": "今天"}), "field 'showTime'"),
    "2099": (listing_response({**LISTING_ROW, "showTime": "2099-01-01 00:00:00"}), "24 hours ahead"),
    "the year 1": (listing_response({**LISTING_ROW, "showTime": "0001-01-01 00:00:00"}), "before 1990"),
    "text for a row": (listing_response("x"), "has changed: text in place of an object"),
    "null for a row": (listing_response(None), "has changed: null in place of an object"),
}  # fmt: skip

# Unusual but valid.
EMPTY_LISTINGS: dict[str, Fault] = {
    "an empty list": listing_response(),
    "null for the list": listing_response(list=None),
    "null for the data": rewrite_json(lambda response: response.update(data=None)),
}

FAULT_NAMES = [*FAILED_LISTINGS, *BAD_ROWS, *EMPTY_LISTINGS]
COLUMN_BY_FAULT = dict(zip(FAULT_NAMES, [column for column in COLUMNS if column not in SOUND_COLUMNS], strict=False))


def with_own_code(fault: Fault, number: int) -> Fault:
    """Return the rows with codes that are in no other column."""
    own_code = LISTING_ROW["code"][:-3].encode() + b"%03d" % number
    return with_rewritten_body(fault, lambda content: content.replace(LISTING_ROW["code"].encode(), own_code))


def with_rewritten_body(fault: Any, transform: Callable[[bytes], bytes]) -> Fault:
    return return_body(transform(fault.response.body))


@pytest.fixture(scope="module")
def finished_crawl(tmp_path_factory: pytest.TempPathFactory) -> FinishedCrawl:
    assert len(COLUMN_BY_FAULT) == len(FAULT_NAMES)
    with SampleSite(Corpus.sample(8)) as sample_site:
        for number, name in enumerate(FAULT_NAMES):
            fault = FAILED_LISTINGS[name][0] if name in FAILED_LISTINGS else EMPTY_LISTINGS.get(name)
            sample_site.add_fault(f"column={COLUMN_BY_FAULT[name]}&", fault or with_own_code(BAD_ROWS[name][0], number))
        # A valid listing follows each failing one, since two failures in a row close the endpoint.
        pairs = itertools.zip_longest(FAILED_LISTINGS, [*BAD_ROWS, *EMPTY_LISTINGS])
        columns = [COLUMN_BY_FAULT[name] for pair in pairs for name in pair if name]
        args = [word for column in (*columns, *SOUND_COLUMNS) for word in ("--column", column)]
        one_try_at_a_time = ("--set", "RETRY_TIMES=0", "--set", "CONCURRENT_REQUESTS=1")
        return run_crawl(sample_site, tmp_path_factory.mktemp("listings") / "output", *args, *one_try_at_a_time)


@pytest.mark.parametrize("name", FAILED_LISTINGS)
def test_failed_listing_is_reported_with_its_reason(finished_crawl: FinishedCrawl, name: str) -> None:
    column = COLUMN_BY_FAULT[name]
    reasons = [reason for reason, columns in finished_crawl.result.json["failed_listings"].items() if column in columns]
    assert len(reasons) == 1
    assert FAILED_LISTINGS[name][1] in reasons[0]
    quarantined_sizes = finished_crawl.query(
        "SELECT length(raw) FROM quarantine WHERE kind = 'listing' AND column_id = ?", column
    )
    assert bool(quarantined_sizes) <= reasons[0].startswith("np-listapi.eastmoney.com/")
    assert all(size <= 1 << 20 for size in quarantined_sizes)


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_row_is_quarantined_and_not_fetched(finished_crawl: FinishedCrawl, name: str) -> None:
    ((outcome, reason, detail),) = finished_crawl.query(
        "SELECT outcome, reason, detail FROM entries WHERE column_id = ?", COLUMN_BY_FAULT[name]
    )
    assert outcome == "quarantined"
    assert BAD_ROWS[name][1] in detail
    assert (reason == "schema_changed") == ("has changed" in detail)
    assert finished_crawl.query("SELECT kind FROM quarantine WHERE column_id = ?", COLUMN_BY_FAULT[name]) == ["row"]


@pytest.mark.parametrize("name", EMPTY_LISTINGS)
def test_empty_listing_is_no_failure(finished_crawl: FinishedCrawl, name: str) -> None:
    assert finished_crawl.query("SELECT outcome FROM entries WHERE column_id = ?", COLUMN_BY_FAULT[name]) == []
    assert COLUMN_BY_FAULT[name] not in [
        column for columns in finished_crawl.result.json["failed_listings"].values() for column in columns
    ]


def test_sound_listings_are_saved(finished_crawl: FinishedCrawl) -> None:
    assert finished_crawl.result.exit_code == 3
    assert finished_crawl.result.json["new"] == len(finished_crawl.articles) > 0
    assert finished_crawl.result.json["failed"] == 0


def rename_row_fields(response_json: Any) -> None:
    for row in response_json["data"]["list"]:
        row["headline"] = row.pop("title")
        row["time"] = row.pop("showTime")


def test_renamed_field_is_one_message_that_names_endpoint_and_field(tmp_path: Path) -> None:
    with SampleSite(Corpus.sample(30)) as sample_site:
        sample_site.add_fault("getNewsByColumns", rewrite_json(rename_row_fields))
        finished_crawl = run_crawl(sample_site, tmp_path / "output")
        quarantined_rows = finished_crawl.result.json["quarantined"]
        assert (finished_crawl.result.exit_code, finished_crawl.result.json["new"]) == (3, 0)
        assert quarantined_rows > 5
        (line,) = finished_crawl.result.stderr.splitlines()
        expected_message = f"and {quarantined_rows - 1} more: {LISTING_ENDPOINT} has changed: field 'title' is missing, field 'showTime' is missing"
        assert line.endswith(expected_message)
        # A row in several columns is stored once.
        assert 5 < finished_crawl.query("SELECT count(*) FROM quarantine")[0] <= quarantined_rows
        sample_site.clear_faults()
        assert run_crawl(sample_site, tmp_path / "output").result.exit_code == 0


def test_future_date_does_not_extend_coverage(tmp_path: Path) -> None:
    def insert_future_row(response_json: Any) -> None:
        response_json["data"]["list"].insert(0, {**LISTING_ROW, "showTime": "2099-01-01 00:00:00"})

    with SampleSite(Corpus.sample(30)) as sample_site:
        sample_site.add_fault("getNewsByColumns", rewrite_json(insert_future_row))
        finished_crawl = run_crawl(sample_site, tmp_path / "output", "--column", "345")
        assert finished_crawl.query("SELECT newest < '2027' FROM coverage") == [1]


# Eight megabytes of the JSON that takes the most memory to parse.
_LISTING_START = b'{"code":"1","data":{"list":['
HEAVY_RESPONSES: dict[str, Callable[[], bytes]] = {
    "objects in lists": lambda: _LISTING_START + b",".join([b"[{}]"] * 1_600_000) + b"]}}",
    "empty lists": lambda: _LISTING_START + b",".join([b"[]"] * 2_700_000) + b"]}}",
    "texts": lambda: _LISTING_START + b",".join([b'"ab"'] * 1_600_000) + b"]}}",
    "names": lambda: _LISTING_START + b"{" + b",".join(b'"%x":1' % number for number in range(780_000)) + b"}]}}",
}
# `finews` that prints its peak memory in KiB at the end.
MEMORY_MEASURING_FINEWS = """import re
from pathlib import Path
from crawler.cli import main
try:
    main()
finally:
    Path("peak").write_text(re.search("VmHWM:\\\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux for the peak memory of a process")
@pytest.mark.parametrize("make_content", HEAVY_RESPONSES.values(), ids=HEAVY_RESPONSES.keys())
def test_memory_is_bounded_for_any_response(tmp_path: Path, make_content: Callable[[], bytes]) -> None:
    with SampleSite(Corpus.sample(2)) as sample_site:
        sample_site.add_fault("getNewsByColumns", return_body(make_content()))
        args = ["crawl", "--mirror", sample_site.url, "--output", str(tmp_path / "output"), *FAST_SETTINGS]
        completed = subprocess.run(
            [sys.executable, "-c", MEMORY_MEASURING_FINEWS, *args], cwd=tmp_path, timeout=100, check=False
        )
    assert completed.returncode == 3
    assert int((tmp_path / "peak").read_text()) < 300 * 1024


def make_endless_listing(response_json: Any) -> None:
    """Replace a listing by a unique row and a link to the next page."""
    page_number = next(PAGE_NUMBERS)
    response_json["data"] = {
        "fastNewsList": [
            {"code": f"2026091800{page_number:08}", "showTime": "2026-09-18 10:00:00", "summary": "【题】文"}
        ],
        "sortEnd": str(page_number),
    }


PAGE_NUMBERS = itertools.count(1)


def test_endless_listing_stops_at_page_limit_and_is_reported(tmp_path: Path) -> None:
    finews_with_page_limit = (
        "from crawler.crawl.policy import pagination; pagination.MAX_PAGES = 7; from crawler.cli import main; main()"
    )
    with SampleSite(Corpus.sample(2)) as sample_site:
        sample_site.add_fault("getFastNewsList", rewrite_json(make_endless_listing))
        args = [
            "crawl",
            "flash",
            "--mirror",
            sample_site.url,
            "--output",
            str(tmp_path / "output"),
            *FAST_SETTINGS,
            "--quiet",
        ]
        completed = subprocess.run(
            [sys.executable, "-c", finews_with_page_limit, *args],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert len([hit for hit in sample_site.requests if "getFastNewsList" in hit.target]) == 7
    assert completed.returncode == 3
    assert completed.stderr == "finews: no listing of 102: the listing has no end after 7 pages\n"


def test_verify_agrees_after_faulty_listings(finished_crawl: FinishedCrawl) -> None:
    assert run_finews("verify", "--output", str(finished_crawl.output)).exit_code == 0


# Control sequences of terminals, and characters that some programs take for line ends.
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
FORGED_LOG_LINE = "\x1b[31m红\x9b2J\u202e\r\n2026-09-18 10:00:00 [forged] ERROR: a line of its own"


def test_source_cannot_forge_log_lines(tmp_path: Path) -> None:
    with SampleSite(Corpus.sample(8)) as sample_site:
        sample_site.add_fault(
            "column=350&",
            listing_response(
                {**LISTING_ROW, "title": FORGED_LOG_LINE},
                {**LISTING_ROW, "code": FORGED_LOG_LINE},
                {**LISTING_ROW, "showTime": FORGED_LOG_LINE},
            ),
        )
        sample_site.add_fault("column=351&", return_body(json.dumps({"code": 0, "message": FORGED_LOG_LINE}).encode()))
        sample_site.add_fault("column=353&", return_body(FORGED_LOG_LINE.encode(), FORGED_LOG_LINE.split("\r")[0]))
        sample_site.add_fault("/article/", return_status(302, headers={"Location": "/\x1b[31m"}))
        finished_crawl = run_crawl(
            sample_site, tmp_path / "output", "--set", "LOG_LEVEL=DEBUG", "--set", "RETRY_TIMES=0"
        )
    assert "红" in finished_crawl.result.stderr
    assert CONTROL_CHARACTERS.findall(finished_crawl.result.stderr) == []
    assert [line for line in finished_crawl.result.stderr.splitlines() if line.startswith("2026-09-18 10")] == []
