"""What a command costs: it runs as a child of its own, and the kernel says what it took.

Subjects are run by turns, round after round, so that whatever else the machine does meets all of them alike; each
figure is the median of the rounds, and a ratio compares medians of the same run.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PYTHON = sys.executable
BENCHMARKS_DIR = Path(__file__).parent
# As most users have it: our modules are compiled once, in the round that does not count, and not in every process.
_CHILD_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run: seconds on the clock, seconds of CPU (user and system), and MB of memory at its highest."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure_command(command: list[str], *, cwd: Path | None = None) -> Cost:
    """Run a command to its end. Raises SystemExit with what it said when it fails."""
    measured, code, printed = run_command(command, cwd=cwd)
    if code:
        raise SystemExit(f"{' '.join(command)}: exit {code}\n{printed[-2000:]}")
    return measured


def run_command(command: list[str], *, cwd: Path | None = None) -> tuple[Cost, int, str]:
    """Run a command to its end: what it took, its exit code, and what it said on both outputs."""
    start = time.perf_counter()
    with subprocess.Popen(
        command, cwd=cwd, env=_CHILD_ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        assert child.stdout
        printed = child.stdout.read()
        _, wait_status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(wait_status)
    seconds = time.perf_counter() - start
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), child.returncode, printed


def run_interleaved(subjects: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Each subject once a round; a first round warms everything up and does not count."""
    costs: dict[str, list[Cost]] = {name: [] for name in subjects}
    for round_number in range(rounds + 1):
        for name, measure_subject in subjects.items():
            measured = measure_subject()
            if round_number:
                costs[name].append(measured)
            print(
                f"  round {round_number}: {name}: {measured.seconds:.2f} s, {measured.cpu_seconds:.2f} s CPU",
                file=sys.stderr,
            )
    return costs


def format_spread(values: list[float], digits: int = 2) -> str:
    """Median, and least and most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def format_ratio(values: list[float], baseline: list[float]) -> str:
    """Of the medians."""
    return f"{statistics.median(values) / statistics.median(baseline):.2f}"


def print_throughput_table(costs: Mapping[str, list[Cost]], article_counts: Mapping[str, int], baseline: str) -> None:
    """A row a subject; `articles` is how many each took in, and `baseline` whose CPU and speed are 1."""
    print("| | articles/s | CPU s per 1,000 | peak MB | CPU, ratio | articles/s, ratio |")
    print("|---|---|---|---|---|---|")
    articles_per_second = {
        name: [article_counts[name] / run_cost.seconds for run_cost in runs] for name, runs in costs.items()
    }
    cpu_per_thousand = {
        name: [each.cpu_seconds * 1000 / article_counts[name] for each in runs] for name, runs in costs.items()
    }
    for name, runs in costs.items():
        memory = format_spread([each.peak_mb for each in runs], 0)
        print(
            f"| {name} | {format_spread(articles_per_second[name], 0)} | {format_spread(cpu_per_thousand[name])} | {memory} "
            f"| {format_ratio(cpu_per_thousand[name], cpu_per_thousand[baseline])} | {format_ratio(articles_per_second[name], articles_per_second[baseline])} |"
        )


def print_cost_table(costs: Mapping[str, list[Cost]], baseline: str) -> None:
    """A row a subject, for what takes in no article."""
    print("| | seconds | CPU s | peak MB | CPU, ratio | seconds, ratio |")
    print("|---|---|---|---|---|---|")
    baseline_costs = costs[baseline]
    for name, runs in costs.items():
        cpu_seconds, seconds = [run_cost.cpu_seconds for run_cost in runs], [each.seconds for each in runs]
        print(
            f"| {name} | {format_spread(seconds)} | {format_spread(cpu_seconds)} | {format_spread([each.peak_mb for each in runs], 0)} "
            f"| {format_ratio(cpu_seconds, [each.cpu_seconds for each in baseline_costs])} | {format_ratio(seconds, [each.seconds for each in baseline_costs])} |"
        )


def describe_machine() -> str:
    """What it was measured on, in a line."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def create_work_dir() -> Path:
    """An empty folder for what is made while it is measured. It stays: whatever is deleted makes it slower for minutes
    to make files, so that `make bench` deletes all at its end."""
    return Path(tempfile.mkdtemp(prefix="finews-benchmark-"))


class SampleServer:
    """The sample site in a process of its own."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.url = self._read_line()

    def send_command(self, command: str) -> str:
        """`count`: the requests since it was last asked; `publish N`: so many articles more."""
        assert self._child.stdin
        self._child.stdin.write(f"{command}\n")
        self._child.stdin.flush()
        return self._read_line()

    def _read_line(self) -> str:
        assert self._child.stdout
        return self._child.stdout.readline().strip()


@contextmanager
def run_sample_server(article_count: int, *columns: str) -> Iterator[SampleServer]:
    """A sample site of so many made-up articles, in the columns that the sample has or in these."""
    command = [PYTHON, str(BENCHMARKS_DIR / "served.py"), str(article_count), *columns]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield SampleServer(child)
        finally:
            child.terminate()
