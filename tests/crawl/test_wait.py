"""Tests of `finews crawl --wait`: another crawl of the output folder is waited for."""

import os
import threading
from pathlib import Path

from crawler.sample_site import SampleSite
from crawler.storage.output_dir import OutputDir, create_output_dir
from tests.support.commands import FAST_SETTINGS, CommandRunner


def test_crawl_waits_for_the_lock(finews: CommandRunner, sample_site: SampleSite, output: Path) -> None:
    args = ("crawl", "flash", "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS)
    create_output_dir(output)
    exit_codes: list[int] = []
    crawl = threading.Thread(target=lambda: exit_codes.append(finews(*args, "--wait", "2m").exit_code))
    with OutputDir.lock(output):
        refused = finews(*args)
        assert (refused.exit_code, f"(process {os.getpid()} since 2" in refused.stderr) == (75, True)
        assert finews(*args, "--wait", "1s").exit_code == 75
        crawl.start()
    crawl.join()
    assert exit_codes == [0]
    assert finews("crawl", "--wait", "soon").exit_code == 2
