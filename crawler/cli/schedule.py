"""Command `finews schedule`: print a schedule for cron, systemd or GitHub Actions."""

from pathlib import Path

import click

from crawler.cli import options
from crawler.cli.output import print_line
from crawler.jobs import schedule as texts

_RENDERERS = {"cron": texts.render_cron, "systemd": texts.render_systemd, "github": texts.render_github_workflow}


@click.command()
@click.argument("kind", type=click.Choice(tuple(_RENDERERS)))
@options.output
def schedule(kind: str, output: Path) -> None:
    """Print what crawls and publishes by a schedule.

    cron: lines for a crontab; systemd: a service and a timer; github: a workflow that commits what is new and publishes
    the site. The paths are this installation's.
    """
    print_line(_RENDERERS[kind](texts.detect_installation(output)).rstrip("\n"))
