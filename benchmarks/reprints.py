"""Measure the CPU time of the search for reprints, for each article and as a share of a crawl of the sample site.

python -m benchmarks.reprints [ARTICLES]
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crawler.sample_site import Corpus, SampleSite
from crawler.storage import Store

_FAST_OPTIONS = ("--set", "DOWNLOAD_DELAY=0", "--set", "AUTOTHROTTLE_ENABLED=0")


def main() -> None:
    article_count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    with tempfile.TemporaryDirectory(prefix="finews-benchmark-") as folder:
        output = Path(folder) / "output"
        crawl_seconds = measure_crawl_cpu(output, article_count)
        with Store.open_rw(output) as store:
            start = time.process_time()
            compared_count = store.reprint_clusters.rebuild()
            reprint_seconds = time.process_time() - start
            comparison_count = store.reprint_clusters.compared_pairs
    print(
        f"{compared_count} articles: crawl {crawl_seconds / compared_count * 1e3:.2f} ms of CPU each, with reprints; {comparison_count} comparisons"
    )
    print(
        f"reprints alone {reprint_seconds / compared_count * 1e3:.2f} ms each: {reprint_seconds / (crawl_seconds - reprint_seconds):.1%} on top of the rest"
    )


def measure_crawl_cpu(output: Path, article_count: int) -> float:
    """Return the CPU seconds of one crawl, without those of the sample site."""
    with SampleSite(Corpus.sample(article_count)) as site:
        arguments = ("crawl", "eastmoney", "--mirror", site.url, "--output", str(output), *_FAST_OPTIONS, "--quiet")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "crawler", *arguments], check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
