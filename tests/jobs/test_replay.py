"""Stored responses, parsed again by the current extractors."""

import json
from pathlib import Path

import pytest

from crawler.content import clock
from crawler.items import ListingEntry, RawResponse
from crawler.sample_site import SampleSite, return_body, return_status
from crawler.storage import Store
from crawler.storage.output_dir import create_output_dir
from crawler.storage.quarantine import KIND_ARTICLE, KIND_LISTING, KIND_ROW
from tests.support.articles import DEFAULT_LEGACY_CODE, render_legacy_post
from tests.support.commands import CommandRunner
from tests.support.database import Query, execute_sql
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows

KEEP_RAW_ARGS = ("--set", "KEEP_RAW=1")


def test_replay_saves_article_that_has_become_readable(
    finews: CommandRunner, crawl: CommandRunner, sample_site: SampleSite, output: Path, query: Query
) -> None:
    """Quarantine a valid response by a parser that rejects it, then replay it."""
    code = sample_site.corpus.codes_in_columns(["345"])[0]
    article = sample_site.corpus.find_article(code)
    assert article
    detail = {"success": 1, "data": {"Art_Code": code, "Art_Content": "<p>　　正文。</p>", "Art_ShowTime": "昨天"}}
    sample_site.add_fault(f"article/{code}", return_body(json.dumps(detail).encode(), "application/json"))
    sample_site.add_fault(f"/a/{code}", return_status(503))
    assert crawl("eastmoney", "--column", "345").exit_code == 3
    failed_replay = finews("replay", "--output", str(output))
    assert failed_replay.stdout.splitlines()[-1] == "0 articles changed, 1 response cannot be read"
    assert failed_replay.exit_code == 3
    assert query("SELECT outcome FROM runs WHERE spider = 'replay'") == ["partial"]
    detail["data"]["Art_ShowTime"] = "2026/09/19 01:00:00"  # type: ignore[index]
    execute_sql(output, "UPDATE quarantine SET raw = ?", json.dumps(detail).encode())
    replay = finews("replay", "--json", "--output", str(output))
    assert [(row["code"], row["readable"]) for row in replay.json] == [(code, True)]
    assert replay.exit_code == 0
    assert query("SELECT body_html, published_at FROM articles WHERE code = ?", code) == [
        ('<p>正文。</p><p class="em_media">（文章来源：东方财富Choice数据）</p>', "2026-09-19T01:00:00+08:00")
    ]
    assert finews("replay", "--json", "--output", str(output)).json == []
    assert_posts_match_rows(output)
    assert_outcomes_add_up(query)


def test_raw_responses_are_kept_only_with_keep_raw(crawl: CommandRunner, query: Query) -> None:
    crawl("flash")
    assert query("SELECT count(*) FROM raw_replies") == [0]
    crawl("eastmoney", *KEEP_RAW_ARGS)
    stored_codes = set(query("SELECT code FROM raw_replies"))
    assert stored_codes == set(query("SELECT code FROM articles WHERE source = 'eastmoney'"))
    assert query("SELECT count(*) FROM raw_contents")[0] <= len(stored_codes)


def test_dry_run_lists_changes_and_changes_nothing(
    finews: CommandRunner, crawl: CommandRunner, sample_site: SampleSite, output: Path, query: Query
) -> None:
    crawl("eastmoney", *KEEP_RAW_ARGS)
    code, other_code = query("SELECT code FROM articles ORDER BY code LIMIT 2")
    execute_sql(output, "UPDATE articles SET title = '旧标题' WHERE code = ?", code)
    execute_sql(output, "UPDATE articles SET body_html = '<p>' || body_html WHERE code = ?", other_code)
    before = query("SELECT * FROM articles ORDER BY code")
    sample_site.reset()
    result = finews("replay", "--dry-run", "--json", "--output", str(output))
    assert {row["code"]: list(row["changes"]) for row in result.json} == {code: ["title"], other_code: ["body_html"]}
    assert next(row for row in result.json if row["code"] == code)["changes"]["title"]["old"] == "旧标题"
    assert query("SELECT * FROM articles ORDER BY code") == before
    assert len(sample_site.requests) == 0


