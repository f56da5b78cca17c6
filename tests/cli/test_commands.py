"""The command as a person and a program use it."""

import re
import subprocess
from pathlib import Path

import pytest

from crawler.cli import COMMANDS
from crawler.sample_site import SampleSite
from tests.support.commands import ARTICLE_API_PATH, FAST_SETTINGS, CommandRunner, build_crawl_command
from tests.support.database import Query
from tests.support.held_responses import HeldResponses
from tests.support.waiting import wait_until

FIRST_CODE = "202201102242171631"


@pytest.fixture
def crawled_output(crawl: CommandRunner, output: Path) -> Path:
    crawl("choice")
    return output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(finews: CommandRunner, command: str) -> None:
    result = finews(command, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 4


def test_show_prints_an_article(finews: CommandRunner, crawled_output: Path) -> None:
    result = finews("show", FIRST_CODE, "--output", str(crawled_output))
    assert result.stdout.startswith(
        "山西运城：固好脱贫成果 启好振兴之路\n2022-01-10T16:20:36+08:00  中国农网 (zhongguonongwang)"
    )
    assert "（文章来源：中国农网）" in result.stdout


def test_show_accepts_code_with_nw_prefix(finews: CommandRunner, crawled_output: Path) -> None:
    value = finews("show", f"NW{FIRST_CODE}", "--json", "--output", str(crawled_output)).json
    assert value["code"] == FIRST_CODE
    assert value["published_at"] == "2022-01-10T16:20:36+08:00"
    assert (value["category"], value["media"]) == ("zhongguonongwang", "中国农网")
    assert value["url"] == f"http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW{FIRST_CODE}"
    assert (value["revision"], value["revisions"], value["mentions"], value["columns"]) == (1, [], [], ["37"])


def test_show_html_is_the_body_of_the_post(finews: CommandRunner, crawled_output: Path) -> None:
    body = finews("show", FIRST_CODE, "--html", "--output", str(crawled_output)).stdout.strip()
    assert body.startswith("<p>随着")
    assert body in next(crawled_output.rglob(f"*{FIRST_CODE}.md")).read_text()


def test_unknown_code_is_one_line_and_exit_code_1(finews: CommandRunner, crawled_output: Path) -> None:
    result = finews("show", "202201102242171632", "--output", str(crawled_output))
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)


def test_categories_list_counts_and_latest_dates(finews: CommandRunner, crawled_output: Path, query: Query) -> None:
    rows = finews("categories", "--json", "--output", str(crawled_output)).json
    assert {row["slug"]: row["articles"] for row in rows} == dict(
        query("SELECT category, count(*) FROM articles GROUP BY 1")
    )
    nongwang_row = next(row for row in rows if row["slug"] == "zhongguonongwang")
    assert nongwang_row["latest"] == "2022-01-10T16:20:36+08:00"
    assert isinstance(nongwang_row["aliases"], list)


def test_all_categories_lists_the_registry(finews: CommandRunner) -> None:
    rows = finews("categories", "--all", "--json").json
    assert len(rows) >= 100
    assert {row["articles"] for row in rows} == {0}


def test_column_of_a_search_is_an_id_or_a_name(finews: CommandRunner, crawled_output: Path) -> None:
    by_id, by_name, none_listed = (
        finews("search", "--count", "--column", column, "--output", str(crawled_output))
        for column in ("102", "7x24全部", "加拿大数据")
    )
    assert (by_id.exit_code, none_listed.exit_code, none_listed.stdout) == (0, 0, "0\n")
    assert by_name.stdout == by_id.stdout != "0\n"


@pytest.mark.parametrize(
    ("option", "text", "hint"),
    [
        ("--category", "财联杜", "did you mean cailianshe (财联社)?"),
        ("--category", "贵阳日报", "unknown category '贵阳日报'"),
        ("--column", "国内经计", "did you mean 国内经济"),
        ("--column", "9999", "finews columns"),
    ],
)
def test_filter_that_names_nothing_is_a_usage_error(
    finews: CommandRunner, crawled_output: Path, option: str, text: str, hint: str
) -> None:
    result = finews("search", "公司", option, text, "--output", str(crawled_output))
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert hint in result.stderr


def test_columns_are_listed_without_a_database(finews: CommandRunner) -> None:
    rows = finews("columns", "--json").json
    by_default = {row["column_id"] for row in rows if row["spider"] == "eastmoney" and row["by_default"]}
    assert by_default == {"344", "345", "350", "351", "353", "354", "355"}
    assert {row["name"] for row in rows if row["column_id"] == "350"} == {"国内经济"}


def test_columns_list_article_counts(finews: CommandRunner, crawled_output: Path, query: Query) -> None:
    rows = finews("columns", "--json", "--output", str(crawled_output)).json
    articles_by_column = {
        row["column_id"]: row["articles"] for row in rows if row["spider"] == "choice" and row["articles"]
    }
    assert articles_by_column == dict(query("SELECT column_id, count(*) FROM article_columns GROUP BY 1"))


def test_runs_list_outcome_counts(finews: CommandRunner, crawl: CommandRunner, crawled_output: Path) -> None:
    crawl("choice")
    newest_run, first_run = finews("runs", "--json", "--output", str(crawled_output)).json
    assert (first_run["outcome"], newest_run["outcome"]) == ("partial", "done")
    assert newest_run["new"] == 0
    assert first_run["listed"] == newest_run["listed"]
    assert newest_run["listed"] == sum(newest_run[name] for name in ("unchanged", "duplicate", "filtered"))


