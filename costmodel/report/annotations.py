"""An analysis as metadata of a model's nodes: what viewers of ONNX files, such as Netron, show beside each node.

Netron cuts a key after some 13 characters, so that every value says by itself what it is, and on which platform.
"""

from __future__ import annotations

from collections.abc import Iterator

from costmodel.analysis import Analysis
from costmodel.explaining.node import NodeTime, terms_of
from costmodel.frontends.onnx.annotate import PREFIX
from costmodel.graph import Counting, Node
from costmodel.guidelines import Clock
from costmodel.kernels import Kind
from costmodel.predictor import KernelEstimate
from costmodel.report.coverage import assumption_lines, coverage_line
from costmodel.report.latency import Times, interval, kernel_label, milliseconds, note_lines, times
from costmodel.report.names import operator_label, plain

_COUNTS = ("mult_adds", "params", "memory_access", "bytes", "element_ops")
_MOST_NAMED = 6  # operators of a kernel


def node_entries(analysis: Analysis) -> dict[str, dict[str, str]]:
    """The metadata of each operator, by the first tensor that it writes.

    Raises UsageError for the many latencies of a population.
    """
    shown = [(entry, Clock(entry.platform, entry.prediction)) for entry in times(analysis)]
    result = {}
    for node in analysis.operators:
        written = next(filter(None, node.outputs), None)
        if written is None:
            continue
        entries = {f"latency.{entry.platform.id}": _latency(node, entry) for entry, _ in shown}
        entries.update(_counts(node))
        for entry, clock in shown:
            entries.update(_kernel(node, entry, clock))
        result[written] = {f"{PREFIX}{name}": text for name, text in entries.items()}
    return result


def model_entries(analysis: Analysis) -> dict[str, str]:
    """The metadata of the model as a whole."""
    entries = {}
    for entry in times(analysis):
        id, prediction = entry.platform.id, entry.prediction
        entries[f"latency.{id}"] = f"{interval(prediction.latency)} on {id}"
        entries[f"fixed.{id}"] = f"{milliseconds(prediction.fixed)} ms of it in no kernel, on {entry.label}"
    entries.update((name, str(getattr(analysis.totals, name))) for name in _COUNTS)
    entries["coverage"] = coverage_line(analysis)
    for name, lines in (("assumptions", assumption_lines(analysis)), ("notes", note_lines(analysis))):
        if lines:
            entries[name] = "; ".join(lines)
    return {f"{PREFIX}{name}": text for name, text in entries.items()}


def _latency(node: Node, entry: Times) -> str:
    """The time of the node's kernel at its main operator, at any other where it went."""
    item = entry.kernels.get(node.name)
    if item is None or item.kernel.kind is Kind.VIEW:
        text = "nothing runs for it"
    elif item.kernel.name != node.name:
        text = f"in the kernel of {plain(kernel_label(item))}"
    else:
        text = interval(item.estimate)
    return f"{text} on {entry.label}"


def _counts(node: Node) -> Iterator[tuple[str, str]]:
    for name in _COUNTS:
        yield name, str(getattr(node.cost, name))
    if node.repeat != 1:
        yield "repeat", f"runs {node.repeat} times, all of them counted"
    if node.counting is not Counting.COUNTED:
        yield "counting", plain(f"{node.counting.value}: {node.note}")


def _kernel(node: Node, entry: Times, clock: Clock) -> Iterator[tuple[str, str]]:
    """What is to be told of a kernel at its main operator."""
    id, where, item = entry.platform.id, f"on {entry.label}", entry.kernels.get(node.name)
    if item is None or item.kernel.kind is Kind.VIEW or item.kernel.name != node.name:
        return
    yield f"kernel.{id}", f"{_composition(item)}, {where}"
    copies = entry.copies.get(node.name, 0.0)
    if copies:
        yield f"copies.{id}", f"{milliseconds(copies)} ms more for copies into its layout and back, {where}"
    bound = NodeTime(entry.platform, entry.prediction, item, False, terms_of(clock, item), ()).bound
    if bound is not None:
        yield f"bound.{id}", f"bound by {bound[0]}, {100 * bound[1]:.0f} % of its time, {where}"


def _composition(item: KernelEstimate) -> str:
    """A kernel's kind, and the operators that it takes along."""
    kind = f"{item.kernel.kind.value} kernel"
    others = [operator_label(node) for node in item.kernel.operators if node.name != item.kernel.name]
    if not others:
        return kind
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    return plain(f"{kind} with {', '.join(others[:_MOST_NAMED])}{more}")