def test_replay_repairs_rows_and_posts_and_keeps_revisions(
    finews: CommandRunner, crawl: CommandRunner, output: Path, query: Query
) -> None:
    for spider in ("choice", "eastmoney", "flash"):
        crawl(spider, *KEEP_RAW_ARGS)
    expected = query("SELECT code, title, body_html, post_path FROM articles ORDER BY code")
    changed_code, untidy_code = expected[0][0], expected[1][0]
    execute_sql(output, "UPDATE articles SET title = '旧标题', body_text = '旧' WHERE code = ?", changed_code)
    execute_sql(output, "UPDATE articles SET body_html = '<p></p>' || body_html WHERE code = ?", untidy_code)
    result = finews("replay", "--output", str(output))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (3, "2 articles changed, 1 response cannot be read")
    assert f"{changed_code}: title: '旧标题' -> " in result.stdout
    assert query("SELECT code, title, body_html, post_path FROM articles ORDER BY code") == expected
    assert query("SELECT code, title FROM revisions") == [(changed_code, "旧标题")]
    assert_posts_match_rows(output)
    assert_outcomes_add_up(query)
    assert finews("replay", "--json", "--output", str(output)).json[1:] == []


def test_replay_applies_new_rules_without_a_revision(
    finews: CommandRunner, crawl: CommandRunner, output: Path, query: Query
) -> None:
    """As if an older finews had stored it: with an advert, and under the page's own title."""
    crawl("eastmoney", *KEEP_RAW_ARGS)
    line = '<p class="em_media">'
    expected = query("SELECT * FROM articles WHERE instr(body_html, ?) LIMIT 1", line)[0]
    execute_sql(
        output,
        "UPDATE articles SET title = title || ' _ 东方财富网', body_text = '立即体验妙想' || char(10) || body_text, "
        "body_html = replace(body_html, ?, ?) WHERE code = ?",
        line,
        f"<p>立即体验妙想</p>{line}",
        expected[0],
    )
    result = finews("replay", "--json", "--output", str(output))
    assert [(row["code"], sorted(row["changes"])) for row in result.json if row["readable"]] == [
        (expected[0], ["body_html", "body_text", "title"])
    ]
    assert query("SELECT * FROM articles WHERE code = ?", expected[0]) == [expected]
    assert query("SELECT count(*) FROM revisions") == [0]
    assert_posts_match_rows(output)


def test_replay_takes_away_what_an_older_finews_took_for_a_media(
    finews: CommandRunner, crawl: CommandRunner, sample_site: SampleSite, output: Path, query: Query
) -> None:
    code = sample_site.corpus.codes_in_fast_news()[0]
    sample_site.corpus.replace(code, flash_override="飞天茅台每瓶1499元（含税）")
    crawl("flash", *KEEP_RAW_ARGS)
    expected = query("SELECT * FROM articles ORDER BY code")
    filed = "SELECT media, category, body_text FROM articles WHERE code = ?"
    ((media, category, text),) = query(filed, code)
    assert (media, category) == ("东方财富网", "dongfangcaifuwang")
    assert text.startswith("飞天茅台每瓶1499元（含税）")
    execute_sql(output, "INSERT INTO categories VALUES ('hanshui', '含税', '[]')")
    execute_sql(output, "UPDATE articles SET media = '含税', category = 'hanshui' WHERE code = ?", code)
    execute_sql(output, "UPDATE raw_replies SET entry = json_set(entry, '$.media', '含税') WHERE code = ?", code)
    finews("rebuild", "posts", "--output", str(output))
    crawl("flash")
    assert query(filed, code) == [("含税", "hanshui", text)], "a crawl changes no post by itself"
    (replayed,) = finews("replay", "--json", "--output", str(output)).json
    assert (replayed["code"], sorted(replayed["changes"])) == (code, ["category", "media"])
    assert query("SELECT * FROM articles ORDER BY code") == expected
    assert query("SELECT count(*) FROM revisions") == [0]
    assert_posts_match_rows(output)


def test_readable_row_is_left_to_the_next_crawl(
    finews: CommandRunner, crawl: CommandRunner, output: Path, query: Query
) -> None:
    crawl("choice")
    repair_quarantined_row(output, query)
    (replayed,) = finews("replay", "--json", "--output", str(output)).json
    assert (replayed["kind"], replayed["readable"]) == ("row", True)
    assert query("SELECT resolved_at IS NOT NULL FROM quarantine") == [1]


