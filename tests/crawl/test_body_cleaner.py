"""Bodies cleaned in one process or in two: the same answers, whatever becomes of the second."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from crawler.content.normalise import CleanBody
from crawler.crawl import body_cleaner
from crawler.crawl.body_cleaner import BodyCleaner
from crawler.sample_site import Corpus, SampleSite
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from tests.support.commands import ARTICLE_API_PATH, FAST_SETTINGS, PROJECT_ROOT
from tests.support.held_responses import HeldResponses
from tests.support.output_checks import assert_outcomes_add_up, post_paths
from tests.support.waiting import wait_until

URL = "https://finance.eastmoney.com/a/202201102242171631.html"
BODIES = [
    "<p>一、<a href='../b.html'>二</a></p>",
    "　　没有段落的正文<br><br>第二行",
    "<script>alert(1)</script><p onclick=x>字</p>",
    "<p></p>",
    "",
    "<div>" * 2_000 + "深",
    "半个字符\ud800，和\x00",
]
ASKED = [(body, URL, EASTMONEY_MARKUP) for body in BODIES] * 2
# Every batch in a second process, however small and on however few cores, in a command as a user types it.
ALWAYS = """
from crawler.crawl import body_cleaner
body_cleaner._MIN_BATCH_FOR_SUBPROCESS = 1
body_cleaner._MIN_BODIES_FOR_SUBPROCESS = 0
body_cleaner._available_cores = lambda: 2
from crawler.cli import main
main()
"""
HOLDS_ONE = """
import asyncio, sys, time
from crawler.content.markup import PLAIN_MARKUP
from crawler.crawl import body_cleaner
body_cleaner._MIN_BODIES_FOR_SUBPROCESS = 0
body_cleaner._available_cores = lambda: 2
cleaner = body_cleaner.BodyCleaner()
print(len(asyncio.run(cleaner.clean_all([("<p>a</p>", "https://a.b/", PLAIN_MARKUP)] * 8))), flush=True)
time.sleep(60)
"""


def second_processes(parent: int) -> list[int]:
    """Those that clean for a process and have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words, stat = (folder / "cmdline").read_bytes(), (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"crawler.crawl.body_cleaner" in words and int(stat.rpartition(")")[2].split()[1]) == parent:
            found.append(int(folder.name))
    return found


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def cleaner(monkeypatch: pytest.MonkeyPatch) -> Iterator[BodyCleaner]:
    monkeypatch.setattr(body_cleaner, "_available_cores", lambda: 2)
    cleaner = BodyCleaner()
    yield cleaner
    cleaner.close()
    assert second_processes(os.getpid()) == []


def describe_outcomes(outcomes: list[CleanBody | Exception]) -> list[Any]:
    return [(type(each).__name__, str(each)) if isinstance(each, Exception) else each for each in outcomes]


def test_subprocess_and_crawl_clean_alike(cleaner: BodyCleaner, monkeypatch: pytest.MonkeyPatch) -> None:
    here = describe_outcomes(asyncio.run(cleaner.clean_all(ASKED)))
    assert second_processes(os.getpid()) == []  # these were few
    monkeypatch.setattr(body_cleaner, "_MIN_BODIES_FOR_SUBPROCESS", 0)
    assert describe_outcomes(asyncio.run(cleaner.clean_all(ASKED))) == here
    assert len(second_processes(os.getpid())) == 1
    assert {name for name, *_ in here if isinstance(name, str)} >= {"EmptyBodyError", "RejectedArticleError"}


def test_subprocess_starts_for_many_bodies_at_once(cleaner: BodyCleaner) -> None:
    async def ask() -> None:
        for _ in range(40):
            await cleaner.clean_all([("<p>一</p>", URL, EASTMONEY_MARKUP)] * 7)
        assert second_processes(os.getpid()) == []
        await cleaner.clean_all([("<p>一</p>", URL, EASTMONEY_MARKUP)] * 8)
        assert len(second_processes(os.getpid())) == 1
        await cleaner.clean_all([("<p>一</p>", URL, EASTMONEY_MARKUP)])

    asyncio.run(ask())


def test_single_core_starts_no_subprocess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_cleaner, "_available_cores", lambda: 1)
    cleaner = BodyCleaner()
    assert len(asyncio.run(cleaner.clean_all([("<p>一</p>", URL, EASTMONEY_MARKUP)] * 500))) == 500
    assert second_processes(os.getpid()) == []


