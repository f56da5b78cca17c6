"""The built wheel and the source distribution work in an empty environment, outside the checkout.

`make package-test` runs it: two installations of all dependencies take a minute or more.
"""

import http.client
import os
import re
import subprocess
import venv
from pathlib import Path

import pytest

from tests.support.commands import PROJECT_ROOT

# setuptools is the build system that pyproject.toml names.
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    completed = subprocess.run(
        command, cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False, timeout=600
    )
    assert completed.returncode == 0 or not check, completed.stdout + completed.stderr
    return completed


def clean_environment() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "FINEWS"))
    }


@pytest.fixture(scope="module")
def source_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the files that are committed or new, without those of builds and tests."""
    tree = tmp_path_factory.mktemp("source")
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=PROJECT_ROOT).stdout
    for name in filter(None, names.split("\0")):
        if (PROJECT_ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes((PROJECT_ROOT / name).read_bytes())
    return tree


@pytest.fixture(scope="module", params=["build_wheel", "build_sdist"])
def installed(request: pytest.FixtureRequest, source_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment with only the built package and its extra `serve`."""
    folder = tmp_path_factory.mktemp("package")
    for name in ("builder", "empty"):
        venv.create(folder / name, with_pip=True)
    run(folder / "builder/bin/pip", "install", "--quiet", "setuptools>=77", cwd=folder)
    run(folder / "builder/bin/python", "-c", BUILD, request.param, folder / "dist", cwd=source_tree)
    (package,) = (folder / "dist").iterdir()
    assert re.fullmatch(r"finews_crawler-[0-9.]+(-py3-none-any\.whl|\.tar\.gz)", package.name)
    run(folder / "empty/bin/pip", "install", "--quiet", f"{package}[serve]", cwd=folder)
    return folder / "empty/bin"


@pytest.fixture(scope="module")
def demo_output(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder outside the checkout; the demo has crawled into its `output`."""
    folder = tmp_path_factory.mktemp("elsewhere")
    result = run(installed / "finews", "demo", "--output", "output", cwd=folder)
    assert "posts in output/_posts" in result.stdout + result.stderr
    return folder


def test_package_is_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    location = run(installed / "python", "-c", "import crawler; print(crawler.__file__)", cwd=tmp_path).stdout
    assert str(PROJECT_ROOT) not in location
    assert run(installed / "finews", "--version", cwd=tmp_path).stdout.startswith("finews, version ")


def test_demo_and_verify(installed: Path, demo_output: Path) -> None:
    assert "agree with their rows" in run(installed / "finews", "verify", cwd=demo_output).stdout
    assert "【涨停】" in run(installed / "finews", "search", "涨停", cwd=demo_output).stdout


def test_serve_shows_its_pages_and_styles(installed: Path, demo_output: Path) -> None:
    process = subprocess.Popen(
        [installed / "finews", "serve", "--port", "0"],
        cwd=demo_output,
        env={**clean_environment(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        address = re.search(r"http://(\S+)/", line)
        assert address, line
        for path in ("", "search?q=%E6%B6%A8%E5%81%9C", "news", "assets/site.css", "static/serve.css"):
            connection = http.client.HTTPConnection(address[1], timeout=30)
            connection.request("GET", f"/{path}")
            response = connection.getresponse()
            assert (response.status, bool(response.read())) == (200, True), path
            connection.close()
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_schedule_names_this_installation(installed: Path, demo_output: Path) -> None:
    for kind in ("cron", "systemd"):
        assert f"{installed}/finews crawl" in run(installed / "finews", "schedule", kind, cwd=demo_output).stdout
    run("git", "init", "--quiet", cwd=demo_output)
    result = run(installed / "finews", "schedule", "github", cwd=demo_output, check=False)
    assert result.returncode == 2, "this repository holds nothing to install"
    assert "pip wheel --no-deps" in result.stderr
