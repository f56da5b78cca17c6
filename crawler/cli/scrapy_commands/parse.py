"""Command `scrapy parse`: Scrapy's own as a dry run, which stores nothing."""

from argparse import Namespace

from scrapy.commands.parse import Command as ScrapyParseCommand
from scrapy.exceptions import UsageError

from crawler.cli.scrapy_commands import make_dry_run


class Command(ScrapyParseCommand):
    """Run `scrapy parse` as a dry run."""

    def process_options(self, args: list[str], opts: Namespace) -> None:
        """Read the options, then turn off storing."""
        super().process_options(args, opts)
        if opts.pipelines:
            raise UsageError("scrapy parse stores nothing here: leave out --pipelines, or use finews crawl --limit 1")
        assert self.settings is not None, "Scrapy sets it before it reads the options"
        make_dry_run(self.settings)
