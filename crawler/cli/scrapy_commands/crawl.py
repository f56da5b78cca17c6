"""Command `scrapy crawl`: Scrapy's own, with the exit codes of `finews crawl` instead of 0 for everything."""

import sys
from argparse import Namespace

from scrapy.commands.crawl import Command as ScrapyCrawl
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.exceptions import UsageError as ScrapyUsageError

from crawler.cli.streams import set_up_streams
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.runner import crawl_in_process
from crawler.errors import CommandError


class Command(ScrapyCrawl):
    """Run `scrapy crawl` with the exit codes of `finews crawl`."""

    def process_options(self, args: list[str], opts: Namespace) -> None:
        """Set up the standard streams before Scrapy opens its log, then read the options."""
        set_up_streams(lambda: False)
        super().process_options(args, opts)

    def run(self, args: list[str], opts: Namespace) -> None:
        """Crawl with the spider named in the arguments and set the exit code. Raises Scrapy's UsageError."""
        if len(args) != 1:
            raise ScrapyUsageError("name one spider: `scrapy list` lists them")
        assert isinstance(self.crawler_process, AsyncCrawlerProcess), "the settings keep Scrapy's asyncio reactor"
        try:
            self.exitcode = crawl_in_process(self.crawler_process, args[0], opts.spargs).exit_code
        except CommandError as error:
            sys.stderr.write(f"finews: {collapse_whitespace(str(error))}\n")
            self.exitcode = error.exit_code
