"""Command `finews schedule`: print a schedule for cron, systemd or GitHub Actions."""

from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.output import print_line
from crawler.jobs.schedule import detect_installation, render_cron, render_github_workflow, render_systemd

_RENDERERS = {"cron": render_cron, "systemd": render_systemd, "github": render_github_workflow}


@click.command()
@click.argument("kind", type=click.Choice(tuple(_RENDERERS)))
@options.output
def schedule(kind: str, output: Path) -> None:
    """Print a schedule that crawls and publishes.

    It contains the paths of this installation. cron: lines for a crontab; systemd: a service and a timer; github: a
    workflow that commits new articles and publishes the site.
    """
    print_line(_RENDERERS[kind](detect_installation(output)).rstrip("\n"))
