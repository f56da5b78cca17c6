"""`finews schedule`: what it prints works as it stands, as far as this machine has cron, systemd and git."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Finews

PROGRAM = str(Path(sys.executable).with_name("finews"))


def run(*words: str, cwd: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, **options)


def test_cron_calls_this_installation_by_its_path(built: Path, finews: Finews) -> None:
    lines = finews("schedule", "cron", "--output", str(built)).out.splitlines()
    path, crawl, nightly = lines[1], lines[2].split(None, 5), lines[3].split(None, 5)
    assert crawl[:5] == ["*/10", "*", "*", "*", "*"]
    first, second = crawl[5].split("; ")
    assert first == f"{PROGRAM} crawl --quiet --since 2d --output {built}"
    # Cron gives a program almost nothing to go by.
    for command in (second, nightly[5]):
        done = run("/bin/sh", "-c", command, env={"PATH": path.removeprefix("PATH="), "HOME": "/"}, cwd=Path("/"))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd: apt-get install systemd")
def test_systemd_takes_the_units(built: Path, finews: Finews, tmp_path: Path) -> None:
    service, timer = re.split(r"# finews\.timer[^\n]*\n", finews("schedule", "systemd", "--output", str(built)).out)
    (tmp_path / "finews.service").write_text(service)
    (tmp_path / "finews.timer").write_text(timer)
    done = run("systemd-analyze", "verify", "--man=no", "finews.service", "finews.timer", cwd=tmp_path)
    told = [line for line in done.stderr.splitlines() if "finews." in line]
    assert told == []
    assert f"ExecStart={PROGRAM} crawl" in service
    assert run("systemd-analyze", "calendar", "*:0/10").returncode == 0


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Path:
    """A clone whose `output` holds a site, and where it is pushed to."""
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "remote"))
    run("git", "init", "--quiet", "--initial-branch=main", cwd=built.parent)
    run("git", "remote", "add", "origin", str(tmp_path / "remote"), cwd=built.parent)
    run("git", "config", "push.autoSetupRemote", "true", cwd=built.parent)
    return built.parent


@pytest.mark.usefixtures("repository")
def test_the_workflow_is_pinned_and_runs_one_at_a_time(built: Path, finews: Finews) -> None:
    workflow = yaml.safe_load(finews("schedule", "github", "--output", str(built)).out)
    assert workflow["concurrency"] == {"group": "news", "cancel-in-progress": False}
    steps = workflow["jobs"]["news"]["steps"]
    used = [step["uses"] for step in steps if "uses" in step]
    assert len(used) == 4
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)


def test_the_workflow_commits_only_when_something_changed(repository: Path, built: Path, finews: Finews) -> None:
    steps = yaml.safe_load(finews("schedule", "github", "--output", str(built)).out)["jobs"]["news"]["steps"]
    script = next(step["run"] for step in steps if step.get("name", "").startswith("Commit"))

    def commits() -> list[str]:
        done = run("bash", "-e", "-c", script, cwd=repository)
        assert done.returncode == 0, done.stderr
        return run("git", "log", "--format=%s", "origin/main", cwd=repository).stdout.split("\n")[:-1]

    assert commits() == ["News"]
    tracked = run("git", "ls-files", cwd=repository).stdout
    assert "output/news.db\n" in tracked
    assert "output/_site" not in tracked
    assert ".crawl.lock" not in tracked
    assert finews("site", "build", "--output", str(built)).code == 0
    assert commits() == ["News"]
    (built / "_posts" / "2026-01-02-own.md").write_text("---\ntitle: x\n---\n")
    assert commits() == ["News", "News"]


def test_outside_a_repository_there_is_no_workflow(built: Path, finews: Finews) -> None:
    answer = finews("schedule", "github", "--output", str(built))
    assert answer.code == 2
    assert "in no git repository" in answer.err


def test_a_path_that_no_schedule_could_hold_is_refused(finews: Finews) -> None:
    answer = finews("schedule", "cron", "--output", "out;put %")
    assert answer.code == 2
    assert "cannot stand in a schedule" in answer.err
