"""costmodel annotate MODEL.onnx -o OUT.onnx."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from costmodel.cli.inputs import add_platforms, add_sizes, analyzed, tell_exceeded
from costmodel.cli.progress import busy
from costmodel.errors import UsageError

_MOST_NAMED, _LONGEST = 3, 200  # nodes left out that are named; characters of a name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.epilog = (
        "Weights are copied untouched; those that the model keeps beside it stay there, so that it is then to be "
        "written to the same folder. What an earlier run wrote is replaced, all other metadata stays."
    )
    parser.add_argument("model", metavar="MODEL", help="a .onnx file")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the file to write; may be MODEL itself")
    add_sizes(parser)
    add_platforms(parser)


def run(options: argparse.Namespace) -> int:
    """Analyze, and write the annotated copy; gives the exit status."""
    if options.model.startswith("zoo:"):
        raise UsageError(
            f"{options.model}: only a .onnx file has nodes to write into; write the network to one first, in Python "
            f"with costmodel.frontends.onnx.save(costmodel.analyze({options.model!r}).graph, 'network.onnx')"
        )
    from costmodel.frontends.onnx.annotate import annotate, read_nodes
    from costmodel.report.annotations import model_entries, node_entries
    from costmodel.report.coverage import notices

    analysis = analyzed(options)
    entries = node_entries(analysis)
    nodes = read_nodes(options.model)
    chosen = [entries.get(next(filter(None, node.output), "")) for node in nodes]
    with busy(f"Writing {options.output}"):
        annotate(options.model, options.output, chosen, model_entries(analysis))
    left_out = [node for node, entry in zip(nodes, chosen, strict=True) if entry is None]
    for line in (_written(options.output, len(nodes), left_out), *notices(analysis)):
        print(line, file=sys.stderr)
    return 1 if tell_exceeded(analysis) else 0


def _written(output: str, count: int, left_out: Sequence[Any]) -> str:
    from costmodel.report.names import plain

    line = f"{output}: {count - len(left_out)} of {count} nodes annotated"
    if not left_out:
        return plain(line)
    names = [(node.name or next(iter(node.output), ""))[:_LONGEST] for node in left_out[:_MOST_NAMED]]
    named = [f"{name!r} ({node.op_type[:_LONGEST]})" for name, node in zip(names, left_out, strict=False)]
    more = [f"{len(left_out) - _MOST_NAMED} more"] if len(left_out) > _MOST_NAMED else []
    return plain(
        f"{line}; left out, since graphs within nodes and functions are counted but not written into: "
        f"{', '.join([*named, *more])}"
    )
