"""Command `scrapy shell`: Scrapy's own as a dry run, which stores nothing."""

from argparse import Namespace

from scrapy.commands.shell import Command as ScrapyShellCommand

from crawler.cli.scrapy_commands import make_dry_run


class Command(ScrapyShellCommand):
    """Run `scrapy shell` as a dry run."""

    def process_options(self, args: list[str], opts: Namespace) -> None:
        """Read the options, then turn off storing."""
        super().process_options(args, opts)
        assert self.settings is not None, "Scrapy sets it before it reads the options"
        make_dry_run(self.settings)
