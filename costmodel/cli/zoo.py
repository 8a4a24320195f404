"""costmodel zoo [NAME]."""

from __future__ import annotations

import argparse

from costmodel.cli.output import terminal_width, use_color, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one network: what it is and what its options mean")
    parser.add_argument("--names", action="store_true", help="only the names, one a line")


def run(options: argparse.Namespace) -> int:
    """List the networks that come with the package, or describe one; gives the exit status."""
    from costmodel import zoo
    from costmodel.report import networks

    if options.names:
        text = "".join(f"{network.name}\n" for network in zoo.networks())
    elif options.name is None:
        text = networks.render_list(list(zoo.networks()), terminal_width(), use_color())
    else:
        name = options.name.removeprefix(zoo.PREFIX).partition(",")[0]
        text = networks.render_network(zoo.find(name), terminal_width(), use_color())
    write(text, None)
    return 0
