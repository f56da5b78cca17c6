"""`finews schedule`: what it prints works unchanged, as far as this machine has cron, systemd and git."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from crawler import DISTRIBUTION
from crawler.errors import UsageError
from crawler.jobs.schedule import Installation, render_github_workflow
from tests.support.commands import CommandRunner

WHEEL_NAME = f"finews_crawler-{version(DISTRIBUTION)}-py3-none-any.whl"
FINEWS_PATH = str(Path(sys.executable).with_name("finews"))


def run_command(*args: str, cwd: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(args, cwd=cwd, capture_output=True, text=True, check=False, **options)


def test_cron_entry_uses_absolute_path_and_runs(published_copy: Path, finews: CommandRunner) -> None:
    lines = finews("schedule", "cron", "--output", str(published_copy)).stdout.splitlines()
    path_line, crawl_fields, nightly_fields = lines[1], lines[2].split(None, 5), lines[3].split(None, 5)
    assert crawl_fields[:5] == ["*/10", "*", "*", "*", "*"]
    crawl_command, build_command = crawl_fields[5].split("; ")
    assert crawl_command == f"{FINEWS_PATH} crawl --quiet --since 2d --output {published_copy}"
    # Cron gives a program almost nothing to go by.
    for command in (build_command, nightly_fields[5]):
        completed = run_command(
            "/bin/sh", "-c", command, env={"PATH": path_line.removeprefix("PATH="), "HOME": "/"}, cwd=Path("/")
        )
        assert (completed.returncode, completed.stdout, completed.stderr) == (0, "", ""), command


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd: apt-get install systemd")
def test_systemd_accepts_the_units(published_copy: Path, finews: CommandRunner, tmp_path: Path) -> None:
    service, timer = re.split(
        r"# finews\.timer[^\n]*\n", finews("schedule", "systemd", "--output", str(published_copy)).stdout
    )
    (tmp_path / "finews.service").write_text(service)
    (tmp_path / "finews.timer").write_text(timer)
    completed = run_command("systemd-analyze", "verify", "--man=no", "finews.service", "finews.timer", cwd=tmp_path)
    warnings = [line for line in completed.stderr.splitlines() if "finews." in line]
    assert warnings == []
    assert f"ExecStart={FINEWS_PATH} crawl" in service
    assert run_command("systemd-analyze", "calendar", "*:0/10").returncode == 0


@pytest.fixture
def repository(published_copy: Path, tmp_path: Path) -> Path:
    """Make a clone whose `output` holds a site, and the repository it is pushed to."""
    run_command("git", "init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "remote"))
    run_command("git", "init", "--quiet", "--initial-branch=main", cwd=published_copy.parent)
    run_command("git", "remote", "add", "origin", str(tmp_path / "remote"), cwd=published_copy.parent)
    run_command("git", "config", "push.autoSetupRemote", "true", cwd=published_copy.parent)
    (published_copy.parent / WHEEL_NAME).touch()
    return published_copy.parent


@pytest.mark.usefixtures("repository")
def test_github_workflow_is_pinned_and_not_concurrent(published_copy: Path, finews: CommandRunner) -> None:
    workflow = yaml.safe_load(finews("schedule", "github", "--output", str(published_copy)).stdout)
    assert workflow["concurrency"] == {"group": "news", "cancel-in-progress": False}
    steps = workflow["jobs"]["news"]["steps"]
    used_actions = [step["uses"] for step in steps if "uses" in step]
    assert len(used_actions) == 4
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used_actions)


def test_github_workflow_commits_only_changes(repository: Path, published_copy: Path, finews: CommandRunner) -> None:
    steps = yaml.safe_load(finews("schedule", "github", "--output", str(published_copy)).stdout)["jobs"]["news"][
        "steps"
    ]
    script = next(step["run"] for step in steps if step.get("name", "").startswith("Commit"))

    def run_and_list_commits() -> list[str]:
        completed = run_command("bash", "-e", "-c", script, cwd=repository)
        assert completed.returncode == 0, completed.stderr
        return run_command("git", "log", "--format=%s", "origin/main", cwd=repository).stdout.split("\n")[:-1]

    assert run_and_list_commits() == ["News"]
    tracked = run_command("git", "ls-files", cwd=repository).stdout
    assert "output/news.db\n" in tracked
    assert "output/_site" not in tracked
    assert ".crawl.lock" not in tracked
    assert finews("site", "build", "--output", str(published_copy)).exit_code == 0
    assert run_and_list_commits() == ["News"]
    (published_copy / "_posts" / "2026-01-02-own.md").write_text("---\ntitle: x\n---\n")
    assert run_and_list_commits() == ["News", "News"]


def install_command(workflow_text: str) -> str:
    steps = yaml.safe_load(workflow_text)["jobs"]["news"]["steps"]
    (line,) = [line for step in steps for line in step.get("run", "").splitlines() if "pip install" in line]
    return str(line).strip()


def test_github_workflow_installs_a_wheel_of_the_repository(
    repository: Path, published_copy: Path, finews: CommandRunner
) -> None:
    arguments = ("schedule", "github", "--output", str(published_copy))
    assert install_command(finews(*arguments).stdout) == f"pip install ./{WHEEL_NAME}"
    (repository / "wheels").mkdir()
    (repository / WHEEL_NAME).rename(repository / "wheels" / WHEEL_NAME)
    assert install_command(finews(*arguments).stdout) == f"pip install ./wheels/{WHEEL_NAME}"
    (repository / "wheels" / WHEEL_NAME).unlink()
    result = finews(*arguments)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert "`pip wheel --no-deps --wheel-dir " in result.stderr
    assert WHEEL_NAME in result.stderr


def test_github_workflow_of_a_checkout_installs_the_checkout(
    repository: Path, published_copy: Path, finews: CommandRunner
) -> None:
    (repository / "crawler/jobs").mkdir(parents=True)
    (repository / "crawler/jobs/schedule.py").touch()
    result = finews("schedule", "github", "--output", str(published_copy), cwd=Path("/"))
    assert install_command(result.stdout) == "pip install ."


@pytest.mark.slow
def test_github_workflow_installs_the_commit_that_is_installed(
    repository: Path, published_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / WHEEL_NAME).unlink()
    origin = {"url": "https://git.example/you/finews.git", "vcs_info": {"vcs": "git", "commit_id": "a" * 40}}
    installed = SimpleNamespace(read_text=lambda _name: json.dumps(origin))
    monkeypatch.setattr("crawler.jobs.schedule.distribution", lambda _name: installed)
    installation = Installation("/usr/bin/finews", str(published_copy), "/usr/bin")
    monkeypatch.setattr("crawler.jobs.schedule.version", lambda _name: "0.1.0")
    expected = f"pip install git+https://git.example/you/finews.git@{'a' * 40}"
    assert install_command(render_github_workflow(installation)) == expected
    origin["url"] = "https://git.example/$(id)"
    with pytest.raises(UsageError, match="holds no finews"):
        render_github_workflow(installation)


def test_github_schedule_needs_a_repository(published_copy: Path, finews: CommandRunner) -> None:
    result = finews("schedule", "github", "--output", str(published_copy))
    assert result.exit_code == 2
    assert "in no git repository" in result.stderr


def test_unrepresentable_path_is_a_usage_error(finews: CommandRunner) -> None:
    result = finews("schedule", "cron", "--output", "out;put %")
    assert result.exit_code == 2
    assert "a schedule cannot contain" in result.stderr