def test_runs_list_counts_of_a_running_crawl(
    finews: CommandRunner, sample_site: SampleSite, output: Path, query: Query
) -> None:
    listed = len(sample_site.corpus.codes_in_columns(["345"]))
    held_responses = HeldResponses(sample_site, ARTICLE_API_PATH, pass_first=3)
    crawl_command = build_crawl_command(sample_site.url, output, "--column", "345")
    with subprocess.Popen(crawl_command) as crawl_process:
        wait_until(
            lambda: (
                len(held_responses.held_requests) and query("SELECT count(*) FROM entries WHERE outcome = 'new'") == [3]
            )
        )
        (running_run,) = finews("runs", "--json", "--output", str(output)).json
        held_responses.release()
    assert crawl_process.returncode == 0
    assert (running_run["outcome"], running_run["listed"], running_run["new"], running_run["failed"]) == (
        None,
        listed,
        3,
        0,
    )


def test_table_has_one_line_per_row(finews: CommandRunner, crawled_output: Path) -> None:
    lines = finews("runs", "--output", str(crawled_output)).stdout.splitlines()
    assert len(lines) == 2
    assert re.match(r"id +spider +started_at +outcome +listed +new +updated +unchanged", lines[0])


def test_missing_database_message_says_what_to_do(finews: CommandRunner) -> None:
    result = finews("runs")
    assert result.exit_code == 1
    assert "finews crawl" in result.stderr


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("crawl", "nosuch"), "choice, eastmoney, flash"),
        (("crawl", "eastmony"), "did you mean eastmoney?"),
        (("crawl", "--plan", "flahs"), "did you mean flash?"),
        (("crawl", "--category", "财联杜"), "cailianshe (财联社)"),
        (("crawl", "--column", "9999"), "finews columns"),
        (("crawl", "--column", "国内经"), "国内经济"),
        (("crawl", "--since", "2022-02-30"), "2022-01-10"),
        (("crawl", "--since", "yesterday"), "2d"),
        (("crawl", "--since", "1d", "--until", "2d"), "swap"),
        (("crawl", "--limit", "0"), "--limit"),
        (("crawl", "--mirror", "localhost:8000"), "http://localhost:8000"),
        (("crawl", "--set", "DOWNLOD_DELAY=1"), "DOWNLOAD_DELAY"),
        (("crawl", "--set", "DOWNLOAD_DELAY"), "NAME=VALUE"),
        (("crawl", "--catgory", "x"), "--category"),
        (("crawl", "--set", "SPIDER_MODULES=x"), "No module named 'x'"),
        (("crawl", "--set", "LOG_LEVEL=nope"), "Unknown level: 'nope'"),
        (("crawl", "--set", "EXTENSIONS={}"), "CrawlSession is switched off"),
        (("crawl", "--category", "cailianse"), "cailianshe (财联社)"),
        (("crwal",), "crawl"),
        (("show",), "CODE"),
        (("search",), "no query and no filter"),
        (("rebuild",), "db, posts, reprints, search"),
        (("site", "build", "--keep-days", "999999"), "--keep-days"),
        (("site",), "build, check"),
        (("search", "--json"), "no query and no filter"),
        (("search", "x", "--output", ""), "--output"),
        (("crawl", "--output", ""), "--output"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_usage_error_is_one_line_with_a_hint(
    finews: CommandRunner, tmp_path: Path, args: tuple[str, ...], hint: str
) -> None:
    result = finews(*args)
    assert result.exit_code == 2
    assert hint in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())


def test_file_in_place_of_posts_dir_is_named(finews: CommandRunner, output: Path) -> None:
    output.mkdir()
    (output / "_posts").touch()
    result = finews("crawl", "--mirror", "http://127.0.0.1:9", "--output", str(output))
    assert (result.exit_code, result.stderr) == (
        1,
        f"finews: cannot write the output folder {output}/_posts: File exists\n",
    )


def test_finews_without_command_is_a_usage_error(finews: CommandRunner) -> None:
    result = finews()
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(command in result.stderr for command in COMMANDS)


def test_crawl_summary_lists_counts_and_paths(finews: CommandRunner, sample_site: SampleSite, output: Path) -> None:
    result = finews("crawl", "eastmoney", "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS)
    first, second = result.stdout.splitlines()
    assert re.fullmatch(r"eastmoney: \d+ listed: \d+ new, \d+ duplicate", first)
    assert second == f"posts in {output}/_posts, rows in {output}/news.db"
    assert result.stderr == ""


def test_quiet_crawl_prints_nothing_on_success(finews: CommandRunner, sample_site: SampleSite, output: Path) -> None:
    result = finews("crawl", "flash", "--quiet", "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_quiet_crawl_reports_new_media_without_entries(
    finews: CommandRunner, sample_site: SampleSite, output: Path
) -> None:
    args = ("crawl", "flash", "--category", "不存在的新报纸", "--quiet", "--mirror", sample_site.url)
    result = finews(*args, "--output", str(output), *FAST_SETTINGS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("finews: unknown media '不存在的新报纸'")
    assert len(result.stderr.splitlines()) == 1


def test_long_crawl_prints_progress_on_stderr(finews: CommandRunner, sample_site: SampleSite, output: Path) -> None:
    sample_site.corpus.publish(200)
    result = finews("crawl", "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS)
    assert re.search(r"eastmoney: \d+00 of \d+ entries: ", result.stderr)


def test_output_dir_precedence(finews: CommandRunner, sample_site: SampleSite, tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    args = ("crawl", "flash", "--mirror", sample_site.url, *FAST_SETTINGS)
    finews(*args, FINEWS_OUTPUT=str(tmp_path / "from-variable"))
    assert (tmp_path / "from-variable" / "news.db").exists()
    assert not (tmp_path / "output" / "news.db").exists()


def test_output_is_not_world_writable(crawled_output: Path) -> None:
    for path in [crawled_output, *crawled_output.rglob("*")]:
        assert not path.stat().st_mode & 0o002, path
