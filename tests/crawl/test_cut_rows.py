"""Cut rows of fast news: the article is fetched, and the row is stored until the article is available."""

from pathlib import Path

import pytest

from crawler.sample_site import Fault, SampleSite, reset_connection, return_body, return_status
from tests.support.commands import ARTICLE_API_PATH, CommandRunner
from tests.support.database import Query, execute_sql
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows

NOTE = "<p>（摘要，全文见原文）</p>"
KEEP_RAW_ARGS = ("--set", "KEEP_RAW=1")
BOTH_READERS = f"({ARTICLE_API_PATH}|/a/)"


@pytest.fixture(autouse=True)
def cut_code(sample_site: SampleSite) -> str:
    code = sample_site.corpus.codes_in_fast_news()[1]
    sample_site.corpus.replace(code, is_cut_in_fast_news=True, flash_override="", fast_title=None)
    return code


def stored(query: Query, code: str) -> tuple[str, str, int]:
    ((source, body, revision),) = query("SELECT source, body_html, revision FROM articles WHERE code = ?", code)
    return source, body, revision


def outcomes(query: Query, code: str) -> list[str]:
    return query("SELECT outcome FROM entries WHERE code = ? AND outcome != 'duplicate' ORDER BY id", code)


def test_article_behind_a_cut_row_is_fetched(
    crawl: CommandRunner, finews: CommandRunner, sample_site: SampleSite, cut_code: str, query: Query, output: Path
) -> None:
    result = crawl("flash", *KEEP_RAW_ARGS)
    assert (result.exit_code, result.stderr) == (0, "")
    assert sample_site.requested_codes == [cut_code]
    article = sample_site.corpus.find_article(cut_code)
    assert article
    source, body, revision = stored(query, cut_code)
    assert (source, revision) == ("eastmoney", 1)
    assert len(body) > 300
    assert "点击查看全文" not in body
    assert NOTE not in body
    assert query("SELECT count(*) FROM articles WHERE summary LIKE '%点击查看%' OR body_html LIKE '%点击查看%'") == [0]
    assert query("SELECT spider FROM raw_replies WHERE code = ?", cut_code) == ["eastmoney"]
    assert finews("replay", "--json", "--output", str(output)).json == []
    assert_posts_match_rows(output)
    assert_outcomes_add_up(query)
    sample_site.requests.clear()
    assert crawl("flash").json["unchanged"] == result.json["listed"]
    assert sample_site.requested_codes == []
    assert "kept by eastmoney" in finews("explain", cut_code, "--output", str(output)).stdout
    assert crawl("eastmoney").exit_code == 0
    assert stored(query, cut_code) == (source, body, 1)


def test_page_is_read_where_the_detail_is_empty(
    crawl: CommandRunner, sample_site: SampleSite, cut_code: str, query: Query
) -> None:
    sample_site.corpus.replace(cut_code, body_location="page2022")
    assert crawl("flash").exit_code == 0
    assert stored(query, cut_code)[0] == "eastmoney"
    assert sample_site.requested_codes == [cut_code, cut_code]


