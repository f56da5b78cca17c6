"""Command `scrapy crawl`: Scrapy's own, with the exit codes of `finews crawl` instead of 0 for everything."""

import os
import sys
from argparse import Namespace
from pathlib import Path

from scrapy.commands.crawl import Command as ScrapyCrawl
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.exceptions import UsageError as ScrapyUsageError
from scrapy.settings import SETTINGS_PRIORITIES

from crawler.cli.streams import set_up_streams
from crawler.config import load_config
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.runner import crawl_in_process, override_settings
from crawler.errors import CommandError, UsageError


class Command(ScrapyCrawl):
    """Run `scrapy crawl` with the exit codes of `finews crawl`."""

    def process_options(self, args: list[str], opts: Namespace) -> None:
        """Set up the standard streams before Scrapy opens its log, then read the options and `finews.toml`."""
        set_up_streams(lambda: False)
        super().process_options(args, opts)
        assert self.settings is not None, "Scrapy sets it before it calls this"
        try:
            configured = load_config(os.environ, Path.cwd()).settings()
            priorities = {name: self.settings.getpriority(name) or 0 for name in configured}
            below = SETTINGS_PRIORITIES["cmdline"]
            override_settings(
                self.settings, {name: value for name, value in configured.items() if priorities[name] < below}
            )
        except UsageError as error:
            raise ScrapyUsageError(str(error)) from error

    def run(self, args: list[str], opts: Namespace) -> None:
        """Crawl with the spider named in the arguments and set the exit code. Raises Scrapy's UsageError."""
        if len(args) != 1:
            raise ScrapyUsageError("name one spider: `scrapy list` lists them")
        assert isinstance(self.crawler_process, AsyncCrawlerProcess), "the settings keep Scrapy's asyncio reactor"
        try:
            (result,) = crawl_in_process(self.crawler_process, args, opts.spargs)
            if isinstance(result, CommandError):
                raise result
            self.exitcode = result.exit_code
        except CommandError as error:
            sys.stderr.write(f"finews: {collapse_whitespace(str(error))}\n")
            self.exitcode = error.exit_code
