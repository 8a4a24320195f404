"""costmodel analyze MODEL."""

from __future__ import annotations

import argparse
import sys

from costmodel.analysis import Analysis
from costmodel.cli.inputs import add_model, add_platforms, analyzed, platform_names, size, tell_exceeded
from costmodel.cli.output import check_file, terminal_width, use_color, write
from costmodel.errors import UsageError
from costmodel.report.rows import View

FORMATS = ("text", "json", "csv", "markdown", "html", "trace", "model-explorer")
LATENCY = "latency"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    add_model(parser)
    add_platforms(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="text (the default); trace: the predicted timeline, for Perfetto; model-explorer: node data for Google's "
        "Model Explorer, with -o FOLDER/ a file a data set. --by, --depth, --top and --sort shape text, csv and "
        "markdown; the others always hold everything",
    )
    output.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    output.add_argument("--by", choices=("op", "type", "module"), default="op", help="rows of the table (default: op)")
    output.add_argument(
        "--depth", type=size, metavar="N", help="with --by module: keep N parts of its path, children summed with it"
    )
    output.add_argument("--top", type=size, metavar="N", help="only the N dearest rows (text, markdown: 10 operators)")
    output.add_argument(
        "--sort",
        choices=("mult_adds", "memory_access", "params", LATENCY),
        help=f"what is dear (default: mult_adds), {LATENCY} meaning that on the first platform; csv and modules are in "
        "the order of execution without it and --top",
    )


def run(options: argparse.Namespace) -> int:
    """Analyze and print; gives the exit status."""
    if options.depth is not None and options.by != "module":
        raise UsageError(f"--depth {options.depth}: it cuts the paths of modules; give --by module with it")
    if options.sort == LATENCY and not platform_names(options) and not options.budget:
        raise UsageError(f"--sort {LATENCY}: no platform is predicted; name one with -p PLATFORM")
    if options.format in ("html", "trace"):
        check_file(options.format, options.output)
    analysis = analyzed(options)
    if options.format == "model-explorer":
        from costmodel.cli.node_data import write_node_data

        write_node_data(analysis, options.output)
    else:
        write(_rendered(analysis, options), options.output)
    if options.format in ("csv", "trace", "model-explorer"):
        from costmodel.report.coverage import notices

        for line in notices(analysis):
            print(line, file=sys.stderr)
    return 1 if tell_exceeded(analysis) else 0


def _rendered(analysis: Analysis, options: argparse.Namespace) -> str:
    view = View(options.by, options.top, options.sort, options.depth)
    if options.format == "json":
        from costmodel.report import json

        return json.render(analysis)
    if options.format == "csv":
        from costmodel.report import csv

        return csv.render(analysis, view)
    if options.format == "markdown":
        from costmodel.report import markdown

        return markdown.render(analysis, view)
    if options.format == "html":
        from costmodel.report import html

        return html.render(analysis)
    if options.format == "trace":
        from costmodel.report import trace

        return trace.render(analysis)
    from costmodel.report import text

    to_terminal = options.output is None
    return text.render(analysis, view, terminal_width() if to_terminal else None, to_terminal and use_color())
