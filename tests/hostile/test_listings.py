"""Listing replies: each fault strikes the listing of one column, while others are sound."""

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
from tests.conftest import NO_MANNERS
from tests.hostile.conftest import Crawled, crawl, finews, reworded, rewritten

ENDPOINT = "np-listapi.eastmoney.com/comm/web/getNewsByColumns"
ROW = {"code": "202609180000000001", "title": "题", "showTime": "2026-09-18 10:00:00", "mediaName": "新华社"}
SOUND = ("350", "351")


def page(*rows: object, **more: Any) -> Fault:
    data = {"page_index": 1, "list": list(rows), "totle_hits": len(rows), "page_size": 100, **more}
    reply = {"code": "1", "message": "success", "data": data}
    return return_body(json.dumps(reply, ensure_ascii=False).encode())


def without(name: str) -> Callable[[Any], None]:
    return lambda reply: reply["data"].pop(name)


# The listing does not come, or is none: its reason.
LOST: dict[str, tuple[Fault, str]] = {
    "reset": (reset_connection(), "Connection"),
    "hang": (delay_response(30), "took longer"),
    "cut": (truncate_body(100), ""),
    "404": (return_status(404), "HTTP 404"),
    "410": (return_status(410), "HTTP 410"),
    "503": (return_status(503), "HTTP 503"),
    "redirect elsewhere": (return_redirect("http://127.0.0.1:9/"), "none of its hosts"),
    "redirect in a circle": (return_redirect(""), "redirect"),
    "error shell": (return_body(b'{"code":0,"message":"\\u001b[31mRequired \\n parameter"}'), "the source answers: [31mRequired parameter"),
    "HTML": (return_body(b"<html>maintenance</html>", "text/html"), f"{ENDPOINT}: no JSON object"),
    "cut JSON": (rewritten(lambda content: content[:-40] + b"}"), f"{ENDPOINT}: broken JSON"),
    "code missing": (reworded(lambda reply: reply.pop("code") and None), f"{ENDPOINT} has changed: field 'code' is missing"),
    "data missing": (reworded(lambda reply: reply.pop("data") and None), f"{ENDPOINT} has changed: field 'data' is missing"),
    "data a list": (reworded(lambda reply: reply.update(data=[])), f"{ENDPOINT} has changed: field 'data' holds a list"),
    "rows renamed": (reworded(lambda reply: reply["data"].update(rows=reply["data"].pop("list"))), "field 'list' is missing"),
    "rows an object": (page(list={}), "field 'list' holds an object"),
    "count missing": (page(ROW, totle_hits=[]), "field 'totle_hits' holds a list"),
    "100,000 rows": (page(*({"code": str(number)} for number in range(100_000))), "100,000 rows, over 10,000"),
}  # fmt: skip

# Rows that are no entries: the reason of the first, and how many there are.
BAD: dict[str, tuple[Fault, str]] = {
    "blank title": (page({**ROW, "title": " \u200b"}), "field 'title' is empty"),
    "title null": (page({**ROW, "title": None}), "has changed: field 'title' holds null"),
    "title a list": (page({**ROW, "title": []}), "has changed: field 'title' holds a list"),
    "title renamed": (page({"code": ROW["code"], "showTime": ROW["showTime"], "Title": "x"}), "field 'title' is missing"),
    "no code": (page({**ROW, "code": ""}), "field 'code' is not 18 to 24 digits"),
    "a path for a code": (page({**ROW, "code": "../../../../etc/x"}), "field 'code'"),
    "a number for a code": (page({**ROW, "code": 202609180000000001}), "field 'code' holds a number"),
    "30 February": (page({**ROW, "showTime": "2026-02-30 10:00:00"}), "field 'showTime'"),
    "no time": (page({**ROW, "showTime": "今天"}), "field 'showTime'"),
    "2099": (page({**ROW, "showTime": "2099-01-01 00:00:00"}), "24 hours ahead"),
    "the year 1": (page({**ROW, "showTime": "0001-01-01 00:00:00"}), "before 1990"),
    "text for a row": (page("x"), "has changed: text in place of an object"),
    "null for a row": (page(None), "has changed: null in place of an object"),
}  # fmt: skip

