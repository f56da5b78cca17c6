"""A PostgreSQL of the tests' own, and the commands of a crawl on many machines as processes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from crawler.jobs.distributed import queue
from crawler.sample_site import SampleSite
from tests.conftest import NO_MANNERS

_BIN = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
# Of the socket's name; no port is bound, which another program might have taken meanwhile.
_PORT = 5432
PASSWORD = "s3cret-word"  # noqa: S105  # what must not be told; the server takes any
Start = Callable[..., subprocess.Popen[str]]


class Server:
    """One server with an empty database `queue`, on a socket in its folder; PostgreSQL refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        assert _BIN
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._folder, self._data = folder, folder / "data"
        if self._as_user:
            shutil.chown(folder, "postgres")
        self._run("initdb", "--auth=trust", "--username=finews", "--no-sync", "--no-instructions")
        self.start()
        self._run("createdb", f"--host={folder}", f"--port={_PORT}", "--username=finews", "queue", data=False)
        self.address = f"postgresql://finews:{PASSWORD}@/queue?host={quote(str(folder), safe='')}&port={_PORT}"

    def start(self) -> None:
        options = f"-p {_PORT} -c listen_addresses= -c unix_socket_directories={self._folder} -c fsync=off"
        self._run("pg_ctl", "start", "--wait", f"--log={self._data}/log", f"--options={options}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def forget_who_fetches(self) -> None:
        """As the engine does with workers that have given no sign of life for long."""
        with psycopg.connect(self.address) as connection:
            connection.execute(
                "DELETE FROM procrastinate_workers WHERE id IN "
                "(SELECT worker_id FROM procrastinate_jobs WHERE queue_name = %s)",
                [queue.fetch_queue_name("eastmoney")],
            )

    def _run(self, program: str, *words: str, data: bool = True) -> None:
        assert _BIN
        where = [f"--pgdata={self._data}"] if data else []
        subprocess.run(
            [*self._as_user, _BIN / program, *where, *words],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )


@pytest.fixture
def server() -> Iterator[Server]:
    if _BIN is None:
        pytest.skip("no PostgreSQL: apt install postgresql")
    # Not under pytest's own folder, which none but its owner may enter.
    with tempfile.TemporaryDirectory(prefix="finews-postgresql-", dir="/tmp") as folder:  # made for it alone
        running = Server(Path(folder))
        yield running
        running.stop()


@pytest.fixture
def start(server: Server, site: SampleSite, tmp_path: Path) -> Iterator[Start]:
    """Starts `finews WORDS…` against site and queue; whatever still runs at the end of the test is killed."""
    running: list[subprocess.Popen[str]] = []

    def run(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "crawler", *words, "--mirror", site.url, *NO_MANNERS],
            cwd=tmp_path,
            env={**os.environ, "FINEWS_QUEUE": server.address},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()