FAULTS = {
    "404": return_status(404),
    "403": return_status(403),
    "reset": reset_connection(),
    "no page of a known layout": return_body(b"<html><body>?</body></html>", "text/html"),
    "no text": return_body(b'{"data": null}'),
    "too complex": return_body(b"<a>" * 101_000 + b"</html>", "text/html"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_summary_replaces_an_article_that_cannot_be_had(
    crawl: CommandRunner, sample_site: SampleSite, cut_code: str, query: Query, output: Path, fault: Fault
) -> None:
    sample_site.add_fault(BOTH_READERS, fault)
    result = crawl("flash")
    source, body, revision = stored(query, cut_code)
    assert (source, revision) == ("flash", 1)
    assert body.endswith(NOTE)
    assert "点击查看全文" not in body
    assert query("SELECT count(*) FROM articles WHERE body_text LIKE '%摘要，全文%'") == [0]
    assert result.exit_code == 3
    assert outcomes(query, cut_code)[0] in {"failed", "quarantined"}
    assert query("SELECT withdrawn_at FROM articles WHERE code = ?", cut_code) == [None]
    assert_posts_match_rows(output)
    assert_outcomes_add_up(query)


def test_article_is_asked_for_again_while_only_the_summary_is_in(
    crawl: CommandRunner, finews: CommandRunner, sample_site: SampleSite, cut_code: str, query: Query, output: Path
) -> None:
    sample_site.add_fault(BOTH_READERS, return_status(404))
    for _ in range(2):
        crawl("flash")
    summary = stored(query, cut_code)
    assert (summary[0], summary[2]) == ("flash", 1)
    assert query("SELECT failures FROM sightings WHERE code = ?", cut_code) == [2]
    explained = finews("explain", cut_code, "--output", str(output)).stdout
    assert "text: flash's is kept, a summary: the article behind it is not saved yet" in explained
    sample_site.clear_faults()
    result = crawl("flash")
    assert (result.exit_code, result.json["updated"]) == (0, 1)
    source, body, _ = stored(query, cut_code)
    assert (source, NOTE in body) == ("eastmoney", False)
    assert outcomes(query, cut_code) == ["failed", "failed", "updated"]
    assert_posts_match_rows(output)


def test_column_lists_supersede_a_summary(
    crawl: CommandRunner, sample_site: SampleSite, cut_code: str, query: Query
) -> None:
    sample_site.add_fault(BOTH_READERS, return_status(404))
    crawl("flash")
    sample_site.clear_faults()
    assert crawl("eastmoney").exit_code == 0
    assert stored(query, cut_code)[0] == "eastmoney"


def test_note_alone_is_no_correction(crawl: CommandRunner, sample_site: SampleSite, query: Query, output: Path) -> None:
    """The article has the same text as the row."""
    code = sample_site.corpus.codes_in_fast_news()[1]
    text = "纸价连涨三周。"
    sample_site.corpus.replace(
        code, fast_title=None, content=f"<p>{text}</p>", flash_override=f"{text}[点击查看全文]", secids=(), media=""
    )
    sample_site.add_fault(BOTH_READERS, return_status(404))
    crawl("flash")
    assert stored(query, code) == ("flash", f"<p>{text}</p>{NOTE}", 1)
    sample_site.clear_faults()
    assert crawl("flash").json["updated"] == 0
    assert stored(query, code) == ("eastmoney", f"<p>{text}</p>", 1)
    assert_posts_match_rows(output)


def test_article_that_holds_nothing_to_read_gives_way_to_its_summary(
    crawl: CommandRunner, sample_site: SampleSite, cut_code: str, query: Query
) -> None:
    response = f'{{"data": {{"Art_Code": "{cut_code}", "Art_Content": "<p>　</p>"}}}}'.encode()
    sample_site.add_fault(ARTICLE_API_PATH, return_body(response))
    crawl("flash")
    assert stored(query, cut_code)[1].endswith(NOTE)
    sample_site.clear_faults()
    crawl("flash")
    assert stored(query, cut_code)[0] == "eastmoney"
    assert outcomes(query, cut_code) == ["quarantined", "updated"]


def test_article_in_quarantine_is_replayed_as_the_source_of_its_reader(
    crawl: CommandRunner, finews: CommandRunner, sample_site: SampleSite, cut_code: str, query: Query, output: Path
) -> None:
    body = "<div id='ContentBody'><p>全文在此。</p></div>"
    sample_site.add_fault(ARTICLE_API_PATH, return_body(b"{}"))
    sample_site.add_fault("/a/", return_body(b"<html><body>?</body></html>", "text/html"))
    crawl("flash")
    assert stored(query, cut_code)[0] == "flash"
    execute_sql(output, "UPDATE quarantine SET raw = ?", f"<html>{body}</html>".encode())
    finews("replay", "--output", str(output))
    source, body_html, _ = stored(query, cut_code)
    assert (source, "全文在此" in body_html) == ("eastmoney", True)


def test_plan_counts_the_requests_of_cut_rows(crawl: CommandRunner, sample_site: SampleSite) -> None:
    one = crawl("flash", "--plan").json
    for code in sample_site.corpus.codes_in_fast_news():
        sample_site.corpus.replace(code, is_cut_in_fast_news=True, flash_override="")
    cut = crawl("flash", "--plan").json
    assert one["article_requests"] is True
    assert one["requests"] - one["robots"] - one["pages"] == 1
    assert cut["requests"] - cut["robots"] - cut["pages"] == cut["articles"] > 1


def test_replay_does_not_put_a_summary_in_the_place_of_its_article(
    crawl: CommandRunner, finews: CommandRunner, sample_site: SampleSite, cut_code: str, query: Query, output: Path
) -> None:
    sample_site.add_fault(BOTH_READERS, return_status(404))
    crawl("flash", *KEEP_RAW_ARGS)
    assert finews("replay", "--json", "--output", str(output)).json == []
    sample_site.clear_faults()
    crawl("flash")
    assert query("SELECT spider FROM raw_replies WHERE code = ?", cut_code) == ["flash"]
    assert finews("replay", "--json", "--output", str(output)).json == []
    assert stored(query, cut_code)[0] == "eastmoney"


def test_rebuilt_summary_is_still_one(
    crawl: CommandRunner, finews: CommandRunner, sample_site: SampleSite, cut_code: str, query: Query, output: Path
) -> None:
    sample_site.add_fault(BOTH_READERS, return_status(404))
    crawl("flash")
    summary = stored(query, cut_code)
    (output / "news.db").unlink()
    assert finews("rebuild", "db", "--output", str(output)).exit_code == 0
    assert stored(query, cut_code) == summary
    sample_site.clear_faults()
    crawl("flash")
    assert stored(query, cut_code)[0] == "eastmoney"