# Odd, and nothing is wrong.
EMPTY: dict[str, Fault] = {
    "an empty list": page(),
    "null for the list": page(list=None),
    "null for the data": reworded(lambda reply: reply.update(data=None)),
}

NAMES = [*LOST, *BAD, *EMPTY]
COLUMN_OF = dict(zip(NAMES, [column for column in COLUMNS if column not in SOUND], strict=False))


def numbered(fault: Fault, number: int) -> Fault:
    """The same rows with a code that no other column has."""
    own = ROW["code"][:-3].encode() + b"%03d" % number
    return rewritten_reply(fault, lambda content: content.replace(ROW["code"].encode(), own))


def rewritten_reply(fault: Any, change: Callable[[bytes], bytes]) -> Fault:
    return return_body(change(fault.reply.body))


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Crawled:
    assert len(COLUMN_OF) == len(NAMES)
    with SampleSite(Corpus.sample(8)) as site:
        for number, name in enumerate(NAMES):
            fault = LOST[name][0] if name in LOST else EMPTY.get(name)
            site.add_fault(f"column={COLUMN_OF[name]}&", fault or numbered(BAD[name][0], number))
        words = [word for column in (*COLUMN_OF.values(), *SOUND) for word in ("--column", column)]
        return crawl(site, tmp_path_factory.mktemp("listings") / "output", *words, "--set", "RETRY_TIMES=0")


@pytest.mark.parametrize("name", LOST)
def test_a_listing_that_is_lost_is_told_with_its_reason(crawled: Crawled, name: str) -> None:
    column = COLUMN_OF[name]
    reasons = [reason for reason, columns in crawled.answer.value["failed_listings"].items() if column in columns]
    assert len(reasons) == 1
    assert LOST[name][1] in reasons[0]
    kept = crawled.query("SELECT length(raw) FROM quarantine WHERE kind = 'listing' AND column_id = ?", column)
    assert bool(kept) <= reasons[0].startswith("np-listapi.eastmoney.com/")
    assert all(size <= 1 << 20 for size in kept)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_kept_and_told_and_never_fetched(crawled: Crawled, name: str) -> None:
    ((outcome, reason, detail),) = crawled.query(
        "SELECT outcome, reason, detail FROM entries WHERE column_id = ?", COLUMN_OF[name]
    )
    assert outcome == "quarantined"
    assert BAD[name][1] in detail
    assert (reason == "schema_changed") == ("has changed" in detail)
    assert crawled.query("SELECT kind FROM quarantine WHERE column_id = ?", COLUMN_OF[name]) == ["row"]


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_listing_is_an_empty_listing(crawled: Crawled, name: str) -> None:
    assert crawled.query("SELECT outcome FROM entries WHERE column_id = ?", COLUMN_OF[name]) == []
    assert COLUMN_OF[name] not in [
        column for columns in crawled.answer.value["failed_listings"].values() for column in columns
    ]


def test_the_sound_listings_are_taken_in(crawled: Crawled) -> None:
    assert crawled.answer.code == 3
    assert crawled.answer.value["new"] == len(crawled.articles) > 0
    assert crawled.answer.value["failed"] == 0


def changed_rows(reply: Any) -> None:
    for row in reply["data"]["list"]:
        row["headline"] = row.pop("title")
        row["time"] = row.pop("showTime")


def test_a_renamed_field_is_one_alert_for_all_rows_that_names_endpoint_and_field(tmp_path: Path) -> None:
    with SampleSite(Corpus.sample(30)) as site:
        site.add_fault("getNewsByColumns", reworded(changed_rows))
        crawled = crawl(site, tmp_path / "output")
        rows = crawled.answer.value["quarantined"]
        assert (crawled.answer.code, crawled.answer.value["new"]) == (3, 0)
        assert rows > 5
        (line,) = crawled.answer.err.splitlines()
        says = f"and {rows - 1} more: {ENDPOINT} has changed: field 'title' is missing, field 'showTime' is missing"
        assert line.endswith(says)
        assert crawled.query("SELECT count(*) FROM quarantine") == [rows]
        site.clear_faults()
        assert crawl(site, tmp_path / "output").answer.code == 0


