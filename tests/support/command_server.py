"""Run `finews` in processes forked from one that has imported it: imports take half of the time of a short crawl."""

import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import crawler
from tests.support.commands import PROJECT_ROOT, CommandResult

# Modules that Scrapy loads by name when a crawl starts.
SCRAPY_MODULES = (
    "scrapy.addons",
    "scrapy.core.downloader.handlers.http11",
    "scrapy.core.engine",
    "scrapy.core.scheduler",
    "scrapy.dupefilters",
    "scrapy.extensions.corestats",
    "scrapy.pqueues",
    "scrapy.spiderloader",
    "scrapy.squeues",
    "scrapy.statscollectors",
    "twisted.internet.asyncioreactor",
)
TIMEOUT = 120  # seconds
_SERVER_LOCK = Lock()  # one command at a time


def run_finews(
    *args: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None, ctrl_c: bool = False
) -> CommandResult:
    """Run `finews ARGS…` in the folder `cwd`, or in the current one; with `ctrl_c` until it opens the database.

    `environment` is added to the variables of this process. Variables that Python reads at its start have no effect.
    """
    with _SERVER_LOCK, tempfile.TemporaryDirectory(prefix="finews-command-") as folder:
        stdout, stderr = (Path(folder, name) for name in ("stdout", "stderr"))
        request = {
            "args": args,
            "cwd": str(cwd or Path.cwd()),
            "env": {**os.environ, **(environment or {})},
            "ctrl_c": ctrl_c,
        }
        exit_code = _request_exit_code(_start_server(), {**request, "stdout": str(stdout), "stderr": str(stderr)})
        return CommandResult(exit_code, stdout.read_text(), stderr.read_text())


def _request_exit_code(server: subprocess.Popen[str], request: dict[str, Any]) -> int:
    assert server.stdin
    assert server.stdout
    print(json.dumps(request), file=server.stdin, flush=True)
    process_id = int(server.stdout.readline())
    is_ready, _, _ = select.select([server.stdout], [], [], TIMEOUT)
    if not is_ready:
        os.kill(process_id, signal.SIGKILL)
        server.stdout.readline()
        raise subprocess.TimeoutExpired(request["args"], TIMEOUT)
    return int(server.stdout.readline())


@cache
def _start_server() -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error::DeprecationWarning:crawler", "-m", "tests.support.command_server"]
    return subprocess.Popen(command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def serve() -> None:
    """Run a command for each line of standard input; print the process's id when it starts and its exit code."""
    preload()
    gc.freeze()  # else each process collects all imported modules when it exits: 0.2 s
    for line in sys.stdin:
        process_id = os.fork()
        if process_id == 0:
            run_command(json.loads(line))
        _print_number(process_id)
        _, status = os.waitpid(process_id, 0)
        _print_number(os.waitstatus_to_exitcode(status))


def _print_number(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def preload() -> None:
    """Import the modules of all commands, but no reactor: each crawl installs its own."""
    for module in pkgutil.walk_packages(crawler.__path__, "crawler."):
        if module.name.rpartition(".")[2] != "__main__":
            import_module(module.name)
    for name in SCRAPY_MODULES:
        import_module(name)
    assert "twisted.internet.reactor" not in sys.modules


def run_command(request: dict[str, Any]) -> None:
    """Become `python -m crawler ARGS…`. Raises SystemExit with its exit code."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND), descriptor)
    if request["ctrl_c"]:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        sqlite3.connect = lambda *_, **__: signal.raise_signal(signal.SIGINT)  # type: ignore[assignment]
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.path[0] = request["cwd"]
    sys.argv = ["crawler", *request["args"]]
    runpy.run_module("crawler", run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    serve()
