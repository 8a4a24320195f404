"""What the registry of operators covers: the list, and one operator's formulas printed from its code."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from costmodel.dims import show_shape, symbol
from costmodel.errors import CostModelError
from costmodel.ops import Operator
from costmodel.ops.examples import apply_example, inputs_of
from costmodel.report.tables import table, to_text

_MEANING = (
    ("mult_adds", "mult-adds"),
    ("element_ops", "element ops"),
    ("memory_access", "memory access"),
)


def render_list(known: Sequence[Operator], width: int | None, color: bool) -> str:
    """Every operator with its formula in words."""
    rows = table("operator")
    rows.add_column("formula", overflow="fold")
    for op in known:
        rows.add_row(op.qualified_type, op.summary)
    text = to_text(rows, width, color)
    return f"{text}\n{len(known)} operators. `costmodel ops NAME` prints an operator's formulas from its code.\n"


def render_formulas(op: Operator) -> str:
    """An operator's formula in words, and its example: inputs, attributes and the counts on their dims."""
    lines = [op.qualified_type, f"  {op.summary}", ""]
    try:
        inputs = inputs_of(op, symbol)
        applied = apply_example(op, symbol)
    except CostModelError as error:
        return "\n".join([*lines, f"  (no formula in symbols: {error})", ""])
    rows = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    for spec in inputs:
        if spec is not None:
            values = "" if spec.value is None else f" = {[*spec.value.reshape(-1)]}"
            rows.add_row("input", spec.name, f"{spec.dtype}[{show_shape(spec.shape)}]{values}")
    for name, value in op.example.attributes.items():
        rows.add_row("attribute", name, Text(str(value)))
    for spec in applied.outputs:
        rows.add_row("output", "", f"{spec.dtype}[{show_shape(spec.shape)}]")
    for field, meaning in _MEANING:
        rows.add_row(meaning, "", str(getattr(applied.cost, field)))
    if applied.note:
        rows.add_row("note", "", applied.note)
    return "\n".join([*lines, "Example\n"]) + to_text(rows)
