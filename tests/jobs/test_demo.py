"""`finews demo`: a crawl of the bundled sample site."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.articles import LEGACY_POSTS_DIR
from tests.support.command_server import run_finews
from tests.support.commands import CommandResult, CommandRunner

pytestmark = pytest.mark.slow

FIRST_CODE = "202201102242171631"


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a demo in a folder, with FINEWS_OUTPUT naming another one."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINEWS_OUTPUT", str(folder / "real"))
        (folder / "demo.txt").write_text(run_demo(folder).stdout)
    return folder


def run_demo(folder: Path, *args: str) -> CommandResult:
    result = run_finews("demo", "--articles", "5", *args, cwd=folder)
    assert result.exit_code == 0, result.stderr
    return result


def test_demo_crawls_into_a_folder_of_its_own_and_suggests_commands(demo_folder: Path) -> None:
    assert sorted(path.name for path in demo_folder.iterdir()) == ["demo.txt", "output-demo"]
    assert (demo_folder / "output-demo/_posts/2022/01/10" / f"2022-01-10-NW{FIRST_CODE}.md").exists()
    suggested = re.search(r"finews (show \d{18,} --output output-demo)", (demo_folder / "demo.txt").read_text())
    assert suggested
    assert run_finews(*suggested[1].split(), cwd=demo_folder).exit_code == 0


def test_demo_goes_on_in_a_folder_of_a_demo(demo_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(demo_folder / "output-demo", tmp_path / "mine")
    run_demo(tmp_path, "--output", "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("lost", ["news.db", "_posts"])
def test_demo_refuses_articles_that_no_demo_made(finews: CommandRunner, tmp_path: Path, lost: str) -> None:
    """Also where only the database is there, or only the posts are."""
    output = tmp_path / "output-demo"
    assert finews("import", str(LEGACY_POSTS_DIR), "--output", str(output)).exit_code in {0, 3}
    shutil.rmtree(output / lost) if lost == "_posts" else (output / lost).unlink()
    before = sorted(output.rglob("*"))
    result = finews("demo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert (
        result.stderr
        == "finews: output-demo holds articles that are not a demo's: name another folder with --output DIR\n"
    )
    assert sorted(output.rglob("*")) == before


@pytest.mark.parametrize("words", [("crawl",), ("import", ".")], ids=" ".join)
def test_real_articles_are_refused_in_a_folder_of_a_demo(
    finews: CommandRunner, demo_folder: Path, words: tuple[str, ...]
) -> None:
    result = finews(*words, "--output", "output-demo", cwd=demo_folder)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert "output-demo is for demos, whose articles are made up" in result.stderr


def test_ctrl_c_stops_a_demo_with_one_line(tmp_path: Path) -> None:
    """Whenever it comes: here while the first crawl is loaded."""
    command = [sys.executable, "-m", "crawler", "demo"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("$ finews crawl choice")
        process.send_signal(signal.SIGINT)
        # Also the crawl has ended then: it has the same standard output.
        _, stderr = process.communicate(timeout=60)
    # Where this machine is busy, the crawl has begun: "stopped before the end; the next crawl goes on".
    assert (process.returncode, stderr.startswith("finews: stopped"), stderr.count("\n")) == (130, True, 1)
