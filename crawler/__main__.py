"""Entry point of `python -m crawler`, which is the `finews` command."""

from crawler.cli import main

main()