def test_a_date_far_ahead_does_not_cover_what_is_published_until_then(tmp_path: Path) -> None:
    def ahead(reply: Any) -> None:
        reply["data"]["list"].insert(0, {**ROW, "showTime": "2099-01-01 00:00:00"})

    with SampleSite(Corpus.sample(30)) as site:
        site.add_fault("getNewsByColumns", reworded(ahead))
        crawled = crawl(site, tmp_path / "output", "--column", "345")
        assert crawled.query("SELECT newest < '2027' FROM coverage") == [1]


# Eight megabytes of what takes the most memory to read.
_LIST = b'{"code":"1","data":{"list":['
HEAVY: dict[str, bytes] = {
    "objects in lists": _LIST + b",".join([b"[{}]"] * 1_600_000) + b"]}}",
    "empty lists": _LIST + b",".join([b"[]"] * 2_700_000) + b"]}}",
    "texts": _LIST + b",".join([b'"ab"'] * 1_600_000) + b"]}}",
    "names": _LIST + b"{" + b",".join(b'"%x":1' % number for number in range(780_000)) + b"}]}}",
}
# `finews`, which says at its end how much memory it took at most, in KiB.
MEASURED = """import re
from pathlib import Path
from crawler.cli import main
try:
    main()
finally:
    Path("peak").write_text(re.search("VmHWM:\\\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux, which tells a process's peak")
@pytest.mark.parametrize("content", HEAVY.values(), ids=HEAVY.keys())
def test_memory_stays_flat_whatever_one_reply_holds(tmp_path: Path, content: bytes) -> None:
    with SampleSite(Corpus.sample(2)) as site:
        site.add_fault("getNewsByColumns", return_body(content))
        words = ["crawl", "--mirror", site.url, "--output", str(tmp_path / "output"), *NO_MANNERS]
        done = subprocess.run([sys.executable, "-c", MEASURED, *words], cwd=tmp_path, timeout=100, check=False)
    assert done.returncode == 3
    assert int((tmp_path / "peak").read_text()) < 300 * 1024


def endless(reply: Any) -> None:
    """Each page has a row that no other has, and leads on."""
    number = next(NUMBERS)
    reply["data"] = {
        "fastNewsList": [{"code": f"2026091800{number:08}", "showTime": "2026-09-18 10:00:00", "summary": "【题】文"}],
        "sortEnd": str(number),
    }


NUMBERS = itertools.count(1)


def test_a_listing_without_end_is_left_and_told(tmp_path: Path) -> None:
    few_pages = "from crawler import walk; pagination.MAX_PAGES = 7; from crawler.cli import main; main()"
    with SampleSite(Corpus.sample(2)) as site:
        site.add_fault("getFastNewsList", reworded(endless))
        words = ["crawl", "flash", "--mirror", site.url, "--output", str(tmp_path / "output"), *NO_MANNERS, "--quiet"]
        done = subprocess.run(
            [sys.executable, "-c", few_pages, *words], capture_output=True, text=True, timeout=100, check=False
        )
        assert len([hit for hit in site.requests if "getFastNewsList" in hit.target]) == 7
    assert done.returncode == 3
    assert done.stderr == "finews: no listing of 102: it has no end after 7 pages\n"


def test_verify_is_at_hand(crawled: Crawled) -> None:
    assert finews("verify", "--output", str(crawled.output)).code == 0


# What a terminal obeys, or a reader of lines takes for a line of its own.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
LINE = "\x1b[31m红\x9b2J\u202e\r\n2026-09-18 10:00:00 [forged] ERROR: a line of its own"


def test_no_line_of_a_log_is_the_sources(tmp_path: Path) -> None:
    with SampleSite(Corpus.sample(8)) as site:
        site.add_fault("column=350&", page({**ROW, "title": LINE}, {**ROW, "code": LINE}, {**ROW, "showTime": LINE}))
        site.add_fault("column=351&", return_body(json.dumps({"code": 0, "message": LINE}).encode()))
        site.add_fault("column=353&", return_body(LINE.encode(), LINE.split("\r")[0]))
        site.add_fault("/article/", return_status(302, headers={"Location": "/\x1b[31m"}))
        crawled = crawl(site, tmp_path / "output", "--set", "LOG_LEVEL=DEBUG", "--set", "RETRY_TIMES=0")
    assert "红" in crawled.answer.err
    assert OBEYED.findall(crawled.answer.err) == []
    assert [line for line in crawled.answer.err.splitlines() if line.startswith("2026-09-18 10")] == []
