"""Each call by which a crawl changes its output folder is made to fail, or is the last that the crawl comes to.

FINEWS_EVERY is the stride through the calls; `make crash-test` takes every one.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.conftest import Answer
from tests.crash.conftest import (
    Posts,
    assert_healed,
    assert_sound,
    command,
    crawl_once,
    ended,
    hidden,
    start,
    visible,
)

EVERY = int(os.environ.get("FINEWS_EVERY", "31"))
# Sockets are written with others, and a quiet crawl writes nothing to stderr before it fails; so each of these is a
# call to the output folder, which `calls` makes sure of. Older and newer names of one call are one.
KINDS = {
    "write": ("write",),
    "pwrite": ("pwrite64",),
    "sync": ("fsync", "fdatasync"),
    "rename": ("rename", "renameat", "renameat2"),
    "unlink": ("unlink", "unlinkat"),
    "truncate": ("ftruncate",),
    "folder": ("mkdir", "mkdirat"),
    "mode": ("fchmod",),
}
ERRORS = ("ENOSPC", "EIO", "EACCES")
# A small site: this column has three articles.
COLUMN = ("--column", "354")
KILLED = -signal.SIGKILL
# What is gathered for some time would make other calls whenever a reply comes sooner or later.
ONE_BY_ONE = """
from crawler import pipelines
from crawler.cli import main
from crawler.crawl import tracker
pipelines._BATCH_WAIT = tracker._BATCH_WAIT = 0
main()
"""


@cache
def why_not() -> str:
    """Why calls cannot be made to fail here; empty when they can."""
    strace = shutil.which("strace")
    if strace is None:
        return "needs strace: apt-get install strace"
    tried = subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "strace may not trace here"


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@dataclass(frozen=True)
class Place:
    """Where crawls start from, and what they make of it when nothing fails."""

    site: SampleSite
    left: Path
    right: Posts
    scratch: Path

    def traced(self, output: Path, name: str, *options: str) -> tuple[Answer, list[str]]:
        """A crawl under strace, and the calls that it made; the crawl's own thread makes all that count."""
        if self.left.exists():
            shutil.copytree(self.left, output)
        log = self.scratch / f"{name}.log"
        names = ",".join(call for calls in KINDS.values() for call in calls)
        traced = ["strace", "-y", "-o", str(log), "-e", f"trace={names}", *options]
        python, _, _, *words = command(self.site, output, *COLUMN, "--set", "CONCURRENT_REQUESTS=1")
        answer = ended(start([*traced, python, "-c", ONE_BY_ONE, *words]))
        return answer, log.read_text().splitlines()


@pytest.fixture(scope="module", params=["nothing", "what a kill left"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An output folder still to be made; and one where a crawl was killed: a row without its post, half a run."""
    scratch = tmp_path_factory.mktemp("scratch")
    with SampleSite(Corpus.sample(3)) as site:
        crawl_once(site, scratch / "right", *COLUMN)
        right = visible(scratch / "right")
        assert len(right) == 3
        nothing = Place(site, scratch / "nothing", right, scratch)
        if request.param == "nothing":
            yield nothing
        else:
            left = scratch / "left"
            nothing.traced(left, "left", "-e", "inject=rename,renameat,renameat2:signal=KILL:when=2")
            assert len(hidden(left)) == len(visible(left)) == 1
            yield Place(site, left, right, scratch)


@pytest.fixture(scope="module")
def calls(place: Place) -> dict[str, list[str]]:
    """The calls of an undisturbed crawl by name, in order: a crawl makes the same ones whenever it starts the same."""
    output = place.scratch / "counted"
    answer, lines = place.traced(output, "counted")
    assert (answer.code, answer.err) == (0, "")
    assert_healed(output, place.right)
    made: dict[str, list[str]] = {}
    for line in lines:
        name = line.partition("(")[0]
        if name.isalnum():
            assert str(output) in line, f"not a call to the output folder: {line}"
            made.setdefault(name, []).append(line)
    return made


def places(calls: dict[str, list[str]], kind: str) -> list[tuple[str, int]]:
    """Which call of which name is to be hit."""
    return [(name, nth) for name in KINDS[kind] for nth in range(1, len(calls.get(name, ())) + 1, EVERY)]


def in_parallel(place: Place, cases: list[tuple[str, int, str]]) -> list[str]:
    """What went wrong, in a line for each case."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return [trouble for trouble in pool.map(lambda case: trouble_of(place, *case), cases) if trouble]


def trouble_of(place: Place, name: str, nth: int, what: str) -> str:
    label = f"{name}-{nth}-{what.replace('=', '-')}"
    output = place.scratch / label
    try:
        answer, lines = place.traced(output, label, "-e", f"inject={name}:{what}:when={nth}")
        assert_hit(answer, lines, what)
        assert_sound(output, place.right)
        if answer.code == 0:
            assert visible(output) == place.right, "a crawl that says it is done is not"
        crawl_once(place.site, output, *COLUMN)
        assert_healed(output, place.right)
    except Exception as error:
        return f"{label}: {error!r}"[:2000]
    shutil.rmtree(output)
    return ""


def assert_hit(answer: Answer, lines: list[str], what: str) -> None:
    if what == "signal=KILL":
        assert answer.code == KILLED
        return
    hit = [line for line in lines if "(INJECTED)" in line]
    assert len(hit) == 1
    assert answer.code in {0, 1}, answer.err
    # SQLite does without some calls, and nobody need hear of them.
    line = r"finews: .+\n" if answer.code else ""
    assert re.fullmatch(line, answer.err), f"after {hit[0]} stderr says: {answer.err}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_crawl_that_is_killed_at_a_call_is_finished_by_the_next(
    place: Place, calls: dict[str, list[str]], kind: str
) -> None:
    cases = [(name, nth, "signal=KILL") for name, nth in places(calls, kind)]
    assert in_parallel(place, cases) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_fails_ends_the_crawl_in_one_line_and_the_next_finishes_it(
    place: Place, calls: dict[str, list[str]], kind: str
) -> None:
    """The errors take turns from call to call."""
    hits = places(calls, kind)
    cases = [(name, nth, f"error={ERRORS[turn % len(ERRORS)]}") for turn, (name, nth) in enumerate(hits)]
    assert in_parallel(place, cases) == []
