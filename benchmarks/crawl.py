"""Compare the cost of a crawl with a bare spider, the site's first script and a crawl without new articles.

python benchmarks/crawl.py [ARTICLES [ROUNDS]]
"""

import sys
import tempfile
from pathlib import Path

from measure import (
    BENCHMARKS_DIR,
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

from crawler.sample_site import SampleSite

# Without politeness settings: the sample site needs none, and the bare spider has none.
FAST_OPTIONS = ("--set", "DOWNLOAD_DELAY=0", "--set", "AUTOTHROTTLE_ENABLED=0", "--set", "CONCURRENT_REQUESTS=16",
        "--set", "CONCURRENT_REQUESTS_PER_DOMAIN=8")  # fmt: skip


def finews_command(site: SampleServer | SampleSite, output: Path, spider: str = "eastmoney") -> list[str]:
    target_options = ("--mirror", site.url, "--output", str(output))
    return [PYTHON, "-m", "crawler", "crawl", spider, *target_options, *FAST_OPTIONS, "--quiet"]


def bare_spider_command(site: SampleServer, *flags: str) -> list[str]:
    return [PYTHON, str(BENCHMARKS_DIR / "bare_spider.py"), site.url, *flags]


def first_script_command(site: SampleServer, folder: Path, rounds: int) -> list[str]:
    return [PYTHON, str(BENCHMARKS_DIR / "old_script.py"), site.url, str(folder), str(rounds)]


def measure_into_empty_output(command: list[str], output: Path) -> Cost:
    """Measure a command with an empty output folder.

    The old folder is moved, not deleted: when ext4 creates a file, it skips every recently deleted inode.
    """
    if output.exists():
        output.rename(tempfile.mkdtemp(prefix="before-", dir=output.parent))
    return measure_command(command)


def benchmark_full_crawl(article_count: int, rounds: int, folder: Path) -> None:
    with run_sample_server(article_count) as site:
        output = folder / "output"
        subjects = {
            "bare spider, Scrapy's defaults": lambda: measure_command(bare_spider_command(site)),
            "bare spider, Scrapy's defaults and log": lambda: measure_command(bare_spider_command(site, "log")),
            "bare spider, finews' settings": lambda: measure_command(bare_spider_command(site, "lean")),
            "finews": lambda: measure_into_empty_output(finews_command(site, output), output),
        }
        costs = run_interleaved(subjects, rounds)
        saved_count = len(list((output / "_posts").rglob("*.md")))
        print(f"\n### A whole crawl of {saved_count:,} articles\n")
        print_throughput_table(costs, dict.fromkeys(subjects, saved_count), "bare spider, Scrapy's defaults")
        benchmark_nothing_new(site, output, rounds)


def benchmark_nothing_new(site: SampleServer, output: Path, rounds: int) -> None:
    """Measure crawls without new articles, in the output folder of the last crawl."""
    costs = run_interleaved(
        {
            "import scrapy": lambda: measure_command([PYTHON, "-c", "import scrapy"]),
            "bare spider, Scrapy's defaults": lambda: measure_command(bare_spider_command(site, "nothing")),
            "finews": lambda: measure_command(finews_command(site, output)),
        },
        rounds,
    )
    print("\n### A crawl without new articles, and a bare spider that sends the same requests\n")
    print_cost_table(costs, "bare spider, Scrapy's defaults")


def benchmark_first_script(rounds: int, folder: Path) -> None:
    """Compare finews with the first script, on five listings of 100 articles of which 15 or all are new."""
    with run_sample_server(3_100) as site:
        output = folder / "choice"
        measure_command(finews_command(site, output, "choice"))
        request_counts: dict[str, int] = {}

        def measure_counting_requests(name: str, command: list[str]) -> Cost:
            site.send_command("count")
            measured = measure_command(command)
            request_counts[name] = int(site.send_command("count"))
            return measured

        def crawl_new_articles() -> Cost:
            site.send_command("publish 90")  # every sixth is in one of the five listings
            return measure_counting_requests("finews", finews_command(site, output, "choice"))

        def run_first_script() -> Cost:
            return measure_counting_requests("first script, 5 rounds", first_script_command(site, folder / "old", 5))

        costs = run_interleaved({"first script, 5 rounds": run_first_script, "finews": crawl_new_articles}, rounds)
        print("\n### Five listings of 100 articles, 15 of them new\n")
        print_cost_table(costs, "first script, 5 rounds")
        print("\nrequests: " + ", ".join(f"{name} {count:,}" for name, count in request_counts.items()))
        costs = run_interleaved(
            {
                "first script, 1 round": lambda: measure_command(first_script_command(site, folder / "old", 1)),
                "finews": lambda: measure_into_empty_output(finews_command(site, output, "choice"), output),
            },
            rounds,
        )
        print("\n### The same listings, all new\n")
        print_throughput_table(costs, dict.fromkeys(costs, 500), "first script, 1 round")


def main() -> None:
    article_count, rounds = [*map(int, sys.argv[1:]), *(2_000, 5)[len(sys.argv) - 1 :]]
    print(f"{describe_machine()}; {rounds} rounds")
    folder = create_work_dir()
    benchmark_full_crawl(article_count, rounds, folder)
    benchmark_first_script(rounds, folder)


if __name__ == "__main__":
    main()
