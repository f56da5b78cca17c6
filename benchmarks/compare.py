"""Compare the cost of the same crawls by the code of several checkouts.

    python benchmarks/compare.py CHECKOUT CHECKOUT... [--articles N] [--rounds N]

The checkouts take turns with this Python and its packages. Ratios are to the first checkout.
"""

import argparse
import os
from pathlib import Path

from crawl import FAST_OPTIONS
from measure import (
    PYTHON,
    Cost,
    SampleServer,
    create_work_dir,
    describe_machine,
    measure_command,
    print_cost_table,
    print_throughput_table,
    run_interleaved,
    run_sample_server,
)


def measure_crawl(checkout: Path, site: SampleServer, output: Path) -> Cost:
    """Crawl with the package of a checkout: Python searches the working directory first."""
    command = [
        PYTHON,
        "-m",
        "crawler",
        "crawl",
        "--mirror",
        site.url,
        "--output",
        str(output),
        *FAST_OPTIONS,
        "--quiet",
    ]
    return measure_command(command, cwd=checkout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--articles", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.pop("PYTHONPATH", None)
    names = [str(checkout) for checkout in options.checkouts]
    print(f"{describe_machine()}; {options.articles} articles, {options.rounds} rounds")
    folder, outputs = create_work_dir(), dict[str, Path]()

    def crawl_into_new_folder(name: str) -> Cost:
        outputs[name] = folder / f"{names.index(name)}-{len(list(folder.iterdir()))}"
        return measure_crawl(Path(name), site, outputs[name])

    with run_sample_server(options.articles) as site:
        costs = run_interleaved({name: lambda name=name: crawl_into_new_folder(name) for name in names}, options.rounds)
        saved_counts = {name: len(list((outputs[name] / "_posts").rglob("*.md"))) for name in names}
        print(f"\n### A whole crawl of {max(saved_counts.values()):,} articles\n")
        print_throughput_table(costs, saved_counts, names[0])
        costs = run_interleaved(
            {name: lambda name=name: measure_crawl(Path(name), site, outputs[name]) for name in names}, options.rounds
        )
        print("\n### A crawl without new articles\n")
        print_cost_table(costs, names[0])


if __name__ == "__main__":
    main()
