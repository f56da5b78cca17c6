"""Measure the cost of commands: each runs as a child process, whose resource usage the kernel reports.

Subjects take turns, round after round, so other load on the machine affects all of them. Each figure is the median of
the rounds; a ratio compares medians of one benchmark.
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
# As for most users, the modules are compiled once, in the first round, which does not count.
_CHILD_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one process: wall time in seconds, CPU time (user and system) in seconds, and peak memory in MB."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure_command(command: list[str], *, cwd: Path | None = None) -> Cost:
    """Run a command to its end. Raises SystemExit with its output when it fails."""
    measured, code, printed = run_command(command, cwd=cwd)
    if code:
        raise SystemExit(f"{' '.join(command)}: exit {code}\n{printed[-2000:]}")
    return measured


def run_command(command: list[str], *, cwd: Path | None = None) -> tuple[Cost, int, str]:
    """Run a command to its end; return its cost, exit code and output (stdout and stderr)."""
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
    """Measure each subject once in each round, after a first round that does not count."""
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
    """Return the median with minimum and maximum."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def format_ratio(values: list[float], baseline: list[float]) -> str:
    """Return the ratio of the medians."""
    return f"{statistics.median(values) / statistics.median(baseline):.2f}"


def print_throughput_table(costs: Mapping[str, list[Cost]], article_counts: Mapping[str, int], baseline: str) -> None:
    """Print a row for each subject, with ratios to the subject `baseline`; `article_counts` are the saved articles."""
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
    """Print a row for each subject that saves no articles."""
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
    """Return the machine and Python version in one line."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def create_work_dir() -> Path:
    """Create an empty folder for the files of a measurement.

    `make bench` deletes the folders at its end: after a deletion ext4 creates files more slowly for minutes.
    """
    return Path(tempfile.mkdtemp(prefix="finews-benchmark-"))


class SampleServer:
    """The sample site in a separate process."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.url = self._read_line()

    def send_command(self, command: str) -> str:
        """Send `count` (returns the number of requests since the last count) or `publish N` (adds N articles)."""
        assert self._child.stdin
        self._child.stdin.write(f"{command}\n")
        self._child.stdin.flush()
        return self._read_line()

    def _read_line(self) -> str:
        assert self._child.stdout
        return self._child.stdout.readline().strip()


@contextmanager
def run_sample_server(article_count: int, *columns: str) -> Iterator[SampleServer]:
    """Serve a sample site with a number of synthetic articles, in the given columns or in its own."""
    command = [PYTHON, str(BENCHMARKS_DIR / "served.py"), str(article_count), *columns]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield SampleServer(child)
        finally:
            child.terminate()
