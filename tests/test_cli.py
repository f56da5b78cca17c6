"""The command as a person and a program use it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import COMMANDS
from crawler.sample_site import SampleSite
from tests.conftest import CHECKOUT, DETAIL, NO_MANNERS, Finews, Gate, waited_for

Query = Callable[..., list[Any]]

FIRST = "202201102242171631"


@pytest.fixture
def crawled(crawl: Finews, output: Path) -> Path:
    crawl("choice")
    return output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(finews: Finews, command: str) -> None:
    answer = finews(command, "--help")
    assert answer.code == 0
    assert len(answer.out.splitlines()) > 4


def test_show_tells_an_article_to_a_person(finews: Finews, crawled: Path) -> None:
    answer = finews("show", FIRST, "--output", str(crawled))
    assert answer.out.startswith(
        "山西运城：固好脱贫成果 启好振兴之路\n2022-01-10T16:20:36+08:00  中国农网 (zhongguonongwang)"
    )
    assert "（文章来源：中国农网）" in answer.out


def test_show_takes_the_code_as_the_share_page_writes_it(finews: Finews, crawled: Path) -> None:
    value = finews("show", f"NW{FIRST}", "--json", "--output", str(crawled)).value
    assert value["code"] == FIRST
    assert value["published_at"] == "2022-01-10T16:20:36+08:00"
    assert (value["category"], value["media"]) == ("zhongguonongwang", "中国农网")
    assert value["url"] == f"http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW{FIRST}"
    assert (value["revision"], value["revisions"], value["mentions"], value["columns"]) == (1, [], [], ["37"])


def test_show_html_is_the_body_of_the_post(finews: Finews, crawled: Path) -> None:
    body = finews("show", FIRST, "--html", "--output", str(crawled)).out.strip()
    assert body.startswith("<p>随着")
    assert body in next(crawled.rglob(f"*{FIRST}.md")).read_text()


def test_an_unknown_code_is_one_line_and_exit_1(finews: Finews, crawled: Path) -> None:
    answer = finews("show", "202201102242171632", "--output", str(crawled))
    assert (answer.code, answer.out, len(answer.err.splitlines())) == (1, "", 1)


def test_categories_count_and_date(finews: Finews, crawled: Path, query: Query) -> None:
    rows = finews("categories", "--json", "--output", str(crawled)).value
    assert {row["slug"]: row["articles"] for row in rows} == dict(
        query("SELECT category, count(*) FROM articles GROUP BY 1")
    )
    nongwang = next(row for row in rows if row["slug"] == "zhongguonongwang")
    assert nongwang["latest"] == "2022-01-10T16:20:36+08:00"
    assert isinstance(nongwang["aliases"], list)


def test_all_categories_are_those_that_are_known(finews: Finews) -> None:
    rows = finews("categories", "--all", "--json").value
    assert len(rows) >= 100
    assert {row["articles"] for row in rows} == {0}


def test_columns_are_listed_without_a_database(finews: Finews) -> None:
    rows = finews("columns", "--json").value
    by_default = {row["column_id"] for row in rows if row["spider"] == "eastmoney" and row["by_default"]}
    assert by_default == {"344", "345", "350", "351", "353", "354", "355"}
    assert {row["name"] for row in rows if row["column_id"] == "350"} == {"国内经济"}


def test_columns_count_what_stands_in_them(finews: Finews, crawled: Path, query: Query) -> None:
    rows = finews("columns", "--json", "--output", str(crawled)).value
    counted = {row["column_id"]: row["articles"] for row in rows if row["spider"] == "choice" and row["articles"]}
    assert counted == dict(query("SELECT column_id, count(*) FROM article_columns GROUP BY 1"))


def test_runs_tell_what_became_of_every_entry(finews: Finews, crawl: Finews, crawled: Path) -> None:
    crawl("choice")
    newest, first = finews("runs", "--json", "--output", str(crawled)).value
    assert (first["outcome"], newest["outcome"]) == ("partial", "done")
    assert newest["new"] == 0
    assert first["listed"] == newest["listed"] == newest["unchanged"] + newest["duplicate"]


def test_runs_count_what_a_crawl_at_work_has_brought_so_far(
    finews: Finews, site: SampleSite, output: Path, query: Query
) -> None:
    listed = len(site.corpus.codes_in_columns(["345"]))
    gate = Gate(site, DETAIL, passing=3)
    words = [sys.executable, "-m", "crawler", "crawl", "--mirror", site.url, "--output", str(output), "--column", "345"]
    with subprocess.Popen([*words, *NO_MANNERS, "--quiet"]) as crawling:
        waited_for(lambda: len(gate.held) and query("SELECT count(*) FROM entries WHERE outcome = 'new'") == [3])
        (running,) = finews("runs", "--json", "--output", str(output)).value
        gate.open()
    assert crawling.returncode == 0
    assert (running["outcome"], running["listed"], running["new"], running["failed"]) == (None, listed, 3, 0)


def test_tables_have_a_line_a_row(finews: Finews, crawled: Path) -> None:
    lines = finews("runs", "--output", str(crawled)).out.splitlines()
    assert len(lines) == 2
    assert re.match(r"id +spider +started_at +outcome +listed +new +updated +unchanged", lines[0])


def test_questions_without_a_database_say_what_to_do(finews: Finews) -> None:
    answer = finews("runs")
    assert answer.code == 1
    assert "finews crawl" in answer.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("crawl", "nosuch"), "choice, eastmoney, flash"),
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
        (("search",), "a query or a filter"),
        (("rebuild",), "db, posts, reprints, search"),
        (("site", "build", "--keep-days", "999999"), "--keep-days"),
        (("site",), "build, check"),
        (("search", "--json"), "a query or a filter"),
        (("search", "x", "--output", ""), "--output"),
        (("crawl", "--output", ""), "--output"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_one_line_that_says_what_to_type(
    finews: Finews, tmp_path: Path, words: tuple[str, ...], hint: str
) -> None:
    answer = finews(*words)
    assert answer.code == 2
    assert hint in answer.err
    assert len(answer.err.splitlines()) == 1
    assert answer.out == ""
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_a_folder_is_named(finews: Finews, output: Path) -> None:
    output.mkdir()
    (output / "_posts").touch()
    answer = finews("crawl", "--mirror", "http://127.0.0.1:9", "--output", str(output))
    assert (answer.code, answer.err) == (1, f"finews: cannot write the output folder {output}/_posts: File exists\n")


def test_finews_alone_shows_its_commands_and_is_wrong_usage(finews: Finews) -> None:
    answer = finews()
    assert (answer.code, answer.out) == (2, "")
    assert all(command in answer.err for command in COMMANDS)


def test_the_summary_says_what_became_of_it_and_where_things_are(
    finews: Finews, site: SampleSite, output: Path
) -> None:
    answer = finews("crawl", "eastmoney", "--mirror", site.url, "--output", str(output), *NO_MANNERS)
    first, second = answer.out.splitlines()
    assert re.fullmatch(r"eastmoney: \d+ listed: \d+ new, \d+ duplicate", first)
    assert second == f"posts in {output}/_posts, rows in {output}/news.db"
    assert answer.err == ""


def test_a_quiet_crawl_says_nothing_when_nothing_is_wrong(finews: Finews, site: SampleSite, output: Path) -> None:
    answer = finews("crawl", "flash", "--quiet", "--mirror", site.url, "--output", str(output), *NO_MANNERS)
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_a_name_that_nobody_knows_is_told_also_by_a_quiet_crawl(finews: Finews, site: SampleSite, output: Path) -> None:
    where = ("--output", str(output))
    words = ("crawl", "flash", "--category", "中国农业网", "--quiet", "--mirror", site.url, *where, *NO_MANNERS)
    answer = finews(*words)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.startswith("finews: unknown category '中国农业网': did you mean ")
    assert "zhongguonongwang (中国农网)" in answer.err
    found = finews("search", "公司", "--category", "中国农业网", *where)
    assert (found.code, found.out, found.err) == (2, "", answer.err)


def test_a_long_crawl_tells_how_far_it_is_on_stderr(finews: Finews, site: SampleSite, output: Path) -> None:
    site.corpus.publish(200)
    answer = finews("crawl", "--mirror", site.url, "--output", str(output), *NO_MANNERS)
    assert re.search(r"eastmoney: \d+00 of \d+ entries: ", answer.err)


def test_the_output_folder_is_the_one_named_else_output_else_the_variable(
    finews: Finews, site: SampleSite, tmp_path: Path
) -> None:
    words = ("crawl", "flash", "--mirror", site.url, *NO_MANNERS)
    finews(*words, FINEWS_OUTPUT=str(tmp_path / "from-variable"))
    assert (tmp_path / "from-variable" / "news.db").exists()
    (tmp_path / "output").mkdir()
    finews(*words, FINEWS_OUTPUT=str(tmp_path / "from-variable-2"))
    assert (tmp_path / "output" / "news.db").exists()
    assert not (tmp_path / "from-variable-2").exists()


def test_what_is_crawled_is_not_writable_for_the_world(crawled: Path) -> None:
    for path in [crawled, *crawled.rglob("*")]:
        assert not path.stat().st_mode & 0o002, path


def scrapy(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scrapy", *words]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False)


def test_scrapy_lists_the_spiders() -> None:
    assert scrapy("list").stdout.split() == ["choice", "eastmoney", "flash"]


def test_scrapy_check_passes() -> None:
    assert scrapy("check").returncode == 0


def test_scrapy_crawl_does_the_same_work(site: SampleSite, output: Path, query: Query) -> None:
    settings = (f"OUTPUT_DIR={output}", f"MIRROR={site.url}", "DOWNLOAD_DELAY=0")
    words = [word for setting in settings for word in ("-s", setting)]
    done = scrapy("crawl", "eastmoney", "-a", "category=zhongguonongwang", *words)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert query("SELECT DISTINCT category FROM articles") == ["zhongguonongwang"]
    arguments = query("SELECT arguments FROM runs")[0]
    assert json.loads(arguments) == {"category": "zhongguonongwang"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("-a", "category=zhongguonongwan"), 2),
        (("-a", "catgory=zhongguonongwang"), 2),
        (("-s", "MIRROR=http://127.0.0.1:9"), 1),
    ],
    ids=["an unknown category", "an unknown argument", "a source that is down"],
)
def test_scrapy_crawl_ends_with_our_exit_codes(output: Path, words: tuple[str, ...], code: int) -> None:
    done = scrapy("crawl", "eastmoney", "-s", f"OUTPUT_DIR={output}", "-s", "RETRY_BACKOFF=0", *words)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_the_demo_crawls_the_sample_site_and_says_what_to_try(finews: Finews, tmp_path: Path) -> None:
    answer = finews("demo", "--articles", "5")
    assert answer.code == 0, answer.err
    assert (tmp_path / "output" / "_posts/2022/01/10" / f"2022-01-10-NW{FIRST}.md").exists()
    code = re.search(r"finews show (\d{18,})", answer.out)
    assert code
    assert finews("show", code[1]).code == 0
    assert finews("demo", "--articles", "5").code == 0


def test_the_demo_keeps_away_from_real_news(finews: Finews, crawled: Path) -> None:
    answer = finews("demo", "--output", str(crawled))
    assert answer.code == 2
    assert "--output" in answer.err
