"""Tests of `finews config`, and of what finews.toml and the environment change for other commands."""

import json
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import SampleSite
from crawler.sample_site.faults import return_status
from tests.support.commands import FAST_SETTINGS, CommandRunner


def settings_of(finews: CommandRunner, *args: str, **environment: str) -> dict[str, dict[str, Any]]:
    result = finews("config", "--json", *args, **environment)
    assert (result.exit_code, result.stderr) == (0, "")
    return {row["name"]: row for row in json.loads(result.stdout)["settings"]}


def test_output_is_the_option_then_the_variable_then_the_file(finews: CommandRunner, tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    assert settings_of(finews)["output"]["value"] == "output"
    (tmp_path / "finews.toml").write_text('output = "from-file"')
    in_file = settings_of(finews)["output"]
    assert (in_file["value"], in_file["from"]) == (str(tmp_path / "from-file"), str(tmp_path / "finews.toml"))
    from_variable = settings_of(finews, FINEWS_OUTPUT="from-variable")["output"]
    assert (from_variable["value"], from_variable["from"]) == ("from-variable", "$FINEWS_OUTPUT")
    from_option = settings_of(finews, "--output", "from-option", FINEWS_OUTPUT="from-variable")["output"]
    assert (from_option["value"], from_option["from"]) == ("from-option", "--output")


def test_longer_variable_name_wins(finews: CommandRunner) -> None:
    rows = settings_of(finews, FINEWS_LIMIT="7", FINEWS_SEARCH_LIMIT="3")
    assert (rows["search.limit"]["value"], rows["search.limit"]["from"]) == ("3", "$FINEWS_SEARCH_LIMIT")
    assert rows["runs.limit"]["value"] == "7"


def test_write_makes_a_file_once(finews: CommandRunner, tmp_path: Path) -> None:
    assert finews("config", "--write").exit_code == 0
    text = (tmp_path / "finews.toml").read_text()
    again = finews("config", "--write")
    assert (again.exit_code, again.stderr.count("exists already")) == (2, 1)
    assert (tmp_path / "finews.toml").read_text() == text
    assert finews("config").exit_code == 0


def test_secrets_are_masked(finews: CommandRunner, tmp_path: Path) -> None:
    own = tmp_path / "xdg" / "finews" / "finews.toml"
    own.parent.mkdir(parents=True)
    own.write_text('mirror = "http://user:hunter2@127.0.0.1:1"\n[scrapy]\nHTTPPROXY_AUTH_ENCODING = "latin-1"\n')
    for args in ((), ("--json",)):
        result = finews("config", *args, XDG_CONFIG_HOME=str(tmp_path / "xdg"))
        assert result.exit_code == 0
        assert "hunter2" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[search]\nlimt = 3", "finews.toml: unknown key 'limt' in [search]: did you mean limit?"),
        ("contct = 'x'", "finews.toml: unknown key 'contct': did you mean contact?"),
        ("[search]\nlimit = 'many'", "'many' is not a valid integer"),
    ],
)
def test_wrong_file_is_one_line_and_exit_2(finews: CommandRunner, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "finews.toml").write_text(text)
    result = finews("search", "央行")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert message in result.stderr
    assert finews("--help").exit_code == 0


def test_misspelt_variable_is_named(finews: CommandRunner) -> None:
    result = finews("config", FINEWS_OUTPTU="x")
    assert "no setting has the variable FINEWS_OUTPTU: did you mean FINEWS_OUTPUT?" in result.stderr


def test_table_of_a_command_gives_its_options_defaults(
    finews: CommandRunner, crawl: CommandRunner, output: Path, tmp_path: Path
) -> None:
    crawl("flash")
    args = ("search", "--since", "2000-01-01", "--output", str(output), "--json")
    (tmp_path / "finews.toml").write_text("[search]\nlimit = 1\n")
    assert len(json.loads(finews(*args).stdout)) == 1
    assert len(json.loads(finews(*args, "--limit", "5").stdout)) == 5
    (output / "finews.toml").write_text("[search]\nlimit = 2\n")
    assert len(json.loads(finews(*args).stdout)) == 2


def test_crawl_without_a_name_crawls_the_listed_sources_under_one_lock(
    finews: CommandRunner, sample_site: SampleSite, output: Path, tmp_path: Path
) -> None:
    (tmp_path / "finews.toml").write_text(f'crawl = ["eastmoney", "flash"]\noutput = "{output}"\n')
    result = finews("crawl", "--mirror", sample_site.url, "--json", *FAST_SETTINGS)
    runs = json.loads(result.stdout)["runs"]
    assert [run["spider"] for run in runs] == ["eastmoney", "flash"]
    assert result.exit_code == max(3 if run["outcome"] == "partial" else 0 for run in runs)
    assert runs[0]["finished_at"] <= runs[1]["started_at"]
    assert finews("verify").exit_code == 0
    plan = finews("crawl", "--plan", "--mirror", sample_site.url)
    assert (plan.exit_code, "name one of eastmoney, flash" in plan.stderr) == (2, True)


def test_crawl_of_several_fails_only_if_all_fail(finews: CommandRunner, sample_site: SampleSite, output: Path) -> None:
    args = ("crawl", "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS)
    assert finews(*args, FINEWS_CRAWL="nowhere,flash").exit_code == 2
    sample_site.add_fault("getFastNewsList", return_status(404))
    result = finews(*args, FINEWS_CRAWL="flash,eastmoney")
    assert result.exit_code == 3
    assert "no listing" in result.stderr


def test_configured_settings_reach_the_crawl(
    finews: CommandRunner, sample_site: SampleSite, output: Path, tmp_path: Path
) -> None:
    (tmp_path / "finews.toml").write_text('contact = "mail@example.org"\nkeep_raw = true\n')
    result = finews("crawl", "flash", "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS)
    assert result.exit_code in {0, 3}
    assert any("mail@example.org" in request.headers.get("user-agent", "") for request in sample_site.requests)