def repair_quarantined_row(output: Path, query: Query) -> None:
    """As if the one row of a crawl that is in quarantine had been whole."""
    row = json.loads(query("SELECT raw FROM quarantine WHERE spider = 'choice'")[0])
    row |= {"title": "补上的标题", "showtime": "2022-05-26 19:20:11"}
    execute_sql(output, "UPDATE quarantine SET raw = ? WHERE spider = 'choice'", json.dumps(row).encode())


def test_replay_imports_file_that_has_become_readable(
    finews: CommandRunner, output: Path, query: Query, tmp_path: Path
) -> None:
    """Unless there is an article of that code by then, which is not touched."""
    folder = tmp_path / "old"
    folder.mkdir()
    for name in (f"2022-03-04-NW{DEFAULT_LEGACY_CODE}.md", "2022-03-05-NW202203051234567890.md", "README.md"):
        (folder / name).write_text(render_legacy_post(date="gestern").replace(DEFAULT_LEGACY_CODE, name[13:-3]))
    for _ in range(2):
        assert finews("import", str(folder), "--output", str(output)).exit_code == 3
    assert query("SELECT spider, kind, code, reason FROM quarantine WHERE code = ?", DEFAULT_LEGACY_CODE) == [
        ("import", "file", DEFAULT_LEGACY_CODE, "its date is not a time of the source: 'gestern'")
    ]
    assert query("SELECT raw FROM quarantine WHERE code = ?", DEFAULT_LEGACY_CODE) == [
        render_legacy_post(date="gestern").encode()
    ]
    assert query("SELECT count(*) FROM quarantine") == [2]
    assert DEFAULT_LEGACY_CODE in finews("explain", DEFAULT_LEGACY_CODE, "--output", str(output)).stdout
    failed_replay = finews("replay", "--json", "--output", str(output))
    assert (failed_replay.exit_code, [row["readable"] for row in failed_replay.json]) == (3, [False, False])
    execute_sql(
        output, "UPDATE quarantine SET raw = ? WHERE code = ?", render_legacy_post().encode(), DEFAULT_LEGACY_CODE
    )
    replayed = finews("replay", "--json", "--output", str(output)).json
    assert [row["code"] for row in replayed if row["readable"]] == [DEFAULT_LEGACY_CODE]
    assert query("SELECT code, title, source FROM articles") == [(DEFAULT_LEGACY_CODE, "标题", "choice")]
    execute_sql(output, "UPDATE quarantine SET resolved_at = NULL, raw = ?", render_legacy_post(title="另题").encode())
    second_replay = finews("replay", "--json", "--output", str(output)).json
    assert [row["detail"] for row in second_replay if row["code"] == DEFAULT_LEGACY_CODE] == ["in the database already"]
    assert query("SELECT title FROM articles WHERE code = ?", DEFAULT_LEGACY_CODE) == ["标题"]
    assert_posts_match_rows(output)
    assert_outcomes_add_up(query)


@pytest.mark.parametrize("kind", [KIND_LISTING, KIND_ROW, KIND_ARTICLE])
def test_truncated_response_is_reported_and_replay_continues(
    finews: CommandRunner, crawl: CommandRunner, output: Path, query: Query, kind: str
) -> None:
    response = RawResponse("http://example.org/", "application/json", json.dumps({"title": "长" * (1 << 20)}).encode())
    entry = ListingEntry(code="202201100000000001", title="", published=clock.now(), column="345", url="")
    create_output_dir(output)
    with Store.open_rw(output) as store:
        run_id = store.runs.start("eastmoney", {}, clock.now())
        store.quarantine.add(
            response, run_id=run_id, spider="eastmoney", kind=kind, reason="too long", seen_at=clock.now(), entry=entry
        )
    crawl("choice")
    repair_quarantined_row(output, query)
    result = finews("replay", "--json", "--output", str(output))
    assert [(row["kind"], row["readable"], row["detail"]) for row in result.json] == [
        (kind, False, "only its beginning was kept"),
        ("row", True, "the next crawl takes it"),
    ]
    assert result.exit_code == 3
