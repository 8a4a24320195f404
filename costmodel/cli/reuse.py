"""costmodel reuse MODEL."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from costmodel.cli.inputs import add_model, analyzed
from costmodel.cli.output import terminal_width, use_color, write
from costmodel.errors import UsageError
from costmodel.reuse import FeatureReuse, feature_reuse
from costmodel.writing import write_whole

FORMATS = ("text", "json", "csv")
PICTURES = (".svg", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    add_model(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, default="text", help="text is the default")
    output.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    output.add_argument(
        "--plot", metavar="FILE", help="also draw the heat map: a file that ends in .svg or .png (needs matplotlib)"
    )


def run(options: argparse.Namespace) -> int:
    """Follow the channels and print; gives the exit status."""
    if options.plot is not None and Path(options.plot).suffix.lower() not in PICTURES:
        ending = Path(options.plot).suffix or "no ending"
        raise UsageError(f"--plot {options.plot}: {ending} is not known; end it in {' or '.join(PICTURES)}")
    if options.plot is not None and options.output is not None and Path(options.plot) == Path(options.output):
        raise UsageError(f"--plot {options.plot}: the same file as -o; give another one")
    analysis = analyzed(options)
    reuse = replace(feature_reuse(analysis.graph), network=analysis.model)
    if options.plot is not None:
        _plot(reuse, options.plot)
    write(_rendered(reuse, options), options.output)
    return 0


def _rendered(reuse: FeatureReuse, options: argparse.Namespace) -> str:
    from costmodel.report import reuse as report

    if options.format == "json":
        return report.render_json(reuse)
    if options.format == "csv":
        return report.render_csv(reuse)
    to_terminal = options.output is None
    return report.render(reuse, terminal_width() if to_terminal else None, to_terminal and use_color())


def _plot(reuse: FeatureReuse, path: str) -> None:
    """Draw the heat map into a file, which is written whole or not at all."""
    from costmodel.report import heatmap

    picture = heatmap.svg(reuse) if Path(path).suffix.lower() == ".svg" else heatmap.png(reuse)
    try:
        write_whole(Path(os.path.realpath(path)), picture)  # a link stays a link
    except OSError as error:
        raise UsageError(f"--plot {path}: cannot be written ({error.strerror or error}); give another file") from error
