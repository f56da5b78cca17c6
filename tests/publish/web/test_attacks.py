"""Attacks by SQL on a real `finews serve`. `make attack` runs all of them, and prints each response."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

import pytest

from tests.publish.web.conftest import WebServer, run_web_server
from tests.support import sql_attacks
from tests.support.sql_attacks import Attack, AttackResult

ALL = bool(os.environ.get("FINEWS_ATTACKS"))
# Seconds. A query has one, and its process one more until it is killed; a busy machine needs more.
MAX_SECONDS = 15.0
MAX_SERVER_MEGABYTES = 400
MAX_CHILDREN_MEGABYTES = 1_000


def run_attacks(server: WebServer, attacks: Iterable[Attack]) -> Iterator[tuple[Attack, AttackResult]]:
    """Run attacks and yield their results; the server must survive each one in bounded time and memory."""
    for attack in attacks:
        result = sql_attacks.attack(server.address, server.process.pid, attack)
        if ALL:
            print(  # noqa: T201  # output of `make attack`
                f"{attack.name:44} {result.status:3} {result.seconds:5.2f} s  server {result.server_megabytes:3.0f} MB, "
                f"children {result.children_megabytes:3.0f} MB, {'alive' if result.is_server_alive else 'DEAD'}"
            )
        assert result.is_server_alive, attack.name
        assert server.process.poll() is None, attack.name
        assert result.seconds < MAX_SECONDS, (attack.name, result)
        assert result.server_megabytes < MAX_SERVER_MEGABYTES, (attack.name, result)
        assert result.children_megabytes < MAX_CHILDREN_MEGABYTES, (attack.name, result)
        yield attack, result


@pytest.fixture(scope="module")
def worst_attacks() -> tuple[Attack, ...]:
    attacks = (*sql_attacks.SLOW, *sql_attacks.LARGE)
    assert {attack.name for attack in attacks} >= sql_attacks.WORST
    return attacks if ALL else tuple(attack for attack in attacks if attack.name in sql_attacks.WORST)


@pytest.mark.parametrize("group", ["CRASHES", "FORBIDDEN", "LONG_ADDRESSES"])
def test_forbidden_sql_is_refused_and_no_more(sql_server: WebServer, group: str) -> None:
    for attack, result in run_attacks(sql_server, getattr(sql_attacks, group)):
        assert result.status == 400 or attack.name == "many UNIONs", (attack.name, result)


def test_another_site_cannot_bring_sql(sql_server: WebServer) -> None:
    for attack, result in run_attacks(sql_server, sql_attacks.FOREIGN):
        assert (result.status, "another site" in result.body) == (403, True), (attack.name, result)


def test_slow_and_large_queries_end_in_time(sql_server: WebServer, worst_attacks: tuple[Attack, ...]) -> None:
    for attack, result in run_attacks(sql_server, worst_attacks):
        assert result.status in {200, 400, 503}, (attack.name, result)


def test_sql_is_off_without_the_option(web_server: WebServer) -> None:
    attacks = (*sql_attacks.CRASHES, *sql_attacks.FORBIDDEN, *sql_attacks.SLOW, *sql_attacks.LARGE)
    for attack, result in run_attacks(web_server, attacks):
        assert (result.status, "finews serve --sql" in result.body) == (403, True), (attack.name, result)


def test_addresses_without_sql_are_harmless(web_server: WebServer) -> None:
    for attack, result in run_attacks(web_server, sql_attacks.WITHOUT_SQL):
        assert result.status in {200, 400, 500}, (attack.name, result)


def test_server_ends_in_time_while_it_is_attacked(crawled_output: Path) -> None:
    attacks = [attack for attack in sql_attacks.SLOW if attack.name in sql_attacks.WORST]
    with run_web_server(crawled_output, "--sql") as server, ThreadPoolExecutor(len(attacks)) as attackers:
        results = [
            attackers.submit(sql_attacks.attack, server.address, server.process.pid, attack) for attack in attacks
        ]
        wait(results, return_when=FIRST_COMPLETED)  # the other queries are running
        start = time.monotonic()
        server.process.terminate()
        assert server.process.wait(timeout=30) == 0
        assert time.monotonic() - start < 5


def test_pages_are_answered_while_queries_take_all_processes(crawled_output: Path) -> None:
    (endless,) = (attack for attack in sql_attacks.SLOW if attack.name == "endless")
    with ThreadPoolExecutor(24) as attackers, run_web_server(crawled_output, "--sql") as server:
        results = [attackers.submit(server.get, endless.path) for _ in range(24)]
        wait(results, return_when=FIRST_COMPLETED)
        assert server.get("/").status == 200
        assert sum(result.done() for result in results) < len(results) / 2


_HANGING_SERVER = """
import asyncio, sys, time
from crawler.cli import main
from crawler.publish.web import plugin

async def block_loop(datasette, request):
    print("hanging", flush=True)
    time.sleep(600)

async def block_thread(datasette, request):
    print("hanging", flush=True)
    await asyncio.get_running_loop().run_in_executor(datasette.executor, time.sleep, 600)

plugin._ROUTES = ((r"/loop$", block_loop), (r"/thread$", block_thread))
sys.argv = ["finews", "serve", "--port", "0", "--output", sys.argv[1]]
main()
"""


@pytest.mark.parametrize("path", ["/loop", "/thread"])
def test_server_ends_in_time_whatever_it_does(crawled_output: Path, path: str) -> None:
    command = [sys.executable, "-c", _HANGING_SERVER, str(crawled_output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            host = process.stdout.readline().split("//")[1].strip(" /\n")
            with closing(http.client.HTTPConnection(host)) as connection:
                connection.request("GET", path)
                assert process.stdout.readline() == "hanging\n"
                start = time.monotonic()
                process.terminate()
                assert process.wait(timeout=30) == 0
                assert time.monotonic() - start < 5
        finally:
            process.kill()
