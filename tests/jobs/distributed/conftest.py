"""A PostgreSQL of the tests' own, and the commands of a crawl on many machines as processes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from crawler.jobs.distributed import queue
from crawler.sample_site import SampleSite
from tests.support.commands import FAST_SETTINGS
from tests.support.programs import POSTGRESQL_BIN_DIR

# Of the socket's name; no port is bound, which another program might have taken meanwhile.
_SOCKET_PORT = 5432
QUEUE_PASSWORD = "s3cret-word"  # noqa: S105  # what must not be printed; the server takes any
StartCommand = Callable[..., subprocess.Popen[str]]


class PostgresServer:
    """One server with a database `queue`, on a socket in its folder; PostgreSQL refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        assert POSTGRESQL_BIN_DIR
        self._user_prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._socket_dir, self._data_dir = folder, folder / "data"
        if self._user_prefix:
            shutil.chown(folder, "postgres")
        self.address = (
            f"postgresql://finews:{QUEUE_PASSWORD}@/queue?host={quote(str(folder), safe='')}&port={_SOCKET_PORT}"
        )

    def create(self) -> None:
        """Create the empty database."""
        self._run("initdb", "--auth=trust", "--username=finews", "--no-sync", "--no-instructions")
        self.start()
        self._run(
            "createdb",
            f"--host={self._socket_dir}",
            f"--port={_SOCKET_PORT}",
            "--username=finews",
            "queue",
            with_data_dir=False,
        )
        self.stop("fast")

    def copy_from(self, other: "PostgresServer") -> None:
        """Copy the files of a stopped server: faster than to create them."""
        subprocess.run(["cp", "--archive", other._data_dir, self._data_dir], check=True)  # noqa: S607  # the one on the path

    def start(self) -> None:
        options = f"-p {_SOCKET_PORT} -c listen_addresses= -c unix_socket_directories={self._socket_dir} -c fsync=off"
        self._run("pg_ctl", "start", "--wait", f"--log={self._data_dir}/log", f"--options={options}")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def expire_workers(self) -> None:
        """As the engine does with workers that have given no sign of life for long."""
        with psycopg.connect(self.address) as connection:
            connection.execute(
                "DELETE FROM procrastinate_workers WHERE id IN "
                "(SELECT worker_id FROM procrastinate_jobs WHERE queue_name = %s)",
                [queue.fetch_queue_name("eastmoney")],
            )

    def _run(self, program: str, *args: str, with_data_dir: bool = True) -> None:
        assert POSTGRESQL_BIN_DIR
        data_args = [f"--pgdata={self._data_dir}"] if with_data_dir else []
        subprocess.run(
            [*self._user_prefix, POSTGRESQL_BIN_DIR / program, *data_args, *args],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )


@contextmanager
def _postgres_folder() -> Iterator[Path]:
    """Create a folder outside pytest's, which only its owner may enter."""
    with tempfile.TemporaryDirectory(prefix="finews-postgresql-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def stopped_postgres() -> Iterator[PostgresServer]:
    with _postgres_folder() as folder:
        postgres_server = PostgresServer(folder)
        postgres_server.create()
        yield postgres_server


@pytest.fixture
def postgres(stopped_postgres: PostgresServer) -> Iterator[PostgresServer]:
    with _postgres_folder() as folder:
        postgres_server = PostgresServer(folder)
        postgres_server.copy_from(stopped_postgres)
        postgres_server.start()
        yield postgres_server
        postgres_server.stop()


@pytest.fixture
def start_command(postgres: PostgresServer, sample_site: SampleSite, tmp_path: Path) -> Iterator[StartCommand]:
    """Start `finews WORDS…` with the site and the queue; kill running processes at the end of the test."""
    processes: list[subprocess.Popen[str]] = []

    def run(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "crawler", *args, "--mirror", sample_site.url, *FAST_SETTINGS],
            cwd=tmp_path,
            env={**os.environ, "FINEWS_QUEUE": postgres.address},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()
