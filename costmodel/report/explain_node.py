"""An operator explained, as text or JSON: its counts, what its time is made of, and what would change it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from costmodel.dims import show_shape
from costmodel.explaining import SCHEMA, NodeExplanation, NodeTime
from costmodel.explaining.node import ARITHMETIC, LAUNCH, MEMORY, group_of
from costmodel.graph import Counting, TensorSpec
from costmodel.guidelines import record, saving_record
from costmodel.predictor import TERMS
from costmodel.pricing import estimate_record
from costmodel.report import latency
from costmodel.report.documents import json_text
from costmodel.report.names import operator_label, plain
from costmodel.report.numbers import exact, share, short
from costmodel.report.savings import signed_milliseconds
from costmodel.report.tables import NARROWEST, Name, table, to_text

_COUNTS = {
    "mult_adds": "mult-adds",
    "element_ops": "element operations",
    "memory_access": "memory access",
    "params": "parameters",
    "bytes": "bytes",
}
_BOUND = {
    ARITHMETIC: ("arithmetic", "fewer operations would make it faster"),
    MEMORY: ("memory", "it waits for elements that it reads, writes or copies"),
    LAUNCH: ("launches", "its size hardly matters, fewer kernels or groups would make it faster"),
}
_SIZES = frozenset({"kernel_shape", "strides", "dilations"})
_WORDS, _FEWER = 36, 28  # columns of what stands before numbers, and before wider ones
_NOTHING = 1e-12  # seconds; what sums of floats leave of nothing
_SMALLEST = 0.0005  # share of a kernel's time from which a term has a row of its own
_MOST_FUSED = 6  # operators of a kernel that are named
_NOTE = (
    "Only whole runs have been measured, of networks, blocks or stacks; how one divides into kernels and terms is what "
    "the fit makes of it. "
    "A change of sizes is one of this kernel alone: what reads it would change with it. A run may save more than the "
    "kernel where long runs slow a device down."
)


def render(explained: NodeExplanation, width: int | None = None, color: bool = False) -> str:
    """Everything about an operator. width: columns of the terminal; prose has 80 of them in a pipe too."""
    wide = NARROWEST if width is None else max(width, NARROWEST)
    node = explained.node
    parts: list[RenderableType] = [
        Text(f"{plain(node.name)}: {plain(node.qualified_type)} of {plain(explained.analysis.model)}", "bold"),
        _facts(explained),
        Text(),
        *_counts(explained, wide),
    ]
    for time, entry in zip(explained.times, latency.times(explained.analysis), strict=True):
        parts += [Text(), *_time(explained, time, entry, wide)]
    if explained.findings:
        parts += [Text(), Text("What `costmodel check` says of it", "bold"), *_findings(explained, wide)]
    if any(not time.is_free for time in explained.times):
        parts += [Text(), *_prose(_NOTE, wide, "")]
    return to_text(Group(*parts), width, color)


def _prose(text: str, width: int, indent: str = "  ") -> Iterator[Text]:
    yield Text(textwrap.fill(plain(text), width, initial_indent=indent, subsequent_indent=indent))


def _facts(explained: NodeExplanation) -> Table:
    node, tensors = explained.node, explained.analysis.graph.tensors
    rows = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    rows.add_column()
    rows.add_column(overflow="fold")
    rows.add_row("kind", explained.kind.value)
    for head, value in (("module", node.module), ("source", node.source)):
        if value:
            rows.add_row(head, Name(plain(value)))
    for head, names in (("input", node.inputs), ("output", node.outputs)):
        for name in filter(None, names):
            rows.add_row(head, _tensor(name, tensors.get(name)))
    settings = ", ".join(f"{name} {_setting(name, value)}" for name, value in node.attributes.items())
    if settings:
        rows.add_row("attributes", plain(settings))
    if node.repeat != 1:
        rows.add_row("runs", f"{node.repeat} times, all of them counted")
    return rows


def _tensor(name: str, spec: TensorSpec | None) -> str:
    if spec is None or spec.shape is None:
        return f"{plain(name)}, of unknown shape"
    constant = ", a constant" if spec.is_constant else ""
    return f"{plain(name)}, {show_shape(spec.shape)} of {plain(spec.dtype)}{constant}"


def _setting(name: str, value: Any) -> str:
    if isinstance(value, list | tuple) and all(isinstance(one, int) for one in value):
        return ("x" if name in _SIZES else " ").join(map(str, value))
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _counts(explained: NodeExplanation, width: int) -> Iterator[RenderableType]:
    node, totals, formula = explained.node, explained.analysis.totals, explained.formula
    rows = table("  counts", "", "share of\nthe network")
    for name, head in _COUNTS.items():
        count = getattr(node.cost, name)
        if count:
            rows.add_row(f"  {head}", exact(count), share(count, getattr(totals, name)))
    if rows.rows:
        yield rows
    else:
        yield from _prose("It counts nothing: the operator renames elements, or is worked out before the run.", width)
    if node.counting is not Counting.COUNTED:
        yield from _prose(f"{node.counting.value}: {node.note}", width)
    if formula is not None and rows.rows and not formula.expressions:
        yield from _prose(formula.words, width)
    if formula is not None and formula.expressions:
        yield Text()
        equations = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
        for name, expression in formula.expressions.items():
            equations.add_row(_COUNTS[name], f"= {expression}")
        yield equations
        values = ", ".join(f"{letter} = {value}" for letter, value in formula.values.items())
        runs = f", and {node.repeat} runs" if node.repeat != 1 else ""
        yield from _prose(f"with {values}{runs}", width)


def _time(explained: NodeExplanation, time: NodeTime, entry: latency.Times, width: int) -> Iterator[RenderableType]:
    node, item = explained.node, time.kernel
    head = plain(time.platform.id)
    if item is None or time.is_free:
        yield Text(f"{head}: nothing runs for it", "bold")
        return
    yield Text(f"{head}: {latency.interval(item.estimate)}", "bold")
    run = f"{100 * time.share:.1f} % of a run, which takes {latency.interval(time.prediction.latency)}"
    yield from _prose(f"{run}. {_kernel(explained, time)}", width)
    copies = entry.copies.get(item.kernel.name, 0.0)
    if copies and item.kernel.name == node.name:
        yield from _prose(f"Copies into its layout and back take {latency.milliseconds(copies)} ms more.", width)
    yield from _terms(time, width)
    yield from _bound(time, width)
    if time.sensitivities:
        yield from (Text(), _changes(time))


def _changes(time: NodeTime) -> Table:
    rows = table("  what would change it", "ms then", "a run\nsaves ms", "between", "share")
    for one in time.sensitivities:
        saving = one.saving
        between = f"{_signed(saving.low)} to {_signed(saving.high)}" if _signed(saving.seconds) != "0" else ""
        rows.add_row(
            _indented(one.change, _FEWER),
            _signed(one.after),
            _signed(saving.seconds),
            between,
            f"{100 * saving.share + 0.0:.1f} %".replace("-0.0", "0.0"),
        )
    return rows


def _indented(words: str, width: int = _WORDS) -> str:
    return textwrap.fill(words, width, initial_indent="  ", subsequent_indent="  ")


def _signed(seconds: float) -> str:
    return "0" if abs(seconds) < _NOTHING else signed_milliseconds(seconds)


def _kernel(explained: NodeExplanation, time: NodeTime) -> str:
    """Which kernel the operator is part of, in a sentence."""
    node, item = explained.node, time.kernel
    assert item is not None
    others = [one for one in item.kernel.operators if one.name != node.name]
    if not others:
        return f"It is a kernel of its own, of kind {item.kernel.kind.value}."
    names = [f"{operator_label(one)} ({one.qualified_type})" for one in others[:_MOST_FUSED]]
    more = [f"{len(others) - len(names)} more"] if len(others) > len(names) else []
    listed = ", ".join([*names, *more])
    if item.kernel.name == node.name:
        return f"One kernel, of kind {item.kernel.kind.value}, runs it and takes along {listed}."
    main = next((one for one in others if one.name == item.kernel.name), others[0])
    return (
        f"It is taken along by the kernel of {operator_label(main)}, of kind {item.kernel.kind.value}: with {listed}."
    )


def _terms(time: NodeTime, width: int) -> Iterator[RenderableType]:
    if not time.terms:
        yield from _prose("The platform's profile has no price for such work: it is counted as no time.", width)
        return
    rows = table("  what its time is made of", "amount", "ns each", "ms", "share")
    total = sum(term.seconds for term in time.terms)
    large = [term for term in time.terms if term.seconds >= _SMALLEST * total]
    for term in large:
        each = latency.milliseconds(term.price * term.stretch * 1e6)
        cells = (short(term.amount), each, latency.milliseconds(term.seconds))
        rows.add_row(_indented(TERMS[term.term]), *cells, f"{100 * term.seconds / total:.1f} %")
    if len(large) < len(time.terms):
        rest = sum(term.seconds for term in time.terms[len(large) :])
        rows.add_row(f"  {len(time.terms) - len(large)} more", "", "", latency.milliseconds(rest), "0.0 %")
    yield from (Text(), rows)
    stretch = time.terms[0].stretch
    if f"{stretch:.3f}" != "1.000":
        yield from _prose(
            f"Times are times {stretch:.3g}, as those of the whole run: long runs change a device's speed.", width
        )


def _bound(time: NodeTime, width: int) -> Iterator[RenderableType]:
    if time.bound is None or time.kernel is None:
        return
    group, part = time.bound
    cost: Any = time.kernel.kernel.cost
    density = f" {cost.mult_adds / cost.bytes:.3g} mult-adds a byte." if cost.bytes and cost.mult_adds else ""
    what, means = _BOUND[group]
    yield from _prose(f"Bound by {what}, {100 * part:.0f} % of its time: {means}.{density}", width)


def _findings(explained: NodeExplanation, width: int) -> Iterator[RenderableType]:
    for finding in explained.findings:
        savings = ", ".join(
            f"{_signed(saving.seconds)} ms ({100 * saving.share:.1f} %) on {saving.platform}"
            for saving in finding.savings
        )
        words = f"{finding.guideline} ({finding.severity.value}) at {finding.place}: {finding.message}"
        yield from _prose(f"{words}. Instead: {finding.suggestion}. Saves {savings}.", width)


def render_json(explained: NodeExplanation) -> str:
    """The same as one JSON document (schema costmodel.explanation/1)."""
    node, totals, formula = explained.node, explained.analysis.totals, explained.formula
    tensors = explained.analysis.graph.tensors
    counts: dict[str, int] = {name: getattr(node.cost, name) for name in _COUNTS}
    shares = {name: counts[name] / whole if (whole := getattr(totals, name)) else 0.0 for name in counts}
    document = {
        "schema": SCHEMA,
        "kind": "operator",
        "model": explained.analysis.model,
        "name": node.name,
        "op": node.qualified_type,
        "operator_kind": explained.kind.value,
        "module": node.module,
        "source": node.source,
        "inputs": [_tensor_record(name, tensors.get(name)) for name in node.inputs if name],
        "outputs": [_tensor_record(name, tensors.get(name)) for name in node.outputs if name],
        "repeat": node.repeat,
        "counting": node.counting.value,
        "note": node.note,
        "counts": counts,
        "shares": shares,
        "formula": None if formula is None else _formula_record(explained),
        "platforms": [
            _time_record(time, entry)
            for time, entry in zip(explained.times, latency.times(explained.analysis), strict=True)
        ],
        "findings": [record(finding) for finding in explained.findings],
        "assumptions": list(explained.analysis.notes),
    }
    return json_text(document)


def _tensor_record(name: str, spec: TensorSpec | None) -> dict[str, Any]:
    shape = None if spec is None or spec.shape is None else list(spec.shape)
    dtype, constant = ("", False) if spec is None else (spec.dtype, spec.is_constant)
    return {"name": name, "shape": shape, "dtype": dtype, "constant": constant}


def _formula_record(explained: NodeExplanation) -> dict[str, Any]:
    formula = explained.formula
    assert formula is not None
    expressions = {name: str(expression) for name, expression in formula.expressions.items()}
    return {"words": formula.words, "expressions": expressions, "values": dict(formula.values)}


def _time_record(time: NodeTime, entry: latency.Times) -> dict[str, Any]:
    item = time.kernel
    kernel = None
    if item is not None:
        kernel = {
            "name": item.kernel.name,
            "kind": item.kernel.kind.value,
            "operators": [one.name for one in item.kernel.operators],
            "mult_adds": item.kernel.cost.mult_adds,
            "bytes": item.kernel.cost.bytes,
            **estimate_record(item.estimate),
            "copies_ms": entry.copies.get(item.kernel.name, 0.0) * 1e3,
        }
    return {
        "id": time.platform.id,
        "latency_ms": float(time.prediction.latency.seconds) * 1e3,
        "coverage": time.prediction.latency.coverage,
        "free": time.is_free,
        "share": time.share,
        "kernel": kernel,
        "bound": None if time.bound is None else {"by": time.bound[0], "share": time.bound[1]},
        "terms": [
            {
                "term": term.term,
                "meaning": TERMS[term.term],
                "group": group_of(term.term),
                "amount": term.amount,
                "seconds_each": term.price,
                "stretch": term.stretch,
                "time_ms": term.seconds * 1e3,
            }
            for term in time.terms
        ],
        "changes": [
            {
                "change": one.change,
                "before_ms": one.before * 1e3,
                "after_ms": one.after * 1e3,
                **saving_record(one.saving),
            }
            for one in time.sensitivities
        ],
    }
