"""costmodel zoo."""

from __future__ import annotations

import argparse

from costmodel.cli.output import terminal_width, use_color, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb has no options."""


def run(options: argparse.Namespace) -> int:
    """List the networks that come with the package; gives the exit status."""
    from costmodel import zoo
    from costmodel.report import networks

    write(networks.render(list(zoo.networks()), terminal_width(), use_color()), None)
    return 0
