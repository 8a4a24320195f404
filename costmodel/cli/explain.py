"""costmodel explain G1, costmodel explain MODEL NODE."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from costmodel.cli.inputs import add_platforms, add_sizes, analyzed, platform_names, tell_exceeded
from costmodel.cli.output import terminal_width, use_color, write
from costmodel.errors import UsageError

FORMATS = ("text", "json")
_SIZES = ("batch", "dim", "shape", "value", "strict_dims", "unknown", "budget")  # what only a model has


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument(
        "topic",
        nargs="?",
        metavar="GUIDELINE|MODEL",
        help="G1 to G4, or a guideline's name such as equal-width; or a .onnx file or zoo:NAME[,key=value...], with "
        "NODE behind it; nothing: list the guidelines",
    )
    parser.add_argument(
        "node",
        nargs="?",
        metavar="NODE",
        help="one of the model's operators: its name, that of a tensor it writes, its module, or a beginning or an "
        "end of these that no other has",
    )
    add_sizes(parser)
    add_platforms(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, default="text", help="text is the default")
    output.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")


def run(options: argparse.Namespace) -> int:
    """Explain and print; gives the exit status."""
    to_terminal = options.output is None
    style = (terminal_width() if to_terminal else None, to_terminal and use_color())
    if options.topic is None:
        _refuse(options, ("platform", *_SIZES), "explain")
        write(_guidelines(options, style), options.output)
        return 0
    if options.node is None:
        write(_guideline(options, style), options.output)
        return 0
    options.model = options.topic
    return _operator(options, style)


def _refuse(options: argparse.Namespace, names: Iterable[str], where: str) -> None:
    """Raise UsageError for an option that has no meaning here."""
    for name in names:
        if getattr(options, name) not in (None, [], False, "bytes"):
            what = "a guideline or a model" if name == "platform" else "a model"
            raise UsageError(f"{where}: --{name.replace('_', '-')} belongs to {what}; leave it out")


def _guidelines(options: argparse.Namespace, style: tuple[int | None, bool]) -> str:
    from costmodel.report import explain_rule as report

    if options.format == "json":
        return report.render_list_json()
    return report.render_list(*style)


def _guideline(options: argparse.Namespace, style: tuple[int | None, bool]) -> str:
    from costmodel.explaining import explain_rule
    from costmodel.guidelines import find_rule
    from costmodel.report import explain_rule as report

    topic = options.topic
    if topic.startswith("zoo:") or topic.endswith(".onnx") or os.path.isfile(topic):
        raise UsageError(
            f"explain {topic}: which of its operators? Write `costmodel explain {topic} NODE`; "
            f"`costmodel analyze {topic}` lists the dearest ones"
        )
    rule = find_rule(topic)
    _refuse(options, _SIZES, f"explain {topic}")
    explained = explain_rule(rule, platform_names(options) if options.platform else None, options.coverage)
    return report.render_json(explained) if options.format == "json" else report.render(explained, *style)


def _operator(options: argparse.Namespace, style: tuple[int | None, bool]) -> int:
    from costmodel.explaining import explain_node
    from costmodel.report import explain_node as report

    analysis = analyzed(options)
    explained = explain_node(analysis, options.node)
    text = report.render_json(explained) if options.format == "json" else report.render(explained, *style)
    write(text, options.output)
    return 1 if tell_exceeded(analysis) else 0