def test_crawl_signals_do_not_stop_the_subprocess(cleaner: BodyCleaner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C reaches every process of a terminal, and `systemctl stop` every one of a service."""
    monkeypatch.setattr(body_cleaner, "_MIN_BODIES_FOR_SUBPROCESS", 0)
    first = describe_outcomes(asyncio.run(cleaner.clean_all(ASKED)))
    (process,) = second_processes(os.getpid())
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process, number)
    assert describe_outcomes(asyncio.run(cleaner.clean_all(ASKED))) == first
    assert second_processes(os.getpid()) == [process]


def test_killed_subprocess_is_replaced_by_the_crawl_itself(
    cleaner: BodyCleaner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_cleaner, "_MIN_BODIES_FOR_SUBPROCESS", 0)
    first = describe_outcomes(asyncio.run(cleaner.clean_all(ASKED)))
    (process,) = second_processes(os.getpid())
    os.kill(process, signal.SIGKILL)

    async def twice() -> list[list[CleanBody | Exception]]:
        return [*await asyncio.gather(cleaner.clean_all(ASKED), cleaner.clean_all(ASKED))]

    assert [describe_outcomes(each) for each in asyncio.run(twice())] == [first, first]
    assert describe_outcomes(asyncio.run(cleaner.clean_all(ASKED))) == first
    assert second_processes(os.getpid()) == []


def test_unstartable_subprocess_is_replaced_by_the_crawl_itself(
    cleaner: BodyCleaner, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = describe_outcomes(asyncio.run(cleaner.clean_all(ASKED)))
    monkeypatch.setattr(body_cleaner, "_MIN_BODIES_FOR_SUBPROCESS", 0)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert describe_outcomes(asyncio.run(cleaner.clean_all(ASKED))) == here


def test_unresponsive_subprocess_is_ended_and_replaced(cleaner: BodyCleaner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_cleaner, "_MIN_BODIES_FOR_SUBPROCESS", 0)
    first = describe_outcomes(asyncio.run(cleaner.clean_all(ASKED)))
    (process,) = second_processes(os.getpid())
    os.kill(process, signal.SIGSTOP)
    monkeypatch.setattr(body_cleaner, "_SUBPROCESS_TIMEOUT", 0.1)
    assert describe_outcomes(asyncio.run(cleaner.clean_all(ASKED))) == first
    assert second_processes(os.getpid()) == []
    assert describe_outcomes(asyncio.run(cleaner.clean_all(ASKED))) == first


def test_bug_in_the_subprocess_is_raised_in_the_crawl(cleaner: BodyCleaner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_cleaner, "_MIN_BODIES_FOR_SUBPROCESS", 0)
    no_text = cast("str", None)
    *right, wrong = asyncio.run(
        cleaner.clean_all([("<p>一</p>", URL, EASTMONEY_MARKUP)] * 8 + [(no_text, URL, EASTMONEY_MARKUP)])
    )
    assert right == [CleanBody("<p>一</p>", "一")] * 8
    assert isinstance(wrong, TypeError | AttributeError)
    assert wrong.__traceback__ is not None
    assert len(second_processes(os.getpid())) == 1


def test_subprocess_ends_with_a_killed_crawl() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_ONE], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "8\n"
        (second,) = second_processes(first.pid)
        first.kill()
    wait_until(lambda: not is_alive(second))


def test_truncated_request_ends_the_subprocess_quietly() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        words = [
            sys.executable,
            "-c",
            f"from crawler.crawl import body_cleaner; body_cleaner.run_cleaner_process({theirs.fileno()})",
        ]
        second = subprocess.Popen(
            words, cwd=PROJECT_ROOT, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True
        )
        ours.send(b"\0\0\1\0 so many bytes were to come")
    assert (second.communicate(timeout=60)[1], second.returncode) == ("", 0)


def crawl(start: list[str], sample_site: SampleSite, output: Path) -> list[str]:
    where = ("--mirror", sample_site.url, "--output", str(output))
    return [sys.executable, *start, "crawl", "eastmoney", *where, *FAST_SETTINGS, "--quiet"]


def test_stopped_crawl_does_not_wait_for_the_subprocess(
    sample_site: SampleSite, output: Path, query: Callable[..., list[Any]]
) -> None:
    codes = sample_site.corpus.codes_in_columns(["345"])
    gate = HeldResponses(sample_site, ARTICLE_API_PATH, pass_first=1)
    words = [*crawl(["-c", ALWAYS], sample_site, output), "--column", "345"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as crawling:
        (second,) = wait_until(lambda: second_processes(crawling.pid))
        try:
            os.kill(second, signal.SIGSTOP)
            gate.release()
            wait_until(lambda: len(sample_site.requested_codes) == len(codes))
            crawling.terminate()
            crawling.terminate()
            wait_until(lambda: crawling.poll() is not None)
        finally:
            if is_alive(second):
                os.kill(second, signal.SIGKILL)
        assert crawling.stderr is not None
        assert crawling.stderr.read().splitlines()[0] == "finews: stopped before the end; the next crawl goes on"
    assert crawling.returncode == 1
    assert query("SELECT outcome FROM runs") == ["interrupted"]
    assert_outcomes_add_up(query)


@pytest.mark.parametrize("kills", [False, True], ids=["left alone", "killed"])
def test_crawl_with_subprocess_saves_the_same_articles(tmp_path: Path, *, kills: bool) -> None:
    # It is run from a folder of the user's, where a file has the name of a module.
    (tmp_path / "lxml.py").write_text("raise RuntimeError('not this one')")
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    with SampleSite(Corpus.sample(60)) as sample_site:
        subprocess.run(
            crawl(["-m", "crawler"], sample_site, tmp_path / "one"), cwd=tmp_path, env=environment, check=True
        )
        gate = HeldResponses(sample_site, ARTICLE_API_PATH, pass_first=30)
        with subprocess.Popen(
            crawl(["-c", ALWAYS], sample_site, tmp_path / "two"), cwd=tmp_path, env=environment
        ) as crawling:
            (second,) = wait_until(lambda: second_processes(crawling.pid))
            if kills:
                os.kill(second, signal.SIGKILL)
            gate.release()
        assert crawling.returncode == 0
        assert not is_alive(second)
    one, two = ({path.name: path.read_bytes() for path in post_paths(tmp_path / name)} for name in ("one", "two"))
    assert one == two
    assert len(one) > 60
